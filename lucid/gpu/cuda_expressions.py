"""What is an instruction of a trace (core/trace.py) in CUDA, for one element? And a dtype?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lucid.core.trace import Instruction, ScalarTracer, Tracer

OPTIONS = ("--fmad=false",)  # products and sums are rounded each, as on the CPU

_CALLED = "ceil cos cosh erf erfc exp expm1 floor log log10 log1p log2 rint sign sin sinh sqrt tan tanh trunc".split()
CUDA_EXPRESSIONS = {name: name + "({})" for name in _CALLED} | {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "pow({}, {})",
    "less": "{} < {}", "less_equal": "{} <= {}", "greater": "{} > {}", "greater_equal": "{} >= {}",
    "equal": "{} == {}", "not_equal": "{} != {}", "isnan": "{0} != {0}", "negative": "-{}", "abs": "fabs({})",
    "logical_and": "{} && {}", "logical_or": "{} || {}", "logical_xor": "{} != {}", "logical_not": "!{}",
    "maximum": "maximum({}, {})", "minimum": "minimum({}, {})", "copysign": "copysign({}, {})",
    "hypot": "hypot({}, {})", "where": "{} ? {} : {}", "masked": "{} ? {} : 0", "astype": "{} ? 1 : 0", "copy": "{}",
}  # fmt: skip
CTYPES = {
    "float16": "__half", "float32": "float", "float64": "double", "int8": "signed char", "uint8": "unsigned char",
    "int16": "short", "int32": "int", "int64": "long long",
}  # fmt: skip
HELPERS = {
    # fmax and fmin give the other operand where one is NaN; these give NaN, as NumPy's do.
    "maximum": "__device__ inline scalar maximum(scalar a, scalar b) { return a >= b || a != a ? a : b; }",
    "minimum": "__device__ inline scalar minimum(scalar a, scalar b) { return a <= b || a != a ? a : b; }",
    "sign": "__device__ inline scalar sign(scalar a) { return a > 0 ? 1 : a < 0 ? -1 : a == 0 ? 0 : a; }",
}


def statements(instructions: Sequence[Instruction], names: dict[Tracer, str]) -> list[str]:
    """The instructions on arrays, a line each; `names` has those of the inputs, and is given those of the results."""
    lines: list[str] = []
    for function, operands, out in instructions:
        if not isinstance(out, ScalarTracer):
            expression = CUDA_EXPRESSIONS[function].format(*[names[x] for x in operands])
            names[out] = f"v{len(lines)}"
            lines.append(f"{type_of(out)} {names[out]} = {expression};")
    return lines


def type_of(tracer: Tracer) -> str:
    """The type of its elements; each kernel defines `scalar`."""
    return "bool" if tracer.is_bool else "scalar"


def helpers(instructions: Iterable[Instruction]) -> list[str]:
    """The functions that their statements call and CUDA has not."""
    used = {function for function, _, _ in instructions}
    return [text for function, text in HELPERS.items() if function in used]


def typedefs(stored: object) -> list[str]:
    """`stored`, the type of an array's elements, and `scalar`, in which a kernel computes with them."""
    half = ["#include <cuda_fp16.h>"] if str(stored) == "float16" else []
    scalar = "double" if str(stored) == "float64" else "float"
    return [*half, f"typedef {scalar} scalar;", f"typedef {CTYPES[str(stored)]} stored;"]

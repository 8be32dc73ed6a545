"""What does an elementwise function compute? It is run once on tracers, which record each operation as an instruction.

`m = beta1 * m + (1 - beta1) * g`, run on tracers for m, g and beta1, leaves this trace (`print(trace)`):

    %0 = multiply %beta1 %m
    %1 = subtract 1 %beta1
    %2 = multiply %1 %g
    %3 = add %0 %2

An instruction is a function by NumPy's name, its operands, and its result. A `Tracer` stands for an array, a
`ScalarTracer` for a Python number: what is computed from numbers alone, `1 - beta1`, is computed once a call and in
double precision, not for each element. Anything beyond that, such as a sum or an `if` on an array, is a `TraceError`.

A trace is run in place, with few arrays for all results (optimizers: optim/rule.py), or printed as a kernel for a GPU
(optimizers, and fused operations).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power"}
COMPARISONS = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
COMPARISONS |= {"eq": "equal", "ne": "not_equal"}
LOGIC = {"and": "logical_and", "or": "logical_or", "xor": "logical_xor"}
UNARY = {"neg": "negative", "abs": "abs", "invert": "logical_not"}
ON_NUMBERS = {name: getattr(operator, method) for method, name in ARITHMETIC.items()} | {"negative": operator.neg}
FUNCTIONS = {  # what a traced function may call as `xp.name`
    *ARITHMETIC.values(), *COMPARISONS.values(),
    *"""abs ceil copy copysign cos exp expm1 floor isnan log log10 log1p log2 maximum minimum negative rint sign sin
    sqrt tan tanh trunc where""".split(),
}  # fmt: skip
GIVES_BOOLS = {*COMPARISONS.values(), *LOGIC.values(), "logical_not", "isnan"}
# Which operands are truth values. `astype` makes 1 and 0 of them; `masked` is `where` with 0 in the last place.
TAKES_BOOLS = dict.fromkeys([*LOGIC.values(), "logical_not", "astype"], (0, 1)) | {"where": (0,), "masked": (0,)}


class TraceError(Exception):
    """The function does something that is no elementwise arithmetic: it has no trace."""


class Tracer:
    """Stands for an array while a function is traced. `is_bool`: an array of truth values."""

    __array_ufunc__ = None  # so that ndarray * tracer is Tracer.__rmul__, which refuses it
    __hash__ = object.__hash__

    def __init__(self, trace: Trace, name: str, is_bool: bool = False) -> None:
        self.trace, self.name, self.is_bool = trace, name, is_bool

    def __str__(self) -> str:
        return f"%{self.name}"

    def __bool__(self) -> bool:
        raise TraceError("a decision that depends on an array")

    def __getattr__(self, name: str) -> Any:
        return self.trace.attribute(self, name)

    def clip(self, low: Any, high: Any) -> Any:
        """Held between two numbers."""
        return self.trace.emit("minimum", self.trace.emit("maximum", self, low), high)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """In another dtype, if the trace allows that."""
        return self.trace.cast(self, dtype)


class ScalarTracer(Tracer):
    """Stands for a Python number.

    `concrete` says whether the number is true, for an `if`; None where that may change while the trace is in use.
    `static` numbers change seldom, the others at each call. `value` is that of a literal.
    """

    def __init__(self, trace: Trace, name: str, concrete: bool | None, static: bool, value: Any = None) -> None:
        super().__init__(trace, name)
        self.concrete, self.static, self.value = concrete, static, value

    def __str__(self) -> str:
        return super().__str__() if self.value is None else self.name

    def __bool__(self) -> bool:
        if self.concrete is None:
            raise TraceError(f"a decision that depends on the number {self}")
        return self.concrete


for _method, _name in (ARITHMETIC | COMPARISONS | LOGIC | UNARY).items():
    setattr(Tracer, f"__{_method}__", lambda self, *other, name=_name: self.trace.emit(name, self, *other))
    if _method in ARITHMETIC | LOGIC:
        setattr(Tracer, f"__r{_method}__", lambda self, other, name=_name: self.trace.emit(name, other, self))

Instruction = tuple[str, tuple[Tracer, ...], Tracer]


class Trace:
    """What a function did when it was run on tracers.

    Attributes:
        xp: the namespace that it is run with when it is not traced: names missing there are missing here.
        instructions: `(function, operands, result)`, in order; those on numbers alone have a ScalarTracer as result.
    """

    def __init__(self, xp: Any) -> None:
        self.xp, self.instructions = xp, list[Instruction]()
        self._numbers: dict[Any, ScalarTracer] = {}  # literals by their text, results by function and operands

    def __str__(self) -> str:
        return "\n".join(f"{out} = {name} {' '.join(map(str, operands))}" for name, operands, out in self.instructions)

    def emit(self, function: str, *operands: Any) -> Any:
        """The result of `function` on tracers and numbers, by one more instruction."""
        tracers = [x if isinstance(x, Tracer) else self._literal(x, function) for x in operands]
        if all(isinstance(x, ScalarTracer) for x in tracers):
            known = self._numbers.get((function, *tracers))
            return self._on_numbers(function, tracers) if known is None else known
        conditions = TAKES_BOOLS.get(function, ())
        if len(conditions) == 2 and not all(x.is_bool for x in tracers):
            raise TraceError(f"{function} of numbers")
        arrays = [x for i, x in enumerate(tracers) if i not in conditions and not isinstance(x, ScalarTracer)]
        if arrays and all(x.is_bool for x in arrays):
            raise TraceError(f"{function} of truth values, whose dtype would not be that of the arrays")
        for i, x in enumerate(tracers):
            if x.is_bool is not (i in conditions):  # as NumPy: 1 and 0 beside numbers, and a condition is x != 0
                tracers[i] = self.emit("not_equal", x, 0) if i in conditions else self.emit("astype", x)
        return self._append(function, tracers, Tracer, function in GIVES_BOOLS)

    def _on_numbers(self, function: str, operands: Sequence[Any]) -> ScalarTracer:
        if function not in ON_NUMBERS:
            raise TraceError(f"{function} of numbers")
        concrete, static = operands[0].concrete if function == "negative" else None, all(x.static for x in operands)
        out = self._numbers[function, *operands] = self._append(function, operands, ScalarTracer, concrete, static)
        return out

    def _append(self, function: str, operands: Sequence[Tracer], kind: Any, *about: Any) -> Any:
        out = kind(self, str(len(self.instructions)), *about)
        self.instructions.append((function, tuple(operands), out))
        return out

    def _literal(self, value: Any, function: str) -> ScalarTracer:
        if type(value) not in (int, float):
            raise TraceError(f"{function} of a {type(value).__name__}")
        return self._numbers.setdefault(repr(value), ScalarTracer(self, repr(value), bool(value), True, value))

    def attribute(self, tracer: Tracer, name: str) -> Any:
        """Refuse `tracer.name`, on which the result may depend. A trace of another kind may allow it (gpu/fuse.py)."""
        if not hasattr(self.xp.zeros(0), name):
            raise AttributeError(f"an array has no attribute {name!r}")
        raise TraceError(f"the {name} of an array")

    def cast(self, tracer: Tracer, dtype: Any) -> Any:
        """Refuse `tracer.astype(dtype)`; likewise."""
        raise TraceError(f"a cast to {dtype}")

    def scalars(self) -> list[ScalarTracer]:
        """The numbers that instructions on arrays take: first the static ones."""
        used = [x for _, operands, out in self.instructions if type(out) is Tracer for x in operands]
        return sorted(dict.fromkeys(x for x in used if isinstance(x, ScalarTracer)), key=lambda x: not x.static)

    def on_numbers(self, static: bool) -> list[Instruction]:
        """The instructions on numbers, those that are static or the others."""
        return [i for i in self.instructions if isinstance(i[2], ScalarTracer) and i[2].static is static]


def evaluate(instructions: Sequence[Instruction], values: dict[str, Any]) -> dict[str, Any]:
    """`values`, numbers by name, with the results of these instructions on numbers, computed in double precision."""
    for function, operands, out in instructions:
        values[out.name] = ON_NUMBERS[function](*[number_of(x, values) for x in operands])
    return values


def number_of(scalar: Any, values: Mapping[str, Any]) -> Any:
    """What a ScalarTracer stands for, given the numbers by name."""
    return values[scalar.name] if scalar.value is None else scalar.value


class TracedNamespace:
    """`xp` for a function that is traced."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in FUNCTIONS:
            getattr(self.trace.xp, name)  # an AttributeError that names it, if there is no such function at all
            raise TraceError(f"xp.{name}")
        return lambda *operands: self.trace.emit(name, *operands)

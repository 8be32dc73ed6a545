"""How does an elementwise forward or vjp become one kernel?

`lambda xp, g, x: g * xp.sigmoid(-x)` is six functions of the array library, and so six launches that read and
write whole arrays. Traced (core/trace.py) it is six instructions on numbers, the body of an
ElementwiseKernel. What it calls as `xp.name` is a function that CUDA has too, or an operation, whose forward
is traced along with it. What does more than that, a sum or a slice, has no trace and runs as it stands.

A kernel holds for arrays of one float dtype (and bools), where nothing is promoted. It computes in `scalar`:
double for float64, else float, so float16 is rounded once, at the end, and numbers beside it not at all (the
array library makes them half first). Numbers among the arguments are arguments of the kernel; it is printed
anew only where one decides something, by being 0 or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from lucid.core.array import cpu
from lucid.core.op import OPS
from lucid.core.trace import ScalarTracer, Trace, TracedNamespace, TraceError, Tracer, evaluate, number_of
from lucid.gpu.cuda_expressions import CTYPES, CUDA_EXPRESSIONS, OPTIONS, helpers, statements, type_of
from lucid.ops.activations import FAR, ROOT_HALF, _tanh_gate, _tanh_gelu_slope

SEVERAL_LAUNCHES = {"masked"}  # what takes the array library more than one
MANY = 512  # kernels that are kept for one function: one that depends on shapes may need ever new ones
TRIES = 8  # at a function that could never be traced so far


class FusedNamespace(TracedNamespace):
    """`xp` while a forward or vjp is traced: CUDA's functions, and all operations."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.within = set[str]()
        self.quiet = nullcontext  # a GPU raises no floating-point warnings
        self.masked = lambda x, mask: trace.emit("masked", mask, x)  # x or 0: the forward does it with bits
        self.astype = lambda x, *, dtype: x.astype(dtype)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in CUDA_EXPRESSIONS:
            return lambda *operands: self.trace.emit(name, *operands)
        if (spec := OPS.get(name)) is None or spec.user_defined or name in self.within:
            raise TraceError(f"xp.{name}")

        def operation(*args: Any, **options: Any) -> Any:
            self.within.add(name)  # a forward that calls its own name means the array library's function
            out = spec.forward(self, *args, **options)
            self.within.discard(name)
            return out[0] if spec.aux_outputs else out

        return operation


class FusedTrace(Trace):
    """A forward or vjp, traced for arguments such as these.

    Attributes:
        outputs: what it gave, one Tracer for each array; instructions that none depends on are left out.
        arrays: position -> Tracer of the arguments that instructions need and that are arrays.
        dtype: of the arrays that are not bools; `wide`, the name of the one it is computed in.
        shaped: whether shapes were read, so that it holds for these alone.
    """

    def __init__(self, function: Callable[..., Any], options: Sequence[str], values: Sequence[Any]) -> None:
        super().__init__(cpu)
        self.shaped, self.values = False, values
        self.dtype = next(x.dtype for x in values if hasattr(x, "strides") and x.dtype.kind == "f")
        self.wide = "float64" if self.dtype.char == "d" else "float32"
        tracers, cut = [self._argument(i, x) for i, x in enumerate(values)], len(values) - len(options)
        results = function(FusedNamespace(self), *tracers[:cut], **dict(zip(options, tracers[cut:], strict=True)))
        self.outputs: tuple[Tracer, ...] = results if isinstance(results, tuple) else (results,)
        if not all(type(out) is Tracer and out.name.isdecimal() for out in self.outputs):
            raise TraceError("a result that is no new array")
        needed: set[Any] = set(self.outputs)
        for _, operands, out in reversed(self.instructions):
            needed |= set(operands) if out in needed else set()
        self.instructions = [x for x in self.instructions if x[2] in needed]
        self.arrays = {i: x for i, x in enumerate(tracers) if type(x) is Tracer and x in needed}

    def _argument(self, i: int, value: Any) -> Any:
        if hasattr(value, "strides"):
            if value.dtype.kind != "b" and value.dtype != self.dtype:
                raise TraceError("arrays of several dtypes")
            return Tracer(self, f"a{i}", value.dtype.kind == "b")
        return ScalarTracer(self, f"n{i}", bool(value), True) if type(value) in (int, float) else value

    def attribute(self, tracer: Tracer, name: str) -> Any:
        """Dtypes and shapes of the arguments are known."""
        if name == "dtype" and not tracer.is_bool:
            return self.dtype
        if name in ("shape", "ndim", "size") and type(tracer) is Tracer and tracer.name.startswith("a"):
            self.shaped = True
            return getattr(self.values[int(tracer.name[1:])], name)
        raise TraceError(f"the {name} of an array")

    def cast(self, tracer: Tracer, dtype: Any) -> Any:
        """Only to the dtype that everything has, or is computed in."""
        if str(dtype) not in (str(self.dtype), self.wide):
            raise TraceError(f"a cast to {dtype}")
        return self.emit("astype", tracer) if tracer.is_bool else tracer

    def body(self) -> str:
        """The text of one element."""
        names: dict[Tracer, str] = {x: f"x{i}" for i, x in self.arrays.items()}
        lines = [f"{type_of(x)} {names[x]} = {x.name};" for x in self.arrays.values()]
        names |= {x: f"k{i}" for i, x in enumerate(self.scalars())}
        lines += statements(self.instructions, names)
        return "\n".join([*lines, *(f"out{i} = {names[out]};" for i, out in enumerate(self.outputs))])

    def parameters(self) -> tuple[str, str]:
        """Those of the kernel, in and out."""
        kinds = {x: "bool" if x.is_bool else self.dtype for x in (*self.arrays.values(), *self.outputs)}
        takes = [f"{kinds[x]} {x.name}" for x in self.arrays.values()]
        takes += [f"{self.wide} k{i}" for i in range(len(self.scalars()))]
        return ", ".join(takes), ", ".join(f"{kinds[x]} out{i}" for i, x in enumerate(self.outputs))

    def kernel(self, cupy: Any, name: str) -> Any:
        """CuPy's kernel of it."""
        text = "\n".join([f"typedef {CTYPES[self.wide]} scalar;", *helpers(self.instructions)])
        arguments = *self.parameters(), self.body(), f"lucid_{name}"
        return cupy.ElementwiseKernel(*arguments, preamble=text, options=OPTIONS)

    def launcher(self, cupy: Any, name: str) -> Callable[..., Any]:
        """A function of all the arguments, which are positional now, that launches the kernel with those it takes."""
        kernel, arrays = self.kernel(cupy, name), list(self.arrays)
        scalars, on_numbers = self.scalars(), self.on_numbers(static=True)

        def launch(*values: Any) -> Any:
            numbers = evaluate(on_numbers, {f"n{i}": x for i, x in enumerate(values)}) if scalars else {}
            return kernel(*[values[i] for i in arrays], *[float(number_of(x, numbers)) for x in scalars])

        return launch


# A forward that is written for NumPy's speed, with a row of zeros, a view of the bits or a write in place, has no
# trace; so operations that use these have a second forward here, in plain arithmetic.
def _gelu(xp: Any, x: Any, approximate: str) -> Any:
    """gelu and its slope, by the tail behind |x|: far below 0, 1 + erf has no digits left."""
    if approximate == "tanh":
        near = x.clip(-40, 40)  # further out nothing changes, but x * x overflows
        gate = _tanh_gate(xp, near)  # type: ignore[no-untyped-call]
        return x.clip(-FAR, math.inf) * gate, _tanh_gelu_slope(xp, near, gate)  # type: ignore[no-untyped-call]
    size = xp.abs(x.clip(-40, 40))  # as good as infinity, but 40 * 0 is 0
    tail = 0.5 * xp.erfc(size * ROOT_HALF)
    below = size * (1 / math.sqrt(2 * math.pi)) * xp.exp(-0.5 * size * size) - tail  # the slope there, negated
    return xp.maximum(x, 0) - size * tail, xp.where(x < 0, -below, 1 + below)


PORTABLE_FORWARDS = {"relu": lambda xp, x: xp.maximum(x, 0), "erf": lambda xp, x: xp.erf(x), "gelu": _gelu}
PORTABLE_FORWARDS["gelu_slope"] = lambda xp, x: _gelu(xp, x, "none")[1]


class Fused:
    """What is called for a forward or vjp on a GPU: one kernel wherever that can be.

    `launchers` has a launcher for each pattern of arguments (their dtypes, and what decides among the numbers and
    options), or one for each of their shapes, or None where the function runs as it stands.
    """

    def __init__(self, xp: Any, operation: str, part: str, function: Callable[..., Any]) -> None:
        self.cupy, self.array, self.name = xp.module, xp.module.ndarray, f"{operation}_{part}"
        self.function = function
        self.traced: Any = PORTABLE_FORWARDS.get(operation, function) if part == "forward" else function
        self.launchers: dict[Any, Any] = {}
        self.tries = TRIES  # how many more refusals it takes until this is no longer tried

    def __call__(self, xp: Any, *args: Any, **options: Any) -> Any:
        """As the function itself."""
        if not self.tries:
            return self.function(xp, *args, **options)
        values, array, pattern = (*args, *options.values()) if options else args, self.array, []
        for x in values:  # this loop is most of what it costs the host
            kind = type(x)
            pattern.append(x.dtype.char if kind is array else (kind, not x) if kind is float or kind is int else x)
        try:
            launcher = self.launchers[tuple(pattern)]
            if type(launcher) is dict:
                launcher = launcher[tuple([x.shape for x in values if type(x) is array])]
        except (KeyError, TypeError):
            launcher = self._compile(values, tuple(pattern), list(options))
        return self.function(xp, *args, **options) if launcher is None else launcher(*values)

    def _compile(self, values: tuple[Any, ...], pattern: tuple[Any, ...], options: list[str]) -> Any:
        """A launcher for arguments such as these; None where there can be none."""
        if len(self.launchers) > MANY:
            self.launchers.clear()
        trace, arrays = None, [x for x in values if type(x) is self.array]
        try:
            trace = FusedTrace(self.traced, options, values)
            on_arrays = [function for function, _, out in trace.instructions if type(out) is Tracer]
            plain = self.traced is self.function and not (trace.dtype.char == "e" and trace.scalars())
            if plain and len(on_arrays) < 2 and on_arrays[0] not in SEVERAL_LAUNCHES:
                trace = None  # one function of the array library, which is as good
        except Exception:  # any error of the function itself is raised when it runs on arrays
            if not any(self.launchers.values()) and {x.dtype.char for x in arrays} - {"?"} in ({"e"}, {"f"}, {"d"}):
                self.tries -= 1
        launcher = None if trace is None else trace.launcher(self.cupy, self.name)
        by_pattern, key = self.launchers, pattern
        try:
            if trace is not None and trace.shaped:
                by_pattern, key = by_pattern.setdefault(pattern, {}), tuple([x.shape for x in arrays])
            if len(by_pattern) > MANY:
                by_pattern.clear()
            by_pattern[key] = launcher
        except TypeError:  # a slice among the options, or a list
            return None
        return launcher

"""Chapter 4a, continued. An elementwise forward or formula, printed as one kernel.

`lambda xp, g, x: g * xp.sigmoid(-x)` is six functions of the array library, and so six launches, each of which reads
and writes whole arrays. Run on symbols (lucid/tape.py) it leaves a tape of six steps on numbers, which is the body of
an ElementwiseKernel. What it asks of `xp` is either a function that CUDA has as well, or an operation, whose forward is
run on the same symbols. Where it asks for more than that, for a sum or a slice, it has no tape and runs as it stands.

A kernel holds for arrays of one float dtype (and bools), on which NumPy's and lucid's rules of promotion have nothing
to say. It computes in `scalar`: double for float64, else float, so float16 is rounded once, at the end. Numbers among
the arguments are arguments of the kernel; it is printed anew only where one decides something, by being 0 or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from lucid.core.op import OPS
from lucid.ops.again import SAID_AGAIN
from lucid.tape import HELPERS, OPTIONS, SAID, Number, Unsayable, Value

PLAIN = """
    abs sqrt sign exp expm1 log log1p log2 log10 sin cos tan tanh floor ceil trunc rint erf erfc power copysign
    maximum minimum add subtract multiply divide negative
""".split()
TRUE_OR_FALSE = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]
SAID_HERE = {name: name + "({})" for name in PLAIN} | SAID | {
    "copysign": "copysign({}, {})", "equal": "{} == {}", "not_equal": "{} != {}", "isnan": "{0} != {0}",
    "and": "{} && {}", "or": "{} || {}", "xor": "{} != {}", "not": "!{}", "where": "{} ? {} : {}",
    "masked": "{} ? {} : 0", "number": "{} ? 1 : 0",
}  # fmt: skip
ALONE = {"masked"}  # a step that takes the array library several launches
MANY = 512  # kernels that are kept for one function: one that depends on shapes may be asked for ever new ones
TRIES = 8  # at a function that symbols could never follow so far
Step = tuple[str, tuple[Any, ...], "Element"]


class Element(Value):
    """A number for each element, or a bool; `array` is what it stands for, and None for what was computed."""

    tape: Recording  # type: ignore[assignment]

    def __init__(self, tape: Recording, name: str = "", truth: bool = False, array: Any = None) -> None:
        self.tape, self.name, self.truth, self.array = tape, name, truth, array

    def note(self, function: str, *operands: Any) -> Element:
        """One more step, if its operands are what they must be."""
        wanted = {"where": (True, False, False), "masked": (True, False)}.get(function)
        if function in ("and", "or", "xor", "not", "number"):
            wanted = (True,) * len(operands)
        for i, x in enumerate(operands):
            if isinstance(x, Element):
                known = x.truth
            elif isinstance(x, Number) or type(x) in (int, float):
                known = False  # an int is passed as the float that it is taken for
            else:
                raise Unsayable(f"{function} of {type(x)}")
            if known is not (False if wanted is None else wanted[i]):
                raise Unsayable(f"{function} of {'bools' if known else 'numbers'}")
        out = Element(self.tape, truth=function in ("isnan", "and", "or", "xor", "not", *TRUE_OR_FALSE))
        self.tape.steps.append((function, operands, out))
        return out

    def __eq__(self, other: object) -> Any:
        return self.note("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return self.note("not_equal", self, other)

    __hash__ = object.__hash__
    __array_ufunc__ = None

    def __and__(self, other: Any) -> Element:
        return self.note("and", self, other)

    def __or__(self, other: Any) -> Element:
        return self.note("or", self, other)

    def __xor__(self, other: Any) -> Element:
        return self.note("xor", self, other)

    def __invert__(self) -> Element:
        return self.note("not", self)

    def clip(self, low: Any, high: Any) -> Element:
        """Held between two numbers."""
        above = self.note("maximum", self, low)
        return above.note("minimum", above, high)

    def astype(self, dtype: Any, copy: bool = True) -> Element:
        """In another dtype: only the one that everything has, or is computed in."""
        if str(dtype) not in (str(self.tape.dtype), self.tape.wide):
            raise Unsayable(f"a cast to {dtype}")
        return self.note("number", self) if self.truth else self

    def __getattr__(self, name: str) -> Any:
        if name == "dtype" and not self.truth:
            return self.tape.dtype
        if name in ("shape", "ndim", "size") and self.array is not None:
            self.tape.shaped = True
            return getattr(self.array, name)
        raise Unsayable(f"the {name} of an array")


class Says:
    """`xp` for a function that is run on symbols."""

    def __init__(self, tape: Recording) -> None:
        self.tape, self.within = tape, set[str]()

    def quiet(self) -> Any:
        """A GPU raises no floating-point warnings."""
        return nullcontext()

    def masked(self, x: Any, mask: Any) -> Any:
        """x where the mask holds, else 0: the forward does it with bits."""
        return mask.note("masked", mask, x)

    def astype(self, x: Any, *, dtype: Any) -> Any:
        """See Element's."""
        return x.astype(dtype)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in PLAIN or name in TRUE_OR_FALSE or name in ("where", "isnan"):

            def function(*operands: Any) -> Any:
                found = next((x for x in operands if isinstance(x, Element)), None)
                if found is None:
                    raise Unsayable(f"xp.{name} of numbers")
                return found.note(name, *operands)

            return function
        if name not in OPS or OPS[name].user_defined or name in self.within:
            raise Unsayable(f"xp.{name}")
        spec = OPS[name]

        def operation(*args: Any, **options: Any) -> Any:
            defaults = {
                p.name: p.default for p in spec.parameters if p.name in spec.options and p.default is not p.empty
            }
            self.within.add(name)  # a forward that asks for its own name means the array library's function
            out = spec.forward(self, *args, **{**defaults, **options})
            self.within.discard(name)
            return out[0] if spec.aux_outputs else out

        return operation


class Recording:
    """A function, run on symbols that stand for its arguments.

    Attributes:
        steps: what it did, as in an optimizer's tape, less what nothing came of.
        outputs: what it gave, one Element for each array.
        arrays: names of the arguments that the steps need and that are arrays.
        scalars: the text of each number they need -> its name.
        dtype: of the arrays that are not bools; `wide`, the name of the one it is computed in.
        shaped: whether shapes were asked for, so that it holds for these alone.
    """

    def __init__(self, function: Callable[..., Any], names: Sequence[str], options: int, values: Sequence[Any]) -> None:
        self.steps: list[Step] = []
        self.shaped = False
        self.dtype = next(x.dtype for x in values if hasattr(x, "strides") and x.dtype.kind == "f")
        self.wide = "float64" if self.dtype.char == "d" else "float32"
        symbols = [self._symbol(f"{'a' if hasattr(x, 'strides') else 'n'}{i}", x) for i, x in enumerate(values)]
        cut = len(symbols) - options
        given = dict(zip(names, symbols[cut:], strict=True))
        made = function(Says(self), *symbols[:cut], **given)
        self.outputs: tuple[Element, ...] = made if isinstance(made, tuple) else (made,)
        if not all(isinstance(out, Element) and out.array is None for out in self.outputs):
            raise Unsayable("what is no new array")
        needed: set[Any] = set(self.outputs)
        kept = []
        for step in reversed(self.steps):
            if any(step[2] is x for x in needed):
                needed.update(x for x in step[1] if isinstance(x, Element))
                kept.append(step)
        self.steps = kept[::-1]
        self.arrays = [x for x in symbols if isinstance(x, Element) and any(x is y for y in needed)]
        self.scalars: dict[str, str] = {}
        for _, operands, _ in self.steps:
            for x in operands:
                if not isinstance(x, Element):
                    self.scalars.setdefault(x.text if isinstance(x, Number) else repr(x), f"k{len(self.scalars)}")

    def _symbol(self, name: str, value: Any) -> Any:
        if hasattr(value, "strides"):
            if value.dtype.kind != "b" and value.dtype != self.dtype:
                raise Unsayable("arrays of several dtypes")
            return Element(self, name, value.dtype.kind == "b", value)
        return Number(name, bool(value)) if type(value) in (int, float) else value

    def body(self) -> str:
        """The text of one element."""
        known: dict[Any, str] = {}
        lines = []

        def named(x: Any) -> str:
            return known[x] if isinstance(x, Element) else self.scalars[x.text if isinstance(x, Number) else repr(x)]

        for x in self.arrays:
            known[x] = f"x{x.name[1:]}"
            lines.append(f"{'bool' if x.truth else 'scalar'} {known[x]} = {x.name};")
        for i, (function, operands, out) in enumerate(self.steps):
            said, known[out] = SAID_HERE[function].format(*map(named, operands)), f"v{i}"
            lines.append(f"{'bool' if out.truth else 'scalar'} v{i} = {said};")
        return "\n".join([*lines, *(f"out{i} = {known[out]};" for i, out in enumerate(self.outputs))])

    def kernel(self, cupy: Any, name: str) -> Any:
        """CuPy's kernel of it."""
        takes = [f"{'bool' if x.truth else self.dtype} {x.name}" for x in self.arrays]
        takes += [f"{self.wide} {scalar}" for scalar in self.scalars.values()]
        gives = [f"{'bool' if x.truth else self.dtype} out{i}" for i, x in enumerate(self.outputs)]
        used = {function for function, _, _ in self.steps}
        scalar = f"typedef {'double' if self.wide == 'float64' else 'float'} scalar;"
        helpers = [text for helper, text in HELPERS.items() if helper in used]
        preamble = "\n".join([scalar, *helpers])
        return cupy.ElementwiseKernel(
            ", ".join(takes), ", ".join(gives), self.body(), f"lucid_{name}", preamble=preamble, options=OPTIONS
        )

    def launcher(self, cupy: Any, name: str, count: int) -> Callable[..., Any]:
        """A function of all the arguments, which are positional now, that launches the kernel with those it takes."""
        names = {x.name for x in self.arrays}
        parameters = [f"a{i}" if f"a{i}" in names else f"n{i}" for i in range(count)]
        given = ", ".join([x.name for x in self.arrays] + [f"float({text})" for text in self.scalars])
        scope: dict[str, Any] = {"kernel": self.kernel(cupy, name), "inf": float("inf"), "nan": float("nan")}
        exec(f"def launch({', '.join(parameters)}): return kernel({given})", scope)
        return scope["launch"]


def _hashable(pattern: Any) -> bool:
    try:
        hash(pattern)
    except TypeError:
        return False
    return True


class Fused:
    """What is called in place of a forward or a formula on a GPU. It is one kernel wherever that can be.

    `known` has a launcher for each kind of arguments (their dtypes, and what decides among the numbers and options), or
    one for each of their shapes, or None where it runs as it stands.
    """

    def __init__(self, xp: Any, operation: str, part: str, function: Callable[..., Any]) -> None:
        self.cupy, self.array, self.name = xp.module, xp.module.ndarray, f"{operation}_{part}"
        self.function = function
        self.said: Any = SAID_AGAIN.get(operation, function) if part == "forward" else function
        self.known: dict[Any, Any] = {}
        self.tries = TRIES  # how many more refusals it takes until this is no longer tried

    def __call__(self, xp: Any, *args: Any, **options: Any) -> Any:
        """As the function itself."""
        if not self.tries:
            return self.function(xp, *args, **options)
        values = (*args, *options.values()) if options else args
        array = self.array
        key = []
        for x in values:  # this loop is most of what it costs the host
            kind = type(x)
            key.append(x.dtype.char if kind is array else (kind, not x) if kind is float or kind is int else x)
        try:
            found = self.known[tuple(key)]
            if type(found) is dict:
                found = found[tuple([x.shape for x in values if type(x) is array])]
        except (KeyError, TypeError):
            found = self._make(values, key, options)
        return self.function(xp, *args, **options) if found is None else found(*values)

    def _make(self, values: tuple[Any, ...], key: list[Any], options: dict[str, Any]) -> Any:
        """A launcher for arguments such as these; None where there can be none."""
        recording, pattern = None, tuple(key)
        try:
            if len(self.known) > MANY:
                self.known.clear()
            recording = Recording(self.said, list(options), len(options), values)
            if self.said is self.function and len(recording.steps) < 2 and recording.steps[0][0] not in ALONE:
                recording = None  # one function of the array library, which is as good
        except Exception:  # of whatever kind: what it says of arrays is said when it runs on arrays
            kinds = {x.dtype.char for x in values if type(x) is self.array} - {"?"}
            if not any(self.known.values()) and kinds in ({"e"}, {"f"}, {"d"}):
                self.tries -= 1
        if not _hashable(pattern):  # a slice among the options, or a list
            return None
        found = None if recording is None else recording.launcher(self.cupy, self.name, len(values))
        if recording is not None and recording.shaped:
            by_shape = self.known.setdefault(pattern, {})
            if len(by_shape) > MANY:
                by_shape.clear()
            by_shape[tuple([x.shape for x in values if type(x) is self.array])] = found
        else:
            self.known[pattern] = found
        return found

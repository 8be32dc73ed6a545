"""Where a NaN came from: the first operation that made one, forward or backward, and the line that ran it.

An operation *makes* a NaN or an infinity if there is one in its output and none of that kind in its inputs. What it
only hands on is not its doing: the -inf that `masked_fill` was told to put, which a softmax then turns into 0, or an
infinity in the data. Of infinities NaN can be made anew: inf - inf, 0 * inf, the softmax of a row of nothing but -inf.

Off costs nothing, for it is no question that an operation asks: on, operations call another forward, nodes are made by
another function, and the walk back has somebody to show each step to.
"""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace
from typing import Any

from lucid import backend
from lucid.graph import Node, watch
from lucid.op import OBSERVERS, Op, look_on
from lucid.origins import ours, remember, remembering, told, whose_line

# What usually helps, by operation and by what it gave: of the forward, and of the gradient.
FORWARD = {
    "log": "log(0) is -inf and log(-1) NaN: write (x + 1e-8).log(), or take log_softmax, logsumexp or a loss of logits",
    "log2": "log2(0) is -inf and log2(-1) NaN: write (x + 1e-8).log2()",
    "log10": "log10(0) is -inf and log10(-1) NaN: write (x + 1e-8).log10()",
    "log1p": "log1p(-1) is -inf and NaN below: hold x above -1",
    "sqrt": "there is no root of a negative number: hold x at 0 or more with clamp(min=0), or look for what made it so",
    "exp": "exp overflows beyond 88 in float32, 709 in float64: subtract the largest, or take softmax or logsumexp",
    "expm1": "expm1 overflows beyond 88 in float32: hold x below that",
    "divide": "the divisor is 0, or too small: write x / (y + 1e-8), or x / y.clamp(min=1e-8) for a positive y",
    "reciprocal": "1 / x of an x that is 0, or too small: write 1 / (x + 1e-8)",
    "power_number": "0 to a negative power, a root of a negative number, or an overflow: hold x away from there",
    "power": "0 to a negative power, a root of a negative number, or an overflow: hold x away from there",
    "softmax": "a row of -inf throughout has no softmax: leave at least one entry unmasked, or fill with -1e9",
    "log_softmax": "a row of -inf throughout has no softmax: leave at least one entry unmasked, or fill with -1e9",
    "cross_entropy": "logits that are infinite, or a row of -inf throughout: leave at least one entry unmasked",
    "cross_entropy_ignore_index": (
        "logits that are infinite, or a row of -inf throughout: leave at least one entry unmasked"
    ),
    "astype": "the number is beyond the largest of that dtype (float16: 65504): stay in float32, or scale first",
    "square": "an overflow: the values have grown out of bounds; a smaller learning rate, or clip_grad_norm_",
}
SUBTRACT = "inf - inf, or 0 * inf: look for where the infinity in its inputs was let in"
OVERFLOW = (
    "an overflow: values have grown out of bounds; a smaller learning rate, normalised inputs, or clip_grad_norm_"
)
BACKWARD = {
    "sqrt": "the slope of sqrt at 0 is infinite: write (x + 1e-12).sqrt()",
    "power_number": "the slope of x ** p for p < 1 is infinite at 0: write (x + 1e-12) ** p",
    "power": "the slope of x ** p for p < 1 is infinite at 0: write (x + 1e-12) ** p",
    "log": "the slope of log at 0 is infinite: write (x + 1e-8).log()",
    "divide": "the slopes of x / y are infinite where y is 0: write x / (y + 1e-8)",
    "reciprocal": "the slope of 1 / x is infinite at 0: write 1 / (x + 1e-8)",
    "norm": "the slope of this norm is infinite at 0: add 1e-12 before the root",
}
MASKED = (
    "the gradient is 0 there, because a where or a mask took another branch, and 0 * inf is NaN: make the input safe "
    "before, where(mask, f(where(mask, x, 1)), 0), not the result after"
)


class detect_anomaly:
    """`with detect_anomaly():` stops at the first operation that makes a NaN or an infinity, forward or backward.

    The error names the operation, what went into it (smallest, largest, mean; how many are NaN, infinite, 0), the
    user's line and the module that ran it, and what usually helps. Run the forward inside too: then backward knows the
    line as well. For debugging, since it looks through every output and every gradient, and up the stack at every
    operation. `check_nan=False` only notes the lines.

    Raises:
        RuntimeError: from the operation or from the walk back, inside the block.

    >>> import lucid
    >>> x = lucid.zeros(2, requires_grad=True)
    >>> with detect_anomaly():
    ...     loss = x.sqrt().sum()
    ...     loss.backward()
    Traceback (most recent call last):
        ...
    RuntimeError: backward: sqrt gave inf for its input 'x' (the gradient it was given has none); it was run at ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.before: list[Any] = []
        self.on, self.check = True, _check if check_nan else None

    def __enter__(self) -> None:
        self.before.append((remember(self.on, values=self.on and remembering("values")), watch.check))
        _switch(self.check)

    def __exit__(self, *error: object) -> None:
        lines, check = self.before.pop()
        _switch(check)
        lines.__exit__()


class set_detect_anomaly(detect_anomaly):
    """`detect_anomaly` on or off: at once when called, and as a context manager until its block ends."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(check_nan)
        if not mode:
            self.on, self.check = False, None
        super().__enter__()

    def __enter__(self) -> None:
        pass


def _switch(check: Any) -> None:
    """Who is shown the steps of a walk back; `_check` looks through what forwards give as well."""
    watch.check = check
    if (check is _check) != (_observe in OBSERVERS):
        look_on(_observe, check is _check)


# -- forward ---------------------------------------------------------------------------------------------------------


def _observe(spec: Op, forward: Any) -> Any:
    """The forward, followed by a look at what it gave."""

    def looked_through(xp: Any, *inputs: Any, **options: Any) -> Any:
        with xp.quiet():  # what NumPy would warn of is told below
            found = forward(xp, *inputs, **options)
        out = found[0] if spec.keeps else found
        if getattr(out, "dtype", backend.int64).kind == "f" and not xp.isfinite(out).all():
            _refuse_made(spec, xp, out, inputs, options)
        return found

    return looked_through


def _refuse_made(spec: Op, xp: Any, out: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Raise a RuntimeError if the NaN or infinities in `out` are not those of the inputs or options."""
    given = [*inputs, *options.values()]
    nan, infinite = any(map(has_nan, given)), any(map(has_infinity, given))
    made = xp.isnan(out) if not nan else xp.zeros(out.shape, dtype=bool)
    made = made | (xp.isinf(out) if not infinite else False)
    if not made.any() or _in_a_formula():
        return
    what = called(out)
    n, many = int(made.sum()), out.size > 1
    names = spec.inputs * len(inputs) if spec.variadic else spec.inputs
    usual = FORWARD.get(spec.name, SUBTRACT if what == "NaN" else OVERFLOW)
    raise RuntimeError(
        f"forward: {spec.name} made {what}" + f" in {n} of its {out.size} elements" * many + ", of inputs that have no "
        f"{'NaN' if what == 'NaN' else 'infinity'}; {told(SimpleNamespace(made=whose_line(sys._getframe(2))))}"
        + _details([*zip(names, inputs, strict=False), *options.items()], usual)
    )


def _in_a_formula() -> bool:
    """Whether this is the walk back running a formula on Tensors: then it is the node that is looked at."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "back" and ours[frame.f_code.co_filename]:
            return True
        frame = frame.f_back
    return False


# -- backward --------------------------------------------------------------------------------------------------------


def _check(node: Node, g: Any, parts: Any) -> None:
    """Raise a RuntimeError if one of the gradients that a node gave holds NaN, or infinities of its own making."""
    for i, part in enumerate(parts):
        if part is None or not (has_nan(part) or has_infinity(part) and not has_infinity([g, node.saved])):
            continue
        names = list(getattr(node.op, "formulas", ()))
        name = repr(names[i]) if i < len(names) and not node.op.variadic else str(i)
        what = called(part)
        given = "has NaN already" if has_nan(g) else "has infinities" if has_infinity(g) else "has none"
        saved = [] if node.saved is None else zip(node.op.saved, node.saved, strict=False)
        masked = what == "NaN" and given == "has none" and _all_zero_there(g, part)
        usual = MASKED if masked else BACKWARD.get(node.op.name, "" if given == "has NaN already" else OVERFLOW)
        raise RuntimeError(
            f"backward: {node.op.name} gave {what} for its input {name} (the gradient it was given {given}); "
            f"{told(node, 'run the forward inside detect_anomaly() too')}"
            f"{_details([('gradient given', g), *saved], usual)}"
        )


def _all_zero_there(g: Any, part: Any) -> bool:
    """Whether the NaN in `part` stand where `g` is 0."""
    g, part = getattr(g, "_array", g), getattr(part, "_array", part)
    xp = backend.namespace(part)
    return getattr(g, "shape", None) == getattr(part, "shape", ()) and not (xp.isnan(part) & (g != 0)).any()


# -- words -----------------------------------------------------------------------------------------------------------


def has_nan(value: Any) -> bool:
    """Whether there is a NaN in a number, an array, a Tensor, or several of them."""
    return _any(value, "isnan")


def has_infinity(value: Any) -> bool:
    """Whether there is an infinity in a number, an array, a Tensor, or several of them."""
    return _any(value, "isinf")


def _any(value: Any, question: str) -> bool:
    if hasattr(value, "parts"):  # those of a Function with several outputs
        return any(_any(part, question) for part in value.parts.values())
    if isinstance(value, (tuple, list)):
        return any(_any(part, question) for part in value)
    array = _numbers(value)
    return array is not None and bool(getattr(backend.namespace(array), question)(array).any())


def _numbers(value: Any) -> Any:
    """The array of floats that it is: a Tensor's, its own, or a 0-d one of a number; None for anything else."""
    array = getattr(value, "_array", value)
    if isinstance(array, float) or backend.is_scalar(array):
        array = backend.cpu.asarray(array)
    return array if backend.is_array(array) and array.dtype.kind == "f" else None


def called(value: Any) -> str:
    """The worst that there is in it: NaN, else inf or -inf."""
    if has_nan(value):
        return "NaN"
    array = _numbers(value)
    return "-inf" if array is not None and not (array == math.inf).any() else "inf"


def described(value: Any) -> str:
    """An array's shape, dtype and range, how many elements are NaN, infinite or 0; a plain value as it is."""
    array = getattr(value, "_array", value)
    array = backend.cpu.asarray(array) if backend.is_scalar(array) else array
    if not backend.is_array(array):
        return repr(array)
    head = f"shape {tuple(array.shape)}, {array.dtype}"
    if array.dtype.kind not in "fiu" or not array.size:
        return head
    xp = backend.namespace(array)
    finite = array[xp.isfinite(array)].astype("float64")
    odd = {"NaN": xp.isnan(array), "infinite": xp.isinf(array), "zero": array == 0}
    counts = ", ".join(f"{int(found.sum())} {what}" for what, found in odd.items() if found.any())
    extent = f", from {finite.min():.4g} to {finite.max():.4g}, mean {finite.mean():.4g}" if finite.size else ""
    return head + extent + (f"; of {array.size} elements {counts}" if counts else "")


def _details(values: list[tuple[str, Any]], usual: str) -> str:
    """The lines below the sentence: what went in, and what usually helps."""
    lines = [f"{name}: {described(value)}" for name, value in values if value is not None]
    return "".join(f"\n  {line}" for line in [*lines, *([f"usually: {usual}"] if usual else [])])

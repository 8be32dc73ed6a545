"""Anomaly mode: which operation made the first NaN or infinity, forward or backward, and at which line was it run?

An operation *makes* a NaN or an infinity if there is one in its output and none of that kind in its inputs. What it
only passes on it did not make: the -inf that `masked_fill` was to write, which a softmax then turns into 0, or an
infinity in the data. From infinities a NaN can be made: inf - inf, 0 * inf, the softmax of a row of nothing but -inf.

Off costs nothing: only while it is on do operations call another forward, nodes keep their provenance, and does the
backward pass show what each vjp gave.
"""

from __future__ import annotations

import math
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

from lucid.autograd.provenance import here, is_tracking, track_provenance
from lucid.core import events
from lucid.core.array import cpu, int64, is_array, is_scalar, namespace
from lucid.core.node import Node
from lucid.core.op import Op

SUBTRACT = "inf - inf, or 0 * inf: look for where the infinity in its inputs was let in"
OVERFLOW = "an overflow: values have grown out of bounds; a smaller learning rate, normalised inputs, clip_grad_norm_"
MASKED = (
    "the gradient is 0 there, because a where or a mask took another branch, and 0 * inf is NaN: make the input safe "
    "before, where(mask, f(where(mask, x, 1)), 0), not the result after"
)
# What usually helps, for operations whose forward made one, and for those whose vjp did.
FORWARD = {
    "log": "log(0) is -inf and log(-1) NaN, to every base: add 1e-8 first, (x + 1e-8).log(), or take "
    "log_softmax, logsumexp or a loss of logits",
    "log1p": "log1p(-1) is -inf and NaN below: hold x above -1",
    "sqrt": "there is no root of a negative number: hold x at 0 or more with clamp(min=0), or look for what made it so",
    "exp": "exp overflows beyond 88 in float32, 709 in float64: subtract the largest, or take softmax or logsumexp",
    "divide": "the divisor is 0, or too small: write x / (y + 1e-8), or x / y.clamp(min=1e-8) for a positive y",
    "reciprocal": "1 / x of an x that is 0, or too small: write 1 / (x + 1e-8)",
    "power": "0 to a negative power, a root of a negative number, or an overflow: hold x away from there",
    "softmax": "a row of -inf throughout has no softmax: leave at least one entry unmasked, or fill with -1e9",
    "cross_entropy": "logits that are infinite, or a row of -inf throughout: leave at least one entry unmasked",
    "astype": "the number is beyond the largest of that dtype (float16: 65504): stay in float32, or scale first",
}
BACKWARD = {
    "sqrt": "the slope of sqrt at 0 is infinite: write (x + 1e-12).sqrt()",
    "power": "the slope of x ** p for p < 1 is infinite at 0: write (x + 1e-12) ** p",
    "log": "the slope of log at 0 is infinite: write (x + 1e-8).log()",
    "divide": "the slopes of x / y are infinite where y is 0: write x / (y + 1e-8)",
    "reciprocal": "the slope of 1 / x is infinite at 0: write 1 / (x + 1e-8)",
    "norm": "the slope of this norm is infinite at 0: add 1e-12 before the root",
}
ALIKE = {
    "power_number": "power", "log_softmax": "softmax", "cross_entropy_ignore_index": "cross_entropy",
    "log2": "log", "log10": "log", "expm1": "exp",
}  # fmt: skip


class detect_anomaly:
    """`with detect_anomaly():` stops at the first operation that makes a NaN or an infinity, forward or backward.

    The error names the operation, what went into it (smallest, largest, mean; how many are NaN, infinite, 0), the
    user's line and the module that ran it, and what usually helps. Run the forward inside too: then backward knows the
    line as well. For debugging, since it looks through every output and every gradient, and up the stack at every
    operation. `check_nan=False` only notes the lines. The error is a RuntimeError, inside the block.

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
        self.on, self.check = True, check_nan

    def __enter__(self) -> None:
        tracking = track_provenance(self.on, values=self.on and is_tracking("values"))
        self.before.append((tracking, _checked_vjp in events.VJP))
        _check_numbers(self.check)

    def __exit__(self, *error: object) -> None:
        tracking, check = self.before.pop()
        _check_numbers(check)
        tracking.__exit__()


class set_detect_anomaly(detect_anomaly):
    """`detect_anomaly` on or off: at once when called, and as a context manager until its block ends."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(check_nan and mode)
        self.on = mode
        super().__enter__()

    def __enter__(self) -> None:
        pass


def _check_numbers(check: bool) -> None:
    """Have, or no longer have, every output of a forward and every gradient of a vjp checked."""
    for event, handlers, handler in (("forward", events.FORWARD, _checked), ("vjp", events.VJP, _checked_vjp)):
        if check and handler not in handlers:
            events.on(event, handler)
        elif not check and handler in handlers:
            handlers.remove(handler)


def _checked(op: Op, forward: Any) -> Any:
    """A forward that is followed by a look at its output."""

    def checked(xp: Any, *inputs: Any, **options: Any) -> Any:
        with xp.quiet():  # instead of NumPy's warning there is an error
            returned = forward(xp, *inputs, **options)
        out = returned[0] if op.aux_outputs else returned
        if getattr(out, "dtype", int64).kind == "f" and not xp.isfinite(out).all():
            check_output(op, xp, out, inputs, options)
        return returned

    return checked


def check_output(op: Op, xp: Any, out: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Raise a RuntimeError if the NaN or infinities in `out` are not those of the inputs or options."""
    values = [*inputs, *options.values()]
    made = xp.zeros(out.shape, dtype=bool) if any(map(has_nan, values)) else xp.isnan(out)
    made = made if any(map(has_infinity, values)) else made | xp.isinf(out)
    if not made.any() or _running.vjp:  # of a vjp, `_checked_vjp` checks the result
        return
    what, many = worst_of(out), f" in {int(made.sum())} of its {out.size} elements" if out.size > 1 else ""
    line = events.describe[0].node(SimpleNamespace(provenance=here()))
    names = op.inputs * len(inputs) if op.variadic else op.inputs
    usual = FORWARD.get(ALIKE.get(op.name, op.name), SUBTRACT if what == "NaN" else OVERFLOW)
    raise RuntimeError(
        f"forward: {op.name} made {what}{many}, of inputs that have no {'NaN' if what == 'NaN' else 'infinity'}; {line}"
        f"{_details([*zip(names, inputs, strict=False), *options.items()], usual)}"
    )


class _Running(threading.local):
    vjp = False  # whether a vjp is running in this thread


_running = _Running()


def _checked_vjp(node: Node, vjp: Any) -> Any:
    """The vjps of a node, followed by a look at the gradients that they gave."""

    def checked(xp: Any, g: Any, saved: Any, inputs: Any) -> Any:
        before, _running.vjp = _running.vjp, True
        try:
            gradients = vjp(xp, g, saved, inputs)
        finally:
            _running.vjp = before
        for i, gradient in enumerate(gradients):  # it may have infinities that `g` or what was saved has
            if has_nan(gradient) or has_infinity(gradient) and not has_infinity([g, node.saved]):
                raise _gradient_error(node, g, i, gradient)
        return gradients

    return checked


def _gradient_error(node: Node, g: Any, i: int, gradient: Any) -> RuntimeError:
    """The error for the gradient that a node's vjp gave for input `i`, given `g`."""
    names = list(getattr(node.op, "vjps", ()))
    name = repr(names[i]) if i < len(names) and not node.op.variadic else str(i)
    what = worst_of(gradient)
    given = "has NaN already" if has_nan(g) else "has infinities" if has_infinity(g) else "has none"
    masked = what == "NaN" and given == "has none" and _is_zero_where_nan(g, gradient)
    otherwise = "" if given == "has NaN already" else OVERFLOW
    usual = MASKED if masked else BACKWARD.get(ALIKE.get(node.op.name, node.op.name), otherwise)
    line = events.describe[0].node(node, "run the forward inside detect_anomaly() too")
    saved = zip(node.op.saved_names, node.saved or (), strict=False)
    made = f"gave {what} for its input {name} (the gradient it was given {given})"
    details = _details([("gradient given", g), *saved], usual)
    return RuntimeError(f"backward: {node.op.name} {made}; {line}{details}")


def _is_zero_where_nan(g: Any, gradient: Any) -> bool:
    g, gradient = getattr(g, "_array", g), getattr(gradient, "_array", gradient)
    same_shape = getattr(g, "shape", None) == getattr(gradient, "shape", ())
    return same_shape and not (namespace(gradient).isnan(gradient) & (g != 0)).any()


def _any(test: str, value: Any) -> bool:
    """Whether there is a NaN, or an infinity, in a number, an array, a Tensor, or several of them."""
    if isinstance(value, (tuple, list, dict)):
        return any(_any(test, part) for part in (value.values() if isinstance(value, dict) else value))
    array = _float_array(value)
    return array is not None and bool(getattr(namespace(array), test)(array).any())


has_nan, has_infinity = partial(_any, "isnan"), partial(_any, "isinf")


def _float_array(value: Any) -> Any:
    """A Tensor's array of floats, the array itself, or a 0-d one of a float; None for anything else."""
    array = getattr(value, "_array", value)
    if isinstance(array, float) or is_scalar(array):
        array = cpu.asarray(array)
    return array if is_array(array) and array.dtype.kind == "f" else None


def worst_of(value: Any) -> str:
    """The worst that there is in a value: "NaN", else "inf" or "-inf"."""
    array = _float_array(value)
    return "NaN" if has_nan(value) else "-inf" if array is not None and not (array == math.inf).any() else "inf"


def describe(value: Any) -> str:
    """An array's shape, dtype and range, how many elements are NaN, infinite or 0; a plain value as it is."""
    array = getattr(value, "_array", value)
    array = cpu.asarray(array) if is_scalar(array) else array
    if not is_array(array):
        return repr(array)
    head = f"shape {tuple(array.shape)}, {array.dtype}"
    if array.dtype.kind not in "fiu" or not array.size:
        return head
    xp = namespace(array)
    finite = array[xp.isfinite(array)].astype("float64")
    odd = {"NaN": xp.isnan(array), "infinite": xp.isinf(array), "zero": array == 0}
    counts = ", ".join(f"{int(mask.sum())} {what}" for what, mask in odd.items() if mask.any())
    extent = f", from {finite.min():.4g} to {finite.max():.4g}, mean {finite.mean():.4g}" if finite.size else ""
    return head + extent + (f"; of {array.size} elements {counts}" if counts else "")


def _details(values: list[tuple[str, Any]], usual: str) -> str:
    """The lines below the sentence: what went in, and what usually helps."""
    lines = [f"\n  {name}: {describe(value)}" for name, value in values if value is not None]
    return "".join(lines) + (f"\n  usually: {usual}" if usual else "")

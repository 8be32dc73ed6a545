"""What does a check say? In one sentence, what was expected and what the learner's file gave (docs/course.md)."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

from lucid.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from lucid.core.array import cpu, float64, ndarray
from lucid.core.node import Tensor

KINDS = {"a Tensor": Tensor, "a number": Real, "a NumPy array": ndarray}


class WrongAnswer(AssertionError):
    """What a check found, as a sentence for the learner."""


def expect(condition: object, sentence: str) -> None:
    """Go on if the condition holds; else the check ends with this sentence, as a WrongAnswer."""
    if not condition:
        raise WrongAnswer(sentence)


def same(what: str, got: Any, expected: Any, *, atol: float = 1e-6, rtol: float = 1e-5) -> None:
    """Expect `got`, which the sentence calls `what`, to be of the kind, the shape and the values of `expected`.

    Numbers may differ by atol + rtol * |expected|; of lists and tuples the entries are compared.

    >>> same("f(2)", [1.0, 2.5], [1.0, 2.0])
    Traceback (most recent call last):
        ...
    lucid.learn.checks.WrongAnswer: f(2)[1]: expected 2, got 2.5
    """
    expect(got is not ..., f"{what} is still the hole: write your answer where the three dots stand")
    expect(got is not None or expected is None, f"{what} gives None: is a `return` missing?")
    if isinstance(expected, (list, tuple)):
        fits = type(got) is type(expected) and len(got) == len(expected)
        expect(fits, f"{what}: expected a {type(expected).__name__} of {len(expected)}, got {got!r}")
        for i, (mine, right) in enumerate(zip(got, expected, strict=True)):
            same(f"{what}[{i}]", mine, right, atol=atol, rtol=rtol)
        return
    kind, wanted = (next((name for name, t in KINDS.items() if isinstance(x, t)), "") for x in (got, expected))
    if not wanted:
        expect(type(got) is type(expected) and got == expected, f"{what}: expected {expected!r}, got {got!r}")
        return
    one = {kind, wanted} <= {"a number", "a NumPy array"} and not any(getattr(x, "shape", ()) for x in (got, expected))
    expect(kind == wanted or one, f"{what}: expected {wanted}, got {kind or repr(got)}")
    mine, right = (cpu.asarray(x.numpy() if isinstance(x, Tensor) else x, dtype=float64) for x in (got, expected))
    expect(mine.shape == right.shape, f"{what}: expected shape {right.shape}, got shape {mine.shape}")
    with cpu.quiet():  # inf - inf
        close = (mine == right) | (abs(mine - right) <= atol + rtol * abs(right)) | ((mine != mine) & (right != right))
    if not close.all():
        first = [int(i[0]) for i in cpu.nonzero(~close)] if close.shape else []
        place = f", element {first}" if first else ""
        raise WrongAnswer(f"{what}{place}: expected {right[tuple(first)]:.6g}, got {mine[tuple(first)]:.6g}")


def slopes(what: str, func: Callable[..., Any], *inputs: Tensor, order: int = 1) -> None:
    """Expect the gradients of `func(*inputs)` to be the slopes that central differences measure, by `gradcheck`.

    The inputs, taken in float64, all require a gradient. With `order=2`, gradients of gradients are compared too.

    >>> import lucid
    >>> slopes("tanh", lucid.tanh, lucid.tensor([0.0, 1.0]), order=2)
    """
    xs = [x.detach().double().requires_grad_() for x in inputs]
    out = func(*xs)
    same(what, out, out if isinstance(out, Tensor) else xs[0])  # what is no Tensor is refused
    expect(out.requires_grad, f"{what}: the result has no gradient, as no operations computed it from its inputs")
    for test, which in ((gradcheck, ""), (gradgradcheck, "differentiated a second time, "))[:order]:
        try:
            test(func, xs)
        except GradcheckError as error:
            raise WrongAnswer(f"{what}: {which}{str(error).rpartition('check: ')[2]}") from None

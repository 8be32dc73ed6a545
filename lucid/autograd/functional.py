"""Derivatives of functions rather than of tensors: products with the Jacobian and the Hessian, and these matrices.

Each function calls `func` on inputs of its own, which require a gradient whether or not the caller's do. No tensor's
`grad` is touched. With `create_graph=True` the results can be differentiated again, with respect to the caller's inputs
as well. Inputs are a Tensor or a tuple of them, and so is what `func` returns; the results are built likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lucid import backend, functions
from lucid.autograd.gradients import grad
from lucid.recording import enable_grad
from lucid.tensor import Tensor

Tensors = Tensor | tuple[Tensor, ...]
Func = Callable[..., Tensors]


def vjp(
    func: Func, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs y = func(x), and v^T J: the product of `v` with the Jacobian J = dy/dx.

    One walk back, whatever the number of outputs.

    Args:
        func: a function of Tensors that returns a Tensor or a tuple of them.
        inputs: where to take the derivative.
        v: a vector for each output, in its shape; may be left out where the output is one number.
        create_graph: make the results differentiable.
        strict: an error, instead of zeros, where an output does not depend on an input.

    Raises:
        RuntimeError: if `v` does not fit the outputs, or if `strict` finds an independence.

    >>> import lucid
    >>> vjp(lambda x: x * x, lucid.tensor([1.0, 2.0, 3.0]), lucid.tensor([1.0, 1.0, 0.0]))
    (tensor([1., 4., 9.]), tensor([2., 4., 0.]))
    """
    with enable_grad():
        xs, ys, shape = _run("vjp", func, inputs, create_graph, strict)
        vs = _vectors("vjp", v, ys, "the function returns", create_graph)
        found = _filled("vjp", xs, _gradients(ys, xs, vs, create_graph), create_graph, strict)
    return shape(_values(ys, create_graph)), _shaped(inputs)(found)


def jvp(
    func: Func, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs y = func(x), and J v: how fast they change when x moves along `v`.

    v^T J is linear in v, and its derivative with respect to v, in the direction of another vector, is J times that. So
    this takes two walks back, the first of them recorded: some three times the cost of `vjp` (J. Townsend 2017, "A new
    trick for calculating Jacobian vector products"). Arguments and errors are those of `vjp`, but `v` has the shapes of
    the inputs.

    >>> import lucid
    >>> jvp(lambda x: x * x, lucid.tensor([1.0, 2.0, 3.0]), lucid.tensor([1.0, 1.0, 0.0]))
    (tensor([1., 4., 9.]), tensor([2., 4., 0.]))
    """
    with enable_grad():
        xs, ys, shape = _run("jvp", func, inputs, create_graph, strict)
        vs = _vectors("jvp", v, xs, "the function takes", create_graph)
        dummies = [y.new_zeros(y.shape).requires_grad_(y.requires_grad) for y in ys]
        transposed = _gradients(ys, xs, dummies, True)
        pairs = [(g, v) for g, v in zip(transposed, vs, strict=True) if g is not None]
        along = _gradients([g for g, _ in pairs], dummies, [v for _, v in pairs], create_graph)
        found = _filled("jvp", ys, along, create_graph, strict)
    return shape(_values(ys, create_graph)), shape(found)


def jacobian(
    func: Func, inputs: Tensors, create_graph: bool = False, strict: bool = False, vectorize: bool = False
) -> Any:
    """The Jacobian dy/dx of y = func(x), of shape y.shape + x.shape: J[i, j] = dy[i] / dx[j].

    With a tuple of inputs a tuple of Jacobians, one for each; with a tuple of outputs a tuple of these. The rows are
    computed one after the other, a walk back for each element of the outputs. `vectorize` is accepted and changes
    nothing: lucid has no batched walk. The other arguments and the errors are those of `vjp`.

    >>> import lucid
    >>> jacobian(lambda x: x * x, lucid.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        xs, ys, shape = _run("jacobian", func, inputs, create_graph, strict)
        rows = [_shaped(inputs)(_rows("jacobian", y, xs, create_graph, strict)) for y in ys]
    return shape(rows)


def hessian(
    func: Func, inputs: Tensors, create_graph: bool = False, strict: bool = False, vectorize: bool = False
) -> Any:
    """The Hessian d2y / dx dx of a function whose value y is one number, of shape x.shape + x.shape.

    With a tuple of inputs a tuple of tuples: `hessian(...)[i][j]` is the derivative of input i's gradient with respect
    to input j. Costs a recorded gradient and a walk back through it for each element of the inputs. The arguments are
    those of `jacobian`.

    Raises:
        RuntimeError: if `func` returns anything but one number, or if `strict` finds a gradient that does not depend on
            an input: a linear function's.

    >>> import lucid
    >>> hessian(lambda x: (x**3).sum(), lucid.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    with enable_grad():
        xs, _, firsts = _first("hessian", func, inputs, create_graph, strict)
        rows = [_shaped(inputs)(_rows("hessian", g, xs, create_graph, strict)) for g in firsts]
    return _shaped(inputs)(rows)


def vhp(
    func: Func, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value y = func(x), one number, and v^T H: the product of `v` with the Hessian H = d2y / dx dx.

    The gradient of v . dy/dx: a recorded gradient and one walk back through it, whatever the size of H (B. A.
    Pearlmutter 1994, "Fast Exact Multiplication by the Hessian"). `v` has the shapes of the inputs, and may be left out
    where that is one number. Arguments and errors are those of `hessian`.

    >>> import lucid
    >>> vhp(lambda x: (x**3).sum(), lucid.tensor([1.0, 2.0]), lucid.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Func, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value y = func(x), one number, and H v. The Hessian is symmetric, so this is `vhp`, at the same cost."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(
    name: str, func: Func, inputs: Tensors, v: Tensors | None, create_graph: bool, strict: bool
) -> tuple[Any, Any]:
    with enable_grad():
        xs, y, firsts = _first(name, func, inputs, create_graph, strict)
        vs = _vectors(name, v, xs, "the function takes", create_graph)
        found = _filled(name, xs, _gradients(firsts, xs, vs, create_graph), create_graph, strict)
    return _values([y], create_graph)[0], _shaped(inputs)(found)


# -- what they share -------------------------------------------------------------------------------------------------


def _run(
    name: str, func: Func, inputs: Any, create_graph: bool, strict: bool
) -> tuple[list[Tensor], list[Tensor], Callable[[Sequence[Any]], Any]]:
    """The inputs that derivatives are taken with respect to, the outputs, and how results are shaped as outputs are."""
    xs = []
    for i, x in enumerate(_listed(name, "inputs", inputs)):
        if x.dtype.kind != "f":
            raise TypeError(
                f"{name}: input {i} is {x.dtype} and has no derivative; leave it out: lambda x: func(x, other), x"
            )
        xs.append(x.clone() if create_graph and x.requires_grad else x.detach().requires_grad_())
    # Handles of its own, so that a change in place does not make `xs` what was changed.
    returned = func(*[Tensor(x._array, False, x._node) for x in xs])
    ys = _listed(name, "what func returns", returned)
    for i, y in enumerate(ys):
        if strict and not y.requires_grad:
            raise RuntimeError(f"{name}: output {i} does not depend on the inputs, which strict=True forbids")
    return xs, ys, _shaped(returned)


def _listed(name: str, what: str, given: Any) -> list[Tensor]:
    found = list(given) if isinstance(given, (tuple, list)) else [given]
    if not found or not all(isinstance(t, Tensor) for t in found):
        raise TypeError(f"{name}: expected {what} to be a Tensor or a tuple of Tensors, got {given!r}")
    return found


def _shaped(like: Any) -> Callable[[Sequence[Any]], Any]:
    """One result where `like` is one Tensor, a tuple of them where it is several."""
    return tuple if isinstance(like, (tuple, list)) else lambda results: results[0]


def _values(ys: list[Tensor], create_graph: bool) -> list[Tensor]:
    return ys if create_graph else [y.detach() for y in ys]


def _vectors(name: str, v: Any, like: list[Tensor], what: str, create_graph: bool) -> list[Tensor]:
    """What to multiply by: `v`, checked, or 1."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"{name}: v may be left out where {what} one number, got shapes {', '.join(str(t.shape) for t in like)}"
            )
        return [like[0].new_ones(like[0].shape)]
    vs = _listed(name, "v", v)
    if [t.shape for t in vs] != [t.shape for t in like]:
        raise RuntimeError(
            f"{name}: expected v of shapes {', '.join(str(t.shape) for t in like)}, as {what}, "
            f"got {', '.join(str(t.shape) for t in vs)}"
        )
    return vs if create_graph else [t.detach() for t in vs]


def _gradients(ys: list[Tensor], xs: list[Tensor], vs: list[Tensor], create_graph: bool) -> list[Tensor | None]:
    """`grad`, with None for each of `xs` that nothing depends on, and where it is no variable at all."""
    pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    active = [x for x in xs if x.requires_grad]
    if not pairs or not active:
        return [None] * len(xs)
    found = iter(
        grad([y for y, _ in pairs], active, [v for _, v in pairs], create_graph=create_graph, allow_unused=True)
    )
    return [next(found) if x.requires_grad else None for x in xs]


def _filled(
    name: str, like: list[Tensor], found: list[Tensor | None], create_graph: bool, strict: bool
) -> list[Tensor]:
    """Zeros where nothing was found, or the error that `strict` asks for."""
    for i, g in enumerate(found):
        if strict and (g is None or create_graph and not g.requires_grad):
            what = "is 0" if g is None else "is constant, and its own derivative 0"
            raise RuntimeError(f"{name}: part {i} of the result {what} whatever the inputs, which strict=True forbids")
    return [t.new_zeros(t.shape) if g is None else g for t, g in zip(like, found, strict=True)]


def _first(
    name: str, func: Func, inputs: Any, create_graph: bool, strict: bool
) -> tuple[list[Tensor], Tensor, list[Tensor]]:
    """The inputs, the one number that func gives, and its gradient, which can be differentiated."""
    xs, ys, _ = _run(name, func, inputs, create_graph, strict)
    if len(ys) != 1 or ys[0].numel() != 1:
        raise RuntimeError(
            f"{name}: expected func to return one number, got shapes {', '.join(str(y.shape) for y in ys)}"
        )
    one = ys[0].new_ones(ys[0].shape)
    return xs, ys[0], _filled(name, xs, _gradients(ys, xs, [one], True), True, strict)


def _rows(name: str, y: Tensor, xs: list[Tensor], create_graph: bool, strict: bool) -> list[Tensor]:
    """For each x the derivatives of every element of y, of shape y.shape + x.shape."""
    xp, n = backend.namespace(y._array), y.numel()
    starts = xp.eye(n, dtype=y.dtype).reshape((n, *y.shape)) if y.requires_grad else ()
    rows = []
    for start in starts:
        found = grad(y, xs, Tensor(start), True, create_graph, allow_unused=True)
        rows.append(_filled(name, xs, list(found), create_graph, strict))
    return [
        functions.stack([row[i] for row in rows]).reshape(y.shape + x.shape) if rows else x.new_zeros(y.shape + x.shape)
        for i, x in enumerate(xs)
    ]

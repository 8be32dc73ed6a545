"""Derivatives of functions rather than of tensors: products with the Jacobian and the Hessian, and these matrices.

Each function calls `func` on inputs of its own, which require a gradient whether or not the caller's do. No tensor's
`grad` is touched. With `create_graph=True` the results can be differentiated again, with respect to the caller's inputs
as well. Inputs are a Tensor or a tuple of them, and so is what `func` returns; the results are built likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lucid.autograd.grad import grad, jacobians, tensor_list
from lucid.autograd.grad_mode import enable_grad
from lucid.core.node import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = Tensor | tuple[Tensor, ...]
Func = Callable[..., Tensors]
Vec = Tensors | None
Pair = tuple[Any, Any]
Listed = list[Tensor]


def vjp(func: Func, inputs: Tensors, v: Vec = None, create_graph: bool = False, strict: bool = False) -> Pair:
    """The outputs y = func(x), and v^T J: the product of `v` with the Jacobian J = dy/dx, in one backward
    pass.

    Args:
        func, inputs: a function of Tensors that returns a Tensor or a tuple of them, and where to take the derivative.
        v: a vector for each output, in its shape; may be left out where the output is one number.
        create_graph: make the results differentiable.
        strict: RuntimeError (as for a misshapen `v`) instead of zeros where y does not depend on an input.

    >>> import lucid
    >>> vjp(lambda x: x * x, lucid.tensor([1.0, 2.0, 3.0]), lucid.tensor([1.0, 1.0, 0.0]))
    (tensor([1., 4., 9.]), tensor([2., 4., 0.]))
    """
    with enable_grad():
        at = _Evaluation("vjp", func, inputs, create_graph, strict)
        vs = at.vectors(v, at.ys, "the function returns")
        products = at.filled(at.xs, at.gradients(at.ys, at.xs, vs, create_graph))
    return at.like_outputs(at.values(at.ys)), at.like_inputs(products)


def jvp(func: Func, inputs: Tensors, v: Vec = None, create_graph: bool = False, strict: bool = False) -> Pair:
    """The outputs y = func(x), and J v: how fast they change when x moves along `v`.

    v^T J is linear in v, and its derivative with respect to v, in the direction of another vector, is J times that. So
    this takes two backward passes, the first of them recorded: some three times the cost of `vjp` (J. Townsend 2017,
    "A new trick for calculating Jacobian vector products"). Arguments and errors are those of `vjp`, but `v` has the
    shapes of the inputs.

    >>> import lucid
    >>> jvp(lambda x: x * x, lucid.tensor([1.0, 2.0, 3.0]), lucid.tensor([1.0, 1.0, 0.0]))
    (tensor([1., 4., 9.]), tensor([2., 4., 0.]))
    """
    with enable_grad():
        at = _Evaluation("jvp", func, inputs, create_graph, strict)
        vs = at.vectors(v, at.xs, "the function takes")
        dummies = [y.new_zeros(y.shape).requires_grad_(y.requires_grad) for y in at.ys]
        transposed = at.gradients(at.ys, at.xs, dummies, True)
        pairs = [(g, v) for g, v in zip(transposed, vs, strict=True) if g is not None]
        along = at.gradients([g for g, _ in pairs], dummies, [v for _, v in pairs], create_graph)
        products = at.filled(at.ys, along)
    return at.like_outputs(at.values(at.ys)), at.like_outputs(products)


def jacobian(
    func: Func, inputs: Tensors, create_graph: bool = False, strict: bool = False, vectorize: bool = False
) -> Any:
    """The Jacobian dy/dx of y = func(x), of shape y.shape + x.shape: J[i, j] = dy[i] / dx[j].

    With a tuple of inputs a tuple of Jacobians, one for each; with a tuple of outputs a tuple of these. The rows are
    computed one after the other, a backward pass for each element of the outputs. `vectorize` is accepted and changes
    nothing: lucid has no batched backward pass. The other arguments and the errors are those of `vjp`.

    >>> import lucid
    >>> jacobian(lambda x: x * x, lucid.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        at = _Evaluation("jacobian", func, inputs, create_graph, strict)
        return at.like_outputs([at.like_inputs(at.jacobian_of(y)) for y in at.ys])


def hessian(
    func: Func, inputs: Tensors, create_graph: bool = False, strict: bool = False, vectorize: bool = False
) -> Any:
    """The Hessian d2y / dx dx of a function whose value y is one number, of shape x.shape + x.shape.

    With a tuple of inputs a tuple of tuples: `hessian(...)[i][j]` is the derivative of input i's gradient with respect
    to input j. Costs a recorded gradient and a backward pass through it for each element of the inputs. The arguments
    are those of `jacobian`. A RuntimeError if `func` returns anything but one number, or if `strict` finds a gradient
    that does not depend on an input: a linear function's.

    >>> import lucid
    >>> hessian(lambda x: (x**3).sum(), lucid.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    with enable_grad():
        at = _Evaluation("hessian", func, inputs, create_graph, strict)
        return at.like_inputs([at.like_inputs(at.jacobian_of(g)) for g in at.gradient()])


def vhp(func: Func, inputs: Tensors, v: Vec = None, create_graph: bool = False, strict: bool = False) -> Pair:
    """The value y = func(x), one number, and v^T H: the product of `v` with the Hessian H = d2y / dx dx.

    The gradient of v . dy/dx: a recorded gradient and one backward pass through it, whatever the size of H (B. A.
    Pearlmutter 1994, "Fast Exact Multiplication by the Hessian"). `v` has the shapes of the inputs, and may be left out
    where that is one number. Arguments and errors are those of `hessian`.

    >>> import lucid
    >>> vhp(lambda x: (x**3).sum(), lucid.tensor([1.0, 2.0]), lucid.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(func: Func, inputs: Tensors, v: Vec = None, create_graph: bool = False, strict: bool = False) -> Pair:
    """The value y = func(x), one number, and H v. The Hessian is symmetric, so this is `vhp`, at the same cost."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(name: str, func: Func, inputs: Tensors, v: Vec, *flags: bool) -> Pair:
    with enable_grad():
        at = _Evaluation(name, func, inputs, *flags)
        gradient = at.gradient()
        vs = at.vectors(v, at.xs, "the function takes")
        products = at.filled(at.xs, at.gradients(gradient, at.xs, vs, at.create_graph))
    return at.values(at.ys)[0], at.like_inputs(products)


class _Evaluation:
    """A function at a point: the inputs that derivatives are taken with respect to, `xs`, and the outputs, `ys`."""

    def __init__(self, name: str, func: Func, inputs: Any, create_graph: bool, strict: bool) -> None:
        self.name, self.create_graph, self.strict = name, create_graph, strict
        self.xs: list[Tensor] = []
        for i, x in enumerate(tensor_list(name, "inputs", inputs)):
            if x.dtype.kind != "f":
                hint = "leave it out: lambda x: func(x, other), x"
                raise TypeError(f"{name}: input {i} is {x.dtype} and has no derivative; {hint}")
            self.xs.append(x.clone() if create_graph and x.requires_grad else x.detach().requires_grad_())
        # func gets Tensors of its own, so that a change in place does not make `xs` what was changed.
        returned = func(*[Tensor(x._array, False, x._node) for x in self.xs])
        self.ys = tensor_list(name, "what func returns", returned)
        for i, y in enumerate(self.ys):
            if strict and not y.requires_grad:
                raise RuntimeError(f"{name}: output {i} does not depend on the inputs, which strict=True forbids")
        self.like_inputs, self.like_outputs = _packing(inputs), _packing(returned)

    def one(self, tensors: list[Tensor], expected: str) -> Tensor:
        """The one Tensor of one number that there is, or a RuntimeError."""
        if len(tensors) != 1 or tensors[0].numel() != 1:
            raise RuntimeError(f"{self.name}: {expected}, got shapes {_shapes(tensors)}")
        return tensors[0]

    def values(self, tensors: list[Tensor]) -> list[Tensor]:
        """Tensors as the caller gets them: without a history unless create_graph."""
        return tensors if self.create_graph else [t.detach() for t in tensors]

    def vectors(self, v: Any, like: list[Tensor], what: str) -> list[Tensor]:
        """What to multiply by: `v`, which must have the shapes of `like`, or 1."""
        if v is None:
            return [self.one(like, f"v may be left out where {what} one number").new_ones(like[0].shape)]
        vs = tensor_list(self.name, "v", v)
        if [t.shape for t in vs] != [t.shape for t in like]:
            raise RuntimeError(f"{self.name}: expected v of shapes {_shapes(like)}, as {what}, got {_shapes(vs)}")
        return self.values(vs)

    def gradients(self, ys: Listed, xs: Listed, vs: Listed, create_graph: bool) -> list[Tensor | None]:
        """`grad`, with None for each of `xs` that nothing depends on or that requires no gradient."""
        starts = [v for y, v in zip(ys, vs, strict=True) if y.requires_grad]
        ys, active = [y for y in ys if y.requires_grad], [x for x in xs if x.requires_grad]
        if not ys or not active:
            return [None] * len(xs)
        gradients = iter(grad(ys, active, starts, create_graph=create_graph, allow_unused=True))
        return [next(gradients) if x.requires_grad else None for x in xs]

    def filled(self, like: Listed, gradients: Sequence[Tensor | None], again: bool | None = None) -> Listed:
        """Zeros in place of None; or, with strict, an error for what is 0 or constant whatever the inputs."""
        create_graph = self.create_graph if again is None else again
        for i, g in enumerate(gradients):
            if self.strict and (g is None or create_graph and not g.requires_grad):
                what = f"part {i} of the result {'is 0' if g is None else 'is constant, and its own derivative 0'}"
                raise RuntimeError(f"{self.name}: {what} whatever the inputs, which strict=True forbids")
        return [t.new_zeros(t.shape) if g is None else g for t, g in zip(like, gradients, strict=True)]

    def gradient(self) -> list[Tensor]:
        """The gradient of the one number that func gives, which can be differentiated again."""
        y = self.one(self.ys, "expected func to return one number")
        return self.filled(self.xs, self.gradients([y], self.xs, [y.new_ones(y.shape)], True), True)

    def jacobian_of(self, y: Tensor) -> list[Tensor]:
        """For each x the derivatives of every element of y, of shape y.shape + x.shape."""
        xs, again = self.xs, self.create_graph
        return jacobians(y, xs, lambda g: self.filled(xs, grad(y, xs, g, True, again, allow_unused=True)))


def _packing(like: Any) -> Callable[[Sequence[Any]], Any]:
    """How results are returned: one where `like` is one Tensor, a tuple where it is several."""
    return tuple if isinstance(like, (tuple, list)) else lambda results: results[0]


def _shapes(tensors: list[Tensor]) -> str:
    return ", ".join(str(t.shape) for t in tensors)

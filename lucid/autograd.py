"""Chapter 6. Derivatives as functions: gradients of anything with respect to anything, formulas of one's own, and
`gradcheck`, which says what "correct" means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lucid import backend
from lucid.graph import Node, grad_mode, memory_of
from lucid.graph import enable_grad as enable_grad
from lucid.graph import is_grad_enabled as is_grad_enabled
from lucid.graph import no_grad as no_grad
from lucid.graph import set_grad_enabled as set_grad_enabled
from lucid.tensor import Tensor, differentiate
from lucid.tensor import backward as _backward

Tensors = Tensor | Sequence[Tensor]


def _listed(name: str, what: str, given: Any) -> list[Any]:
    found = [given] if isinstance(given, Tensor) or given is None else list(given)
    if not found or not all(isinstance(t, Tensor) for t in found):
        raise TypeError(f"{name}: expected {what} to be a Tensor or a sequence of Tensors, got {given!r}")
    return found


def _starts(name: str, given: Any, outputs: list[Tensor]) -> list[Any]:
    """The gradients to start from, one (or None) for each output."""
    found = [given] if given is None or isinstance(given, Tensor) else list(given)
    if given is None:
        found = [None] * len(outputs)
    if len(found) != len(outputs):
        raise ValueError(f"{name}: {len(outputs)} outputs, but {len(found)} gradients to start from")
    return found


def backward(
    tensors: Tensors, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:  # fmt: skip
    """`Tensor.backward` from several tensors in one walk: the leaves' `grad` get the sum of all."""
    outputs = _listed("backward", "tensors", tensors)
    _backward(outputs, _starts("backward", grad_tensors, outputs), retain_graph, create_graph, inputs)


def grad(
    outputs: Tensors, inputs: Tensors, grad_outputs: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradient of the (sum of) `outputs` with respect to each of `inputs`; no tensor's `grad` is touched.

    Args:
        outputs: one tensor or several; those with more than one element need an entry in `grad_outputs`.
        inputs: leaves or computed tensors; only the paths from them to the outputs are walked.
        grad_outputs: for each output, the gradient of some later quantity with respect to it.
        retain_graph, create_graph: as in `Tensor.backward`.
        allow_unused: give None, instead of an error, for inputs that the outputs do not depend on.

    Raises:
        RuntimeError: for an input that requires no gradient, or that the outputs do not depend on.

    >>> import lucid
    >>> x = lucid.tensor(3.0, requires_grad=True)
    >>> (slope,) = grad(x**3, x, create_graph=True)
    >>> slope.item(), grad(slope, x)[0].item()
    (27.0, 18.0)
    """
    out, wrt = _listed("grad", "outputs", outputs), _listed("grad", "inputs", inputs)
    for i, x in enumerate(wrt):
        if x._node is None:
            raise RuntimeError(
                f"grad: input {i} (shape {x.shape}) does not require a gradient; call requires_grad_() first"
            )
    found = dict(
        differentiate(out, _starts("grad", grad_outputs, out), retain_graph, create_graph, {x._node for x in wrt})
    )
    for i, x in enumerate(wrt):
        if x._node not in found and not allow_unused:
            raise RuntimeError(
                f"grad: the outputs do not depend on input {i} (shape {x.shape}); allow_unused=True gives None for it"
            )
    return tuple(None if (g := found.get(x._node)) is None else g.to(x.dtype) for x in wrt)


# -- a forward and backward of one's own -----------------------------------------------------------------------------


class FunctionCtx:
    """What a `Function`'s forward hands to its backward: saved tensors, and any attribute set on it.

    Attributes:
        needs_input_grad: for each argument, whether a gradient of it is wanted.
        saved_tensors: what `save_for_backward` was given.
    """

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs, or the output, for the backward; a change in place before then is caught."""
        self.saved_tensors = tensors


class Function:
    """An operation given by a forward and a backward on Tensors, for what one gradient formula per input cannot say.

    Subclass it with static methods `forward(ctx, *args)`, which returns one Tensor, and `backward(ctx, grad)`, which
    returns a gradient (or None) for each argument; call `apply`. A backward made of Tensor operations is
    differentiable in its turn.

    >>> import lucid
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return grad * 3 * x * x
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        """The output, computed from the arguments of `apply`; not recorded."""
        raise NotImplementedError("Function: define a static method forward(ctx, *args)")

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """A gradient, or None, for each argument, given that of the output."""
        raise NotImplementedError("Function: define a static method backward(ctx, grad)")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """Run the forward on `args`, and record it if a Tensor among them requires a gradient."""
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        with no_grad():
            out = cls.forward(ctx, *args)
        if not isinstance(out, Tensor):
            raise TypeError(f"{cls.__name__}: forward must return one Tensor, got {type(out).__name__}")
        if not any(ctx.needs_input_grad) or not grad_mode.recording:
            return out
        op = _FunctionOp(cls, ctx, args, out)
        parents = tuple(arg._node if isinstance(arg, Tensor) else None for arg in args)
        saved = tuple(t if t is None else t._array for t in ctx.saved_tensors)
        for arg in args:  # a forward that hands an argument on: neither may then be changed in place within the graph
            if isinstance(arg, Tensor) and memory_of(arg._array) is memory_of(out._array):
                arg.shared = out.shared = True
        ctx.saved_tensors = ()  # the node keeps the arrays: a Tensor here would tie the graph into a cycle
        result = Tensor(out._array, False, Node(op, parents, saved, out.shape))  # type: ignore[arg-type]
        result.shared = getattr(out, "shared", False)
        return result


class _FunctionOp:
    """Makes a Function look like an operation to the walk."""

    variadic, foreign, keeps = False, True, {}  # type: ignore[var-annotated]

    def __init__(self, cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], out: Tensor) -> None:
        self.name, self.function, self.ctx = cls.__name__, cls, ctx
        self.inputs = [f"argument {i}" for i in range(len(args))]
        self.dtypes = [getattr(arg, "dtype", None) for arg in args]
        self.saved = ["out" if t is out else f"saved tensor {i}" for i, t in enumerate(ctx.saved_tensors)]
        # The saved tensors that are arguments have a history to be lifted with.
        places = {id(arg): i for i, arg in enumerate(args)}
        self.edges = {n: places[id(t)] for n, t in zip(self.saved, ctx.saved_tensors, strict=True) if id(t) in places}

    def back(self, xp: Any, g: Any, saved: tuple[Any, ...], parents: tuple[Node | None, ...]) -> list[Any]:
        recorded = isinstance(g, Tensor)
        self.ctx.saved_tensors = tuple(t if t is None or isinstance(t, Tensor) else Tensor(t) for t in saved)
        with set_grad_enabled(recorded):
            parts = self.function.backward(self.ctx, g if recorded else Tensor(g))
        self.ctx.saved_tensors = ()
        parts = parts if isinstance(parts, (tuple, list)) else (parts,)
        if len(parts) != len(parents):
            raise RuntimeError(f"{self.name}: backward returned {len(parts)} gradients for {len(parents)} arguments")
        found: list[Any] = []
        for part, parent, dtype in zip(parts, parents, self.dtypes, strict=True):
            part = None if parent is None or part is None else part.to(dtype)
            found.append(part if recorded or part is None else part._array)
        return found


# -- what "correct" means --------------------------------------------------------------------------------------------


def gradcheck(
    func: Callable[..., Any], inputs: Tensors, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:  # fmt: skip
    """Whether the gradients of `func(*inputs)` are the slopes that central differences of step `eps` measure.

    Every element of every output is checked against every element of every input that requires a gradient: keep them
    few. Inputs must be float64, for in float32 the differences drown in rounding.

    Raises:
        RuntimeError: naming output, input and both slopes where they differ; or False, with raise_exception=False.
        TypeError: for an input that requires a gradient and is not float64.

    >>> import lucid
    >>> gradcheck(lucid.tanh, lucid.linspace(-1, 1, 4, dtype=lucid.float64, requires_grad=True))
    True
    """
    originals = _listed("gradcheck", "inputs", inputs)
    for i, x in enumerate(originals):
        if x.requires_grad and x.dtype != backend.float64:
            raise TypeError(f"gradcheck: input {i} is {x.dtype}; expected float64, use x.double()")
    xs = [x.detach().clone().requires_grad_(x.requires_grad) for x in originals]
    active = [(i, x) for i, x in enumerate(xs) if x.requires_grad]
    if not active:
        raise ValueError("gradcheck: none of the inputs requires a gradient")
    for k, output in enumerate(_outputs(func, xs)):
        if not output.requires_grad:
            continue
        analytic = [[] for _ in active]  # type: ignore[var-annotated]
        for j in range(output.numel()):
            start = backend.cpu.zeros(output.numel(), dtype=output.dtype)
            start[j] = 1
            rows = grad(output, [x for _, x in active], Tensor(start.reshape(output.shape)), True, allow_unused=True)
            for row, (_, x), found in zip(rows, active, analytic, strict=True):
                found.append([0.0] * x.numel() if row is None else row.reshape(-1).tolist())
        for found, (i, x) in zip(analytic, active, strict=True):
            columns = _slopes(func, xs, x, k, eps)
            for e, column in enumerate(columns):
                for j, numeric in enumerate(column):
                    if not abs(found[j][e] - numeric) <= atol + rtol * abs(numeric):
                        if not raise_exception:
                            return False
                        raise RuntimeError(
                            f"gradcheck: the slope of output {k}, element {j}, along input {i}, element {e}, is "
                            f"{found[j][e]:.8g} by backward and {numeric:.8g} by central differences"
                        )
    return True


def _outputs(func: Callable[..., Any], xs: list[Tensor]) -> list[Tensor]:
    return _listed("gradcheck", "what func returns", func(*xs))


def _slopes(func: Callable[..., Any], xs: list[Tensor], x: Tensor, k: int, eps: float) -> list[list[float]]:
    """For each element of x, how fast each element of output k changes with it."""
    flat, columns = x._array.reshape(-1), []
    for e in range(flat.size):
        before, ends = flat[e], []
        for step in (eps, -eps):
            flat[e] = before + step
            with enable_grad():  # func may take gradients itself
                ends.append(_outputs(func, xs)[k].detach()._array.reshape(-1).copy())
        flat[e] = before
        columns.append(((ends[0] - ends[1]) / (2 * eps)).tolist())
    return columns


def gradgradcheck(
    func: Callable[..., Any], inputs: Tensors, grad_outputs: Any = None, eps: float = 1e-6, atol: float = 1e-5,
    rtol: float = 1e-3, raise_exception: bool = True,
) -> bool:  # fmt: skip
    """`gradcheck` of the gradients of `func`: whether its second derivatives are right.

    `grad_outputs` are the starting gradients; without them a fixed, uneven pattern is used.
    """
    xs = _listed("gradgradcheck", "inputs", inputs)
    outputs = [t for t in _outputs(func, xs) if t.requires_grad]
    if grad_outputs is None:
        starts = [_pattern(t).requires_grad_(t.dtype == backend.float64) for t in outputs]
    else:
        starts = [t.detach().clone().requires_grad_() for t in _listed("gradgradcheck", "grad_outputs", grad_outputs)]
    active = [i for i, x in enumerate(xs) if x.requires_grad]

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        xs, starts = given[: len(given) - len(outputs)], given[len(given) - len(outputs) :]
        out = [t for t in _outputs(func, list(xs)) if t.requires_grad]
        rows = grad(out, [xs[i] for i in active], starts, create_graph=True, allow_unused=True)
        return tuple(row if row is not None else xs[i] * 0 for i, row in zip(active, rows, strict=True))

    return gradcheck(first, [*xs, *starts], eps, atol, rtol, raise_exception)


def _pattern(t: Tensor) -> Tensor:
    steps = backend.cpu.arange(t.numel(), dtype=t.dtype).reshape(t.shape)
    return Tensor(backend.cpu.cos(steps) + 1.5)

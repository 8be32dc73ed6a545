"""Hooks: how can a user's function see, or replace, what goes into a module and comes out, forward and backward?

A module without hooks pays one comparison per call. Forward hooks get the arguments and the output; backward hooks the
gradients of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar
from weakref import ref

from lucid.autograd.function import BackwardOp
from lucid.autograd.hooks import RemovableHandle
from lucid.core.array import is_array
from lucid.core.events import MODULE, begin
from lucid.core.node import Node, Tensor
from lucid.ops.create import zeros_like
from lucid.ops.refusals import with_tensors
from lucid.ops.shapes import cat

Hook = Callable[..., Any]
Gradients = tuple[Tensor | None, ...]


class Hooks:
    """The hooks of one module in the order in which they run: id -> (hook, whether it takes keywords)."""

    def __init__(self) -> None:
        self.before: dict[int, tuple[Hook, bool]] = {}
        self.after: dict[int, tuple[Hook, bool]] = {}
        self.backward: dict[int, tuple[Hook, bool]] = {}

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class HasForward(Protocol[P, R]):
    """What a checker is told of a call of a module: it takes and gives what the class's `forward` does."""

    _hooks: Any

    @property
    def forward(self) -> Callable[P, R]:
        """The class's own."""


class HookMethods:
    """The methods of a Module that register hooks."""

    if TYPE_CHECKING:  # parameters, modules and options, by names that a checker cannot know: model[0].weight

        def __getattr__(self, name: str) -> Any: ...

    _hooks: Hooks | None = None  # on the class: an instance gets its own with its first hook

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before each forward; what it returns, unless None, are the new arguments.

        With `with_kwargs` it is `hook(module, args, kwargs)`, and may return a new pair of both. `prepend` puts it
        before the hooks already there."""
        return self._register("before", hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after each forward; unless None, what it returns is the output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`.

        >>> from lucid import nn, randn
        >>> layer, seen = nn.Linear(2, 3), []
        >>> with layer.register_forward_hook(lambda module, args, output: seen.append(output.shape)):
        ...     output = layer(randn(5, 2))
        >>> seen
        [(5, 3)]
        """
        return self._register("after", hook, prepend, with_kwargs)

    def register_full_backward_hook(self, hook: Hook, *, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` once the gradients of the inputs are complete.

        Both are tuples with an entry for each positional argument and each output, None where there is no gradient.
        `grad_input` is what flows back through this one call, whatever else the inputs were used for. A tuple that the
        hook returns replaces it. If no argument requires a gradient, the hook runs once the gradients of the outputs
        are complete, and has nothing to replace. When a gradient that it has seen (under `create_graph`) is
        differentiated, alone or together with a loss, it is not called again.

        The module must return a Tensor, or a tuple or list of Tensors."""
        return self._register("backward", hook, prepend, False)

    def _register(self, when: str, hook: Hook, prepend: bool, with_kwargs: bool) -> RemovableHandle:
        if not callable(hook):
            raise TypeError(f"a hook must be callable, got {hook!r}")
        if self._hooks is None:
            self._hooks = Hooks()
        hooks = getattr(self._hooks, when)
        earlier = list(hooks) if prepend else []
        handle = RemovableHandle(hooks, (hook, with_kwargs))
        for key in earlier:  # to the end
            hooks[key] = hooks.pop(key)
        return handle


def call_observed(module: Any, hooks: Hooks | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A module's forward with its hooks, announced to those who observe the calls of modules."""
    if type(module).__module__.startswith("lucid.") and any(map(is_array, (*args, *kwargs.values()))):
        args, kwargs = with_tensors(module.forward, args, kwargs)
    after, output = begin(MODULE, module, args), None
    try:
        output = module.forward(*args, **kwargs) if hooks is None else _call_with_hooks(module, hooks, args, kwargs)
        return output
    finally:
        for function in after:
            function(output)


def _call_with_hooks(module: Any, hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The forward of a module between the hooks before it and those after it."""
    for hook, with_kwargs in list(hooks.before.values()):
        new = hook(module, args, kwargs) if with_kwargs else hook(module, args)
        if with_kwargs and new is not None:
            args, kwargs = new
        elif new is not None:
            args = _as_tuple(new)

    def forward(args: tuple[Any, ...]) -> Any:
        output = module.forward(*args, **kwargs)
        for hook, with_kwargs in list(hooks.after.values()):
            new = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
            output = output if new is None else new
        return output

    if not hooks.backward:
        return forward(args)
    return _with_backward_hooks(module, [hook for hook, _ in hooks.backward.values()], args, forward)


def _with_backward_hooks(module: Any, hooks: list[Hook], args: tuple[Any, ...], forward: Callable[..., Any]) -> Any:
    """The output of `forward(args)`; the gradients of both are given to the hooks.

    Hooks on single tensors would not do, for a module's hook is given the gradients of all inputs together, each
    complete. So all inputs pass through *one* node and all outputs through another, and those nodes are hooked.
    """
    name = type(module).__name__
    grad_output: Gradients = ()

    def on_inputs(gradients: Gradients) -> Gradients | None:
        nonlocal grad_output
        replaced = None
        for hook in hooks:
            if (new := hook(module, gradients, grad_output)) is not None:
                gradients = replaced = _as_tuple(new)
                if len(replaced) != len(args):
                    expected = f"expected {len(args)}, one for each argument"
                    raise RuntimeError(f"a backward hook of {name} returned {len(replaced)} gradients; {expected}")
        grad_output = ()  # their history, under create_graph, leads back to the node that holds this function
        return replaced

    def on_outputs(gradients: Gradients) -> None:
        nonlocal grad_output
        grad_output = gradients
        # If no input requires a gradient, nothing follows those of the outputs.
        if joined is args and on_inputs((None,) * len(args)) is not None:
            text = "returned gradients, but no argument of the module requires one; return None"
            raise RuntimeError(f"a backward hook of {name} {text}")

    joined = join_gradients(args, on_inputs)
    output = forward(joined)
    if isinstance(output, Tensor):
        return join_gradients((output,), on_outputs)[0]
    if type(output) in (tuple, list):
        return type(output)(join_gradients(tuple(output), on_outputs))
    problem = f"to return a Tensor, or a tuple or list of Tensors, not {type(output).__name__}"
    raise TypeError(f"a backward hook needs {name} {problem}; hook a module inside it")


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def join_gradients(values: tuple[Any, ...], hook: Callable[[Gradients], Gradients | None]) -> tuple[Any, ...]:
    """Equal values, whose gradients come to `hook` together; `values` itself if none requires a gradient.

    Those that do are joined into one vector, which is hooked and split again. What the hook has seen goes on from a
    node of its own. Where backward comes by there, a gradient is being differentiated, and the hook is not called."""
    active = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
    if not active:
        return values

    def join(parts: tuple[Any, ...]) -> Tensor:
        return cat([(zeros_like(values[i]) if parts[i] is None else parts[i]).reshape(-1) for i in active])

    def split(vector: Tensor, others: tuple[Any, ...]) -> tuple[Any, ...]:
        parts, start = list(others), 0
        for i in active:
            end = start + values[i].numel()
            parts[i] = vector[start:end].reshape(values[i].shape).to(values[i].dtype)
            start = end
        return tuple(parts)

    def vjp(xp: Any, g: Any, saved: Any, inputs: Any) -> tuple[Any, Any]:
        again.extend([True] * (inputs[1] is not None))  # that is the hook's node, which is older: its turn comes later
        return g, xp.zeros_like(g)

    def on_gradient(g: Tensor) -> Tensor | None:
        if again:
            again.clear()
            return None
        replaced = hook(split(g, (None,) * len(values)))
        g = g if replaced is None else join(replaced).to(g.dtype)
        return Tensor(g._array, False, Node(BackwardOp("backward hooks", vjp), (g._node, node()), (), g))

    vector, again = join(values), list[bool]()
    node = ref(vector._node)  # weakly, as it holds these functions
    vector.register_hook(on_gradient)
    return split(vector, values)

"""Calling a module, and the hooks that look on, or interfere, while it runs.

A module without hooks pays one comparison per call. Hooks see the arguments before `forward`, the output
after it, and, on the way back, the gradients of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucid.creation import zeros_like
from lucid.functions import cat
from lucid.graph import RemovableHandle as RemovableHandle
from lucid.origins import around, here, while_remembering
from lucid.tensor import Tensor

Hook = Callable[..., Any]
Gradients = tuple[Tensor | None, ...]


class Hooks:
    """The hooks of one module in the order in which they run: id -> (hook, whether it takes keywords)."""

    def __init__(self) -> None:
        self.before: dict[int, tuple[Hook, bool]] = {}
        self.after: dict[int, tuple[Hook, bool]] = {}
        self.backward: dict[int, tuple[Hook, bool]] = {}


class Hooked:
    """The part of a Module that is called: `forward`, and what is hooked to it."""

    # On the class, so that an instance has it without __init__; one that is given a hook gets its own.
    _hooks: Hooks | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass defines its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); define what it computes")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and the hooks if there are any."""
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return self._call_with_hooks(self._hooks, args, kwargs)

    def _remembered_call(self, *args: Any, **kwargs: Any) -> Any:
        """The same where nodes are to know which module they were made in."""
        before, here.calls = here.calls, around(here.calls, self)
        try:
            return _usual_call(self, *args, **kwargs)
        finally:
            here.calls = before

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before each forward; what it returns, unless None, are the new arguments.

        With `with_kwargs` it is `hook(module, args, kwargs)`, and may return a new pair of both. `prepend`
        puts it before the hooks already there.
        """
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

        Both are tuples with an entry for each positional argument and each output, None where there is no
        gradient. `grad_input` is what flows back through this one call, whatever else the inputs were used
        for. A tuple that the hook returns replaces it. If no argument requires a gradient, the hook runs once
        the gradients of the outputs are complete, and has nothing to replace.

        The module must return a Tensor, or a tuple or list of Tensors.
        """
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

    def _call_with_hooks(self, hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, with_kwargs in list(hooks.before.values()):
            new = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if with_kwargs and new is not None:
                args, kwargs = new
            elif new is not None:
                args = new if isinstance(new, tuple) else (new,)
        watch = Watch(self, [hook for hook, _ in hooks.backward.values()]) if hooks.backward else None
        if watch:
            args = watch.inputs(args)
        output = self.forward(*args, **kwargs)
        for hook, with_kwargs in list(hooks.after.values()):
            new = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
            output = output if new is None else new
        return watch.outputs(output) if watch else output


_usual_call = Hooked.__call__
while_remembering("lines", Hooked, "__call__", Hooked._remembered_call)


class Watch:
    """One call of a module whose gradients are looked at.

    Hooks on single tensors would not do, for a module's hook is given the gradients of all inputs together,
    each complete. So the inputs are led through *one* node and the outputs through another, and those are
    hooked.
    """

    def __init__(self, module: Hooked, hooks: list[Hook]) -> None:
        self.module, self.hooks = module, hooks
        self.count, self.last = 0, False  # of arguments; whether the outputs' gradients are the last to come
        self.grad_output: Gradients = ()

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The same arguments, watched."""
        watched = through_one_node(args, self.on_inputs)
        self.count, self.last = len(args), watched is args
        return watched

    def outputs(self, output: Any) -> Any:
        """The same output, watched."""
        if isinstance(output, Tensor):
            return through_one_node((output,), self.on_outputs)[0]
        if type(output) in (tuple, list):
            return type(output)(through_one_node(tuple(output), self.on_outputs))
        raise TypeError(
            f"a backward hook needs {type(self.module).__name__} to return a Tensor, or a tuple or list of "
            f"Tensors, not {type(output).__name__}; hook a module inside it"
        )

    def on_outputs(self, gradients: Gradients) -> None:
        """Keep them for the hooks; run those now if nothing further will come."""
        self.grad_output = gradients
        if self.last and self.on_inputs((None,) * self.count) is not None:
            raise RuntimeError(
                f"a backward hook of {type(self.module).__name__} returned gradients, but no argument of the "
                "module requires one; return None"
            )

    def on_inputs(self, gradients: Gradients) -> Gradients | None:
        """Run the hooks; gives what they put in place of the gradients, or None."""
        replaced = None
        for hook in self.hooks:
            new = hook(self.module, gradients, self.grad_output)
            if new is not None:
                gradients = replaced = new if isinstance(new, tuple) else (new,)
                if len(replaced) != self.count:
                    raise RuntimeError(
                        f"a backward hook of {type(self.module).__name__} returned {len(replaced)} "
                        f"gradients; expected {self.count}, one for each argument"
                    )
        return replaced


def through_one_node(
    values: tuple[Any, ...], hook: Callable[[Gradients], Gradients | None]
) -> tuple[Any, ...]:
    """Equal values, whose gradients pass `hook` together; `values` itself if none requires a gradient."""
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
    if not places:
        return values

    def joined(parts: tuple[Any, ...]) -> Tensor:
        return cat([(zeros_like(values[i]) if parts[i] is None else parts[i]).reshape(-1) for i in places])

    def spread(flat: Tensor, others: tuple[Any, ...]) -> tuple[Any, ...]:
        parts, start = list(others), 0
        for i in places:
            end = start + values[i].numel()
            parts[i] = flat[start:end].reshape(values[i].shape).to(values[i].dtype)
            start = end
        return tuple(parts)

    def on_gradient(g: Tensor) -> Tensor | None:
        replaced = hook(spread(g, (None,) * len(values)))
        return None if replaced is None else joined(replaced).to(g.dtype)

    one = joined(values)
    one.register_hook(on_gradient)
    return spread(one, values)

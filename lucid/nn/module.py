"""Functions with memory: a Module is an object whose Parameters are found by walking its attributes.

    class Net(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(2, 16), nn.Linear(16, 1)]     # a plain list will do

        def forward(self, x):
            return self.layers[1](self.layers[0](x).tanh())

What the walk finds, in the order in which the attributes were first assigned:

- a **Parameter**, wherever it stands: as an attribute, or in lists, tuples and dicts nested in one;
- a **Module** in any of these places, which is then walked in turn;
- a **buffer**: a Tensor under an attribute that `register_buffer` named. Any other Tensor or array is the
  program's own affair: it is neither moved by `to` nor part of `state_dict`.

Names are the path: `layers.0.weight`. Nothing is registered when an attribute is set, so there is no list that
could disagree with the attributes, and no `super().__init__()` to forget. The price: a walk looks at every entry
of every list and dict that the module holds, so a log of a million numbers belongs elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from reprlib import recursive_repr
from types import MappingProxyType
from typing import Any, Self, TypeVar

from lucid.creation import zeros_like
from lucid.nn import state
from lucid.nn.hooks import Hooked
from lucid.tensor import Parameter, Tensor

T = TypeVar("T")
Entry = tuple[str, "Tensor | Module", bool]  # name, what it is, whether state_dict has it
NOTHING: Mapping[str, bool] = MappingProxyType({})
PLAIN = frozenset((int, float, bool, str, type(None)))  # most attributes, and quickly passed over


class Module(Hooked):
    """Base class of what has parameters: assign them, or other Modules, to attributes; define `forward`.

    Subclasses need not call `super().__init__()`. Calling the module runs `forward`, and hooks if it has any.

    Attributes:
        training: whether the module is in training mode (Dropout drops, ...); `train()` and `eval()` set it.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope = Parameter([2.0])
    ...     def forward(self, x):
    ...         return self.slope * x
    >>> [name for name, _ in Line().named_parameters()]
    ['slope']
    """

    # Defaults on the class, so that an instance has them without __init__; it gets its own where it differs.
    training: bool = True
    _buffer_names: Mapping[str, bool] = NOTHING  # name -> whether it belongs to state_dict

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; where a Parameter stands, only a Parameter or None may take its place.

        Raises:
            TypeError: for a Tensor in a Parameter's place: the walk would lose sight of it, without a word.
        """
        if isinstance(self.__dict__.get(name), Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(
                f"{type(self).__name__}.{name} is a Parameter, got {type(value).__name__} for it; assign "
                f"nn.Parameter(...), or new values to .{name}.data, or delete the attribute first"
            )
        object.__setattr__(self, name, value)

    # -- the walk --------------------------------------------------------------------------------------------

    def _direct(self) -> list[Entry]:
        """The parameters, buffers and modules in this module itself."""
        found: list[Entry] = []
        for name, value in vars(self).items():
            if type(value) in PLAIN:
                continue
            if isinstance(value, (Parameter, Module)):
                found.append((name, value, True))
            elif isinstance(value, (list, tuple, dict)):
                _look_inside(value, name, found, [])
            elif isinstance(value, Tensor) and name in self._buffer_names:
                found.append((name, value, self._buffer_names[name]))
        return found

    def _walk(self, once: bool = True, prefix: str = "", recurse: bool = True) -> list[Entry]:
        """This module and everything below it (or, unless `recurse`, just inside it), parents first.

        `once` gives each object under its first name only. Otherwise a tied weight comes under every name that
        it has, and only a module inside itself is passed over.
        """
        found: list[Entry] = []
        self._walk_on(prefix, once, set() if recurse else {id(m) for m in self.children()}, found)
        return found

    def _walk_on(self, prefix: str, once: bool, seen: set[int], found: list[Entry]) -> None:
        seen.add(id(self))
        found.append((prefix, self, True))
        prefix = prefix and prefix + "."
        for name, value, saved in self._direct():
            if once and id(value) in seen:
                continue
            if not isinstance(value, Module):
                seen.add(id(value))
                found.append((prefix + name, value, saved))
            elif id(value) not in seen:
                value._walk_on(prefix + name, once, seen, found)
        if not once:
            seen.discard(id(self))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter with its dotted name after `prefix`; without `recurse`, those of this module alone.

        A tied one comes once, under its first name; with `remove_duplicate=False` under each.
        """
        for name, value, _ in self._walk(remove_duplicate, prefix, recurse):
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every Parameter, tied ones once: what an optimizer is given."""
        for _, parameter in self.named_parameters("", recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its dotted name; the arguments are those of `named_parameters`."""
        for name, value, _ in self._walk(remove_duplicate, prefix, recurse):
            if isinstance(value, Tensor) and not isinstance(value, Parameter):
                yield name, value

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer: what is saved and moved with the module but not learned."""
        for _, buffer in self.named_buffers("", recurse):
            yield buffer

    def named_modules(
        self, *, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module, whose name is `prefix`, and all modules below it with their dotted names."""
        for name, value, _ in self._walk(remove_duplicate, prefix):
            if isinstance(value, Module):
                yield name, value

    def modules(self) -> Iterator[Module]:
        """This module and all modules below it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one, each once; one in a list is named after it: `layers.0`."""
        seen = set()
        for name, value, _ in self._direct():
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        """The modules directly inside this one."""
        for _, module in self.named_children():
            yield module

    def get_submodule(self, target: str) -> Module:
        """The module with this dotted name, the empty one being this module's; an AttributeError if there is none."""
        return _named(
            target, self.named_modules(remove_duplicate=False), f"{type(self).__name__} has no submodule"
        )

    def get_parameter(self, target: str) -> Parameter:
        """The Parameter with this dotted name; an AttributeError if there is none."""
        return _named(
            target, self.named_parameters("", True, False), f"{type(self).__name__} has no parameter"
        )

    # -- adding by name --------------------------------------------------------------------------------------

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make the Tensor under attribute `name` a buffer: moved by `to`; in `state_dict` if `persistent`.

        The name is what counts: after `self.mean = another` the other is the buffer.

        Raises:
            TypeError: if `tensor` is neither a Tensor nor None, or is a Parameter, which needs no registering.
            ValueError: if the name is empty or has a dot in it.
            KeyError: if the module has another attribute of this name.
        """
        if isinstance(tensor, Parameter) or not isinstance(tensor, Tensor | None):
            raise TypeError(
                f"register_buffer: {name!r} must be a plain Tensor or None, got {type(tensor).__name__}"
            )
        if name not in self._buffer_names:
            self._check_free(name, "register_buffer")
        self._buffer_names = {**self._buffer_names, name: persistent}
        setattr(self, name, tensor)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set attribute `name` to a Parameter (or None), as plain assignment does, with the name checked.

        Raises:
            TypeError: if `param` is neither a Parameter nor None.
            ValueError: if the name is empty or has a dot in it.
            KeyError: if the module has another attribute of this name.
        """
        if not isinstance(param, Parameter | None):
            raise TypeError(
                f"register_parameter: {name!r} must be a Parameter, got {type(param).__name__}; use nn.Parameter(...)"
            )
        if not isinstance(vars(self).get(name), Parameter):
            self._check_free(name, "register_parameter")
        setattr(self, name, param)

    def add_module(self, name: str, module: Module | None) -> None:
        """Set attribute `name` to a Module (or None), checked as in `register_parameter`."""
        if not isinstance(module, Module | None):
            raise TypeError(f"add_module: {name!r} must be a Module, got {type(module).__name__}")
        if not isinstance(vars(self).get(name), Module):
            self._check_free(name, "add_module")
        setattr(self, name, module)

    def _check_free(self, name: str, who: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{who}: a name must be a non-empty str without dots, got {name!r}")
        if hasattr(self, name):
            raise KeyError(
                f"{who}: {type(self).__name__} already has an attribute {name!r}; choose another name"
            )

    # -- acting on everything below --------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], object]) -> Self:
        """Call `fn` on every module, children before parents, to set weights for instance; returns self."""
        for module in self._bottom_up(set()):
            fn(module)
        return self

    def _bottom_up(self, seen: set[int]) -> Iterator[Module]:
        seen.add(id(self))
        for child in self.children():
            if id(child) not in seen:
                yield from child._bottom_up(seen)
        yield self

    def train(self, mode: bool = True) -> Self:
        """Enter training mode (or with False leave it), here and in all modules below; returns self.

        Raises:
            TypeError: if `mode` is not a bool.
        """
        if not isinstance(mode, bool):
            raise TypeError(f"train: mode must be True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Leave training mode, so that Dropout drops nothing; returns self. `no_grad` is another matter."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter, or with `set_to_none=False` make it zeros."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else zeros_like(parameter.grad)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (with False) or thaw every parameter; returns self."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def to(self, *args: Any, device: Any = None, dtype: Any = None) -> Self:
        """Move parameters, buffers and gradients in place: `to(device)`, `to(dtype)`, `to(like)`; returns self.

        Parameters stay the same objects (their `.data` is replaced), so an optimizer made before goes on
        working. A dtype is for floating point tensors alone: others only change device.

        Raises:
            TypeError: if the dtype is unknown, or not a floating point one.
            ValueError, RuntimeError: if the device is unknown, or not there. Nothing has moved then.
        """
        state.move(self, args, device, dtype)
        return self

    def cpu(self) -> Self:
        """Move to the CPU; returns self."""
        return self.to("cpu")

    def float(self) -> Self:
        """Make every floating point parameter and buffer float32; returns self."""
        return self.to("float32")

    def double(self) -> Self:
        """Make every floating point parameter and buffer float64; returns self."""
        return self.to("float64")

    def half(self) -> Self:
        """Make every floating point parameter and buffer float16; returns self."""
        return self.to("float16")

    def type(self, dst_type: Any) -> Self:
        """Make every floating point parameter and buffer of dtype `dst_type`; returns self."""
        return self.to(dtype=dst_type)

    # -- state -----------------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "") -> dict[str, Any]:
        """All parameters and persistent buffers: dotted name, after `prefix`, -> NumPy array.

        The arrays are copies: a state that was put aside does not change as training goes on, as PyTorch's does.
        A tied weight comes under each of its names, as in PyTorch.

        Raises:
            ValueError: if two parameters have one name (`{"a.b": p}` beside `{"a": {"b": q}}`).
        """
        return state.state_dict(self, prefix)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> state.IncompatibleKeys:
        """Copy values into the parameters and persistent buffers, in place.

        A PyTorch model's weights load as they are:
        `model.load_state_dict({k: v.numpy() for k, v in torch_model.state_dict().items()})`.

        Args:
            state_dict: dotted name -> NumPy array, Tensor, or anything that NumPy can read. Values are cast to the
                dtype that they have here; only floats do not become integers.
            strict: whether every name must be there and no other. With False, other names are passed over and
                returned, a pair of lists; an entry of the wrong shape is refused all the same.

        Raises:
            TypeError: if `state_dict` is not a mapping.
            ValueError: listing every missing, unexpected, misshapen and unreadable entry; nothing changes then.
        """
        return state.load_state_dict(self, state_dict, strict)

    # -- looking ---------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the brackets of the repr; layers show their sizes here."""
        return ""

    def summary(self, *inputs: Any, **keywords: Any) -> Any:
        """A table of the layers as they run on `inputs`: output shapes, parameters, multiply-adds; see `see.summary`.

        >>> from lucid import nn
        >>> nn.Linear(64, 10).summary((32, 64)).multiply_adds
        20480
        """
        see = import_module("lucid.see")  # by its name, and only now: a chapter that comes later
        return see.summary(self, *inputs, **keywords)

    @recursive_repr("(...)")
    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [f"({name}): {value!r}" for name, value, _ in self._direct() if isinstance(value, Module)]
        if not lines:
            return f"{type(self).__name__}({extra})"
        body = "\n".join([extra, *lines] if extra else lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


def _look_inside(container: Any, prefix: str, found: list[Entry], around: list[Any]) -> None:
    """Add what a list, tuple or dict holds to `found`; `around` stops at one that holds itself."""
    if any(container is one for one in around):
        return
    for key, value in container.items() if isinstance(container, dict) else enumerate(container):
        if isinstance(value, (Parameter, Module)):
            found.append((f"{prefix}.{key}", value, True))
        elif isinstance(value, (list, tuple, dict)):
            _look_inside(value, f"{prefix}.{key}", found, [*around, container])


def _named(target: str, among: Iterator[tuple[str, T]], complaint: str) -> T:
    """The entry called `target`."""
    found = dict(among)
    if target not in found:
        raise AttributeError(
            f"{complaint} {target!r}; there are: {', '.join(name for name in found if name) or 'none'}"
        )
    return found[target]

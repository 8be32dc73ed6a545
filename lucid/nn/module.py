"""Functions with parameters: what is a Module, and how are its parameters found, moved, saved and loaded?

Nothing is registered when an attribute is set. Whenever the parameters are needed, `entries` walks over the attributes,
in the order in which they were first assigned, and finds each **Parameter** and each **Module**, as an attribute or in
lists, tuples and dicts nested in one, and each **buffer**: a Tensor under an attribute that `register_buffer` named.
As in PyTorch a module's own parameters come first, then its buffers, then what is in its modules. Any other Tensor or
array is left alone: neither moved by `to` nor part of `state_dict`.

Names are paths: `layers.0.weight`. So there is no list of parameters that could disagree with the attributes, and no
`super().__init__()` to forget. The price: every element of every list and dict in a module is looked at, so a log of a
million numbers belongs elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from reprlib import recursive_repr
from typing import Any, ClassVar, NamedTuple, Self

from lucid.core.array import cpu, device_of, is_array, to_device, to_numpy
from lucid.core.events import MODULE
from lucid.core.node import Tensor, bump_version
from lucid.core.promotion import MixedDevicesError
from lucid.core.tensor import Parameter
from lucid.nn.conveniences import Conveniences
from lucid.nn.hooks import HasForward, HookMethods, P, R, call_observed
from lucid.ops.refusals import after

Entry = tuple[str, "Tensor | Module", bool]  # its name, the object itself, whether state_dict has it
PLAIN = frozenset((int, float, bool, str, type(None)))  # what most attributes are: passed over at once


def own_entries(module: Module) -> list[Entry]:
    """The parameters directly in a module, its buffers, and its modules, each in the order of its attributes.

    What an attribute leads to, by itself or in its modules, is not looked for in lists and dicts as well: a dict of all
    arguments, or a list of the parameters of some layers, gives them no second name."""
    entries: list[Entry] = []
    buffers, listed = module._buffer_names, set[str]()
    for name, value in module._attributes().items():
        if name in buffers and isinstance(value, Tensor) and not isinstance(value, Parameter):
            entries.append((name, value, buffers[name]))
        elif type(value) not in PLAIN:
            count = len(entries)
            _search(value, name, [], entries)
            if not isinstance(value, (Parameter, Module)):
                listed.update(name for name, _, _ in entries[count:])
    if 0 < len(listed) < len(entries):
        direct = _reachable(module, [value for name, value, _ in entries if name not in listed])
        entries = [entry for entry in entries if entry[0] not in listed or id(entry[1]) not in direct]
    return sorted(entries, key=lambda entry: 2 if isinstance(entry[1], Module) else not isinstance(entry[1], Parameter))


def _reachable(module: Module, values: list[Any]) -> set[int]:
    """The ids of these objects and of all that is in them; none if they lead back to `module` itself."""
    seen: set[int] = set()
    while values:
        value = values.pop()
        if value is module:
            return set()
        if type(value) not in PLAIN and id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, Module):
                values += value._attributes().values()
            elif isinstance(value, (list, tuple, dict)):
                values += value.values() if isinstance(value, dict) else value
    return seen


def _search(value: Any, name: str, around: list[Any], entries: list[Entry]) -> None:
    """Add the parameter or module that `value` is, or those it holds; `around` is what holds `value` itself."""
    if isinstance(value, (Parameter, Module)):
        entries.append((name, value, True))
    elif isinstance(value, (list, tuple, dict)) and not any(value is container for container in around):
        for key, element in value.items() if isinstance(value, dict) else enumerate(value):
            if type(element) not in PLAIN:
                _search(element, f"{name}.{key}", [*around, value], entries)


def entries(
    module: Module, remove_duplicate: bool = True, prefix: str = "", recurse: bool = True, _seen: set[int] | None = None
) -> list[Entry]:
    """A module, whose name is `prefix`, and all that is in it, parents first; without `recurse` no other modules.

    With `remove_duplicate` each object comes once, under its first name. Otherwise a tied weight comes under each of
    its names, and only a module inside itself is passed over."""
    seen = set() if _seen is None else _seen
    seen.add(id(module))
    found: list[Entry] = [(prefix, module, True)]
    for name, value, in_state in own_entries(module):
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(value, Module):
            if recurse and id(value) not in seen:
                found += entries(value, remove_duplicate, path, recurse, seen)
        elif not (remove_duplicate and id(value) in seen):
            seen.add(id(value))
            found.append((path, value, in_state))
    if not remove_duplicate:
        seen.discard(id(module))
    return found


class Module(HookMethods, Conveniences):
    """Base class of what has parameters: assign them, or other Modules, to attributes; define `forward`.

    Subclasses need not call `super().__init__()`. Calling the module runs `forward`, and hooks if it has any. The
    attribute `training` says whether it is in training mode (Dropout drops, ...); `train()` and `eval()` set it.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slopes = [Parameter([2.0])]  # a plain list will do
    ...     def forward(self, x):
    ...         return self.slopes[0] * x
    >>> [name for name, _ in Line().named_parameters()]
    ['slopes.0']
    """

    training: bool = True  # on the class, so that no __init__ need set it; an instance gets its own where it differs
    summary: ClassVar[Callable[..., Any]]
    """`see.summary` of this module, set by `lucid/__init__.py`: nn does not import what looks inside it."""

    def _attributes(self) -> dict[str, Any]:
        """Where parameters, buffers and modules are looked for: name -> value."""
        return vars(self)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass defines its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); define what it computes")

    def __call__(self: HasForward[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `forward`, and the hooks if there are any."""
        try:
            if self._hooks is None and not MODULE:
                return self.forward(*args, **kwargs)
            return call_observed(self, self._hooks, args, kwargs)
        except Exception as error:
            if isinstance(error, MixedDevicesError):
                error.modules.append(self)  # for its text: which module it happened in
            if not type(self).__module__.startswith("lucid."):
                raise
            if (out := after(error, type(self).forward, (self, *args), kwargs, type(self).__name__)) is error:
                raise
            return out

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a TypeError if it is a Parameter and `value` neither a Parameter nor None, for it would
        silently be a parameter no longer."""
        if isinstance(self.__dict__.get(name), Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(
                f"{type(self).__name__}.{name} is a Parameter, got {type(value).__name__} for it; assign "
                f"nn.Parameter(...), or new values to .{name}.data, or delete the attribute first"
            )
        object.__setattr__(self, name, value)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter with its dotted name after `prefix`; without `recurse`, those of this module alone.

        A tied one comes once, under its first name; with `remove_duplicate=False` under each of its names."""
        for name, value, _ in entries(self, remove_duplicate, prefix, recurse):
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every Parameter, tied ones once: what an optimizer is given."""
        return (parameter for _, parameter in self.named_parameters("", recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its dotted name; the arguments are those of `named_parameters`."""
        for name, value, _ in entries(self, remove_duplicate, prefix, recurse):
            if isinstance(value, Tensor) and not isinstance(value, Parameter):
                yield name, value

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer: what is saved and moved with the module but not learned."""
        return (buffer for _, buffer in self.named_buffers("", recurse))

    def named_modules(self, *, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """This module, whose name is `prefix`, and all modules below it with their dotted names."""
        for name, value, _ in entries(self, remove_duplicate, prefix):
            if isinstance(value, Module):
                yield name, value

    def modules(self) -> Iterator[Module]:
        """This module and all modules below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one, each once; one in a list is named after it: `layers.0`."""
        seen = set()
        for name, value, _ in own_entries(self):
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        """The modules directly inside this one."""
        return (module for _, module in self.named_children())

    def train(self, mode: bool = True) -> Self:
        """Enter training mode (or with False leave it), here and in all modules below; returns self."""
        if not isinstance(mode, bool):
            raise TypeError(f"train: mode must be True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Leave training mode, so that Dropout drops nothing; returns self. `no_grad` is another matter."""
        return self.train(False)

    def state_dict(self, *, prefix: str = "") -> dict[str, Any]:
        """All parameters and persistent buffers: dotted name, after `prefix`, -> NumPy array.

        The arrays are copies: unlike PyTorch's, a state that was put aside does not change as training goes on. A tied
        weight comes under each of its names, as in PyTorch. A ValueError if two parameters have one name
        (`{"a.b": p}` beside `{"a": {"b": q}}`)."""
        return {prefix + name: cpu.copy(to_numpy(tensor._array)) for name, tensor in _tensors_in_state(self).items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values into the parameters and persistent buffers, in place. A PyTorch model's weights load as they are:
        `model.load_state_dict({k: v.numpy() for k, v in torch_model.state_dict().items()})`.

        Args:
            state_dict: dotted name -> NumPy array, Tensor, or anything that NumPy can read. Values are cast to the
                dtype that they have here; only floats do not become integers.
            strict: whether every name must be there and no other. With False, other names are passed over and
                returned, a pair of lists; an entry of the wrong shape is refused all the same. Of a tied weight one
                of its names is enough; where several are there, the values must be the same.

        A ValueError lists every missing, unexpected, misshapen and unreadable entry; nothing changes then. A TypeError
        if `state_dict` is not a mapping."""
        if not isinstance(state_dict, Mapping):
            hint = "from a file: model.load_state_dict(lucid.load(path))"  # type: ignore[unreachable]
            got = f"{type(state_dict).__name__}; {hint}"
            raise TypeError(f"load_state_dict: expected a dict of names and arrays, got {got}")
        tensors, values = _tensors_in_state(self), {}
        given = {id(tensors[name]): name for name in reversed(tensors) if name in state_dict}  # its first name there
        missing = [name for name, tensor in tensors.items() if id(tensor) not in given]
        unexpected = [name for name in state_dict if name not in tensors]
        others = [*(f"missing: {n}" for n in missing), *(f"unexpected: {n}" for n in unexpected)] if strict else []
        hint = ["(strict=False passes over missing and unexpected entries)"] if others else []
        problems = []
        for name in (name for name in tensors if name in state_dict):
            try:
                values[name] = a = _cast(state_dict[name], tensors[name])
                if (first := given[id(tensors[name])]) != name and first in values:
                    b = values[first]
                    if not ((a == b) | (a != a) & (b != b)).all():  # a NaN is the same as another
                        raise ValueError(f"other values than {first}, which is the same weight here; untie them first")
            except Exception as error:  # whatever reading somebody's array may raise
                problems.append(f"{name}: {error}")
        if problems or others:
            head = f"load_state_dict: the state does not fit this {type(self).__name__}, and nothing was changed:"
            raise ValueError("\n  ".join([head, *others, *problems, *hint]))
        for name, value in values.items():  # all were read and checked: nothing can fail half way
            tensors[name]._array[...] = value
            bump_version(tensors[name]._array)
        return IncompatibleKeys(missing, unexpected)

    def extra_repr(self) -> str:
        """What stands between the brackets of the repr; layers show their sizes here."""
        return ""

    @recursive_repr("(...)")
    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [f"({name}): {value!r}" for name, value, _ in own_entries(self) if isinstance(value, Module)]
        if not lines:
            return f"{type(self).__name__}({extra})"
        body = "\n".join([extra, *lines] if extra else lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def _tensors_in_state(module: Module) -> dict[str, Tensor]:
    """Every parameter and persistent buffer under each of its names."""
    tensors: dict[str, Tensor] = {}
    for name, value, in_state in entries(module, remove_duplicate=False):
        if isinstance(value, Tensor) and in_state and tensors.setdefault(name, value) is not value:
            two = f"two parameters or buffers of the name {name!r}"
            raise ValueError(f"{type(module).__name__} has {two}; rename an attribute or a dict key")
    return tensors


def _cast(value: Any, tensor: Tensor) -> Any:
    """`value` as a new array of the tensor's dtype, on its device; an error says why it does not fit."""
    array = value._array if isinstance(value, Tensor) else value if is_array(value) else cpu.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected an array of numbers, got {type(value).__name__} of dtype {array.dtype}")
    if array.shape != tensor.shape:
        raise ValueError(f"the state has shape {array.shape}, the module {tuple(tensor.shape)}")
    if array.dtype.kind == "f" and tensor.dtype.kind != "f":
        raise TypeError(f"the state has dtype {array.dtype}, the module {tensor.dtype}")
    return to_device(array.astype(tensor.dtype), device_of(tensor._array))

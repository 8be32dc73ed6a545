"""What Module has besides, each a line or two over what `lucid.nn.module` defines: entries by name, shorthands.

Plain assignment does what `register_parameter` and `add_module` do; these check the name as well. A buffer needs
`register_buffer`, which notes its name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

from lucid.core.array import DTYPES, as_dtype
from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.ops.create import zeros_like


class Conveniences:
    """A base of Module, and of nothing else."""

    named_parameters: Callable[..., Iterator[tuple[str, Parameter]]]  # these three are Module's
    named_buffers: Callable[..., Iterator[tuple[str, Tensor]]]
    named_modules: Callable[..., Iterator[tuple[str, Any]]]
    _buffer_names: Mapping[str, bool] = MappingProxyType({})  # name -> whether it belongs to state_dict

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make the Tensor under attribute `name` a buffer: moved by `to`; in `state_dict` if `persistent`. The name is
        what counts: after `self.mean = another` the other is the buffer.

        A TypeError if `tensor` is neither a Tensor nor None, or is a Parameter, which needs no registering; a
        ValueError if the name is empty or has a dot in it; a KeyError if another attribute has it."""
        if not isinstance(tensor, Tensor | None) or isinstance(tensor, Parameter):
            got = type(tensor).__name__
            raise TypeError(f"register_buffer: {name!r} must be a plain Tensor or None, got {got}")
        _check_name(self, "register_buffer", name, name in self._buffer_names)
        self._buffer_names = {**self._buffer_names, name: persistent}
        setattr(self, name, tensor)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle has; of a computed tensor the numbers alone, with a UserWarning that names it."""
        computed = {name: x for name, x in vars(self).items() if isinstance(x, Tensor) and not x.is_leaf}
        for name in computed:
            text = f"copy: {type(self).__name__}.{name} is a computed tensor, whose history is not copied"
            warnings.warn(f"{text}; compute it in forward, or assign x.detach()", UserWarning, stacklevel=4)
        return vars(self) | {name: x.detach() for name, x in computed.items()}

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set attribute `name` to a Parameter (or None), as plain assignment does; errors as `register_buffer`."""
        if not isinstance(param, Parameter | None):
            raise TypeError(
                f"register_parameter: {name!r} must be a Parameter, got {type(param).__name__}; "
                "use nn.Parameter(...)"
            )
        _check_name(self, "register_parameter", name, isinstance(vars(self).get(name), Parameter))
        setattr(self, name, param)

    def add_module(self, name: str, module: Conveniences | None) -> None:
        """Set attribute `name` to a Module (or None); errors as `register_buffer`."""
        if not isinstance(module, Conveniences | None):
            raise TypeError(f"add_module: {name!r} must be a Module, got {type(module).__name__}")
        _check_name(self, "add_module", name, isinstance(vars(self).get(name), Conveniences))
        setattr(self, name, module)

    def get_submodule(self, target: str) -> Any:
        """The module with this dotted name, the empty one being this module's; an AttributeError if there is none."""
        return _find(self, "submodule", target, self.named_modules(remove_duplicate=False))

    def get_parameter(self, target: str) -> Parameter:
        """The Parameter with this dotted name; an AttributeError if there is none."""
        return _find(self, "parameter", target, self.named_parameters(remove_duplicate=False))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter, or with `set_to_none=False` make it zeros."""
        for _, parameter in self.named_parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else zeros_like(parameter.grad)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (with False) or thaw every parameter; returns self."""
        for _, parameter in self.named_parameters():
            parameter.requires_grad = requires_grad
        return self

    def apply(self, fn: Callable[[Any], object]) -> Self:
        """Call `fn` on every module, children before parents, to set weights for instance; returns self."""

        def visit(module: Any) -> None:
            seen.add(id(module))
            for child in module.children():
                if id(child) not in seen:
                    visit(child)
            fn(module)

        seen: set[int] = set()
        visit(self)
        return self

    def to(self, *args: Any, device: Any = None, dtype: Any = None) -> Self:
        """Move parameters, buffers and gradients in place: `to(device)`, `to(dtype)`, `to(like)`; returns self.

        Parameters stay the same objects (their `.data` is replaced), so an optimizer made before goes on working. A
        dtype is for floating point tensors alone: others only change device. Nothing has moved after a TypeError (the
        dtype is no floating point one), ValueError or RuntimeError (the device is unknown, or not there)."""
        for arg in args:
            if isinstance(arg, Tensor):
                device, dtype = arg.device, arg.dtype
            elif isinstance(arg, str) and arg not in DTYPES:
                device = arg
            else:
                dtype = arg
        if dtype is not None and as_dtype(dtype).kind != "f":
            raise TypeError(f"to: a module can only be moved to a floating point dtype, got {dtype!r}")

        def moved(tensor: Tensor) -> Tensor:
            return tensor.data.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

        tensors = [tensor for _, tensor in (*self.named_parameters(), *self.named_buffers())]
        moves = [(t, moved(t), None if t._grad is None else moved(t._grad)) for t in tensors]
        for tensor, data, grad in moves:  # all were copied: nothing can fail half way
            tensor.data, tensor.grad = data, grad
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


def _check_name(module: Conveniences, method: str, name: str, known: bool) -> None:
    """Refuse what is no name, or, unless it is `known`, already taken."""
    if not known and (not isinstance(name, str) or not name or "." in name):
        raise ValueError(f"{method}: a name must be a non-empty str without dots, got {name!r}")
    if not known and hasattr(module, name):
        raise KeyError(f"{method}: {type(module).__name__} already has an attribute {name!r}; choose another name")


def _find(module: Conveniences, kind: str, target: str, named: Iterator[tuple[str, Any]]) -> Any:
    """The one of `named` whose name is `target`."""
    objects = dict(named)
    if target not in objects:
        names = ", ".join(filter(None, objects)) or "none"
        raise AttributeError(f"{type(module).__name__} has no {kind} {target!r}; there are: {names}")
    return objects[target]

"""A module's memory: as a plain dict and back, and from one device or dtype to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lucid.backend import DTYPES, as_dtype, cpu, device_of, is_array, to_device, to_numpy
from lucid.graph import written
from lucid.tensor import Tensor

if TYPE_CHECKING:
    from lucid.nn.module import Module


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def entries(module: Module) -> dict[str, Tensor]:
    """Every parameter and persistent buffer under every name that it has."""
    found: dict[str, Tensor] = {}
    for name, value, kept in module._walk(once=False):
        if isinstance(value, Tensor) and kept and found.setdefault(name, value) is not value:
            raise ValueError(
                f"{type(module).__name__} has two parameters or buffers of the name {name!r}; "
                "rename an attribute or a dict key"
            )
    return found


def move(module: Module, args: tuple[Any, ...], device: Any, dtype: Any) -> None:
    """See `Module.to`. First everything is copied over; only then is anything replaced."""
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

    tensors = [value for _, value, _ in module._walk() if isinstance(value, Tensor)]
    moves = [(t, moved(t), None if t.grad is None else moved(t.grad)) for t in tensors]
    for tensor, data, grad in moves:
        tensor.data, tensor.grad = data, grad


def state_dict(module: Module, prefix: str) -> dict[str, Any]:
    """See `Module.state_dict`."""
    return {prefix + name: cpu.copy(to_numpy(tensor._array)) for name, tensor in entries(module).items()}


def load_state_dict(module: Module, state: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """See `Module.load_state_dict`. First everything is read and checked; only then is anything written."""
    if not isinstance(state, Mapping):
        raise TypeError(
            f"load_state_dict: expected a dict of names and arrays, got {type(state).__name__}; "
            "from a file: model.load_state_dict(lucid.load(path))"
        )
    here, who = entries(module), type(module).__name__
    missing = [name for name in here if name not in state]
    unexpected = [name for name in state if name not in here]
    problems, values = [], {}
    if strict:
        problems += [f"missing: {name}" for name in missing] + [f"unexpected: {name}" for name in unexpected]
    for name, tensor in here.items():
        if name in state:
            try:
                values[name] = _fitted(state[name], tensor)
            except Exception as error:  # whatever reading a foreign array may raise
                problems.append(f"{name}: {error}")
    if problems:
        if strict and (missing or unexpected):
            problems.append("(strict=False passes over missing and unexpected entries)")
        head = f"load_state_dict: the state does not fit this {who}, and nothing was changed:"
        raise ValueError("\n  ".join([head, *problems]))
    for name, value in values.items():
        here[name]._array[...] = value
        written(here[name]._array)
    return IncompatibleKeys(missing, unexpected)


def _fitted(value: Any, tensor: Tensor) -> Any:
    """`value` as a new array of the tensor's dtype, on its device; an error says why it does not fit."""
    array = value._array if isinstance(value, Tensor) else value if is_array(value) else cpu.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected an array of numbers, got {type(value).__name__} of dtype {array.dtype}")
    if array.shape != tensor.shape:
        raise ValueError(f"the state has shape {array.shape}, the module {tuple(tensor.shape)}")
    if array.dtype.kind == "f" and tensor.dtype.kind != "f":
        raise TypeError(f"the state has dtype {array.dtype}, the module {tensor.dtype}")
    return to_device(array.astype(tensor.dtype), device_of(tensor._array))

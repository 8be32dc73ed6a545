"""Chapter 5a. Operands that differ: Python numbers, NumPy arrays, dtypes, devices, and the errors that say so.

The generated calls of chapter 2 handle the usual case themselves, arrays of one dtype on the CPU. The rest comes here.
Promotion is PyTorch's: float beats int beats bool, and within a kind the wider dtype wins, but a Python number or a
0-d tensor only ever changes the kind. So float32 stays float32, and float64 appears only where somebody asked for it.
"""

from __future__ import annotations

from typing import Any

from lucid import backend
from lucid.backend import AxisError
from lucid.op import RECORDED, RUNTIME, Op
from lucid.origins import came_from

KIND = {"b": 0, "u": 1, "i": 1, "f": 2}
NUMBERS = (bool, int, float)


def promote(operands: list[Any]) -> Any:
    """The dtype in which `operands` (arrays and Python numbers) meet."""
    tiers: list[Any] = [None, None, None]  # what arrays, 0-d arrays and Python numbers call for
    for operand in operands:
        dtype = getattr(operand, "dtype", None)
        if dtype is None:
            number = type(operand)
            dtype = (
                backend.get_default_dtype() if number is float else backend.int64 if number is int else backend.bool_
            )
            tier = 2
        else:
            tier = 0 if operand.ndim else 1
        tiers[tier] = dtype if tiers[tier] is None else _wider(tiers[tier], dtype)
    result = None
    for dtype in tiers:
        if dtype is not None and (result is None or KIND[dtype.kind] > KIND[result.kind]):
            result = dtype
    return result


def _wider(a: Any, b: Any) -> Any:
    if KIND[a.kind] != KIND[b.kind]:
        return a if KIND[a.kind] > KIND[b.kind] else b
    if a.kind == b.kind:
        return a if a.itemsize >= b.itemsize else b
    unsigned, signed = (a, b) if a.kind == "u" else (b, a)  # uint8 fits into int16, not into int8
    return signed if signed.itemsize > unsigned.itemsize else backend.int16


def called(value: Any) -> str:
    """The name of a value's type, and of another library's Tensor also the library."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    return f"{library}.{kind.__name__}" if kind.__name__ in ("Tensor", "Parameter") else kind.__name__


def raw(spec: Op, name: str, operand: Any) -> Any:
    """What the forward can use of an operand that is not a Tensor: a Python number or an array."""
    if type(operand) in NUMBERS or (operand is None and name in spec.nullable):
        return operand
    if backend.is_array(operand):
        return operand.item() if operand.ndim == 0 and backend.device_of(operand) == "cpu" else operand
    if hasattr(operand, "item") and getattr(operand, "shape", None) == ():  # a NumPy scalar counts as a Python number
        return operand.item()
    if isinstance(operand, (float, int)):  # a subclass, such as an IntEnum
        return float(operand) if isinstance(operand, float) else int(operand)
    raise TypeError(
        f"{spec.name}: expected a Tensor, a number or an array for {name!r}, got {called(operand)}; "
        f"lucid.tensor(...) makes a Tensor of it"
    )


def prepare(spec: Op, *operands: Any) -> tuple[Any, ...]:
    """The namespace, then an (array, node) pair for each operand, brought to one device and, where `spec` promotes
    it, one dtype. A cast of a tensor that needs a gradient is recorded like any operation."""
    if len(operands) == 2 and len(spec.promoted) == 2:  # x * 2 and 2 * x, at a third of the price of the general case
        x, y = operands
        if type(y) in (float, int) and hasattr(x, "_array") and _plain_float(x._array):
            return backend.cpu, x._array, x._node, y, None
        if type(x) in (float, int) and hasattr(y, "_array") and _plain_float(y._array):
            return backend.cpu, x, None, y._array, y._node
    nodes = [getattr(x, "_node", None) for x in operands]
    arrays = [x._array if hasattr(x, "_array") else raw(spec, n, x) for n, x in zip(spec.inputs, operands, strict=True)]
    present = [a for a in arrays if backend.is_array(a)]
    xp = _one_namespace(spec, operands, present) if present else backend.cpu
    dtype = promote([a for name, a in zip(spec.inputs, arrays, strict=True) if name in spec.promoted and a is not None])
    if spec.floats and dtype.kind != "f":
        dtype = backend.get_default_dtype()
    for i, (name, array) in enumerate(zip(spec.inputs, arrays, strict=True)):
        if name not in spec.promoted or array is None:
            continue
        if not backend.is_array(array):
            if name == spec.promoted[0]:  # the forward leans on its first array, so a number there becomes one
                arrays[i] = xp.asarray(array, dtype=dtype)
        elif array.dtype != dtype:
            arrays[i], nodes[i] = _cast(operands[i], array, nodes[i], dtype)
    return (xp, *(each for pair in zip(arrays, nodes, strict=True) for each in pair))


def _cast(operand: Any, array: Any, node: Any, dtype: Any) -> tuple[Any, Any]:
    """An operand in another dtype; where it needs a gradient the cast is an operation like any other."""
    if node is None:
        return array.astype(dtype), None
    cast = RECORDED.astype(operand, dtype=dtype)
    return cast._array, cast._node


def _plain_float(array: Any) -> bool:
    return type(array) is backend.ndarray and array.dtype.kind == "f"


def prepare_all(spec: Op, operands: tuple[Any, ...]) -> tuple[Any, list[Any], tuple[Any, ...] | None]:
    """The same for an operation on `*arrays`: namespace, arrays, and nodes, or None where none needs a gradient."""
    if not operands:
        raise ValueError(f"{spec.name}: expected at least one tensor, got none")
    for operand in operands:
        if not hasattr(operand, "_array") and not backend.is_array(operand):
            raise TypeError(f"{spec.name}: expected tensors, got {called(operand)}")
    arrays = [x._array if hasattr(x, "_array") else x for x in operands]
    xp = _one_namespace(spec, operands, arrays)
    dtype = promote(arrays)
    nodes = [getattr(x, "_node", None) for x in operands]
    for i, array in enumerate(arrays):
        if array.dtype != dtype:
            arrays[i], nodes[i] = _cast(operands[i], array, nodes[i], dtype)
    return xp, arrays, tuple(nodes) if any(node is not None for node in nodes) else None


def ndim_of(name: str, x: Any) -> int:
    """The number of dims of a Tensor or array.

    Raises:
        TypeError: for anything else, naming the function that was given it.
    """
    try:
        return x._array.ndim
    except AttributeError:
        if backend.is_array(x):
            return x.ndim
        raise TypeError(f"{name}: expected a Tensor, got {called(x)}; lucid.tensor(...) makes one") from None


def _one_namespace(spec: Op, operands: Any, arrays: list[Any]) -> Any:
    devices = {backend.device_of(a) for a in arrays}
    if len(devices) > 1:
        where = " and ".join(
            f"{name!r} on {backend.device_of(x._array if hasattr(x, '_array') else x)}"
            for name, x in zip(spec.inputs * len(operands), operands, strict=False)
            if hasattr(x, "_array") or backend.is_array(x)
        )
        origins = came_from(spec.inputs * len(operands), [getattr(x, "_node", None) for x in operands])
        raise RuntimeError(
            f"{spec.name}: operands on different devices, {where}; move one with .to({devices.pop()!r}){origins}"
        )
    return backend.namespace(arrays[0])


def settle(out: Any, *inputs: Any) -> Any:
    """An output that is not float32: a float computed from integers gets the default dtype, not NumPy's float64."""
    if out.dtype.kind != "f" or out.dtype == (default := backend.get_default_dtype()):
        return out
    if any(backend.is_array(a) and a.dtype.kind == "f" for a in inputs):
        return out
    return out.astype(default)


def explain(spec: Op, error: Exception, arrays: Any, nodes: Any = ()) -> Exception:
    """The error of an array library, as a sentence that names the operation and what it was given; others are left.

    Of operands that were computed it tells where, as far as that is remembered.
    """
    found = _explained(spec, error, arrays)
    return type(found)(f"{found}{came_from(spec.inputs * max(1, len(nodes)), nodes)}")


def _explained(spec: Op, error: Exception, arrays: Any) -> Exception:
    if not isinstance(error, (ValueError, IndexError, TypeError, MemoryError)):
        raise error
    shapes = [tuple(a.shape) for a in arrays if hasattr(a, "shape")]
    message = str(error)
    if isinstance(error, AxisError):
        n = error.ndim
        extent = f"{-n} to {n - 1}" if n else "none, for it has no dimensions"
        return IndexError(f"{spec.name}: dim {error.axis} is out of range for shape {shapes[0]}; expected {extent}")
    if isinstance(error, (ValueError, IndexError)) and spec.name in ("matmul", "linear"):
        return ValueError(
            f"{spec.name}: shapes {' and '.join(map(str, shapes))} do not fit: "
            f"{_linear_rule(shapes) if spec.name == 'linear' else _matmul_rule(shapes)}"
        )
    if message.startswith(f"{spec.name}:"):
        raise error
    if isinstance(error, TypeError) and "not supported for the input types" in message:
        given = " and ".join(str(a.dtype) for a in arrays if hasattr(a, "dtype"))
        return TypeError(f"{spec.name}: not defined for {given}; convert first, with .float(), .long() or .bool()")
    if isinstance(error, ValueError) and ("broadcast" in message or "does not match" in message):
        return ValueError(f"{spec.name}: shapes {' and '.join(map(str, shapes))} do not broadcast together")
    kind = next(kind for kind in (IndexError, TypeError, ValueError, MemoryError) if isinstance(error, kind))
    return kind(f"{spec.name}: {message} (shapes {', '.join(map(str, shapes))})")


def _linear_rule(shapes: list[Any]) -> str:
    if not shapes[0]:
        return "the input is a single number; expected (..., features)"
    got, (out, expected) = shapes[0][-1], shapes[1] if len(shapes[1]) == 2 else ("?", "?")
    return f"the input has {got} features, the weight of {out} outputs takes {expected}"


def _matmul_rule(shapes: list[Any]) -> str:
    if len(shapes) < 2 or () in shapes:
        return "a 0-d tensor has no rows or columns; use * to scale by a number"
    return "the last dimension of the first must equal the second-to-last (or only) one of the second"


RUNTIME.update(prepare=prepare, prepare_all=prepare_all, settle=settle, explain=explain)

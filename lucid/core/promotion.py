"""Operands that differ: Python numbers, NumPy arrays, dtypes, devices, and the errors that say so.

The calls of op.py handle the usual case themselves, arrays of one dtype on the CPU. The rest comes here. Promotion is
PyTorch's: one float operand makes the result float, else one int makes it int, and within a kind the wider dtype wins,
but a Python number or a 0-d tensor only ever changes the kind. So float32 stays float32, and float64 appears only where
somebody asked for it. What `op` has besides its name (inputs, promoted, floats, ...) stands in op.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any

from lucid.core.array import (
    AxisError,
    as_array,
    bool_,
    cpu,
    device_of,
    float16,
    get_default_dtype,
    int16,
    int64,
    is_array,
    is_scalar,
    namespace,
    ndarray,
    short,
)
from lucid.core.events import describe
from lucid.core.node import Tensor

KIND_RANK = {"b": 0, "u": 1, "i": 1, "f": 2}
NUMBERS = (bool, int, float)
Cast = Callable[[Any, Any], Tensor]


def result_type(operands: Sequence[Any]) -> Any:
    """The dtype in which `operands` (arrays and Python numbers) meet."""
    tiers: list[Any] = [None, None, None]  # what arrays, 0-d arrays and Python numbers call for
    for operand in operands:
        dtype = getattr(operand, "dtype", None)
        if dtype is not None:
            tier = 0 if operand.ndim else 1
        else:
            kind, tier = type(operand), 2
            dtype = get_default_dtype() if kind is float else int64 if kind is int else bool_
        tiers[tier] = dtype if tiers[tier] is None else _wider(tiers[tier], dtype)
    result = None
    for dtype in tiers:
        if dtype is not None and (result is None or KIND_RANK[dtype.kind] > KIND_RANK[result.kind]):
            result = dtype
    return result


def _wider(a: Any, b: Any) -> Any:
    if KIND_RANK[a.kind] != KIND_RANK[b.kind]:
        return a if KIND_RANK[a.kind] > KIND_RANK[b.kind] else b
    if a.kind == b.kind:
        return a if a.itemsize >= b.itemsize else b
    unsigned, signed = (a, b) if a.kind == "u" else (b, a)  # uint8 fits into int16, not into int8
    return signed if signed.itemsize > unsigned.itemsize else int16


def promote_operands(op: Any, operands: Sequence[Any], cast: Cast) -> tuple[Any, list[Any], list[Any]] | None:
    """The namespace, the arrays and the nodes of `operands`, on one device and, where `op` promotes, in one dtype.

    A cast of a tensor that needs a gradient is recorded like any operation, by `cast(tensor, dtype)`. None where that
    dtype is half and the call is to be made in single: where the operation says so, or half cannot hold an operand.

    Raises:
        TypeError: for an operand that is no Tensor, number or array.
        RuntimeError: for operands on different devices.
    """
    if len(operands) == 2 and len(op.promoted) == 2:  # x * 2 and 2 * x, at a third of the price of the general case
        x, y = operands
        if type(y) in (float, int) and isinstance(x, Tensor) and _is_cpu_float(x._array):
            return cpu, [x._array, y], [x._node, None]
        if type(x) in (float, int) and isinstance(y, Tensor) and _is_cpu_float(y._array):
            return cpu, [x, y._array], [None, y._node]
    names = op.inputs * len(operands) if op.variadic else op.inputs
    if not names:
        raise ValueError(f"{op.name}: expected at least one tensor, got none")
    for operand in operands:
        if isinstance(operand, Tensor) and type(operand._array) is not ndarray:
            quick = namespace(operand._array).quick_operands(op, operands)
            if quick is not None:
                return quick
            break
    nodes = [x._node if isinstance(x, Tensor) else None for x in operands]
    named = list(zip(names, operands, strict=True))
    arrays = [x._array if isinstance(x, Tensor) else _as_operand(op, name, x) for name, x in named]
    present = [a for a in arrays if is_array(a)]
    if len({device_of(a) for a in present}) > 1:
        raise MixedDevicesError(op.name, names, operands, nodes)
    xp = namespace(present[0]) if present else cpu
    meeting = [a for name, a in zip(names, arrays, strict=True) if name in op.promoted and a is not None]
    dtype = result_type(meeting)
    if op.floats and dtype.kind != "f":
        dtype = get_default_dtype()
    single = op.in_single is True or (op.in_single and xp is cpu)
    if dtype == float16 and any(map(is_array, meeting)) and (single or not all(map(_half_holds, meeting))):
        return None
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        if name not in op.promoted or array is None:
            continue
        if not is_array(array):
            if name == op.promoted[0]:  # forwards may use the methods of their first array
                arrays[i] = xp.scalar(array, dtype=dtype)
        elif array.dtype != dtype:
            if nodes[i] is None:
                arrays[i] = array.astype(dtype)
            else:
                converted = cast(operands[i], dtype)
                arrays[i], nodes[i] = converted._array, converted._node
    return xp, arrays, nodes


class NotAnOperand(TypeError):
    """It is no number: NotImplemented to Python's operators, which then ask the other side."""


def _is_cpu_float(array: Any) -> bool:
    return type(array) is ndarray and array.dtype.char in "fd"


def _half_holds(operand: Any) -> bool:
    """Whether an operand is in half precision, or a number that is there as it is: 0.5, but not 0.1 or 100,000."""
    if is_array(operand):
        return bool(operand.dtype == float16)
    return abs(operand) <= 65504 and float16.type(operand).item() == operand


def _as_operand(op: Any, name: str, operand: Any) -> Any:
    """What the forward can use of an operand that is not a Tensor: a Python number or an array."""
    if op.variadic:
        if not is_array(operand):
            raise TypeError(f"{op.name}: expected tensors, got {type_name(operand)}")
        return as_array(operand)
    if type(operand) in NUMBERS or (operand is None and name in op.nullable):
        return operand
    if is_array(operand) and ((operand := as_array(operand)).ndim or device_of(operand) != "cpu"):
        return operand
    if hasattr(operand, "item") and getattr(operand, "shape", None) == ():  # a NumPy scalar counts as a Python number
        operand = operand.item()
    if type(operand) is bool or isinstance(operand, (float, int)):  # a subclass, such as an IntEnum
        return operand if type(operand) is bool else float(operand) if isinstance(operand, float) else int(operand)
    raise (TypeError if "." in type_name(operand) else NotAnOperand)(  # another library's Tensor is told so
        f"{op.name}: expected a Tensor, a number or an array for {name!r}, got {type_name(operand)}; "
        f"lucid.tensor(...) makes a Tensor of it"
    )


def type_name(value: Any) -> str:
    """The name of a value's type, and of another library's Tensor also the library."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    foreign = kind.__name__ in ("Tensor", "Parameter") and library != "lucid"
    return f"{library}.{kind.__name__}" if foreign else kind.__name__


def shown(value: Any) -> str:
    """A value as errors show it: a tensor or array by its type and shape, all else by its beginning."""
    return f"{type_name(value)} of shape {tuple(value.shape)}" if getattr(value, "shape", ()) else short(value)


def number(value: Any) -> Any:
    """A NumPy scalar or 0-d array as the Python number it stands for, which changes no dtype; all else as it is."""
    return value.item() if is_scalar(value) or (type(value) is ndarray and not value.ndim) else value


def as_number(name: str, argument: str, n: Any) -> Any:
    """A Python number for what stands for one: a NumPy scalar, a 0-d tensor. Raises TypeError for anything else."""
    n = n.item() if getattr(n, "shape", None) == () else n
    if not isinstance(n, (int, float)):
        raise TypeError(f"{name}: expected a number for {argument}, got {n!r}")
    return n


def as_int(name: str, what: str, n: Any, hint: str = "") -> int:
    """`n` as a Python int, for every dim, size and count; a TypeError for what is no integer, and for a bool."""
    if type(n) is int:
        return n
    try:
        if isinstance(n, bool) or getattr(n, "dtype", None) == bool_:
            raise TypeError
        return index(n)
    except TypeError:
        raise TypeError(f"{name}: expected an int for {what}, got {shown(n)}{hint}") from None


def ndim_of(name: str, x: Any) -> int:
    """The number of dims of a Tensor or array.

    Raises:
        TypeError: for anything else, naming the function that was given it.
    """
    if isinstance(x, Tensor):
        return x._array.ndim
    if is_array(x):
        return x.ndim
    raise TypeError(f"{name}: expected a Tensor, got {type_name(x)}; lucid.tensor(...) makes one")


def default_float(out: Any, inputs: Sequence[Any]) -> Any:
    """An output that is not float32: a float computed from integers gets the default dtype, not NumPy's float64."""
    if out.dtype.kind != "f" or out.dtype == (default := get_default_dtype()):
        return out
    if any(is_array(a) and a.dtype.kind == "f" for a in inputs):
        return out
    return out.astype(default)


class MixedDevicesError(RuntimeError):
    """Operands on different devices. The modules in whose forward it happened add themselves as it passes them."""

    def __init__(self, name: str, inputs: Sequence[str], operands: Sequence[Any], nodes: Sequence[Any]) -> None:
        super().__init__(name, inputs, operands, nodes)
        where = []
        for n, x in zip(inputs, operands, strict=True):
            if isinstance(x, Tensor):
                where.append((repr(n), x.device))
            elif is_array(x):
                where.append((f"{n!r}, {'a NumPy array' if type(x) is ndarray else 'an array'},", device_of(x)))
        gpu = str(max(device for _, device in where))  # "cuda:N" sorts after "cpu"
        self.name, self.modules = name, list[Any]()  # the innermost module first
        self.text = (
            f"operands on different devices, {' and '.join(f'{what} on {device}' for what, device in where)}; move one "
            f"with .to({gpu!r}), a whole model with model.to({gpu!r}){describe[0].operands(inputs, nodes)}"
        )

    def __str__(self) -> str:
        if not self.modules:
            return f"{self.name}: {self.text}"
        inner, outer = self.modules[0], self.modules[-1]
        path = next((path for path, module in outer.named_modules() if module is inner), "")
        kind = type(inner).__name__
        return f"{self.name}, in {f'module {path!r} ({kind})' if path else kind}: {self.text}"


def describe_error(op: Any, error: Exception, arrays: Sequence[Any], nodes: Sequence[Any] = ()) -> Exception:
    """An array library's error as a sentence that names the operation, its operands and, if known, where those came
    from. Errors of other kinds are raised as they are."""
    described = _described(op, error, arrays)
    return type(described)(f"{described}{describe[0].operands(op.inputs * max(1, len(nodes)), nodes)}")


def _described(op: Any, error: Exception, arrays: Sequence[Any]) -> Exception:
    if isinstance(error, RuntimeError) or not isinstance(error, BUILTIN if op.user_defined else TOLD):
        raise error
    for name, array in zip(op.inputs, arrays, strict=False):
        if array is None and not isinstance(error, NotAnOperand):  # the quick way has let it through
            _as_operand(op, name, None)
    shapes = [tuple(a.shape) for a in arrays if hasattr(a, "shape")]
    message, all_shapes = str(error), " and ".join(map(str, shapes))
    if isinstance(error, AxisError):
        n = error.ndim
        extent = f"{-n} to {n - 1}" if n else "none, for it has no dimensions"
        return IndexError(f"{op.name}: dim {error.axis} is out of range for shape {shapes[0]}; expected {extent}")
    if isinstance(error, (ValueError, IndexError)) and op.shape_rule is not None and shapes:
        return ValueError(f"{op.name}: shapes {all_shapes} do not fit: {op.shape_rule(shapes)}")
    if message.startswith(f"{op.name}:"):
        raise TypeError(message) if isinstance(error, NotAnOperand) else error
    if isinstance(error, MemoryError):
        array = next((a for a in arrays if is_array(a)), None)
        if array is not None and (left := namespace(array).memory_error(error)):
            return MemoryError(f"{op.name}: {left} (shapes {', '.join(map(str, shapes))})")
    if isinstance(error, TypeError) and "unexpected keyword argument" in message:
        return TypeError(message.removeprefix("_"))
    if isinstance(error, TypeError) and "not supported for the input types" in message:
        dtypes = " and ".join(str(a.dtype) for a in arrays if hasattr(a, "dtype"))
        return TypeError(f"{op.name}: not defined for {dtypes}; convert first, with .float(), .long() or .bool()")
    if isinstance(error, ValueError) and ("broadcast" in message or "does not match" in message):
        return ValueError(f"{op.name}: shapes {all_shapes} do not broadcast together")
    return of_kind(error, f"{op.name}: {message} (shapes {', '.join(map(str, shapes))})")


BUILTIN = (
    NotImplementedError, TypeError, KeyError, IndexError, ValueError, RuntimeError, MemoryError, ZeroDivisionError,
)  # fmt: skip
TOLD = (*BUILTIN, AttributeError, ArithmeticError, OSError)  # what is told again in the name of a function of lucid's


def of_kind(error: Exception, text: str) -> Exception:
    """An exception of the built-in kind of `error`: for a missing attribute TypeError, for arithmetic ValueError."""
    if isinstance(error, OSError) or type(error).__module__.startswith("lucid."):
        return type(error)(text)
    kind = next((kind for kind in BUILTIN if isinstance(error, kind)), None)
    return (kind or (TypeError if isinstance(error, AttributeError) else ValueError))(text)

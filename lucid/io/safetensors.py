"""Weights that other libraries read: tensors by name in a `.safetensors` file.

The format (huggingface.co/docs/safetensors) is small. First 8 bytes, the length of the header as a little-endian
number; then the header, a JSON object that gives each name a dtype, a shape and the first and the last byte (not
included) of its elements; then the elements, row by row, little-endian, without gaps. One more entry of the header,
`__metadata__`, may hold strings by name, which no tensor depends on. Nothing in such a file can be executed.

`lucid.save` keeps nests, numbers and an optimizer's state; this is for weights that come from, or go to, elsewhere.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from lucid.core.array import DTYPES, Array, DType, cpu, is_array, is_scalar, ndarray, to_numpy
from lucid.core.node import Tensor
from lucid.io.npz import Path, atomic_write, open_to_read

KINDS = {  # the format's name of a dtype -> ours, the order of its bytes settled
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U8": "|u1",
    "BOOL": "|b1", "BF16": "<u2",  # bfloat16 is the upper half of a float32; NumPy has no such dtype
}  # fmt: skip
CODES = {DType(kind): code for code, kind in KINDS.items() if code != "BF16"}
METADATA = "__metadata__"
LONGEST = 100_000_000  # bytes of header; the reference implementation reads no more either


def save_safetensors(
    tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write Tensors or arrays by name, such as a module's `state_dict()`, to the file `path`, exactly as named.

    Like `lucid.save` it leaves a complete file or none. Two names for one tensor become two tensors. `metadata` are
    strings by name, for people and programs that ask for them; `{"format": "pt"}` is what PyTorch's programs expect.

    A TypeError for what is not a dict of Tensors or arrays by name, and for a dtype that the format does not
    have; a ValueError for the name `__metadata__`, which the format keeps for itself; an OSError if the file
    cannot be written.

    >>> import os, tempfile
    >>> import lucid
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     lucid.save_safetensors({"weight": lucid.ones(1, 2)}, path)
    ...     lucid.load_safetensors(path)
    {'weight': tensor([[1., 1.]])}
    """
    import json

    arrays = {name: _array_of(name, value) for name, value in tensors.items()}
    header: dict[str, Any] = {}
    if metadata is not None:
        if not (isinstance(metadata, Mapping) and all(type(s) is str for pair in metadata.items() for s in pair)):
            raise TypeError(f"save_safetensors: metadata must be a dict of strings by name, got {metadata!r}")
        header[METADATA] = dict(metadata)
    # The widest elements first, so that each array begins at a multiple of its element: programs map such files.
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    end = 0
    for name in order:
        start, end = end, end + arrays[name].nbytes
        code = CODES[arrays[name].dtype.newbyteorder("<")]
        header[name] = {"dtype": code, "shape": list(arrays[name].shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write("save_safetensors", path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(arrays[name].astype(KINDS[header[name]["dtype"]], copy=False).tobytes())


def _array_of(name: Any, value: Any) -> ndarray:
    """The array that is to be written under `name`."""
    if type(name) is not str:
        raise TypeError(f"save_safetensors: a name must be a str, got {name!r}")
    if name == METADATA:
        raise ValueError(f"save_safetensors: {METADATA!r} cannot be the name of a tensor; strings go into metadata=")
    array = value._array if isinstance(value, Tensor) else cpu.asarray(value) if is_scalar(value) else value
    if not is_array(array):
        expected = "expected a Tensor or an array (lucid.save keeps nests and numbers)"
        raise TypeError(f"save_safetensors: {name!r} is of type {type(value).__name__}; {expected}")
    if array.dtype.newbyteorder("<") not in CODES:
        raise TypeError(f"save_safetensors: {name!r} is an array of {array.dtype}; expected one of {', '.join(DTYPES)}")
    return to_numpy(array)


def load_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a `.safetensors` file, by name, on the CPU; its metadata are left out.

    bfloat16 becomes float32, which holds it exactly. `model.load_state_dict(lucid.load_safetensors(path))`
    takes the weights of a PyTorch model of the same layout. A FileNotFoundError if there is no such file; a
    ValueError if it is truncated, not of this format, or holds a dtype that lucid does not have."""
    name, opened = open_to_read("load_safetensors", path)
    with opened as file:
        try:
            size, _ = file.seek(0, os.SEEK_END), file.seek(0)
            locations = _layout(file, size)
            return {key: Tensor(_read(file, *location)) for key, location in locations.items()}
        except (ValueError, RecursionError) as error:
            raise ValueError(f"load_safetensors: {name} cannot be read: {error}") from error


def _layout(file: Any, size: int) -> dict[str, tuple[str, list[int], int]]:
    """For each name the dtype, the shape and where in the file the elements begin, all of it checked."""
    import json

    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, LONGEST):
        odd = f"it should begin with the length of its header, and says {length}"
        rest = f"where it has {max(size - 8, 0)} more bytes; it is truncated, or no safetensors file"
        raise ValueError(f"{odd} {rest}")
    text = file.read(length)
    if not text.startswith(b"{"):
        raise ValueError(f"its header should begin with '{{', and begins with {text[:20]!r}; is it a safetensors file?")
    header = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    header.pop(METADATA, None)
    locations, spans = {}, []
    for name, entry in header.items():
        code, shape, (start, end) = _fields(name, entry)
        if end - start != DType(KINDS[code]).itemsize * math.prod(shape):
            raise ValueError(f"{name!r} has {end - start} bytes, which is not what {code} of shape {shape} takes")
        locations[name] = (code, shape, 8 + length + start)
        spans.append((start, end, name))
    reached = 0
    for start, end, name in sorted(spans):
        if start != reached:
            raise ValueError(f"the elements of {name!r} begin at byte {start}, those before it end at {reached}")
        reached = end
    if reached != size - 8 - length:
        raise ValueError(f"the header tells of {reached} bytes of elements, and there are {size - 8 - length}")
    return locations


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names all differ."""
    if len(entries := dict(pairs)) < len(pairs):
        raise ValueError("its header has a name twice")
    return entries


def _fields(name: str, entry: Any) -> tuple[str, list[int], list[int]]:
    """The three fields of a header's entry."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r} should have dtype, shape and data_offsets, and has {entry!r:.60}")
    code, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    for field in (shape, span):
        if not isinstance(field, list) or not all(type(n) is int and 0 <= n < 2**63 for n in field):
            raise ValueError(f"{name!r} has {field!r:.60} where a list of numbers from 0 is expected")
    if len(span) != 2:
        raise ValueError(f"{name!r} has data_offsets {span}; expected a first and a last")
    if code not in [*KINDS]:  # it may be anything that JSON has
        raise ValueError(f"{name!r} has dtype {code!r}, which lucid has not; it reads {', '.join(KINDS)}")
    return code, shape, span


def _read(file: Any, code: str, shape: list[int], start: int) -> Array:
    """The array whose elements begin at `start`, read into memory of its own."""
    array = cpu.empty(shape, dtype=KINDS[code])
    file.seek(start)
    file.readinto(array.reshape(-1).view("u1").data)
    if code == "BF16":
        return (array.astype("uint32") << 16).view("float32")
    if code == "BOOL":
        return array.view("u1") != 0  # a byte that is neither 0 nor 1 is no bool to NumPy
    return array.astype(array.dtype.newbyteorder("="), copy=False)

"""Saving and loading: nested arrays and plain values in one `.npz` file, without pickle.

A `.npz` file is a zip archive of `.npy` files, and a `.npy` file is a line with dtype, order and shape, followed by the
array's bytes. Any NumPy opens it: `numpy.load(path)["model/weight"]`. The arrays are named after their place in the
nest; one more, called `lucid`, is a JSON text with the nest itself, which refers to the arrays by name.

What is loaded has the type that was saved:

- None, bool, int of any size, float (NaN, infinities and -0.0 too), str;
- list, tuple, dict, nested as you like; keys may be any of the above plain values, or tuples of them;
- NumPy arrays and scalars: bools, numbers, strings, bytes, dates and time spans, in their dtype and memory order;
- Tensors and Parameters: on the CPU, without a graph, with their `requires_grad`.

Anything else is refused with an error that names its place in the nest; an OrderedDict is loaded as a dict. Two names
for one array become two arrays.
"""

from __future__ import annotations

import io
import math
import os
import re
from binascii import crc32
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from lucid.core.array import Array, DType, as_device, bool_, cpu, ndarray, to_numpy
from lucid.core.node import Tensor
from lucid.core.tensor import Parameter

if TYPE_CHECKING:  # json and zipfile take a fifth of lucid's import time: only those who save or load pay for them
    import zipfile

FORMAT = 1  # raised when a file can no longer be read by older code
NEST = "lucid"  # the entry that holds the nest
KINDS = "biufcSUmM"  # bools, numbers, bytes, strings, time spans, dates; the bytes of an object are a pointer
SCALAR: Any = bool_.type.__base__  # numpy.generic, the type of all NumPy scalars
MAGIC = b"\x93NUMPY\x01\x00"  # how a .npy file of version 1.0 begins; two bytes of length follow, then
START = len(MAGIC) + 2  # the header
HEADER = re.compile(rb"{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\),? ?} *\n")
Path = str | os.PathLike[str] | BinaryIO


def save(obj: Any, path: Path | None = None, *, f: Path | None = None) -> None:
    """Write `obj`, a nest of plain values, arrays and tensors, to the file `path` (`f` in PyTorch), exactly as named.

    The file is complete or not there: it is written under another name beside `path`, flushed to the disk,
    and then renamed, so an interrupted save leaves the old file as it was; what a killed one leaves beside it, the next
    one removes. An open file gets all at once. A TypeError for a value that cannot be saved, naming its place,
    `checkpoint['model'][2]`; a ValueError for a nest that contains itself; an OSError if the file cannot be written, or
    is a device or the like.

    >>> import os, tempfile
    >>> import lucid
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "run.npz")
    ...     lucid.save({"epoch": 3, "weights": [lucid.ones(2)]}, path)
    ...     lucid.load(path)
    {'epoch': 3, 'weights': [tensor([1., 1.])]}
    """
    import json
    import zipfile

    arrays: dict[str, Array] = {NEST: None}
    path = one_path("save", path, f)
    try:
        nest = encode(obj, "checkpoint", "", arrays)
    except RecursionError:
        raise ValueError("save: the checkpoint contains itself, or is nested too deeply; save its parts") from None
    arrays[NEST] = cpu.asarray(json.dumps({"format": FORMAT, "nest": nest}).encode())
    with atomic_write("save", path) as file:
        archive = zipfile.ZipFile(file, "w")
        try:
            for name, array in arrays.items():
                info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: equal checkpoints are equal files
                _write(archive, info, array)
            archive.close()
        finally:
            archive.fp = None  # one that was broken off would refuse to be closed, and hide the KeyboardInterrupt


def load(
    path: Path | None = None, map_location: Any = None, *, f: Path | None = None, weights_only: bool | None = None
) -> Any:
    """What `save` wrote to `path` (`f` in PyTorch), or into a file object; nothing in the file is executed, whatever
    `weights_only` says. `map_location` is where Tensors are to be: a device, the CPU unless given, a function that gets
    each Tensor and "cpu" and may return it elsewhere, or a dict with an entry for "cpu". A FileNotFoundError if
    there is no such file; a ValueError if it is truncated, damaged, or not written by `save`."""
    tensors: list[Tensor] = []
    where = map_location.get("cpu") if isinstance(map_location, Mapping) else map_location
    device = as_device("cpu" if where is None or callable(where) else where)
    value = _load(one_path("load", path, f), tensors)
    for tensor in tensors if callable(where) or device != "cpu" else ():
        moved = where(tensor.data, "cpu") if callable(where) else tensor.data.to(device)
        tensor.data = tensor.data if moved is None else moved
    return value


def one_path(caller: str, path: Any, f: Any) -> Any:
    """The one of the two that is given; a TypeError if none is, or both are."""
    if (path is None) is (f is None):
        got = "neither" if path is None else f"{path!r} and f={f!r}"
        raise TypeError(f"{caller}: expected a path (or f, which is the same), got {got}")
    return f if path is None else path


def _load(path: Path, tensors: list[Tensor]) -> Any:
    """What was written to `path`; the tensors in it are added to `tensors`."""
    import json
    import zipfile

    name, opened = open_to_read("load", path)
    place = f"load: {name}"
    with opened as file:
        try:
            size = file.seek(0, os.SEEK_END)
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if not any(member.filename.endswith("data.pkl") for member in members):
                    unread = {member.filename: member for member in members}
                    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
                    if not stored or len(unread) < len(members) or sum(member.file_size for member in members) > size:
                        raise ValueError("its members are compressed, overlap, or share a name")
                    content = json.loads(_read(archive, unread, NEST).item())
                    if content["format"] > FORMAT:
                        newer = f"it has format {content['format']}, and this lucid reads up to {FORMAT}"
                        raise ValueError(f"{newer}; use a newer lucid")
                    return decode(content["nest"], lambda name: _read(archive, unread, name), tensors)
        except MemoryError as error:
            raise MemoryError(f"{place} needs more memory than there is ({error}); free some first") from error
        except Exception as error:  # whatever foreign bytes may set off in zipfile, json and here
            cause = f"{type(error).__name__}: {error}"
            raise ValueError(f"{place} is truncated, damaged or not written by lucid.save ({cause})") from error
    fix = "read it with torch.load, and give the state to model.load_state_dict(...), which takes PyTorch's weights"
    raise ValueError(f"{place} was written by torch.save; {fix}")


def is_open(caller: str, path: Any, mode: str) -> bool:
    """Whether it is an open file and no name; a TypeError for a file of text."""
    if isinstance(path, io.TextIOBase):
        raise TypeError(f"{caller}: path must be a name or a file of bytes, got a file of text; open it with {mode!r}")
    return hasattr(path, "read" if mode == "rb" else "write")


def open_to_read(caller: str, path: Any) -> tuple[str, AbstractContextManager[BinaryIO]]:
    """The file's name for messages, and the file, which an open one stays when the block ends."""
    if not is_open(caller, path, "rb"):
        return repr(os.fsdecode(path)), open(path, "rb")
    return f"the {type(path).__name__}", nullcontext(path if path.seekable() else io.BytesIO(path.read()))


@contextmanager
def atomic_write(caller: str, path: Any) -> Iterator[BinaryIO]:
    """A file to write into, which gets the name `path` when the block ends, and only if it ends without an error. A
    file object is then given all of it at once, so that it need not be one that can seek."""
    if is_open(caller, path, "wb"):
        yield (whole := io.BytesIO())
        path.write(whole.getbuffer())
        return
    name = os.fsdecode(path)
    target = os.path.realpath(name)  # through a symbolic link, not over it
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{caller}: there is no directory {folder!r} for {name!r}; create it first")
    if os.path.exists(name) and not os.path.isfile(name):
        kind, what = (IsADirectoryError, "a directory") if os.path.isdir(name) else (OSError, "a device or the like")
        raise kind(f"{caller}: path must name a file, got {name!r}, {what}; name another, or give an open file")
    start = f".lucid-{crc32(os.fsencode(target)):08x}-"
    for each in os.listdir(folder):
        if each.startswith(start):  # of a save that was killed, as one that runs has it locked
            with suppress(OSError), open(os.path.join(folder, each), "rb") as stale:
                lock(stale)
                os.unlink(stale.name)
    temporary = os.path.join(folder, f"{start}{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            with suppress(OSError):  # of file systems without locks
                lock(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, os.stat(target).st_mode & 0o777)
        os.replace(temporary, target)
    except BaseException as error:  # Ctrl-C too
        if os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.strerror:
            text = f"{caller}: cannot write {name!r}: {error.strerror}; name a file that you may write to"
            raise type(error)(error.errno, text) from error
        raise


def lock(file: Any) -> None:
    """Lock a file for as long as it is open; an OSError if another program has. On Windows opening it does so."""
    with suppress(ImportError):
        from fcntl import LOCK_EX, LOCK_NB, flock

        flock(file, LOCK_EX | LOCK_NB)


def encode(value: Any, place: str, name: str, arrays: dict[str, Array]) -> Any:
    """`value` for JSON; its arrays go into `arrays`, under `name` or a similar one. `place` is for errors.

    JSON's own null, true, false, strings, lists, finite floats and ints up to 64 bits stand for themselves. Everything
    else is an object with one entry, its type: {"tuple": [...]}, {"array": name}."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if value.bit_length() <= 64 else {"int": hex(value)}  # decimals are limited to 4300 digits
    if kind is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if kind is list or kind is tuple:
        items = [encode(item, f"{place}[{i}]", f"{name}/{i}", arrays) for i, item in enumerate(value)]
        return items if kind is list else {"tuple": items}
    if kind is dict or kind is OrderedDict:
        pairs = [(key, item, f"{place}[{key!r}]") for key, item in value.items()]
        return {"dict": [[_key(key, at), encode(item, at, f"{name}/{key}", arrays)] for key, item, at in pairs]}
    if kind is Tensor or kind is Parameter:
        return {kind.__name__: [_add_array(to_numpy(value._array), place, name, arrays), value.requires_grad]}
    if kind is ndarray:
        return {"array": _add_array(value, place, name, arrays)}
    if isinstance(value, SCALAR):
        return {"scalar": _add_array(cpu.asarray(value), place, name, arrays)}
    allowed = "make it of dicts, lists, tuples, arrays, Tensors, numbers, strings and None"
    if hasattr(value, "state_dict"):  # a module, an optimizer, a schedule
        what = "model" if hasattr(value, "forward") else "it"
        allowed = f"write lucid.save({what}.state_dict(), path), and later {what}.load_state_dict(lucid.load(path))"
    raise TypeError(f"save: {place} is an object of type {kind.__name__}, which cannot be saved; {allowed}")


def _key(key: Any, place: str) -> Any:
    """A dict's key for JSON."""
    for item in key if type(key) is tuple else (key,):
        if item is not None and type(item) not in (bool, int, float, str):
            allowed = "keys must be str, int, float, bool, None, or tuples of these"
            raise TypeError(f"save: {place} has a key of type {type(key).__name__}; {allowed}")
    return encode(key, place, "", {})


def _add_array(array: Array, place: str, name: str, arrays: dict[str, Array]) -> str:
    """Put the array among those to be written; returns the name it got, one that file systems allow."""
    if array.dtype.kind not in KINDS or not array.dtype.itemsize:
        fix = "which cannot be saved; use numbers, bools, strings or dates"
        raise TypeError(f"save: {place} is an array of dtype {array.dtype}, {fix}")
    safe = "".join(c if c.isalnum() or c in "/._-" else "_" for c in name).replace("..", "__")
    safe = unique = safe[-200:].strip("/") or "value"
    if safe in arrays:  # the first number that is not taken, found by halving: many names may become one
        unique = f"{safe}~{bisect_left(range(2**62), True, 2, key=lambda i: f'{safe}~{i}' not in arrays)}"
    arrays[unique] = array
    return unique


def decode(nest: Any, read: Callable[[str], Array], tensors: list[Tensor]) -> Any:
    """The value that `encode` turned into `nest`; `read` gives the arrays, and every Tensor goes into `tensors`."""
    if isinstance(nest, list):
        return [decode(item, read, tensors) for item in nest]
    if not isinstance(nest, dict):
        return nest
    ((kind, content),) = nest.items()
    if kind == "tuple":
        return tuple(decode(content, read, tensors))
    if kind == "dict":
        return {decode(key, read, tensors): decode(item, read, tensors) for key, item in content}
    if kind in ("array", "scalar"):
        array = read(content)
        return array if kind == "array" else array[()]
    if kind in ("Tensor", "Parameter"):
        tensors.append((Tensor if kind == "Tensor" else Parameter)(read(content[0]), content[1]))
        return tensors[-1]
    if kind not in ("int", "float"):
        raise ValueError(f"it holds a value of unknown kind {kind!r}")
    return int(content, 16) if kind == "int" else float(content)


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, array: Array) -> None:
    """Add an array to the archive, as a `.npy` file."""
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    header = repr({"descr": array.dtype.str, "fortran_order": fortran, "shape": array.shape})
    header += " " * (-(START + len(header) + 1) % 64) + "\n"  # the array's bytes begin at a multiple of 64
    content = MAGIC + len(header).to_bytes(2, "little") + header.encode("ascii")
    info.file_size = len(content) + array.nbytes
    with archive.open(info, "w") as member:
        member.write(content)
        member.write(array.tobytes("A"))


def _read(archive: zipfile.ZipFile, unread: dict[str, zipfile.ZipInfo], name: str) -> Array:
    """The array of a `.npy` file in the archive, each of which is read once."""
    if (member := unread.pop(f"{name}.npy", None)) is None:
        raise ValueError(f"the entry {name}.npy is missing, or is asked for twice")
    data = archive.read(member)  # checks the checksum
    end = START + int.from_bytes(data[len(MAGIC) : START], "little")
    if data.startswith(MAGIC) and (header := HEADER.fullmatch(data, START, end)):
        dtype, shape = DType(header[1].decode()), tuple(map(int, header[3].replace(b",", b" ").split()))
        if dtype.kind in KINDS and dtype.itemsize and dtype.itemsize * math.prod(shape) == len(data) - end:
            array: Array = ndarray(shape, dtype, data, end, order="F" if header[2] == b"True" else "C")
            return array.copy("K")
    raise ValueError(f"the entry {name!r} is not an array as lucid.save writes it")

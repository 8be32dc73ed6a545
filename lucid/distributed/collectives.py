"""What all ranks do together: wait for each other, send, add up, collect. With one process each gives what it got."""

from __future__ import annotations

import io
from typing import Any

from lucid.core.array import cpu, device_of, float32, int32, ndarray, to_device, to_numpy
from lucid.core.node import Tensor, bump_version
from lucid.core.promotion import type_name
from lucid.distributed.world import world
from lucid.io.npz import load, save
from lucid.ops.checks import check_count


def barrier() -> None:
    """Wait until every rank has come here."""
    if (here := world("barrier")).size > 1:
        here.agree("barrier")


def broadcast(value: Any, src: int = 0) -> Any:
    """The value that rank `src` has, on every rank. A Tensor, of one shape and dtype on all of them, is overwritten in
    place (not recorded) and returned; of all else that `lucid.save` can write, such as a checkpoint, what other ranks
    pass does not count. A ValueError for a rank that there is not; a RuntimeError if calls differ, or before `init`."""
    here = world("broadcast")
    if check_count("broadcast", "src", src) >= here.size:
        raise ValueError(f"broadcast: src must be a rank, 0 to {here.size - 1}, got {src}")
    if here.size == 1:
        return value
    if not isinstance(value, Tensor):
        data = here.gather(f"broadcast(no Tensor, src={src})", encoded(value) if here.rank == src else b"")
        return load(io.BytesIO(data[src]))
    here.agree(call := f"broadcast({described(value)}, src={src})")
    here.wait([here.comm.Ibcast(host := to_numpy(value._array).copy(), src)], call)
    return overwrite(value, host)


def all_reduce(tensor: Tensor, op: str = "sum") -> Tensor:
    """The "sum", "mean" or "max" (where a NaN wins) of a tensor over all ranks, on which it has one shape and dtype: in
    place (not recorded), and returned. Of what is yet to be differentiated give `loss.detach().clone()`.

    A TypeError for what is no Tensor, the mean of integers, and bools; a ValueError for another `op`, and a tensor
    without elements; a RuntimeError if the ranks' tensors or calls differ, or before `init`.
    """
    here = world("all_reduce")
    if not isinstance(tensor, Tensor):
        raise TypeError(f"all_reduce: expected a Tensor on rank {here.rank}, got {type_name(tensor)}; tensor(...)")
    if op not in ("sum", "mean", "max"):
        raise ValueError(f"all_reduce: op must be one of sum, mean, max, got {op!r} on rank {here.rank}")
    array, kind = tensor._array, tensor.dtype.kind
    if not array.size:
        raise ValueError(f"all_reduce: nothing in a tensor of shape {tensor.shape} to reduce, on rank {here.rank}")
    if kind == "b" or (op == "mean" and kind != "f"):
        fix = ".float()" if op == "mean" else ".int()"
        raise TypeError(f"all_reduce: no {op} of {array.dtype} over ranks (rank {here.rank}); convert it with {fix}")
    call = f"all_reduce({described(tensor)}, op={op!r})"
    if here.size == 1:
        return tensor
    if op == "max":  # MPI's own would let a NaN win on some ranks only
        parts = here.gather(call, to_numpy(array).tobytes())
        return overwrite(tensor, cpu.max(cpu.asarray([ndarray(array.shape, array.dtype, p) for p in parts]), axis=0))
    here.agree(call)
    total = array.astype(wide(array.dtype), order="C")
    here.add_up(call, total)
    return overwrite(tensor, total / here.size if op == "mean" else total)


def all_gather(value: Any) -> list[Any]:
    """What each rank brings, in the order of ranks: Tensors, whose shapes may differ and whose history stays behind, or
    anything else that `lucid.save` can write. A RuntimeError if the ranks' calls differ, or before `init`."""
    here = world("all_gather")
    own = value.detach() if isinstance(value, Tensor) else value
    if here.size == 1:
        return [own]
    gathered = [load(io.BytesIO(data)) for data in here.gather("all_gather", encoded(own))]
    return [x.to(own.device) if isinstance(x, Tensor) and isinstance(own, Tensor) else x for x in gathered]


def described(tensor: Tensor) -> str:
    """What must be the same on all ranks."""
    return f"a Tensor of shape {tensor.shape}, {tensor.dtype}"


def wide(dtype: Any) -> Any:
    """The dtype itself, or what MPI adds up in the place of one of 1 or 2 bytes."""
    return dtype if dtype.itemsize > 2 else float32 if dtype.kind == "f" else int32


def overwrite(tensor: Tensor, values: Any) -> Tensor:
    """Write into a tensor's array, unrecorded; returns the tensor."""
    tensor._array[...] = to_device(values, device_of(tensor._array))
    bump_version(tensor._array)
    return tensor


def encoded(value: Any) -> bytes:
    """As `lucid.save` writes it."""
    save(value, file := io.BytesIO())
    return file.getvalue()

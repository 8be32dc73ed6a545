"""Which of several processes is this one, and how do they keep in step?

MPI waits for ever for a process that does not come, mixes up calls that do not belong together, and takes a whole core
while it waits. So before each collective every rank tells the others in a line what it is about to do (`agree`);
waiting leaves the core to others and has a time limit (`wait`); and an error that nobody catches ends all (`init`).
"""

from __future__ import annotations

import atexit
import faulthandler
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from textwrap import indent
from time import monotonic, sleep
from traceback import format_exception
from typing import Any

from lucid.core.array import Array, device_of, ndarray, to_device, to_numpy
from lucid.gpu import nccl
from lucid.ops.checks import as_float
from lucid.ops.random import get_rng_state, set_rng_state

# The number of processes, as the mpiexec of MPICH and its kin says it, that of Open MPI, and Slurm's srun.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
OWN, LINE, START = 32, 256, 60  # bytes of a rank's own in a line, and the line's; seconds to find each other
# Polls before a waiting rank pauses and leaves its core to others, for 55 us at least. On two cores that ten other
# programs use as well two ranks add up 17,098 numbers in 1.2 ms with 200 polls, and in 12 ms with 5,000.
POLLS, PAUSE = 200, 1e-6
_yield: Callable[[], object] = getattr(os, "sched_yield", lambda: sleep(0))
_world: World | None = None


class World:
    """The processes of a run, seen from one of them; without MPI there is only this one."""

    def __init__(self, timeout: float, mpi: Any = None) -> None:
        self.timeout, self.calls, self.rank, self.size, self.local_rank = timeout, 0, 0, 1, 0
        self.nccl: Any = ...  # adds up arrays on GPUs; None where it cannot, ... until the first is to be
        if mpi is not None:
            self.mpi, self.comm = mpi, mpi.COMM_WORLD.Dup()
            self.rank, self.size = self.comm.rank, self.comm.size
            self.local_rank = self.comm.Split_type(mpi.COMM_TYPE_SHARED).rank
        self.peers = [peer for peer in range(self.size) if peer != self.rank]
        self.lines = [bytearray(LINE) for _ in range(self.size)]

    def agree(self, call: str, own: bytes = b"") -> list[bytes]:
        """What each rank says of its `own` (at most 32 bytes), once all ranks make this `call`. A RuntimeError, which
        every rank gets, where one makes another; a TimeoutError that names those that make none."""
        self.calls += 1
        mine = self.lines[self.rank]
        mine[:] = own.ljust(OWN, b"\0") + call.encode()[: LINE - OWN].ljust(LINE - OWN, b"\0")
        requests = [self.comm.Irecv(self.lines[peer], peer) for peer in self.peers]
        self.wait(requests + [self.comm.Isend(mine, peer) for peer in self.peers], call)
        if any(line[OWN:] != mine[OWN:] for line in self.lines):
            calls = [line[OWN:].rstrip(b"\0").decode(errors="replace") for line in self.lines]
            ranks = {call: [rank for rank, other in enumerate(calls) if other == call] for call in calls}
            told = "; ".join(f"{ranks_named(ranks[call])}: {call}" for call in ranks)
            raise RuntimeError(f"rank {self.rank}: call {self.calls} is not the same on all ranks: {told}")
        return [bytes(line[:OWN]) for line in self.lines]

    def wait(self, requests: list[Any], call: str) -> None:
        """Wait until all of these are done; those to receive a line from each peer come first, if there are any."""
        polls, until = 0, 0.0
        while not self.mpi.Request.Testall(requests):
            polls += 1
            if polls <= POLLS:
                _yield()
            elif monotonic() <= (until := until or monotonic() + self.timeout):
                sleep(PAUSE)
            else:
                late = [peer for peer, request in zip(self.peers, requests, strict=False) if not request.Test()]
                whom = ranks_named(late) if len(requests) > 1 else "what the others send"
                told = f"rank {self.rank} waited {self.timeout:g} s for {whom} at call {self.calls}, {call}"
                raise TimeoutError(f"{told}; if it may take so long, init(timeout=...) is the limit in seconds")

    def gather(self, call: str, data: bytes) -> list[bytes]:
        """The bytes that each rank has brought to this call."""
        sizes = [int.from_bytes(own, "little") for own in self.agree(call, len(data).to_bytes(8, "little"))]
        received = bytearray(sum(sizes))
        self.wait([self.comm.Iallgatherv(data, [received, sizes])], call)
        return [bytes(received[end - n : end]) for end, n in zip(accumulate(sizes), sizes, strict=True)]

    def add_up(self, call: str, array: Array) -> None:
        """Make an array without gaps, of a dtype of 4 bytes or more, the sum of those of all ranks, which agree."""
        if type(array) is not ndarray and self.nccl is ...:
            self.nccl = nccl.connect(array, self.size, self.rank, self.gather)
        if type(array) is not ndarray and self.nccl is not None:
            self.nccl(array)
            return
        host = to_numpy(array)
        self.wait([self.comm.Iallreduce(self.mpi.IN_PLACE, host)], call)
        if host is not array:
            array[...] = to_device(host, device_of(array))


def world(caller: str) -> World:
    """The processes of this run; a RuntimeError, on behalf of `caller`, before `init`."""
    if _world is None:
        raise RuntimeError(f"{caller}: call lucid.distributed.init() first; it works for one process as well")
    return _world


def ranks_named(ranks: Sequence[int]) -> str:
    """`rank 1`, or `ranks 1, 2`."""
    return f"rank{'s' * (len(ranks) != 1)} {', '.join(map(str, ranks))}"


def init(timeout: float = 600.0) -> None:
    """Find the other processes of this program, which `mpiexec -n 2 python train.py` or the like has started together.

    To be called first, on all of them. A program that was started alone is rank 0 of 1, and needs no mpi4py. From here
    on the random generators of all ranks are where rank 0's was; an error that nobody catches ends all of them, with
    traceback and rank; so does a rank that ends while others go on. Calling it again only sets the time limit.

    `timeout` is how many seconds a collective may wait for other ranks before it raises a TimeoutError; for this call
    itself it is a minute at most, after which a traceback is printed and the process ends. A TypeError or
    ValueError where that is no number above 0; a RuntimeError for processes without a working mpi4py, of another MPI
    than mpi4py's, or of another lucid.
    """
    global _world
    if not (timeout := as_float("init", "timeout", timeout)) > 0:
        raise ValueError(f"init: timeout must be a number of seconds above 0, got {timeout}")
    started = next((int(n) for name in SIZES if (n := os.environ.get(name, "")).isdecimal()), 1)
    if _world is not None:
        _world.timeout = timeout
    elif started == 1:
        _world = World(timeout)
    else:
        _world = _connect(timeout, started)


def _connect(timeout: float, started: int) -> World:
    """The `started` processes that there are, once they have found each other."""
    faulthandler.dump_traceback_later(min(timeout, START), exit=True)  # MPI has no limit where a rank has failed
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # it is not there, or finds no MPI
        told = f"init: this is one of {started} processes, which need mpi4py and an MPI ({str(error).splitlines()[0]})"
        raise RuntimeError(f"{told}; pip install mpi4py mpich, or build mpi4py for the MPI of this machine") from error
    here = World(timeout, MPI)
    faulthandler.cancel_dump_traceback_later()
    if here.size < started:
        library = MPI.Get_library_version().splitlines()[0].strip("\0 ")
        other = f"{started} processes were started, but {library}, which mpi4py uses, sees {here.size}"
        raise RuntimeError(f"init: {other}; start them with that MPI's mpiexec, {sys.exec_prefix}/bin/mpiexec, say")

    def end_all(kind: Any, error: BaseException, trace: Any) -> None:
        sys.stdout.flush()  # the end comes at once
        sys.stderr.write(indent("".join(format_exception(kind, error, trace)), f"[rank {here.rank}] "))
        sys.stderr.flush()
        here.comm.Abort(1)

    def leave() -> None:
        here.timeout = math.inf  # others may have a picture to draw
        try:
            here.agree("the end of the program")
        except BaseException as error:
            end_all(type(error), error, error.__traceback__)

    sys.excepthook = end_all
    atexit.register(leave)
    folder, digest = Path(__file__).parents[1], blake2b(digest_size=16)
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.read_bytes())
    mine = json.dumps([digest.hexdigest(), str(folder), get_rng_state()]).encode()
    first, *others = map(json.loads, here.gather("init", mine))
    for rank, (files, place, _) in enumerate(others, 1):
        if files != first[0]:
            told = f"rank {rank} has other files of lucid ({place}) than rank 0 ({first[1]})"
            raise RuntimeError(f"init: {told}; install one version on all machines")
    set_rng_state(first[2])
    return here


def rank() -> int:
    """The number of this process, from 0 to `world_size() - 1`; a RuntimeError before `init`."""
    return world("rank").rank


def world_size() -> int:
    """How many processes there are; a RuntimeError before `init`."""
    return world("world_size").size


def local_rank() -> int:
    """The number of this process on its machine, to choose a GPU by: `f"cuda:{local_rank()}"`; errors as `rank`."""
    return world("local_rank").local_rank

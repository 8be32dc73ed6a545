"""Several processes under mpiexec: the same numbers, and failure that is loud (`make distributed` runs these)."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lucid
from lucid import distributed, nn
from tests.distributed.suite import CASES

ROOT = Path(__file__).parents[2]
MPIEXEC = str(Path(sys.executable).with_name("mpiexec"))
mpi = pytest.mark.mpi

START = """
import os, sys, time, lucid
from lucid import distributed, nn
distributed.init(timeout={timeout})
rank = distributed.rank()
parallel = distributed.DistributedDataParallel(nn.Linear(2, 1))
def step():
    parallel(lucid.ones(4, 2)).sum().backward()
"""


def alone(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program as one process."""
    here = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", program], env=here, capture_output=True, text=True, timeout=60)


def together(ranks: int, *program: str) -> subprocess.CompletedProcess[str]:
    """A program on so many ranks."""
    here = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    here.pop("PYTHONUNBUFFERED", None)  # what was printed must be there without it as well
    command = [MPIEXEC, "-n", str(ranks), sys.executable, *program]
    return subprocess.run(command, env=here, capture_output=True, text=True, timeout=100)


@mpi
@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_the_suite(ranks: int) -> None:
    ran = together(ranks, "-W", "ignore::RuntimeWarning", "-m", "tests.distributed.suite")  # a mean of nothing
    assert ran.returncode == 0, ran.stdout[-500:] + ran.stderr[-4000:]
    assert re.findall(r"^held: (.*)$", ran.stdout, re.MULTILINE) == list(CASES) and not ran.stderr


@pytest.mark.parametrize(
    "name", ["training-CNN-Adamax", "accumulation_and_clipping", "samples-23-4-False", "collectives"]
)
def test_one_process_does_the_same(one: None, name: str) -> None:
    """Without MPI."""
    CASES[name]()


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from lucid.distributed import world

    monkeypatch.setattr(world, "_world", None)
    distributed.init()
    yield


# -- failure is loud ---------------------------------------------------------------------------------------------------

DEATHS = {
    "raises": ("step()\nif rank == 1: 1 / 0\nstep()", r"\[rank 1\] ZeroDivisionError: division by zero"),
    "leaves the loop": (
        "for i in range(5 - rank): step()",
        r"call \d+ is not the same on all ranks: rank 0: the gradients of 2 parameters, 3 numbers of float32; "
        r"rank 1: the end of the program",
    ),
    "exits": ("step()\nif rank == 1: sys.exit(3)\nstep()", r"rank 1: the end of the program"),
    "fails before init": ("", r"(?s)Timeout \(0:00:02\)!.* in _connect"),
    "is killed": ("step()\nif rank == 1: os.kill(os.getpid(), 9)\nstep()", r"KILLED|[Kk]illed|signal 9"),
    "hangs": (
        "step()\nif rank == 1: time.sleep(1000)\nstep()",
        r"\[rank 0\] TimeoutError: .*rank 0 waited 2 s for rank 1 at call \d+, the gradients of 2 parameters",
    ),
    "takes another way": (
        "distributed.barrier() if rank == 1 else step()",
        r"rank 0: the gradients.*; rank 1: barrier",
    ),
    "has other parameters": (
        "distributed.DistributedDataParallel(nn.Linear(2 + rank, 1))",
        r"\[rank [01]\] ValueError: DistributedDataParallel: the models differ: rank 0 has weight: .*\(1, 2\), float32",
    ),
    "has lazy layers": (
        "distributed.DistributedDataParallel(nn.Sequential(nn.LazyLinear(2)))",
        r"ValueError: DistributedDataParallel: the parameter of a lazy layer has no shape before",
    ),
    "has another lucid": ("", r"init: rank 1 has other files of lucid \(.*\) than rank 0"),
}


@mpi
@pytest.mark.parametrize("how", DEATHS)
def test_a_rank_that(how: str, tmp_path: Path) -> None:
    """ends the job within seconds, and says who and why."""
    program, message = DEATHS[how]
    program = START.format(timeout=2) + program
    if how == "fails before init":
        program = "import os\nif os.environ['PMI_RANK'] == '1': raise ValueError\n" + program
    if how == "has another lucid":
        shutil.copytree(ROOT / "lucid", tmp_path / "lucid")
        (tmp_path / "lucid" / "_suggest.py").write_text((ROOT / "lucid" / "_suggest.py").read_text() + "# changed\n")
        program = f"import os, sys\nif os.environ['PMI_RANK'] == '1': sys.path[0] = {str(tmp_path)!r}\n" + program
    began = time.monotonic()
    ran = together(2, "-c", program)
    assert ran.returncode and re.search(message, ran.stdout + ran.stderr), ran.stdout + ran.stderr
    assert time.monotonic() - began < 20


@mpi
def test_what_was_printed_before_the_end_is_there() -> None:
    program = "print('epoch 1', 'of rank', rank)\nif rank: raise SystemError('x')\nstep()"
    ran = together(2, "-c", START.format(timeout=9) + program)
    assert "epoch 1 of rank 1" in ran.stdout


@mpi
def test_a_checkpoint_is_whole_whenever_the_job_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    program = (
        START.format(timeout=9)
        + f"""
i = 0
while True:
    step()
    i += 1
    if rank == 0:
        lucid.save({{"step": i, "big": lucid.full((200_000,), float(i))}}, {str(path)!r})
    distributed.barrier()
"""
    )
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    job = subprocess.Popen([MPIEXEC, "-n", "2", sys.executable, "-c", program], env=here, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
    finally:
        job.send_signal(signal.SIGTERM)
        job.wait(20)
    state = lucid.load(path)
    assert state["step"] > 0 and (state["big"] == float(state["step"])).all()


@mpi
def test_numbers_do_not_depend_on_who_else_is_seeded(tmp_path: Path) -> None:
    """Without a seed all ranks begin with the same model, and nothing is said."""
    program = "print(len(set(map(float, distributed.all_gather(lucid.rand(()))))))"
    ran = together(3, "-W", "error", "-c", START.format(timeout=9) + program)
    assert ran.returncode == 0 and "".join(ran.stdout.split()) == "111", ran.stdout + ran.stderr


@mpi
def test_the_example_reads_as_well_on_two_processes(tmp_path: Path) -> None:
    example = str(ROOT / "examples" / "18_data_parallel.py")
    one, two = (together(ranks, example, "--quick") for ranks in (1, 2))
    accuracy = [re.search(r"([\d.]+%) of 359", ran.stdout) for ran in (one, two)]
    assert all(accuracy) and accuracy[0][1] == accuracy[1][1], one.stdout + two.stdout + two.stderr


@mpi
def test_the_program_of_the_page_prints_the_same_on_two_processes() -> None:
    page = (ROOT / "docs" / "distributed.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    one, two = (together(ranks, "-c", program) for ranks in (1, 2))
    shown = f"prints\n\n```\n{one.stdout}```" in page
    assert one.stdout == two.stdout and one.stdout.count("loss") == 5 and shown, one.stderr + two.stdout + two.stderr


# -- one process, and what is not there --------------------------------------------------------------------------------


def test_nothing_works_before_init(monkeypatch: pytest.MonkeyPatch) -> None:
    from lucid.distributed import world

    monkeypatch.setattr(world, "_world", None)
    x = lucid.ones(2)
    for call in (
        distributed.rank, distributed.world_size, distributed.local_rank, distributed.barrier,
        lambda: distributed.broadcast(x), lambda: distributed.all_reduce(x), lambda: distributed.all_gather(x),
        lambda: distributed.DistributedDataParallel(nn.Linear(1, 1)), lambda: distributed.DistributedSampler([1, 2]),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"^\w+: call lucid.distributed.init\(\) first"):
            call()


def test_one_process_needs_no_mpi() -> None:
    program = "import sys; sys.modules['mpi4py'] = None\n" + START.format(timeout=9)
    ran = alone(program + "step(); print(distributed.world_size())")
    assert ran.stdout.split() == ["1"], ran.stderr


def test_several_processes_without_mpi4py_are_told() -> None:
    ran = alone("import sys; sys.modules['mpi4py'] = None\n" + START.format(timeout=9), PMI_SIZE="2")
    told = r"RuntimeError: init: this is one of 2 processes, which need mpi4py and an MPI .*pip install mpi4py mpich"
    assert re.search(told, ran.stderr), ran.stderr


@mpi
def test_an_mpiexec_of_another_mpi_is_told() -> None:
    ran = alone(START.format(timeout=9), OMPI_COMM_WORLD_SIZE="2")
    told = "init: 2 processes were started, but MPICH .*, which mpi4py uses, sees 1; start them with that MPI's mpiexec"
    assert re.search(told, ran.stderr), ran.stderr


def test_a_limit_that_is_none_is_refused() -> None:
    for timeout in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="init: timeout must be a number of seconds above 0"):
            distributed.init(timeout=timeout)


def test_pytorchs_names() -> None:
    from lucid.nn.parallel import DistributedDataParallel

    from lucid.utils.data import DistributedSampler

    assert DistributedDataParallel is distributed.DistributedDataParallel
    assert DistributedSampler is distributed.DistributedSampler
    assert nn.SyncBatchNorm is distributed.SyncBatchNorm

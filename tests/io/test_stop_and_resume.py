"""A run that is killed, twice, and started again in other processes ends as one that was left alone, bit for bit.

Model, optimizer, schedule, the order of the data and the random generator all go through one checkpoint.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lucid
from tests.io.run_that_is_killed import CASES, EVERY, STEPS
from tests.whole import whole

pytestmark = whole  # whole programs, each of them three times

PROGRAM = Path(__file__).with_name("run_that_is_killed.py")


def start(hash_seed: int, *arguments: object) -> subprocess.Popen:
    """The program, with a PYTHONHASHSEED of its own."""
    path = os.pathsep.join([str(PROGRAM.parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(PROGRAM), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def finish(process: subprocess.Popen, first: int) -> None:
    """To the end, from the step it should begin after."""
    said, complaints = process.communicate(timeout=100)
    assert (process.returncode, complaints, said) == (0, "", f"from {first}\n")


def kill(process: subprocess.Popen, first: int, moment: str) -> None:
    """At the moment that it says, having begun where it should; by SIGKILL, which nobody can prepare for."""
    assert [process.stdout.readline(), process.stdout.readline()] == [f"from {first}\n", f"{moment}\n"], (
        process.stderr.read()
    )
    process.kill()
    process.communicate()
    assert process.returncode == -9 or os.name == "nt"


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_killed_twice_ends_as_one_that_was_not(case: str, tmp_path: Path) -> None:
    through, killed = tmp_path / "through.npz", tmp_path / "killed" / "run.npz"
    killed.parent.mkdir()
    alone = start(1, case, through)

    kill(start(2, case, killed, "training:17"), 0, "training")
    assert lucid.load(killed)["step"] == 17 // EVERY * EVERY == 15
    whole = killed.read_bytes()

    kill(start(3, case, killed, "writing:24"), 15, "writing")
    assert lucid.load(killed)["step"] == 21 and killed.read_bytes() != whole
    (rubbish,) = [path for path in killed.parent.iterdir() if path != killed]
    assert rubbish.suffix == ".tmp"  # what was being written has never had the checkpoint's name

    finish(start(4, case, killed), 21)
    finish(alone, 0)
    assert lucid.load(through)["step"] == STEPS and np.isfinite(lucid.load(through)["loss"])
    assert killed.read_bytes() == through.read_bytes()  # equal checkpoints are equal files

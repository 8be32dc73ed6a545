"""Every example, run as its reader would, at its quick size: its figure must be reached from any seed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy
import pytest

import lucid
from lucid.optim.state_dict import kinds
from tests.whole import first, whole

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted(EXAMPLES.glob("[0-9]*.py"))
SEEDS = first([0, 1, 2])


def example(name: str) -> ModuleType:
    """The example as a module; its name begins with a digit, so `import` cannot say it."""
    spec = importlib.util.spec_from_file_location("example_" + name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", SEEDS)
def test_docstring(seed):
    assert example("01_docstring").main(["--quick", f"--seed={seed}"]) < 0.5


def test_docstring_has_the_lines_of_the_specification():
    program = (EXAMPLES / "01_docstring.py").read_text()
    assert "import lucid.optim as optim\n" in program
    assert (
        """
    optimizer = optim.Adamax(model.parameters(), lr=2e-3)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
        in program
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_line(seed):
    assert example("02_line").main(["--quick", f"--seed={seed}"]) < 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_spiral(seed, tmp_path):
    picture = tmp_path / "new" / "spiral.png"
    assert example("03_spiral").main(["--quick", f"--seed={seed}", f"--out={picture}"]) >= 0.97
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("seed", SEEDS)
def test_digits(seed, tmp_path):
    picture = tmp_path / "new" / "digits.png"
    assert example("04_digits").main(["--quick", f"--seed={seed}", f"--out={picture}"]) >= 0.92
    assert picture.read_bytes().startswith(b"\x89PNG")


@whole
def test_digits_at_full_size(tmp_path):
    digits, out = example("04_digits"), f"--out={tmp_path / 'digits.png'}"
    assert numpy.mean([digits.main([f"--seed={seed}", out]) for seed in range(5)]) >= 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_broken_training(seed, capsys):
    broken = example("07_broken_training")
    assert broken.main(["--quick", f"--seed={seed}"]) == 0  # neither a mistake that is not found nor a false alarm
    printed = capsys.readouterr().out
    assert all(f": {name}\n" in printed for name in broken.BUGS) and len(broken.BUGS) >= 15


def test_broken_training_of_a_name_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        example("07_broken_training").main(["softmax-thrice"])
    assert "there is no 'softmax-thrice'; there are: softmax-twice" in capsys.readouterr().err


@whole
def test_digits_resumed_are_the_same_to_the_last_bit(tmp_path):
    digits, out = example("04_digits"), f"--out={tmp_path / 'digits.png'}"
    through, halves = tmp_path / "through.npz", tmp_path / "halves.npz"
    accuracy = digits.main(["--seed=3", "--epochs=4", f"--save={through}", out])
    digits.main(["--seed=3", "--epochs=2", f"--save={halves}", out])
    lucid.manual_seed(99)  # whatever happened in between
    assert digits.main(["--epochs=4", f"--resume={halves}", f"--save={halves}", out]) == accuracy
    assert same(lucid.load(through), lucid.load(halves))


@pytest.mark.parametrize("seed", SEEDS)
def test_optimizers(seed, tmp_path):
    """Adamax is steadier than Adam where there are outliers, and not the best anywhere: the picture must show both."""
    pictures = [tmp_path / "new" / f"race{which}.png" for which in ("", "_paths")]
    results = example("05_optimizers").main(["--quick", f"--seed={seed}", f"--out={pictures[0]}"])
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    outliers = results["outliers"]
    assert outliers["Adamax"].loss < 0.75 * outliers["Adam"].loss and outliers["Adam"].move > 1.5
    assert all(racers["Adamax"].move <= 1.0091 for racers in results.values())
    assert outliers["RMSprop"].loss < outliers["Adam"].loss  # which forgets as fast as Adam, but has no momentum
    assert results["noise"]["Adagrad"].loss < results["noise"]["Adamax"].loss
    assert not any(racers[name].at_the_edge for racers in results.values() for name in ("Adam", "Adamax"))


def test_after_a_spike_adamax_stays_where_it_was_and_then_hardly_moves():
    moves = {name: example("05_optimizers").spike(name) for name in ("Adam", "Adamax")}
    assert moves["Adamax"].max() <= 1.0001 < 1.3 < moves["Adam"].max()
    assert (moves["Adamax"][300:] < moves["Adam"][300:] / 10).all()


def test_all_optimizers_walk_and_lbfgs_arrives():
    race = example("05_optimizers")
    others = {"AdamaxW"}  # which walks as Adamax does, but for the decay
    assert {*race.ALL} | others == {kind.__name__ for kind in kinds(lucid.optim.Optimizer)}
    path, rate = race.walk("LBFGS", "Rosenbrock", race.RATES, 60, "cpu")
    assert rate is None and path.shape == (61, 2) and numpy.allclose(path[-1], 1, atol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_inside(seed, tmp_path, capsys):
    page = tmp_path / "new" / "inside.html"
    assert example("06_inside").main(["--quick", f"--seed={seed}", f"--out={page}"]) < 0.1
    assert "x: g · (1 − out²) = " in capsys.readouterr().out
    assert page.read_text().startswith("<!doctype html>") and "One neuron" in page.read_text()


@pytest.mark.parametrize("seed", SEEDS)
def test_data_parallel(seed, tmp_path):
    """As one process; tests/distributed has it on two."""
    saved = tmp_path / "network.npz"
    assert example("18_data_parallel").main(["--quick", f"--seed={seed}", f"--save={saved}"]) >= 0.9
    assert lucid.load(saved)["0.weight"].shape == (128, 64)


def same(a, b) -> bool:
    """Equal to the last bit, through dicts, lists and arrays."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, numpy.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b


def test_same_sees_one_bit():
    one = {"list": [numpy.ones(3), 0.1]}
    assert same(one, {"list": [numpy.ones(3), 0.1]})
    assert not same(one, {"list": [numpy.ones(3), numpy.nextafter(0.1, 1).item()]})
    assert not same(one, {"list": [numpy.nextafter(numpy.ones(3), 2), 0.1]})


def run(*arguments) -> subprocess.CompletedProcess:
    """Python with these arguments and this checkout's lucid, from another directory."""
    here = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=here, cwd=EXAMPLES
    )


@pytest.mark.parametrize("program", first(PROGRAMS), ids=lambda program: program.stem)
def test_help(program):
    shown = run(program, "--help").stdout
    assert f"python examples/{program.name}" in shown
    for option in ("--seed", "--device", "--quick"):
        assert option in shown


@pytest.mark.parametrize("program", first(PROGRAMS), ids=lambda program: program.stem)
def test_a_device_that_is_not_there_is_a_sentence(program):
    ran = run(program, "--device=abacus")
    assert ran.returncode != 0
    assert "abacus" in ran.stderr.splitlines()[-1]


def without(module: str, name: str, *arguments: str) -> subprocess.CompletedProcess:
    """The example, where this module is not installed."""
    program = f"import runpy, sys; sys.modules[{module!r}] = None; sys.argv = {[name, *arguments]}; "
    return run("-c", program + f"runpy.run_path({str(EXAMPLES / name)!r}, run_name='__main__')")


@pytest.mark.parametrize("name", first(["01_docstring.py", "02_line.py", "06_inside.py", "07_broken_training.py"]))
@pytest.mark.parametrize("module", first(["matplotlib", "tqdm"]))
def test_needs_nothing_but_lucid(name, module):
    assert without(module, name, "--quick").returncode == 0


@pytest.mark.parametrize("name", first(["03_spiral.py", "04_digits.py", "05_optimizers.py"]))
@pytest.mark.parametrize("module", first(["matplotlib", "tqdm"]))
def test_says_what_to_install(name, module):
    ran = without(module, name)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"this example needs {module}") and "pip install" in ran.stderr


def test_the_digits_are_those_of_the_source():
    with numpy.load(EXAMPLES / "digits.npz") as file:
        images, labels = file["images"], file["labels"]
    assert (images.shape, images.dtype, images.max()) == ((1797, 8, 8), numpy.uint8, 16)
    counts = " | ".join(map(str, numpy.bincount(labels)))
    assert f"| images | {counts} |" in (EXAMPLES / "DATA.md").read_text()

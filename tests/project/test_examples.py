"""Every example, run as its reader would, at its quick size: its figure must be reached from any seed."""

import importlib
import importlib.util
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy
import pytest

import lucid
from lucid.optim.state_dict import kinds
from tests.whole import first, one_of_each, whole

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))  # where a program finds common.py
common = importlib.import_module("common")
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
# Of each: what reaches its figure at the quick size, and at full size what examples/README.md says of it.
FIGURES = {
    "08_digits_cnn": (lambda right: right >= 0.975, lambda right: right >= 0.98),
    "09_sine_rnn": (lambda error: error <= 0.010, lambda error: error <= 0.010),
    "10_char_gpt": (lambda loss: loss <= 2.75, None),  # full size takes more than a minute: see docs/gallery
    "11_attention": (lambda right: right >= 0.98, lambda right: right >= 0.98),
    "12_vae_digits": (lambda loss: loss <= 31, lambda loss: loss <= 24.5),
    "13_diffusion_2d": (lambda share: min(share) >= 0.7, lambda share: min(share) >= 0.95),
    "14_newton": (lambda steps: steps == {"Adamax": 500, **steps} and steps["Newton"] <= 25 < steps["LBFGS"] <= 50,
                  lambda steps: steps["Newton"] <= 25 < steps["LBFGS"] <= 50 < 2000 < steps["Adamax"] < 6000),
    "15_dqn_gridworld": (lambda right: right >= 0.9, lambda right: right == 1),
    "16_pinn": (lambda distance: distance <= 0.03, lambda distance: distance <= 0.001),
}


@pytest.mark.parametrize(("name", "seed"), one_of_each([(n, s) for n in FIGURES for s in range(3)], lambda row: row[0]))
def test_an_example_reaches_its_figure_at_quick_size(name, seed, tmp_path):
    reached = example(name).main(["--quick", f"--seed={seed}", f"--out={tmp_path / 'new' / 'picture'}"])
    assert FIGURES[name][0](reached), reached
    (picture,) = (tmp_path / "new").iterdir()
    assert picture.read_bytes().startswith(b"GIF89a" if picture.suffix == ".gif" else b"\x89PNG")


@whole
@pytest.mark.parametrize("name", [name for name, (_, full) in FIGURES.items() if full])
def test_an_example_reaches_its_figure_at_full_size(name, tmp_path):
    reached = example(name).main([f"--out={tmp_path / 'picture'}"])
    assert FIGURES[name][1](reached), reached


@pytest.mark.parametrize("seed", SEEDS)
def test_word_vectors(seed, tmp_path):
    """Learned by all, by Adamax as well as by Adam; and a rate that is too high costs Adamax less."""
    picture = tmp_path / "new" / "words.png"
    ends = example("17_word_vectors").main(["--quick", f"--seed={seed}", f"--out={picture}"])
    lowest = {name: min(by_rate.values()) for name, by_rate in ends.items()}
    assert max(lowest.values()) < 3 < 6 * math.log(2)  # which is what vectors of zeros cost
    assert abs(lowest["Adamax"] - lowest["Adam"]) < 0.1
    highest = max(ends["Adam"])
    assert ends["Adamax"][highest] < ends["Adam"][highest] - 0.5
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_transformer_continues_a_prompt_and_refuses_what_it_cannot_read(capsys, tmp_path):
    gpt = example("10_char_gpt")
    written = gpt.continued(gpt.GPT(), "The Cat said", 5, top_k=3)
    assert written.startswith("The Cat said") and len(written) == 17
    for arguments, says in {
        ("--prompt=Ärger",): "--prompt: 'Ä' is no character of the book; it has !",
        ("--prompt=",): "--prompt needs a character, and --top-k a number from 1 to 72",
        ("--top-k=73",): "--prompt needs a character, and --top-k a number from 1 to 72",
    }.items():
        with pytest.raises(SystemExit):
            gpt.main([*arguments, f"--out={tmp_path / 'x.png'}"])
        printed = capsys.readouterr().err
        assert says in printed and printed.count("\n") == 1


def test_the_shortest_way_out_of_the_maze_goes_round_its_walls_and_pits():
    maze = example("15_dqn_gridworld")
    far = maze.shortest()
    assert set(far) == {*maze.FREE, 63} and far[63] == 0 and far[0] == 14 and max(far.values()) == far[43] == 24
    assert maze.go(0, 0) == (0, -0.1, False)  # the edge holds
    assert maze.go(1, 3) == (1, -0.1, False) and maze.go(1, 2) == (0, -0.1, False)  # and so does a wall
    assert maze.go(28, 1) == (36, -2.1, True) and maze.go(55, 1) == (63, -0.1, True)  # a pit, and the exit


def test_pinn_is_compared_with_what_solves_its_equation():
    pinn = example("16_pinn")
    t = lucid.linspace(0, 5, 50).double().unsqueeze(1).requires_grad_()
    u = pinn.exact(t)
    first = pinn.derivative(u, t)
    left = pinn.derivative(first, t) + 2 * pinn.FRICTION * first + pinn.FREQUENCY**2 * u
    assert left.abs().max().item() < 1e-12
    assert (u[0].item(), first[0].item()) == (1, 0)


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
    """Python with these arguments and this checkout's lucid; what is drawn goes into out/."""
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(EXAMPLES.parent), str(EXAMPLES)])}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=here, cwd=EXAMPLES.parent
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


DRAWING = [program.name for program in PROGRAMS if ".png" in program.read_text()]


@pytest.mark.parametrize("name", first(DRAWING))
@pytest.mark.parametrize("module", first(["matplotlib", "tqdm"]))
def test_says_what_to_install(name, module):
    ran = without(module, name)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"this example needs {module}") and "pip install" in ran.stderr


# -- what all of them share --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "out", "says"),
    first(
        [
            ("03_spiral", "nothing/spiral.xyz", "--out: no writer knows .xyz, as in nothing/spiral.xyz; known: .eps"),
            ("04_digits", "/dev/null/digits.png", "--out: /dev/null/digits.png cannot be written: /dev/null"),
            ("05_optimizers", "nothing/race.html", "--out: no writer knows .html"),
            ("06_inside", "inside.png", "--out: no writer knows .png, as in inside.png; known: .html"),
        ]
    ),
)
def test_a_picture_that_cannot_be_written_is_refused_in_one_line_before_anything_is_computed(name, out, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        example(name).main([f"--out={out}"])
    printed = capsys.readouterr()
    assert stopped.value.code == 2 and printed.out == ""
    assert says in printed.err and printed.err.count("\n") == 1
    assert not Path("nothing").exists()


def test_a_path_without_a_suffix_gets_one_and_looking_leaves_no_file(tmp_path):
    options = common.Options("", "", out="out/x.png").parse_args([f"--out={tmp_path / 'new' / 'x'}"])
    assert options.out == tmp_path / "new" / "x.png" and not options.out.exists()


class Walk:
    """A model and an optimizer in one: where it is depends on every random number drawn so far."""

    at = 0.0

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


def walk(tmp_path, *arguments, interrupt=None):
    """The way of ten steps; at the one called `interrupt` somebody presses Ctrl-C."""
    parser = common.Options("", "", out="x.png", resumable=True)
    options = parser.parse_args([f"--out={tmp_path / 'x.png'}", *arguments])
    data, model, way = lucid.randn(10), Walk(), {"seen": []}
    for step in common.Training(options, 10, model=model, way=way):
        model.at += data[step].item()
        if step == interrupt:
            signal.raise_signal(signal.SIGINT)
        model.at += lucid.randn(()).item()  # the step is finished before anything is saved
        way["seen"].append(model.at)
    return way["seen"]


def test_ctrl_c_in_a_training_says_how_to_resume_and_that_goes_on_bit_for_bit(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["examples/x.py", "--seed", "3"])
    before = signal.getsignal(signal.SIGINT)
    through = walk(tmp_path, "--seed=3")
    assert len(through) == 10 and signal.getsignal(signal.SIGINT) is before
    with pytest.raises(SystemExit) as stopped:
        walk(tmp_path, "--seed=3", interrupt=5)
    checkpoint = tmp_path / "x.npz"
    assert stopped.value.code == (
        f"stopped after step 6 of 10; to go on: python examples/x.py --seed 3 --resume {checkpoint}"
    )
    lucid.manual_seed(99)
    assert walk(tmp_path, f"--resume={checkpoint}") == through  # the seed is in it

    finished = tmp_path / "finished.npz"
    assert walk(tmp_path, "--seed=3", f"--save={finished}") == through == walk(tmp_path, f"--resume={finished}")
    with pytest.raises(SystemExit):
        walk(tmp_path, f"--resume={tmp_path / 'nothing.npz'}")
    lucid.save({"example": "y"}, tmp_path / "y.npz")
    with pytest.raises(SystemExit):
        walk(tmp_path, f"--resume={tmp_path / 'y.npz'}")
    errors = capsys.readouterr().err.splitlines()
    assert "nothing.npz" in errors[0] and errors[1].endswith("y.npz is not a checkpoint of this example")


def test_ctrl_c_in_a_program_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["examples/x.py", "--quick"])
    with pytest.raises(SystemExit) as stopped:
        common.run(lambda: signal.raise_signal(signal.SIGINT))
    assert stopped.value.code == "\nstopped; nothing was saved. To begin anew: python examples/x.py --quick"


# -- the runner --------------------------------------------------------------------------------------------------------


def runner(*arguments: str, where: Path) -> subprocess.CompletedProcess:
    """`python -m lucid.examples` in some folder."""
    here = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    command = [sys.executable, "-m", "lucid.examples", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=here, cwd=where)


def test_the_runner_lists_the_examples_and_runs_one(tmp_path):
    listed = runner(where=tmp_path).stdout
    assert [line.split()[0] for line in listed.splitlines()[: len(PROGRAMS)]] == [path.stem for path in PROGRAMS]
    assert "Unwind a spiral: three arms" in listed
    assert "loss" in runner("docstring", "--quick", "--seed=1", where=tmp_path).stdout
    assert "Unwind a spiral" in runner("3", "--help", where=tmp_path).stdout
    wrong = runner("spirals", where=tmp_path)
    said = "python -m lucid.examples: there is no example 'spirals'; did you mean '03_spiral'?\n"
    assert wrong.returncode == 1 and wrong.stderr == said

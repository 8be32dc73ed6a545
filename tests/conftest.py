"""What every test starts from, and the word on tests that were not run."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

import lucid

collect_ignore_glob = ["programs/*"]  # they import PyTorch; tests/project/test_porting.py runs them


def have_gpu() -> bool:
    """Whether CuPy is installed and finds a GPU."""
    try:
        lucid.zeros(1, device="cuda")
    except RuntimeError:
        return False
    return True


# Those of docs/other-libraries.md; the extra `libraries` in pyproject.toml.
LIBRARIES = "array_api_compat array_api_strict einops pandas safetensors sklearn tensorboardX".split()
# What a test may need -> whether it is here, and what to say of the tests that were not run without it.
NEEDS = {
    "parity": (
        lambda: importlib.util.find_spec("torch") is not None,
        "parity rows were not run: they need PyTorch (`make parity` installs it and runs them)",
    ),
    "libraries": (
        lambda: all(map(importlib.util.find_spec, LIBRARIES)),
        "tests with other libraries were not run (`make libraries` installs them and runs these)",
    ),
    "types": (
        lambda: all(map(importlib.util.find_spec, ("mypy", "pyright"))),
        "users' programs were not type-checked: that needs mypy and pyright (`make types` installs them)",
    ),
    "browser": (
        lambda: importlib.util.find_spec("selenium") and shutil.which("chromium") and shutil.which("chromedriver"),
        "browser tests were not run: they need selenium (`make browser` installs it and runs them), chromium and "
        "chromedriver (Debian: apt install chromium chromium-driver)",
    ),
    "notebooks": (
        lambda: all(importlib.util.find_spec(name) for name in ("jupytext", "nbclient", "ipykernel")),
        "notebooks were not run: they need jupytext, nbclient and ipykernel (`make notebooks` installs them)",
    ),
    "nvrtc": (
        lambda: importlib.util.find_spec("cupy") is not None,
        "kernels were not compiled for GPUs: that needs CUDA's compiler (`make kernels` installs it)",
    ),
    "mpi": (
        lambda: importlib.util.find_spec("mpi4py") and Path(sys.executable).with_name("mpiexec").exists(),
        "tests of several processes were not run: they need mpi4py and MPICH (`make distributed` installs them)",
    ),
    "gpu": (have_gpu, "tests on a GPU were not run: none answers here (`make gpu` runs them where one does)"),
}
WHOLE = "tests of kinds of which one was run, or long ones, are left to `make check` (`make whole` runs them alone)"
_left_out: dict[str, int] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need what is not here are deselected, and the summary says how many.

    So are those marked `whole` (whole.py), unless `-m` asks for tests, or names are given: by `-k`, or `file::test`.
    """
    expression, names = config.option.markexpr, config.option.keyword or any("::" in each for each in config.args)
    excluded = set(re.findall(r"\w+", expression)) if re.match(r"not\b", expression) else set()
    for marker, (here, _) in NEEDS.items():
        found = [item for item in items if item.get_closest_marker(marker)]
        if found and (marker in excluded or not here()):
            leave_out(marker, found, items, config)
    if not names and (excluded or not expression):
        found = [item for item in items if item.get_closest_marker("whole")]
        if found:
            leave_out("whole", found, items, config)


def leave_out(marker: str, found: list[pytest.Item], items: list[pytest.Item], config: pytest.Config) -> None:
    _left_out[marker] = len(found)
    config.hook.pytest_deselected(items=found)
    gone = set(found)
    items[:] = [item for item in items if item not in gone]


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_FromWorkers())


class _FromWorkers:
    """Under pytest-xdist the workers collect; each knows the same numbers."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        _left_out.update(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and any(_left_out.values()):
        session.exitstatus = pytest.ExitCode.OK  # that is no failure, and the summary tells
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = _left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for marker, count in _left_out.items():
        terminalreporter.write_line(f"{count} {NEEDS[marker][1] if marker in NEEDS else WHOLE}")


@pytest.fixture(autouse=True)
def _seeded() -> object:
    """Each test draws the same numbers whatever ran before it, and leaves the defaults as they were."""
    lucid.manual_seed(0)
    yield
    lucid.set_default_dtype(lucid.float32)
    lucid.set_default_device("cpu")
    lucid.set_grad_enabled(True)

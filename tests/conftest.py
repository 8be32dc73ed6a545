"""What every test starts from, and the word on tests that were not run."""

import importlib.util
import shutil

import pytest

import lucid

HAVE_SELENIUM = importlib.util.find_spec("selenium") is not None
MISSING = {  # marker -> what its tests need and cannot find here; "" where nothing is missing
    "parity": ""
    if importlib.util.find_spec("torch")
    else "parity rows were not run: PyTorch is not installed here (`make parity` installs it and runs them)",
    "browser": ""
    if HAVE_SELENIUM and shutil.which("chromium") and shutil.which("chromedriver")
    else "browser tests were not run: they need selenium (`make browser` installs it and runs them), chromium and "
    "chromedriver (Debian: apt install chromium chromium-driver)",
}
_left_out = dict.fromkeys(MISSING, 0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests whose means are missing are deselected, and the summary says how many."""
    for marker, missing in MISSING.items():
        unable = [item for item in items if missing and item.get_closest_marker(marker)]
        if unable:
            _left_out[marker] = len(unable)
            config.hook.pytest_deselected(items=unable)
            items[:] = [item for item in items if not item.get_closest_marker(marker)]


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_FromWorkers())


class _FromWorkers:
    """Under pytest-xdist the workers collect; each knows the same numbers."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        for marker, count in getattr(node, "workeroutput", {}).get("left_out", {}).items():
            _left_out[marker] = max(_left_out[marker], count)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and any(_left_out.values()):
        session.exitstatus = pytest.ExitCode.OK  # that is no failure, and the summary tells
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = _left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for marker, count in _left_out.items():
        if count:
            terminalreporter.write_line(f"{count} {MISSING[marker]}")


@pytest.fixture(autouse=True)
def _seeded() -> object:
    """Each test draws the same numbers whatever ran before it, and leaves the defaults as they were."""
    lucid.manual_seed(0)
    yield
    lucid.set_default_dtype(lucid.float32)
    lucid.set_grad_enabled(True)

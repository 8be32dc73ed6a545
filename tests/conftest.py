"""What every test starts from, and the word on tests that were not run."""

import importlib.util

import pytest

import lucid

HAVE_TORCH = importlib.util.find_spec("torch") is not None
_left_out = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without PyTorch the rows that compare with it are deselected, and the summary says how many."""
    global _left_out
    if HAVE_TORCH:
        return
    parity = [item for item in items if item.get_closest_marker("parity")]
    if parity:
        _left_out = len(parity)
        config.hook.pytest_deselected(items=parity)
        items[:] = [item for item in items if not item.get_closest_marker("parity")]


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_FromWorkers())


class _FromWorkers:
    """Under pytest-xdist the workers collect; each knows the same number."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        global _left_out
        _left_out = max(_left_out, getattr(node, "workeroutput", {}).get("parity_left_out", 0))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["parity_left_out"] = _left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _left_out:
        terminalreporter.write_line(
            f"{_left_out} parity rows were not run: PyTorch is not installed here (`make parity` installs it and runs them)"
        )


@pytest.fixture(autouse=True)
def _seeded() -> object:
    """Each test draws the same numbers whatever ran before it, and leaves the defaults as they were."""
    lucid.manual_seed(0)
    yield
    lucid.set_default_dtype(lucid.float32)
    lucid.set_grad_enabled(True)

"""What other libraries ask for: a backend and layers for einops, and the array API."""

import sys
from importlib.machinery import PathFinder
from typing import Any

__all__: list[str] = []


class EinopsFinder:
    """The first of `sys.meta_path`, which Python asks for every module that is to be imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec of einops, whose loader goes on to import lucid's backend; None for all other modules."""
        if name != "einops" or (spec := PathFinder.find_spec("einops", path)) is None:
            return None
        loader: Any = spec.loader
        run = loader.exec_module
        loader.exec_module = lambda module: [run(module), add_backend()]  # type: ignore[func-returns-value]
        return spec


def add_backend() -> None:
    """Have einops find lucid's backend."""
    from lucid.interop import einops


if "einops" in sys.modules:
    add_backend()
else:
    sys.meta_path.insert(0, EinopsFinder())

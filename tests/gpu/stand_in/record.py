"""Write down which names CuPy has, and the keywords that its functions take: what the stand-in may offer.

    python tests/gpu/stand_in/record.py > tests/gpu/stand_in/cupy-14.2.txt

Run it where CuPy is installed; it needs no GPU. A line is a name and its parameters, or what else it is.
"""

import importlib
import inspect
import types
import warnings
from typing import Any

MODULES = ("cupy", "cupy.linalg", "cupy.lib.stride_tricks", "cupyx", "cupyx.scipy.special")


def told(cupy: Any, thing: Any) -> str:
    """What a name stands for, in a few words."""
    if isinstance(thing, cupy.ufunc):
        return f"ufunc {thing.nin} {thing.nout}"
    if isinstance(thing, type):
        return "class"
    if not callable(thing):
        return "constant"
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return "function, of unknown parameters"
    if {p.kind for p in parameters} == {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return "function, of unknown parameters"
    return "function " + " ".join(str(p).split("=")[0].split(":")[0] for p in parameters)


def main() -> None:
    """Print all of it."""
    import cupy

    warnings.simplefilter("ignore")
    print(f"version {cupy.__version__}")
    for path in MODULES:
        module = importlib.import_module(path)
        for name in sorted(dir(module)):
            thing = getattr(module, name, None)
            if not name.startswith("_") and not isinstance(thing, types.ModuleType):
                print(f"{path}.{name} {told(cupy, thing)}")
    for name in sorted(
        set(dir(cupy.ndarray)) - set(dir(object)) | {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
    ):
        print(f"cupy.ndarray.{name} member")


if __name__ == "__main__":
    main()

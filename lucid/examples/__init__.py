"""The programs of the gallery: `python -m lucid.examples` lists and runs them, also where there is no clone."""

import ast
from pathlib import Path

__all__ = ["programs"]

# A wheel has the programs in this folder. In a clone they stand at its top, where people look for them.
if not Path(__file__).with_name("common.py").exists():
    __path__.append(str(Path(__file__).resolve().parents[2] / "examples"))


def programs() -> dict[str, Path]:
    """The name of each, as `03_spiral` -> its file."""
    return {path.stem: path for path in sorted(Path(__path__[-1]).glob("[0-9]*.py"))}


def _first_sentence(path: Path) -> str:
    """What an example's docstring begins with."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")

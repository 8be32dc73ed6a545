"""`python -m lucid.examples` lists the examples; `python -m lucid.examples spiral --quick` runs one."""

import runpy
import sys
from difflib import get_close_matches

from lucid.examples import _first_sentence, programs

USAGE = "python -m lucid.examples NAME [--help] [--quick] [--seed N] [...] runs one; its picture, if any, goes to out/"


def main(arguments: list[str]) -> None:
    """List the examples, or run the one named first, by its name, its number or both."""
    found = programs()
    if not arguments or arguments[0] in ("-h", "--help"):
        print("\n".join([f"{name:22}{_first_sentence(path)}" for name, path in found.items()]) + f"\n\n{USAGE}")
        return
    named = {part: name for name in found for part in (name, *name.split("_", 1))}  # 03_spiral, 03 and spiral
    asked = arguments[0].removesuffix(".py").zfill(2)  # 3 is 03
    if asked not in named:
        close = get_close_matches(asked, named, 1)
        meant = f"did you mean {named[close[0]]!r}?" if close else "without a name it lists them."
        raise SystemExit(f"python -m lucid.examples: there is no example {asked!r}; {meant}")
    path = str(found[named[asked]])
    sys.argv = [path, *arguments[1:]]
    sys.path.insert(0, str(found[named[asked]].parent))  # as `python FILE` has it: examples import common.py
    runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])

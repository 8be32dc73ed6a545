"""The examples as pages of the site and as notebooks; the program is the one source of all three.

    python -m reference.gallery [03_spiral ...]     # run examples at full size, keep what they print and draw

Running them all takes minutes, so the site shows what is kept in docs/gallery/: building it runs nothing.
A notebook has the body of `main` as cells, so that a reader can stop after each and look at what there is.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "docs" / "gallery"
THUMBNAIL = "thumbnail.png"  # of a page, which is no picture
PICTURES, LIVE = {".png", ".gif", ".svg"}, {".html"}
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def programs() -> list[Path]:
    """Every example: what begins with a number is one."""
    return sorted((ROOT / "examples").glob("[0-9]*.py"))


def told(path: Path) -> tuple[str, str]:
    """An example's title, which is its docstring up to a colon or comma, and the story that the docstring tells."""
    text = ast.get_docstring(ast.parse(path.read_text())) or path.stem
    title, mark, rest = re.split(r"([:,.])\s+", text, maxsplit=1)
    rest = text if mark == "," else rest  # a title of half a sentence, which the story begins with
    rest = re.sub(r"(?m)(?<=\n\n)(?: {4}.+(?:\n|$))+", lambda code: f"```sh\n{dedent(code[0]).rstrip()}\n```\n", rest)
    return title.replace("\n", " "), rest[:1].upper() + rest[1:]


def kept(path: Path, suffixes: set[str]) -> list[Path]:
    """The files of these kinds that the example wrote."""
    files = (KEPT / path.stem).glob("*")
    return sorted(each for each in files if each.suffix in suffixes and each.name != THUMBNAIL)


def printed(path: Path) -> str:
    """What the example printed."""
    output = KEPT / path.stem / "output.txt"
    if not output.exists():
        raise SystemExit(f"docs/gallery has nothing of {path.stem}: python -m reference.gallery {path.stem}")
    return output.read_text()


def script(path: Path) -> str:
    """An example without its docstring and its last lines, the body of `main` laid open unless that returns early."""
    text = path.read_text()
    tree, lines = ast.parse(text), text.splitlines()
    (main,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    first, last = main.body[1], main.body[-1]  # after the docstring
    if list(returns(main)) == [last]:
        before, body = main.lineno - 1, dedent("\n".join(lines[first.lineno - 1 : main.end_lineno]))
        body = re.sub(r"^return ", "", body, flags=re.MULTILINE)
    else:
        before, body = main.end_lineno, "main(argv)"
    code = "\n".join([*lines[tree.body[0].end_lineno : before], "", 'argv = []  # ["--quick"] is shorter', "", body])
    return re.sub(r"^from common\b", "from lucid.examples.common", code, flags=re.MULTILINE)


def returns(node: ast.AST) -> Iterator[ast.Return]:
    """The return statements of a function, without those of functions inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child
        elif not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield from returns(child)


def notebook(path: Path) -> Any:
    """An example as a notebook."""
    import jupytext
    from nbformat.v4 import new_code_cell, new_markdown_cell

    book, (title, story) = jupytext.reads(script(path), fmt="py:light"), told(path)
    show = {".html": "IFrame({!r}, '100%', 600)", ".svg": "SVG({!r})"}
    calls = [show.get(each.suffix, "Image({!r})").format(f"out/{each.name}") for each in kept(path, PICTURES | LIVE)]
    pictures = [f"from IPython.display import {call.partition('(')[0]}\n\n{call}" for call in calls]
    told_so = new_markdown_cell(f"# {title}\n\n{story}")
    book.cells = [told_so, *(cell for cell in book.cells if cell.source), *map(new_code_cell, pictures)]
    for i, cell in enumerate(book.cells):
        cell["id"] = f"cell-{i}"  # the same at each build
    book.metadata = {"kernelspec": KERNEL}
    return book


def written(path: Path) -> str:
    """The notebook as a file."""
    import nbformat

    return nbformat.writes(notebook(path))


def page(path: Path) -> str:
    """An example as a page of the site: its story, what it draws and prints, and the program cell by cell."""
    title, story = told(path)
    parts = [f"# {title}", story]
    parts += [f"![What the example draws]({path.stem}/{each.name})" for each in kept(path, PICTURES)]
    frame = '<iframe class="live" src="{}/{}" title="{}"></iframe>'
    parts += [frame.format(path.stem, each.name, title) for each in kept(path, LIVE)]
    parts += ["It prints:", f"```text\n{printed(path).rstrip()}\n```"]
    parts += [f"## The program\n\n`examples/{path.name}`, or [as a notebook]({path.stem}.ipynb)."]
    cells = [cell for cell in notebook(path).cells[1:] if not re.match(r"argv = |from IPython", cell.source)]
    for kind, group in groupby(cells, lambda cell: cell.cell_type):
        text = "\n\n".join(cell.source for cell in group)
        parts.append(f"```python\n{text}\n```" if kind == "code" else text)
    return "\n\n".join(parts)


def cards(to: str = "") -> str:
    """Each example as a picture, or the first lines that it prints, and its title."""
    made = []
    for path in programs():
        title, link = told(path)[0], f"{to}{path.stem}.md"
        seen = [*kept(path, PICTURES), *(KEPT / path.stem).glob(THUMBNAIL)]
        seen = [f"![]({to}{path.stem}/{each.name})" for each in seen[:1]]
        shown = seen or ["`" * 3 + "text\n" + "\n".join(printed(path).splitlines()[:12]) + "\n" + "`" * 3]
        made.append(f"<div class='card' markdown>\n\n{shown[0]}\n\n[{title}]({link})\n\n</div>")
    return "<div class='gallery' markdown>\n\n" + "\n\n".join(made) + "\n\n</div>"


def index() -> str:
    """The page with all of them."""
    return f"""# Gallery

Each of these is one program, seeded and offline, that ends with a figure which a test holds it to. Here they were
run at full size; each page has the program, cell by cell, and a notebook of it. `python -m lucid.examples` lists
them and runs them, also where lucid was installed and there is no clone.

{cards()}
"""


def pages() -> dict[str, str]:
    """Every page and notebook: its place in the site -> its text."""
    made = {"gallery/index.md": index()}
    for path in programs():
        made |= {f"gallery/{path.stem}.md": page(path), f"gallery/{path.stem}.ipynb": written(path)}
    return made


def contents() -> list[Any]:
    """The same pages as the site's table of contents."""
    return ["gallery/index.md", *({told(path)[0]: f"gallery/{path.stem}.md"} for path in programs())]


def keep(path: Path) -> None:
    """Run an example at full size in an empty folder, and keep its text and its pictures, these with 256 colours."""
    from PIL import Image

    folder = KEPT / path.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory() as scratch:
        shutil.copytree(path.parent, Path(scratch) / "examples")  # what it prints names files as a reader sees them
        here = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, f"examples/{path.name}"]
        ran = subprocess.run(command, cwd=scratch, env=here, stdout=subprocess.PIPE, text=True, check=True)
        (folder / "output.txt").write_text(ran.stdout.replace(f"{scratch}/", ""))
        for each in Path(scratch).glob("out/**/*"):
            if each.suffix in LIVE:
                (folder / each.name).write_text(each.read_text().replace(f"{scratch}/", ""))
            elif each.suffix in PICTURES:
                shutil.copy(each, folder)
    for live in kept(path, LIVE):
        picture = folder / THUMBNAIL
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1000,620"]
        command = ["chromium", *options, "--virtual-time-budget=3000", f"--screenshot={picture}", live.as_uri()]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    for picture in folder.glob("*.png"):
        Image.open(picture).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)


def main(names: list[str]) -> None:
    """Keep what these examples show, or all."""
    for path in programs():
        if not names or path.stem in names:
            print(path.stem, flush=True)
            keep(path)


if __name__ == "__main__":
    main(sys.argv[1:])

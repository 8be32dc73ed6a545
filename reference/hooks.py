"""What mkdocs is told beside mkdocs.yml: the pages that no file in docs/ holds, made anew at each build."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from reference import gallery, operations, pages  # noqa: E402
from reference.equations import typeset  # noqa: E402

OUTSIDE = {  # documents that stand elsewhere in the repository -> where they stand in the site
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "lucid/datasets/DATA.md": "data.md",
    "benchmarks/README.md": "measurements.md",
}
BEGIN = "**Begin here:** [the first hour](docs/first-hour.md), or any of [the gallery](docs/gallery/index.md):"
MATHJAX = "assets/tex-svg.js"
# Every table of figures, under its own name.
RESULTS = [path.name for path in sorted((ROOT / "benchmarks/results").glob("*.md"))]
OUTSIDE |= {f"benchmarks/results/{name}": f"results/{name}" for name in RESULTS}


def on_config(config: Any) -> Any:
    """Put the gallery, the reference and the measurements into the table of contents."""
    for part in config.nav:
        if "Gallery" in part:
            part["Gallery"] = gallery.contents()
        if "Reference" in part:
            part["Reference"] = pages.contents()
        if "Measurements" in part:
            part["Measurements"] = ["measurements.md", *(f"results/{name}" for name in RESULTS)]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the reference and the gallery, the documents from elsewhere, and what typesets equations."""
    made = {**pages.pages(), **gallery.pages(), "operations.md": operations.page()}
    made |= {place: (ROOT / source).read_text() for source, place in OUTSIDE.items()}
    begin = f"{BEGIN}\n\n{gallery.cards('docs/gallery/')}\n\n## Two commands"
    made["index.md"] = made["index.md"].replace("## Two commands", begin, 1)
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    files.append(File.generated(config, MATHJAX, abs_src_path=str(typesetter())))
    return files


def typesetter() -> Path:
    """MathJax, which draws TeX as SVG, as one file. A package brings it, so nothing is fetched from elsewhere."""
    (folder,) = find_spec("mathjax").submodule_search_locations
    return Path(folder) / "static/mathjax/es5/tex-svg.js"


def on_page_markdown(markdown: str, page: Any, **kwargs: Any) -> str:
    """Links between documents, as they are in the site; what the site does not have is named without a link."""
    place = page.file.src_uri
    source = next((source for source, at in OUTSIDE.items() if at == place), f"docs/{place}")

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found.groups()
        target = normpath(join(dirname(source), target))
        to = OUTSIDE.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if target.startswith("docs/gallery") and "." not in target:  # what is kept
            to = f"{to}/index.md" if to == "gallery" else f"{to}.md"
        return f"[{text}]({relpath(to, dirname(place) or '.')}{anchor or ''})" if to else text

    parts = re.split(r"(^```.*?^```)", markdown, flags=re.MULTILINE | re.DOTALL)  # text, code, text, ...
    parts[::2] = [re.sub(r"\[([^\]]*)\]\((?!https?:)([^)#\s]+)(#[^)]*)?\)", link, text) for text in parts[::2]]
    parts[1::2] = [equations(block) for block in parts[1::2]]
    return "".join(parts)


def equations(block: str) -> str:
    """A fenced block of text that holds equations, typeset; any other as it is."""
    found = re.fullmatch(r"```text\n(.*)\n```", block, re.DOTALL)
    return found and typeset(found[1]) or block


def on_page_content(html: str, page: Any, **kwargs: Any) -> str:
    """Pages with equations load MathJax."""
    script = f'<script defer src="{relpath(MATHJAX, dirname(page.file.src_uri) or ".")}"></script>'
    return html + script if 'class="arithmatex"' in html else html

"""Each example as the notebook that the site offers, executed at its quick size where there is no clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # notebooks are made by scripts that are no part of the package

from reference import gallery  # noqa: E402

pytestmark = pytest.mark.notebooks


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """A folder with lucid as a wheel has it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", ROOT]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def test_the_runner_finds_the_examples_of_the_wheel(installed, tmp_path):
    here = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "lucid.examples"]
    listed = subprocess.run(command, capture_output=True, text=True, env=here, cwd=tmp_path, check=True).stdout
    names = [line.split()[0] for line in listed.split("\n\n")[0].splitlines()]
    assert names == [path.stem for path in gallery.programs()]
    subprocess.run([*command, "spiral", "--quick"], env=here, cwd=tmp_path, check=True)
    assert (tmp_path / "out" / "03_spiral.png").exists()


@pytest.mark.parametrize("path", gallery.programs(), ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last_and_shows_what_the_example_draws(
    path, installed, tmp_path, monkeypatch
):
    import nbclient

    monkeypatch.setenv("PYTHONPATH", str(installed))
    book = gallery.notebook(path)
    (options,) = [cell for cell in book.cells if cell.source.startswith("argv = []")]
    options.source = 'argv = ["--quick"]'
    book.cells[1].source += f"\n\nimport lucid\n\nassert lucid.__file__.startswith({str(installed)!r})"
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.data for cell in book.cells for output in cell.get("outputs", []) if output.output_type != "stream"]
    for picture in gallery.kept(path, gallery.PICTURES | gallery.LIVE):
        kind = {".html": "text/html", ".svg": "image/svg+xml"}.get(picture.suffix, f"image/{picture.suffix[1:]}")
        assert [data for data in shown if kind in data], f"{picture.name} was not shown"


@pytest.mark.parametrize("path", gallery.programs(), ids=lambda path: path.stem)
def test_a_notebook_and_a_page_have_all_of_the_program(path):
    book, page = gallery.notebook(path), gallery.page(path)
    code = "".join("".join(cell.source for cell in book.cells).split())
    lines = path.read_text().split('"""', 2)[2].splitlines()
    left_out = {"def main", "if __name__", "run(main)", '"""', "from common", "#", "return"}
    kept = [line.strip() for line in lines if line.strip() and not line.strip().startswith(tuple(left_out))]
    assert [line for line in kept if "".join(line.split()) not in code] == []
    assert [line for line in kept if line not in page] == []
    assert book.cells[0].cell_type == "markdown" and book.cells[0].source.startswith(f"# {gallery.told(path)[0]}\n")

"""The reference lists what is public, all of it, each with a sentence. That it builds is `make docs`'s to say."""

import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lucid
from lucid.core.op import OPS
from lucid.optim.explain import equation_in
from lucid.optim.state_dict import kinds

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the reference is made by scripts that are no part of the package

from reference import equations, gallery, operations, pages  # noqa: E402

PUBLIC = [(space, name) for space, names in pages.namespaces().items() for name in names]
PAGES = pages.pages()


def entries(made: dict[str, str]) -> list[str]:
    """The names that have an entry, a row or a line of their own."""
    text = "\n".join(page for place, page in made.items() if place != "reference/index.md")
    return re.findall(r"^(?:[-|] )?\[\]\(\)\{#(lucid\.[\w.]+)\}|^::: (lucid\.[\w.]+)", text, re.MULTILINE)


def unlisted(public: list[tuple[str, str]], made: dict[str, str]) -> list[str]:
    """The public names that no page has."""
    found = {path for pair in entries(made) for path in pair}
    return [f"{space}.{name}" for space, name in public if f"{space}.{name}" not in found]


def silent(thing: Any) -> bool:
    """Whether something has no docstring of its own whose first sentence is one."""
    text = inspect.cleandoc(vars(thing).get("__doc__") or "" if inspect.isclass(thing) else thing.__doc__ or "")
    return not re.match(r".+?[.:](\s|$)", text, re.DOTALL)


def test_every_public_name_has_its_place() -> None:
    assert len(PUBLIC) > 250 and not unlisted(PUBLIC, PAGES)


def test_a_name_without_a_place_is_seen() -> None:
    (place,) = [place for place, text in PAGES.items() if "::: lucid.exp\n" in text]
    assert unlisted(PUBLIC, {**PAGES, place: PAGES[place].replace("::: lucid.exp\n", "")}) == ["lucid.exp"]


@pytest.mark.parametrize(("space", "name"), PUBLIC, ids=[f"{space}.{name}" for space, name in PUBLIC])
def test_every_public_name_says_what_it_gives(space: str, name: str) -> None:
    thing = pages.value(space, name)
    assert not pages.described(thing) or not silent(thing)


def test_silence_is_heard() -> None:
    class Heir(lucid.nn.Linear):
        pass

    assert silent(Heir) and silent(lambda: None)
    assert not silent(lucid.nn.Linear) and not silent(lucid.exp)


@pytest.mark.parametrize("space", pages.namespaces())
def test_what_is_public_is_what_a_user_finds(space: str) -> None:
    """The reading of the text agrees with the module: nothing listed is missing, no re-export is passed over."""
    module = importlib.import_module(space)
    listed = pages.namespaces()[space]
    assert all(hasattr(module, name) for name in listed)
    public = {name: thing for name, thing in vars(module).items() if name[0] != "_"}
    if "__init__" in str(module.__file__):
        assert set(listed) == {name for name, thing in public.items() if not isinstance(thing, ModuleType)}
    else:
        assert set(listed) >= {name for name, thing in public.items() if getattr(thing, "__module__", "") == space}


def test_every_operation_is_shown_with_its_formulas() -> None:
    page = operations.page()
    for name, spec in OPS.items():
        if not spec.user_defined:
            (shown,) = re.findall(rf"^### `{name}` \{{#op-{name}\}}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
            assert all(f"{formula}=" in shown for formula in spec.vjps)
            assert re.search(rf"def _?{name}\(|^{name} = library_function\(", shown, re.M) and '"""' not in shown


def test_helpers_of_a_formula_are_shown_too() -> None:
    helpers = operations.helpers_of(OPS["std"].forward)
    names = {helper.__name__ for helper in helpers}
    assert {"_root_vjp", "_squares", "_centred"} <= names and not {"op", "method"} & names
    helpers = operations.helpers_of(OPS["conv"].forward)
    assert {helper.__module__ for helper in helpers} == {"lucid.ops.conv", "lucid.ops.images"}


def test_a_comment_above_an_operation_is_part_of_it() -> None:
    assert operations.source(OPS["std"].forward).startswith("```python\n# ")
    assert operations.source(OPS["power_number"].forward).startswith("```python\n@op(")


def test_an_entry_has_the_members_that_stand_in_other_files() -> None:
    assert {"exp", "sum", "add_", "numpy", "backward"} <= set(pages.attached(lucid.Tensor))
    assert {"register_forward_hook", "register_buffer"} <= set(pages.inherited(lucid.nn.Module))
    # Tensor and Module have theirs
    assert pages.inherited(lucid.nn.Parameter) == pages.inherited(lucid.nn.Linear) == []
    assert pages.common([lucid.nn.MSELoss, lucid.nn.L1Loss, lucid.nn.Linear]) == [lucid.nn.MSELoss.__base__]
    assert "[`exp`][lucid.Tensor.exp]" in pages.index()


def test_the_table_of_contents_has_every_page() -> None:
    def places(part: Any) -> list[str]:
        if isinstance(part, str):
            return [part]
        return [place for each in (part.values() if isinstance(part, dict) else part) for place in places(each)]

    assert sorted(places(pages.contents())) == sorted(PAGES)


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("x**2 and a*b.", r"x\*\*2 and a\*b."),
        ("x[i][j].", r"x\[i\]\[j\]."),
        ("`x[i]**2` is *code*.", "`x[i]**2` is *code*."),
        ("See `nn.functional.relu`, `relu`.", "See [`nn.functional.relu`][lucid.nn.functional.relu], `relu`."),
        ("See `lucid.exp`.", "See [`lucid.exp`][lucid.exp]."),
        ("One.\n\n    x[i]**2\n\nArgs:\n    x: not x**2.\n", "One.\n\n    x[i]**2\n\nArgs:\n    x: not x\\*\\*2.\n"),
        ("A sum.\n\n>>> 1 + 1\n2\n", "A sum.\n\n```pycon\n>>> 1 + 1\n2\n```\n"),
        ("A sum.\n\n>>> 1 + 1\n2", "A sum.\n\n```pycon\n>>> 1 + 1\n2\n```"),
        ("Two.\n\nArgs:\n    a, b: each\n        long.\n",
         "Two.\n\nArgs:\n    a: each\n        long.\n    b: each\n        long.\n"),
    ],
)
def test_docstrings_become_markdown(docstring: str, expected: str) -> None:
    assert pages.markdown(docstring) == expected


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("theta_t = theta_{t-1} - lr / (1 - beta1^t) * m_t / (u_t + eps)",
         r"\theta_{t} & = \theta_{t - 1} - \frac{\text{lr}}{1 - \beta_{1}^{t}} \, \frac{m_{t}}{u_{t} + \epsilon}"),
        ("u_t = max(beta2 * u, |g_t|)      u_0 = 0, element by element",
         r"u_{t} & = \operatorname{max}\left(\beta_{2} \, u, |g_{t}|\right) & & \qquad u_{0} = 0\text{, }"
         r"\text{element by element}"),
        ("a = b - (c - d)", r"a & = b - \left(c - d\right)"),
        ("a = (b + c) * d", r"a & = \left(b + c\right) \, d"),
        ("a = (b + c) / d * e", r"a & = \frac{b + c}{d} \, e"),
        ("a = b / c / d", r"a & = \frac{\frac{b}{c}}{d}"),
        ("a = b / (c * d)", r"a & = \frac{b}{c \, d}"),
        ("a = b * (c / d)", r"a & = b \, \frac{c}{d}"),
        ("a = (-b)^2", r"a & = \left(-b\right)^{2}"),
        ("a = mhat_t^(1 / 2)", r"a & = \hat{m}_{t}^{\frac{1}{2}}"),
    ],
)  # fmt: skip
def test_an_equation_is_typeset(equation: str, expected: str) -> None:
    assert equations.typeset(equation) == f"$$\n\\begin{{alignedat}}{{2}}\n  {expected}\n\\end{{alignedat}}\n$$"


@pytest.mark.parametrize("text", ["out[n] = x[n]", "x = norm(x);  y = 2", "a += b", "no equation", "a = b where"])
def test_what_is_no_equation_stays_as_it_is(text: str) -> None:
    assert equations.typeset(text) is None


@pytest.mark.parametrize("kind", kinds(lucid.optim.Optimizer), ids=lambda kind: kind.__name__)
def test_every_optimizers_equation_is_typeset_and_says_what_the_text_says(kind: type) -> None:
    """As many fractions, roots and brackets as the text has divisions, roots and brackets that a fraction needs not."""
    text, tex = equation_in(kind), equations.typeset(equation_in(kind))
    assert tex is not None
    assert tex.count(r"\sqrt") == text.count("sqrt(") and tex.count(r"\frac") == text.count(" / ")
    assert tex.count(r"\theta") == len(re.findall(r"\btheta", text)) and tex.count("g_{t}") == text.count("g_t")


def test_names_are_in_the_order_that_users_look_for_them() -> None:
    listed = {name: part for part in pages.contents()[1:] for name, part in part.items()}
    assert [next(iter(page)) for page in listed["lucid.nn"][:2]] == [
        "Module, RemovableHandle, Parameter",
        "Linear, Sequential",
    ]
    assert next(iter(listed["lucid.optim"][0])) == "Adamax"


def test_the_gallery_has_what_every_example_prints_and_draws() -> None:
    for path in gallery.programs():
        title, story = gallery.told(path)
        assert gallery.printed(path).strip() and title and len(title) < 80 and len(story) > 100
        assert "/tmp" not in gallery.printed(path)
        assert f"[{title}](gallery/{path.stem}.md)" in gallery.cards("gallery/")
        drawn = {each.name for each in gallery.kept(path, gallery.PICTURES | gallery.LIVE)}
        assert set(re.findall(r'out="out/([\w.]+)"', path.read_text())) <= drawn


def test_the_page_that_the_gallery_keeps_is_drawn_as_pages_are_now() -> None:
    """Else: python -m reference.gallery 06_inside"""
    (kept,) = (ROOT / "docs" / "gallery").glob("*/*.html")
    text = kept.read_text()
    for part in ("page.js", "page.css"):
        lines = (ROOT / "lucid" / "see" / part).read_text().splitlines()
        assert not [line for line in lines if line not in text], part


OPTIMIZERS = (ROOT / "docs" / "optimizers.md").read_text()


@pytest.mark.parametrize("kind", kinds(lucid.optim.Optimizer), ids=lambda kind: kind.__name__)
def test_the_page_of_optimizers_has_the_equation_of_the_docstring(kind: type) -> None:
    (section,) = re.findall(rf"^## {kind.__name__}\n(.*?)(?=^## |\Z)", OPTIMIZERS, re.MULTILINE | re.DOTALL)
    equation, told = re.fullmatch(r"\n```text\n(.*?)\n```\n\n(.*)", section, re.DOTALL).groups()
    assert equation == equation_in(kind) and "theta" in equation and len(told) > 100


def test_the_page_of_optimizers_names_every_schedule() -> None:
    public = [
        name for name, thing in vars(lucid.optim.lr_scheduler).items() if inspect.isclass(thing) and name[-2:] == "LR"
    ]
    assert len(public) > 10 and all(f"`{name}`" in OPTIMIZERS for name in public if name != "LRScheduler")


@pytest.mark.parity
def test_pytorchs_state_is_loaded_as_the_page_of_optimizers_says() -> None:
    (program,) = [text for text in re.findall(r"```python\n(.*?)```", OPTIMIZERS, re.DOTALL) if ">>>" not in text]
    scope: dict[str, Any] = {}
    exec(program, scope)
    weight, theirs = scope["ours"].weight, scope["reference"].state_dict()["state"][0]
    assert (scope["optimizer"].state[weight]["m"] == theirs["exp_avg"].numpy()).all() and scope["optimizer"].state[
        weight
    ]["t"] == 1


def test_a_first_sentence_ends_at_its_stop() -> None:
    def f() -> None:
        """1 / (1 + exp(-x)): exact,
        e.g. near 0. The rest is another."""

    assert pages.first_sentence(f) == "1 / (1 + exp(-x)): exact, e.g. near 0."


def test_every_public_module_says_what_of_it_is_public():
    for name in pages.namespaces():
        module = importlib.import_module(name)
        assert hasattr(module, "__all__"), name
        assert not [each for each in module.__all__ if not hasattr(module, each)], name
        assert len(set(module.__all__)) == len(module.__all__), name
    assert not {"core", "gpu", "ops"} & set(lucid.__all__)

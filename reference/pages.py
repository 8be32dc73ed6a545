"""What the pages of the reference hold, read off the package itself: what is public is what its modules export, so
every name has its place and a new one finds it by itself. Knows nothing of mkdocs; hooks.py hands the pages over.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from functools import cache
from pathlib import Path
from textwrap import dedent
from types import FunctionType, ModuleType
from typing import Any

from lucid.core.op import OPS, Op
from reference.equations import typeset

# Files under a title for those who look something up, in the order of the table of contents. A file that is not listed
# comes after them, under the first words of its docstring.
TITLES = {
    "lucid.core.node": "Tensor",
    "lucid.ops.create": "Creating tensors",
    "lucid.core.elementwise": "Functions of each element",
    "lucid.core.reductions": "Reductions",
    "lucid.core.shapes": "Shapes",
    "lucid.ops.sort_index": "Selecting and sorting",
    "lucid.ops.random": "Random numbers",
    "lucid.core.matmul": "Products",
    "lucid.autograd.grad_mode": "Recording or not",
    "lucid.core.op": "Writing operations",
    "lucid.core.array": "Dtypes, devices, constants",
    "lucid.io.npz": "Checkpoints",
    "lucid.nn.module": "Modules",
    "lucid.optim.adamax": "Adamax",
    "lucid.optim.optimizer": "Optimizer",
    "lucid.autograd.provenance": "Where nodes come from",
    "lucid.see.trace": "A backward pass, step by step",
    "lucid.see.drawing": "The graph as a picture",
}
# What users look for first, in this order; other files follow as their names do in the alphabet.
FIRST = [
    *("lucid.nn.module", "lucid.nn.layers", "lucid.nn.activations", "lucid.nn.losses", "lucid.nn.conv"),
    *("lucid.nn.pool", "lucid.nn.norms", "lucid.nn.embedding", "lucid.nn.recurrent", "lucid.nn.attention"),
    *("lucid.optim.adamax", "lucid.optim.optimizer", "lucid.optim.lr_scheduler", "lucid.optim.adam", "lucid.optim.sgd"),
]
# Where a namespace has names from a file that belong beside those of another.
BESIDE = {
    ("lucid", "lucid"): "lucid.core.array",
    ("lucid", "lucid.ops.elementwise"): "lucid.core.elementwise",
    ("lucid", "lucid.ops.pad"): "lucid.core.shapes",
    ("lucid", "lucid.ops.products"): "lucid.core.matmul",
    ("lucid", "lucid.ops.reductions"): "lucid.core.reductions",
    ("lucid", "lucid.ops.shapes"): "lucid.core.shapes",
    ("lucid", "lucid.ops.special"): "lucid.core.elementwise",
    ("lucid", "lucid.ops.statistics"): "lucid.core.reductions",
    ("lucid.linalg", "lucid.ops.linalg"): "lucid.linalg",
    ("lucid.nn", "lucid.autograd.hooks"): "lucid.nn.module",
    ("lucid.nn", "lucid.core.events"): "lucid.nn.module",
    ("lucid.nn", "lucid.core.tensor"): "lucid.nn.module",
    ("lucid.nn.functional", "lucid.core.elementwise"): "lucid.ops.activations",
    ("lucid.nn.functional", "lucid.ops.products"): "lucid.ops.embedding",
    ("lucid.nn.functional", "lucid.ops.elementwise"): "lucid.ops.activations",
    ("lucid.nn.functional", "lucid.ops.pad"): "lucid.ops.images",
    ("lucid.nn.functional", "lucid.ops.reductions"): "lucid.ops.activations",
}
# Modules that users need not import: their names are public as lucid's own, or under another module's name.
PASSED_OVER = {"lucid.ops", "lucid.io", "lucid.data"}
SPLIT = {"lucid", "lucid.nn", "lucid.nn.functional", "lucid.optim"}  # what has a page for each title
ABOVE = "---\nsearch:\n  boost: {}\n---\n\n"  # what is public is found before what is told about it elsewhere


def exported(module: ModuleType) -> list[str]:
    """The public names of a module: its `__all__`; of one without, all that its text imports, defines or assigns."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    found = []
    for node in ast.parse(Path(str(module.__file__)).read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            found += exported(importlib.import_module(str(node.module)))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


@cache
def namespaces() -> dict[str, list[str]]:
    """`lucid` and every module that is a public name of one listed before it, which it follows -> its public names."""
    found, waiting = {}, ["lucid", "lucid.datasets", "lucid.see"]  # lucid loads the two when they are used
    while waiting:
        module = importlib.import_module(name := waiting.pop(0))
        inner = {each: getattr(module, each) for each in exported(module)}
        inner = {each: thing.__name__ for each, thing in inner.items() if isinstance(thing, ModuleType)}
        found[name] = [each for each in exported(module) if each not in inner]
        waiting = [each for each in inner.values() if each not in PASSED_OVER] + waiting
    return found


def value(namespace: str, name: str) -> Any:
    """What a public name stands for."""
    return getattr(importlib.import_module(namespace), name)


def described(thing: Any) -> bool:
    """Whether it is a function or a class, which have docstrings of their own."""
    return inspect.isroutine(thing) or inspect.isclass(thing)


def file_with(namespace: str, name: str) -> str:
    """The module beside whose names this one stands: where it was defined, or as BESIDE says."""
    home = inside(namespace, name) or origin(namespace, name)
    return BESIDE.get((namespace, home), home)


def origin(namespace: str, name: str) -> str:
    """The module that defines it; of a plain value, the one that makes it public."""
    thing = value(namespace, name)
    return str(thing.__module__) if described(thing) else namespace


def inside(namespace: str, name: str) -> str | None:
    """The namespace inside this one that has the same name as well, and therefore its entry: for optim.StepLR."""
    if namespace == "lucid":  # all are inside it
        return None
    return next((s for s, names in namespaces().items() if s.startswith(f"{namespace}.") and name in names), None)


def title_of(module: str) -> str:
    """What a module is about: as TITLES says, or the first words of its docstring, up to a stop of any kind."""
    return TITLES.get(module) or re.split(r"[:.,;(]", told(module))[0].replace("\n", " ").strip()


def file_of(module: str) -> str:
    """Its file, from the root of the repository."""
    package = "__init__" in str(importlib.import_module(module).__file__)
    return module.replace(".", "/") + ("/__init__.py" if package else ".py")


def told(module: str) -> str:
    """A module's docstring."""
    return inspect.getdoc(importlib.import_module(module)) or module


def introduced(module: str, title: str, level: int) -> list[str]:
    """A module's title, file and docstring as Markdown, but for a first line that says what the title does."""
    text = re.sub(rf"^{re.escape(title)}\.\s+", "", told(module) + "\n")
    return ["#" * level + f" {title}", f"`{file_of(module)}`", markdown(text)]


def first_sentence(thing: Any) -> str:
    """Up to the first full stop that ends a sentence, on one line."""
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[^.A-Z]\.) (?=[A-Z`])", paragraph)[0].strip()


def markdown(text: str) -> str:
    """A docstring as Markdown: examples fenced, equations typeset, a row for each of `a, b: ...` in its sections, and
    `literal` lines."""
    text = re.sub(r"(?<=\n\n)(?: {4}.+\n)+(?=\n)", lambda code: f"{typeset(dedent(code[0])) or code[0][:-1]}\n", text)
    out, example, section = [], False, False
    for line in re.sub(SECTION, _one_each, text).split("\n"):
        if line and line[0] != " ":
            section = line in ("Args:", "Attributes:", "Raises:")  # what is indented is prose, and elsewhere code
        begins = line.lstrip().startswith(">>>") and not example
        if begins or (example and not line.strip()):
            out.append("```pycon" if begins else "```")
            example = begins
        out.append(line if example or line.startswith("    ") and not section else literal(line))
    return "\n".join([*out, "```"] if example else out)


SECTION = re.compile(r"(?<=\n)(?:Args|Attributes|Raises):\n(?: {4}.*(?:\n|$))+")
SEVERAL = re.compile(r"^ {4}(\w+(?:, \w+)+)(:.*(?:\n {5,}.*)*)", re.MULTILINE)


def _one_each(section: re.Match[str]) -> str:
    return SEVERAL.sub(lambda m: "\n".join(f"    {name}{m[2]}" for name in m[1].split(", ")), section[0])


def literal(line: str) -> str:
    """A line of prose in which the stars of `(a - b)**2` and the brackets of `x[i][j]` are not taken for Markdown.

    A public name that is written out, as `nn.functional.relu` or with `lucid.` before it, leads to its entry.
    """
    parts = re.split(r"(`[^`]*`|(?<![\w)\]])\*\*\w[^*]*\*\*(?!\w))", line)  # prose, code or bold, prose, ...
    for i, part in enumerate(parts):
        if not i % 2:
            part = re.sub(r"(?<=[\w)\]|])\*\*?(?=[-\w(\[|])|[\[\]]", lambda m: re.sub(r"(.)", r"\\\1", m[0]), part)
        elif (path := "lucid." + part.strip("`").removeprefix("lucid.")) in paths() and "." in part:
            part = f"[{part}][{path}]"
        parts[i] = part
    return "".join(parts)


@cache
def paths() -> set[str]:
    """Every public name, written out."""
    return {f"{namespace}.{name}" for namespace, names in namespaces().items() for name in names}


# -- entries ---------------------------------------------------------------------------------------------------------


def entry(namespace: str, name: str, level: int) -> str:
    """What makes mkdocstrings write the entry of one name."""
    thing, path = value(namespace, name), f"{namespace}.{name}"
    lines, options = [f"::: {path}"], {"heading_level": level}
    # By its origin, where a module of that name is in the way (lucid.tensor), or it is a second name (lucid.div).
    if path in sys.modules or inspect.isroutine(thing) and thing.__name__ != name:
        lines = [f"[](){{#{path}}}\n", f"::: {thing.__module__}.{thing.__qualname__}"]
        options |= {"heading": path, "toc_label": name}
    if inspect.isclass(thing):
        options |= {"inherited_members": inherited(thing)}
    return "\n".join([*lines, "    options:", *(f"      {key}: {setting!r}" for key, setting in options.items())])


def operation(namespace: str, name: str) -> Op | None:
    """The operation behind a public function that has a gradient: itself, or the one of its name."""
    thing = value(namespace, name)
    spec: Op | None = getattr(thing, "op", None) or OPS.get(name)
    return spec if spec and spec.vjps and inspect.isroutine(thing) else None


def hidden(cls: type) -> list[type]:
    """The bases that have no entry, and are no bases of one that has: the halves of Tensor, the base of BatchNorm2d."""
    public = {id(value(space, name)) for space, names in namespaces().items() for name in names}
    shown = {c for base in cls.__mro__[1:] if id(base) in public for c in base.__mro__}
    return [c for c in cls.__mro__[1:] if c.__module__.startswith("lucid.") and c not in shown]


def inherited(cls: type) -> list[str]:
    """The members that an entry shows beside the class's own: those of hidden bases from other files."""
    bases = [base for base in hidden(cls) if base.__module__ != cls.__module__]
    return sorted({name for base in bases for name in vars(base) if name[0] != "_"} - set(vars(cls)))


def attached(cls: type) -> dict[str, Any]:
    """The methods and properties of a class that other files define and attach to it: those of Tensor."""
    own = {name: f for name, f in vars(cls).items() if name[0] != "_" and isinstance(f, (FunctionType, property))}
    return {name: f for name, f in own.items() if getattr(f, "fget", f).__module__ != cls.__module__}


def common(classes: list[type]) -> list[type]:
    """Their hidden bases from the same file, which are entered below them."""
    return list(dict.fromkeys(base for cls in classes for base in hidden(cls) if base.__module__ == cls.__module__))


def constants(namespace: str, names: list[str]) -> str:
    """A table of plain values."""
    rows = [f"| [](){{#{namespace}.{name}}}`{namespace}.{name}` | `{value(namespace, name)!r}` |" for name in names]
    return "\n".join(["| name | value |", "| --- | --- |", *rows])


# -- pages -----------------------------------------------------------------------------------------------------------


def by_file(namespace: str) -> dict[str, list[str]]:
    """The names of a namespace by the file that they stand in: its own first, those of lucid itself as in TITLES.

    In a file, what it defines comes before what stands beside it, each as the file has them.
    """

    def place(name: str) -> tuple[bool, int]:
        home = origin(namespace, name)
        return home != file_with(namespace, name), defined(home).get(name, 0)

    groups: dict[str, list[str]] = {}
    for name in sorted(namespaces()[namespace], key=place):
        groups.setdefault(file_with(namespace, name), []).append(name)
    order = [namespace, *(TITLES if namespace == "lucid" else [*FIRST, *sorted(groups, key=groups.__getitem__)])]
    return {module: groups[module] for module in [*order, *groups] if module in groups}


@cache
def defined(module: str) -> dict[str, int]:
    """What a module's text defines -> the line."""
    tree = ast.parse((Path(__file__).parents[1] / file_of(module)).read_text())
    return {node.name: node.lineno for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def page_of(namespace: str, module: str) -> str:
    """Where in the site the names of a namespace from one file stand."""
    parts = ["reference", *namespace.split(".")[1:]]
    return "/".join([*parts, slug(title_of(module))] if namespace in SPLIT else parts) + ".md"


def pages() -> dict[str, str]:
    """Every page of the reference: its place in the site -> its Markdown."""
    found = {"reference/index.md": index()}
    for namespace in namespaces():
        for module, names in by_file(namespace).items():
            place = page_of(namespace, module)
            first = namespace in SPLIT or module == namespace
            if not first and place not in found:
                found[place] = ABOVE.format(4) + "\n\n".join(introduced(namespace, namespace, 1))
            parts = [found.get(place) or ABOVE.format(8 if module in FIRST else 4)]
            found[place] = "\n\n".join([*parts, *section(namespace, module, names, 1 if first else 2)])
    return found


def section(namespace: str, module: str, names: list[str], level: int) -> list[str]:
    """The names of a namespace that stand in one file, under its title."""
    text = introduced(module, namespace if module == namespace else title_of(module), level)
    if inside(namespace, names[0]):
        return [*text, "\n".join(listed(namespace, name, module) for name in names)]
    values = [name for name in names if not described(value(namespace, name))]
    text += [constants(namespace, values)] if values else []
    text += [entry(namespace, name, level + 1) for name in names if name not in values]
    bases = common([thing for name in names if inspect.isclass(thing := value(namespace, name))])
    text += ["#" * (level + 1) + " What some of these have in common"] if bases else []
    return text + [entry(base.__module__, base.__name__, level + 2) for base in bases]


def index() -> str:
    """Every public name with its first sentence."""
    text = ["---\nsearch:\n  exclude: true\n---", "# Every name"]
    for namespace in namespaces():
        text += [f"## {namespace}"] if by_file(namespace) else []
        for module, names in by_file(namespace).items():
            text += [f"### {title_of(module)}"] if len(by_file(namespace)) > 1 else []
            text.append("\n".join(listed(namespace, name) + methods(namespace, name) for name in names))
    return "\n\n".join(text)


def methods(namespace: str, name: str) -> str:
    """The members of Tensor and Module, which come from several files: the build refuses a link that leads nowhere."""
    cls = value(namespace, name)
    if not inspect.isclass(cls) or inside(namespace, name) or not (inherited(cls) or attached(cls)):
        return ""
    names = [member for member in sorted({*vars(cls), *inherited(cls)}) if member[0] != "_" and member != "extra_repr"]
    kinds = (property, FunctionType)
    found = [m for m in names if isinstance(inspect.getattr_static(cls, m), kinds) and getattr(cls, m).__doc__]
    return "\n\n    " + " ".join(f"[`{m}`][{namespace}.{name}.{m}]" for m in found)


def listed(namespace: str, name: str, entered: str = "") -> str:
    """A name and its first sentence on one line; it leads to the entry, or is where one looks for it in vain."""
    thing, path = value(namespace, name), f"{namespace}.{name}"
    says = literal(first_sentence(thing)) if described(thing) else f"`{thing!r}`"
    anchor = f"[](){{#{path}}}" if entered else ""
    return f"- {anchor}[`{path if entered else name}`][{entered or namespace}.{name}]: {says}"


def contents() -> list[Any]:
    """The same pages as the site's table of contents: those of lucid itself by subject, the others by names."""

    def label(module: str, names: list[str]) -> str:
        subject = namespace == "lucid" or inside(namespace, names[0])
        return title_of(module) if subject else ", ".join([*names[:3], *["…"] * (len(names) > 3)])

    parts: list[Any] = ["reference/index.md"]
    for namespace in namespaces():
        found = {label(*each): page_of(namespace, each[0]) for each in by_file(namespace).items()}
        if namespace in SPLIT:
            parts.append({namespace: [{title: place} for title, place in found.items()]})
        elif found:
            parts.append({namespace: next(iter(found.values()))})
    return parts


def slug(text: str) -> str:
    """A title as the name of a file."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")

"""What mkdocstrings, which reads the source without running it, is told of lucid: an operation is called without `xp`,
a reduction with `dim` and `keepdim`, Tensor has the methods that other files attach, and docstrings are plain text.
"""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

import griffe

from lucid import Tensor
from reference.pages import attached, markdown, namespaces, operation, value

KEYWORD = griffe.ParameterKind.keyword_only
KINDS = ("function", "class")
ANY = griffe.ParameterKind.positional_or_keyword


class Lucid(griffe.Extension):
    """Called by griffe for what it has read."""

    def on_function_instance(self, *, func: griffe.Function, **kwargs: Any) -> None:
        """Leave out what a caller does not give: `xp`, and arguments that begin with an underscore."""
        given = [parameter for parameter in func.parameters if parameter.name[0] != "_"]
        decorators = [str(decorator.value) for decorator in func.decorators]
        if any(text.startswith("op(") for text in decorators):
            del given[0]
        if found := [text for text in decorators if text.startswith("reduction")]:
            given = [given[0], *reduced(found[0])]
        func.parameters = griffe.Parameters(*given)

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Make a docstring Markdown."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Name the operation behind each function, and give Tensor its methods."""
        for module in (pkg, pkg["nn"], pkg["nn.functional"]):  # what a .pyi says of what is described elsewhere
            for name, member in list(module.members.items()):
                if name[0] != "_" and not member.is_alias and member.kind.value in KINDS and not member.docstring:
                    del module.members[name]
                    thing = value(module.path, name)
                    home, its = pkg[thing.__module__.removeprefix("lucid.")], thing.__name__
                    if its in home.members:
                        module[name] = griffe.Alias(name, home[its], parent=module)
        public = [(space, name) for space, names in namespaces().items() for name in names]
        for space, name in public:  # functions that a module makes of others have no text of their own
            function = value(space, name)
            if inspect.isroutine(function) and function.__name__ == name:
                own, there = (pkg[home.removeprefix("lucid.")] if home != "lucid" else pkg
                              for home in (function.__module__, space))  # fmt: skip
                if name not in own.members:
                    own[name] = made(function)
                    if there is not own:
                        there[name] = griffe.Alias(name, own[name], parent=there)
        behind = {value(*each): spec for each in public if (spec := operation(*each))}
        for function, spec in behind.items():
            read(pkg, function).docstring.value += f"\n\nIts gradient: operation [`{spec.name}`][op-{spec.name}]."
        for cls in {thing for each in public if inspect.isclass(thing := value(*each))}:
            arguments(pkg, cls)
        for name, member in attached(Tensor).items():
            pkg["core.node.Tensor"][name] = self.member(pkg, name, member)

    def member(self, pkg: griffe.Module, name: str, member: Any) -> griffe.Object:
        """A method or property that another file attaches."""
        if isinstance(member, property):
            return griffe.Attribute(name, docstring=griffe.Docstring(markdown(member.__doc__)))
        if member.__name__ in pkg[member.__module__.removeprefix("lucid.")].members:
            return bound(name, read(pkg, member))
        return griffe.Function(name, docstring=griffe.Docstring(markdown(member.__doc__)))  # made in a loop


def arguments(pkg: griffe.Module, cls: type) -> None:
    """A class whose docstring says that its arguments are those of another has a table of them as well."""
    said = re.search(r"arguments[^.]* are those of\s+`(\w+)`", cls.__doc__ or "")
    if said:
        other = getattr(sys.modules[cls.__module__], said[1])
        table = re.search(r"^Args:\n(?: .*\n)+", inspect.getdoc(other) + "\n", re.MULTILINE)[0]
        for absent in set(inspect.signature(other).parameters) - set(inspect.signature(cls).parameters):
            table = re.sub(rf"^    {absent}:.*\n(?: {{5,}}.*\n)*", "", table, flags=re.MULTILINE)
        docstring = pkg[f"{cls.__module__}.{cls.__qualname__}".removeprefix("lucid.")].docstring
        docstring.value += "\n\n" + markdown("\n" + table).strip("\n")


def reduced(decorator: str) -> list[griffe.Parameter]:
    """The arguments that `@reduction` gives a function behind the tensor."""
    given = [griffe.Parameter("dim", kind=ANY, default="None")]
    if "correction=True" in decorator:
        given.append(griffe.Parameter("correction", kind=ANY, default="1"))
    given.append(griffe.Parameter("keepdim", kind=ANY, default="False"))
    if "converts=True" in decorator:
        given.append(griffe.Parameter("dtype", kind=KEYWORD, default="None"))
    return given


def read(pkg: griffe.Module, function: Any) -> griffe.Function:
    """What was read of a function; of one that another function made, what it is at run time."""
    path = f"{function.__module__}.{function.__qualname__}".removeprefix("lucid.")
    if not pkg[path].is_function:
        pkg[path] = made(function)
    return pkg[path]


def made(function: Any) -> griffe.Function:
    """A function as it is at run time, for one that the source does not spell out."""
    parameters = [griffe.Parameter(name, kind=ANY) for name in inspect.signature(function).parameters]
    docstring = griffe.Docstring(markdown(function.__doc__))
    return griffe.Function(function.__name__, parameters=griffe.Parameters(*parameters), docstring=docstring)


def bound(name: str, function: griffe.Function) -> griffe.Function:
    """A function as a method, whose first argument is the tensor itself."""
    return griffe.Function(
        name,
        parameters=griffe.Parameters(*list(function.parameters)[1:]),
        returns=function.returns,
        docstring=griffe.Docstring(function.docstring.value),
    )

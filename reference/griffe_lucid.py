"""What mkdocstrings, which reads the source without running it, is told of lucid: an operation is called without `xp`,
a Tensor has the methods that lucid/methods.py names, and docstrings are plain text.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

import griffe

from lucid.methods import Operations
from reference.pages import markdown, namespaces, operation, value


class Lucid(griffe.Extension):
    """Called by griffe for what it has read."""

    def on_function_instance(self, *, func: griffe.Function, **kwargs: Any) -> None:
        """Leave out what a caller does not give: `xp`, and arguments that begin with an underscore."""
        given = [parameter for parameter in func.parameters if parameter.name[0] != "_"]
        if any(str(decorator.value).startswith("op(") for decorator in func.decorators):
            del given[0]
        func.parameters = griffe.Parameters(*given)

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Make a docstring Markdown."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Name the operation behind each function, and give Operations, whose heir Tensor is, its methods."""
        public = [(space, name) for space, names in namespaces().items() for name in names]
        behind = {value(*each): spec for each in public if (spec := operation(*each))}
        for function, spec in behind.items():
            read(pkg, function).docstring.value += f"\n\nIts gradient: operation [`{spec.name}`][op-{spec.name}]."
        for name, method in vars(Operations).items():
            if isinstance(method, FunctionType) and method.__module__ != Operations.__module__ and name[0] != "_":
                pkg["methods.Operations"][name] = bound(name, read(pkg, method))


def read(pkg: griffe.Module, function: Any) -> griffe.Function:
    """What was read of a function."""
    return pkg[f"{function.__module__}.{function.__qualname__}".removeprefix("lucid.")]


def bound(name: str, function: griffe.Function) -> griffe.Function:
    """A function as a method, whose first argument is the tensor itself."""
    return griffe.Function(
        name,
        parameters=griffe.Parameters(*list(function.parameters)[1:]),
        returns=function.returns,
        docstring=griffe.Docstring(function.docstring.value),
    )

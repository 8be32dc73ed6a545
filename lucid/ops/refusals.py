"""What does an error of a public function say? The function, the argument, what was expected and what came.

Nothing is checked here before a call. After a call has failed, its arguments are compared with the annotations in the
function's signature. If NumPy arrays stand where Tensors are expected, they are converted and the call is made again;
else the first argument that does not fit is named. An error that lucid raised itself only gets the function's name in
front, and one that was raised in a user's code stays as it is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dis import opmap
from functools import cache
from inspect import BoundArguments, Parameter, signature, unwrap
from numbers import Real
from types import FunctionType
from typing import Any

from lucid.core.array import as_array, is_array
from lucid.core.node import Tensor
from lucid.core.op import on_tensors
from lucid.core.promotion import TOLD, MixedDevicesError, of_kind, shown, type_name
from lucid.ops.checks import without_neutral

_is_bool: Callable[[Any], Any] = lambda x: isinstance(x, bool) or str(getattr(x, "dtype", "")) == "bool"
_is_int: Callable[[Any], Any] = lambda x: hasattr(x, "__index__") and not _is_bool(x) and not getattr(x, "ndim", 0)
_is_list = lambda x: isinstance(x, Iterable) and not isinstance(x, (str, bytes, Mapping))
KINDS: dict[str, tuple[str, Any]] = {  # the head of an annotation -> what errors call it, and whether a value is one
    "None": ("None", lambda x: x is None),
    "Tensor": ("a Tensor", lambda x: isinstance(x, Tensor) or is_array(x)),
    "bool": ("True or False", _is_bool),
    "int": ("an int", _is_int),
    "float": ("a number", lambda x: isinstance(x, Real) or (hasattr(x, "item") and not getattr(x, "ndim", 0))),
    "str": ("a text", lambda x: isinstance(x, str)),
    "Callable": ("a function", callable),
    **dict.fromkeys(("Iterable", "Sequence", "list", "tuple"), ("a list", _is_list)),
    **dict.fromkeys(("Mapping", "dict"), ("a dict", lambda x: isinstance(x, Mapping))),
}
_OURS = {"lucid", "numpy", "cupy", *sys.stdlib_module_names}
# Not wrapped, as they are quick and the wrapper takes 0.2 us: they check their arguments themselves. The last three are
# called by lucid alone.
QUICK = frozenset("""
    backward_from broadcast_to chunk detach expand flatten is_tensor narrow permute reshape split swapaxes transpose
    unbind unsqueeze view Tensor.__init__ LBFGS.step Optimizer.step forward check step_scalars
""".split())


@cache
def naming(function: Any) -> Any:
    """A function whose refusals name it and the argument, and that takes NumPy arrays for Tensors; one that works along
    a `dim` or `dims` also takes NumPy's words, `axis` and `keepdims`."""
    code = unwrap(function).__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    dim = next((name for name in ("dim", "dims") if name in names and "axis" not in names), None)

    def call(*args: Any, **options: Any) -> Any:
        if dim is not None and ("axis" in options or "keepdims" in options):
            options = {{"axis": dim, "keepdims": "keepdim"}.get(key, key): value for key, value in options.items()}
        try:
            return function(*args, **options)
        except Exception as error:
            if (out := after(error, function, args, options)) is error:
                raise  # adds no frame
            return out

    # What `functools.wraps` copies, but for the annotations: with those it takes 2 ms of `import lucid` longer.
    call.__name__, call.__qualname__, call.__module__ = function.__name__, function.__qualname__, function.__module__
    call.__doc__, call.__wrapped__ = function.__doc__, function  # type: ignore[attr-defined]
    vars(call).update(vars(function))
    return call


def after(error: Exception, function: Any, args: tuple[Any, ...], options: dict[str, Any], name: str = "") -> Any:
    """What to do after a public function has raised `error`: returns the result of a second call, or `error` itself,
    which the caller then raises as it is; or raises an error that says more."""
    source = _source(error)
    if not isinstance(error, TOLD) or isinstance(error, MixedDevicesError) or source == "the user":
        return error
    name = name or (type(args[0]).__name__ if function.__name__ == "__init__" else function.__name__)
    try:
        bound = signature(function).bind(*args, **options)
    except TypeError:  # Python has said so, by its name
        try:
            return error if (out := in_other_words(function, args, options)) is NotImplemented else out
        except Exception as second:
            raise second from None
    given, parameters = bound.arguments, bound.signature.parameters
    kinds = {key: _kinds(parameters[key]) for key in given}
    if (source == "Python" or isinstance(error, (TypeError, AttributeError))) and _with_tensors(bound, name):
        try:
            return function(*bound.args, **bound.kwargs)
        except Exception as second:
            if (out := after(second, function, bound.args, bound.kwargs, name)) is second:
                raise
            return out
    names = rf"(?:{name}|{type(args[0]).__name__ if 'self' in given else name})"
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    other = (start := re.match(r"([\w.]+): ", text)) and start[1] not in parameters  # another function's name
    if re.search(rf"^{names}\b|^forward: |\b{names}[:(]", text) or (other and function.__name__ == "forward"):
        return error
    if isinstance(error, OSError) and error.errno:
        raise type(error)(error.errno, f"{name}: {error.strerror}", error.filename) from error
    for key, value in given.items() if other or source != "lucid" else ():
        known = [KINDS[kind] for kind in kinds[key] if kind in KINDS]
        values = value if parameters[key].kind is Parameter.VAR_POSITIONAL else (value,)
        odd = [value for value in values if not any(test(value) for _, test in known)]
        if odd and len(known) == len(kinds[key]):
            got = (type_name if "Tensor" in kinds[key] else shown)(odd[0])
            raise TypeError(f"{name}: expected {' or '.join(x for x, _ in known)} for {key!r}, got {got}") from error
    values = ", ".join(f"{key}={shown(value)}" for key, value in given.items() if key != "self")
    inside = f" (given {values})" if source == "Python" else ""
    raise of_kind(error, f"{name}: {text or type(error).__name__}{inside}") from error


PLACES = {"input": 0, "exponent": 1, "mat2": 1, "other": 1, "vec2": 1}  # what it calls an argument -> which one it is
SHAPES = {"dims", "repeats", "shape", "size", "sizes"}  # ... those that stand behind a star here


def in_other_words(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The result of a call that failed as it was in words of PyTorch's that are no parameters here: `out=`, a shape by
    its name, `input=`, options that change nothing; NotImplemented for any other."""
    parameters = signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    odd = options.keys() - {*names}
    rest = without_neutral(options, names)
    for key in odd & PLACES.keys() if names else ():
        if (name := names[min(PLACES[key], len(names) - 1)]) not in rest:
            rest[name] = rest.pop(key)
    if odd & SHAPES and any(p.kind is p.VAR_POSITIONAL for p in parameters):
        args = (*[rest.pop(name) for name in names[:1] if name in rest], *args, rest.pop(*(odd & SHAPES)))
    into = rest.pop("out", None) if "out" in odd else None
    if not odd or odd <= rest.keys():
        return NotImplemented
    result = naming(function)(*args, **rest)
    return result if into is None else on_tensors.write_out(function.__name__, into, result)


on_tensors.in_other_words = in_other_words


def _kinds(parameter: Parameter) -> list[str]:
    """The heads of what an annotation allows."""
    return [x.strip().partition("[")[0] for x in str(parameter.annotation).split("|")]


def _with_tensors(bound: BoundArguments, name: str) -> bool:
    """Make the NumPy arrays among the arguments Tensors where those are asked for; whether there were any."""
    made: Callable[[Any], Any] = lambda x: Tensor(as_array(x, name)) if is_array(x) else x
    found = False
    for key, value in bound.arguments.items():
        several = type(value) is tuple
        if any(map(is_array, value if several else (value,))) and "Tensor" in _kinds(bound.signature.parameters[key]):
            bound.arguments[key], found = tuple(map(made, value)) if several else made(value), True
    return found


def with_tensors(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The arguments for a call with effects, which cannot be made a second time: NumPy arrays are Tensors already."""
    with suppress(TypeError):  # what does not bind fails in the call
        bound = signature(function).bind(*args, **options)
        if _with_tensors(bound, function.__qualname__):
            return bound.args, bound.kwargs
    return args, options


def _source(error: Exception) -> str:
    """Who raised it: "the user", in code of theirs; "lucid", with a `raise`; or "Python", at a step that failed."""
    at, module = error.__traceback__, ""
    while at is not None and at.tb_next is not None:
        at = at.tb_next
        module = at.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in _OURS:
            return "the user"
    step = at.tb_frame.f_code.co_code[at.tb_lasti] if at is not None else None
    return "lucid" if module.startswith("lucid.") and step == opmap["RAISE_VARARGS"] else "Python"


_GUARDED: set[Any] = set()


def guard(*owners: Any) -> None:
    """Have the public functions in modules and in their classes name themselves. Operations, and what most decorators
    have made, do already: they have attributes. The public form of an operation has one, `op`."""
    for owner in owners:
        if owner in _GUARDED:  # a base of many classes
            continue
        _GUARDED.add(owner)
        public = getattr(owner, "__all__", vars(owner))  # what a module imports from others stays as quick as it is
        for key, value in [(key, value) for key, value in vars(owner).items() if key in public]:
            if isinstance(value, type):
                if value in _GUARDED or isinstance(owner, type):
                    continue
                guard(*[base for base in value.__mro__ if base.__module__.startswith("lucid.")])
            elif type(value) is FunctionType and value.__module__.startswith("lucid.") and (
                not vars(value) or (vars(value).keys() == {"op"} and value.op.call is not value)  # type: ignore[attr-defined]
            ):
                name, takes = value.__name__, value.__code__.co_varnames[:2] not in ((), ("self",))
                plain = name == "__init__" or (name.isidentifier() and name[0] != "_")
                if plain and takes and not QUICK & {name, value.__qualname__}:
                    setattr(owner, key, naming(value))
                    home: Any = value.__globals__
                    if home.get(name) is value:  # where pickle looks for it
                        home[name] = naming(value)

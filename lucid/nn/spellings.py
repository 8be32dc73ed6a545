"""Ways in which PyTorch's functions of networks may be called besides: `inplace`, `size_average` and `reduce` in the
place of `reduction`, and a softmax without its `dim`.

Each is one function around another; `lucid.nn.functional` puts them on. Layers call the `plain` form.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any

from lucid.core.node import Tensor
from lucid.core.promotion import ndim_of, shown
from lucid.ops.inplace import assign_in_place
from lucid.ops.refusals import naming


def _around(function: Callable[..., Any], wrapper: Any, **attributes: Any) -> Callable[..., Any]:
    """`wrapper` under the name of `function`; pickle looks for it in lucid.nn.functional."""
    vars(wraps(function)(wrapper)).update(attributes)
    wrapper.__module__ = "lucid.nn.functional"
    return wrapper


def _naming(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with refusals that name it; operations, which have attributes, do that themselves."""
    return function if vars(function) else naming(function)


def with_inplace(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`function`, with a last argument `inplace`: whether the input is given the values of the result, and returned."""
    others, named = function.__code__.co_argcount - 1, _naming(function)

    def alone(input: Tensor, inplace: bool = False) -> Tensor:  # relu is called often: this takes 0.1 us, not 0.6
        return named(input) if inplace is False else changing(input, inplace=inplace)

    def changing(input: Tensor, *args: Any, inplace: bool = False, **options: Any) -> Tensor:
        if len(args) > others:
            *args, inplace = args  # type: ignore[assignment]
        if type(inplace) is not bool:
            raise TypeError(f"{function.__name__}: expected True or False for 'inplace', got {shown(inplace)}")
        out = named(input.clone() if inplace else input, *args, **options)  # a copy, as vjps may need it
        return assign_in_place(input, function.__name__, out) if inplace else out

    before = [p for p in signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    last = Parameter("inplace", Parameter.POSITIONAL_OR_KEYWORD, default=False)
    return _around(function, changing if others else alone, plain=function, __signature__=Signature([*before, last]))


def with_size_average(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with what stood for `reduction` before: `size_average`, `reduce`, and the name "elementwise_mean"."""

    named = _naming(function)

    def reduced(*args: Any, size_average: bool | None = None, reduce: bool | None = None, **options: Any) -> Any:
        given = options.get("reduction")
        before = given if isinstance(given, str) and given == "elementwise_mean" else "size_average and reduce"
        if size_average is not None or reduce is not None or before == "elementwise_mean":
            options["reduction"] = name = "none" if reduce is False else "sum" if size_average is False else "mean"
            warnings.warn(f"{before}: deprecated; write reduction={name!r}", stacklevel=2)
        return named(*args, **options)

    return _around(function, reduced, plain=function)


def with_implicit_dim(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A softmax whose `dim` may be left out, with a warning: it is then 0 of 1 or 3 dims, else 1; with a `dtype`."""

    def along(input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: Any = None, **options: Any) -> Tensor:
        if dim is None and not options:
            dim = 0 if ndim_of(function.__name__, input) in (0, 1, 3) else 1
            chosen = f"{function.__name__}: an implicit dim is deprecated, and dim={dim} was taken; write dim={dim}"
            warnings.warn(chosen, stacklevel=_stacklevel - 1)
        return function(input if dtype is None else input.to(dtype), *[] if dim is None else [dim], **options)

    input, *others = signature(function).parameters.values()
    return naming(_around(function, along, __signature__=Signature([input.replace(name="input"), *others])))

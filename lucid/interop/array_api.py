"""The array API standard (data-apis.org/array-api, 2024.12) on Tensors: what `x.__array_namespace__()` gives.

Most of its functions are lucid's own. Here stand those that have another name there, other defaults or another result;
what lucid has nothing for, such as complex numbers, is an AttributeError. Derivatives are those of lucid's functions.
"""
# mypy: ignore-errors

from functools import cache
from types import ModuleType, SimpleNamespace

from lucid.core.array import numpy
from lucid.ops.tensor_methods import OPERATORS


@cache
def namespace(lucid: ModuleType) -> SimpleNamespace:
    """The standard's names; `lucid` is the package, which stands above this file."""
    names = {name: getattr(numpy, name) for name in "broadcast_shapes can_cast e finfo iinfo isdtype".split()}
    names |= OPERATORS | {"pow": OPERATORS["power"], "bitwise_invert": OPERATORS["invert"]}
    names |= {f"bitwise_{side}_shift": OPERATORS[f"{side}_shift"] for side in ("left", "right")}
    flat = lambda x, axis: (x.reshape(-1), 0) if axis is None else (x, axis)  # None: all elements in a row
    ends = lambda start, stop: (0, start) if stop is None else (start, stop)
    names |= dict(  # noqa: C408
        bool=lucid.bool_, max=lucid.amax, min=lucid.amin, moveaxis=lucid.movedim, take_along_axis=lucid.take_along_dim,
        result_type=lambda *them: numpy.result_type(*(getattr(x, "dtype", x) for x in them)),
        asarray=lambda obj, *, copy=None, **options: (lucid.tensor if copy else lucid.as_tensor)(obj, **options),
        astype=lambda x, dtype, *, copy=True, device=None: (x.clone() if copy else x).to(dtype=dtype, device=device),
        arange=lambda start, stop=None, step=1, **options: lucid.arange(*ends(start, stop), step, **options),
        linspace=lambda a, b, n, *, endpoint=True, **options: lucid.linspace(a, b, n + (not endpoint), **options)[:n],
        eye=lambda n, m=None, *, k=0, **options: lucid.ones(n, n if m is None else m, **options).triu(k).tril(k),
        tril=lambda x, *, k=0: x.tril(k),
        triu=lambda x, *, k=0: x.triu(k),
        meshgrid=lambda *arrays, indexing="xy": lucid.meshgrid(*arrays, indexing=indexing),
        concat=lambda arrays, *, axis=0: lucid.cat([flat(x, axis)[0] for x in arrays], dim=axis or 0),
        permute_dims=lambda x, axes: x.permute(*axes),
        matrix_transpose=lambda x: x.mT,
        expand_dims=lambda x, axis=0: x.unsqueeze(axis),
        flip=lambda x, *, axis=None: x.flip(tuple(range(x.ndim)) if axis is None else axis),
        roll=lambda x, shift, *, axis=None: x.roll(shift, axis),
        repeat=lambda x, repeats, *, axis=None: x.repeat_interleave(repeats, dim=axis),
        reshape=lambda x, shape, *, copy=None: (x.clone() if copy else x).reshape(*shape),
        unstack=lambda x, *, axis=0: x.unbind(axis),
        broadcast_arrays=lambda *them: tuple(x.expand(numpy.broadcast_shapes(*(a.shape for a in them))) for x in them),
        std=lambda x, *, axis=None, correction=0.0, keepdims=False: x.std(axis, correction, keepdims),
        var=lambda x, *, axis=None, correction=0.0, keepdims=False: x.var(axis, correction, keepdims),
        sort=lambda x, *, axis=-1, descending=False, stable=True: x.sort(axis, descending, stable).values,
        argsort=lambda x, *, axis=-1, descending=False, stable=True: x.argsort(axis, descending, stable),
        count_nonzero=lambda x, *, axis=None, keepdims=False: (x != 0).sum(axis, keepdims),
        nonzero=lambda x: x.nonzero().unbind(1),
        take=lambda x, indices, *, axis=None: x.index_select(axis or 0, indices),
        isin=lambda a, b, *, invert=False: (a.unsqueeze(-1) == lucid.as_tensor(b).reshape(-1)).any(-1) ^ invert,
        signbit=lambda x: lucid.copysign(1.0, x) < 0,
        cumulative_sum=lambda x, *, axis=None, dtype=None: lucid.cumsum(*flat(x, axis), dtype=dtype),
        cumulative_prod=lambda x, *, axis=None, dtype=None: lucid.cumprod(*flat(x, axis), dtype=dtype),
        tensordot=lambda a, b, *, axes=2: lucid.tensordot(a, b, dims=axes),
        vecdot=lambda a, b, *, axis=-1: (a * b).sum(axis),
        unique_values=lambda x: x.unique(),
    )  # fmt: skip
    own = {name: getattr(lucid, name) for name in lucid.__all__}
    return SimpleNamespace(**own | names, concatenate=names["concat"], __name__=__name__)

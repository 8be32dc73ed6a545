"""Wrong uses of methods in place, of fills, and of what else stands in ops/spellings.py (see errors.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lucid

Error = tuple[Callable[[], Any], type[Exception], str]
ONE = """
    abs acos acosh asin asinh atan atanh ceil cos cosh digamma erf erfc erfinv exp exp2 expm1 floor lgamma log log10
    log1p log2 logical_not nan_to_num neg reciprocal relu round rsqrt sigmoid sign sin sinh sqrt square tan tanh tril
    triu trunc
""".split()
TWO = """
    atan2 copysign eq floor_divide fmod ge gt hypot le logical_and logical_or logical_xor lt ne remainder
""".split()
# What is called on a matrix, in place: the name, and what else it is given, of `m`, lucid or PyTorch, and of x.
CALLS: dict[str, Callable[[Any, Any], tuple[Any, ...]]] = {
    **{name: lambda m, x: () for name in ONE},
    **{name: lambda m, x: (x.flip(0) * 0.7,) for name in TWO},
    **dict.fromkeys(("addcdiv", "addcmul", "addmm"), lambda m, x: (x * 0.5, x + 2)),
    **dict.fromkeys(("cumprod", "cumsum"), lambda m, x: (0,)),
    "clamp": lambda m, x: (0.3, 0.5),
    "clip": lambda m, x: (0.3, 0.5),
    "lerp": lambda m, x: (x * 3, 0.25),
}
RESHAPED = {"squeeze": (), "swapaxes": (0, 1), "t": (), "transpose": (0, 1), "unsqueeze": (0,)}
FILLS = {"bernoulli": "p must lie in", "exponential": "lambd must lie in", "normal": "std must lie in"}


def leaf() -> Any:
    return lucid.full((2, 2), 0.4, requires_grad=True)


def written(name: str) -> Any:
    x = leaf()
    return getattr(x, f"{name}_")(*CALLS[name](lucid, x.detach()))


batch = lambda: lucid.ones(1, 2, 2)
ERRORS: dict[str, list[Error]] = {
    **{
        f"Tensor.{name}_": [(lambda name=name: written(name), RuntimeError, f"^{name}_: this tensor is a leaf that")]
        for name in CALLS
        if name not in ("clamp", "relu")
    },
    "Tensor.baddbmm_": [
        (lambda: batch().requires_grad_().baddbmm_(batch(), batch()), RuntimeError, "baddbmm_: this ten")
    ],
    **{
        f"Tensor.bitwise_{name}_": [
            (
                lambda name=name: getattr(lucid.arange(2), f"bitwise_{name}_")(1.5),
                TypeError,
                f"bitwise_{name}: not defined for int64|bitwise_{name}: ",
            )
        ]
        for name in ("and", "or", "xor")
    },
    **{
        f"Tensor.{name}_": [
            (
                lambda name=name: getattr(leaf(), f"{name}_")(*RESHAPED[name]),
                RuntimeError,
                rf"^{name}_: a leaf that requires a gradient, or history .*; write x = x.{name}\(",
            )
        ]
        for name in RESHAPED
    },
    **{
        f"Tensor.{name}_": [
            (lambda name=name: getattr(leaf(), f"{name}_")(), RuntimeError, f"{name}_: this tensor is a l"),
            (lambda name=name: getattr(lucid.ones(2), f"{name}_")(*[0.0] * (name == "normal"), -1.0), ValueError, says),
        ]
        for name, says in FILLS.items()
    },
    "Tensor.uniform_": [
        (lambda: lucid.ones(2).uniform_(1, 0), ValueError, r"uniform_: b must lie in \[1.0, inf\], got 0"),
        (lambda: lucid.arange(2).uniform_(), TypeError, "uniform_: expected a float dtype, got int64"),
    ],
    "Tensor.random_": [
        (lambda: lucid.ones(2).random_(3, 3), ValueError, "random_: .*no integers from 3 up to 3"),
        (lambda: lucid.ones(2).random_("a"), TypeError, "random_: expected an int or None for 'low', got 'a'"),
    ],
    "Tensor.new": [(lambda: lucid.ones(2).new((2, 3)), TypeError, r"^new: expected a shape, new\(2, 3\), or data")],
    "Tensor.type": [(lambda: lucid.ones(2).type("FlotTensor"), TypeError, "^type: .*unknown dtype 'FlotTensor'")],
    "bernoulli": [
        (lambda: lucid.bernoulli(lucid.tensor([2.0])), ValueError, r"bernoulli_: p must lie in \[0, 1\], got")
    ],
    "normal": [
        (lambda: lucid.normal(0.0, 1.0), TypeError, r"normal: expected a size, normal\(0.0, 1.0, \(2, 3\)\), or a"),
        (lambda: lucid.normal(lucid.ones(2), 1.0, (2,)), TypeError, "normal: expected a size"),
        (lambda: lucid.normal(0.0, -1.0, (2,)), ValueError, r"normal: std must lie in \[0, inf\], got -1.0"),
        (lambda: lucid.normal(0.0, 1.0, (2,), dtype="int64"), TypeError, "normal: expected a float dtype"),
    ],
}

"""The error and gamma functions beside values computed to 40 digits (mpmath, which no test needs)."""

from __future__ import annotations

import numpy as np
import pytest

import lucid

VALUES: dict[str, list[tuple[float, float]]] = {
    "erfc": [
        (-3.0, 1.9999779095030015),
        (-0.5, 1.5204998778130465),
        (0.25, 0.7236736098317631),
        (0.5, 0.4795001221869535),
        (0.75, 0.28884436634648486),
        (1.0, 0.15729920705028513),
        (2.5, 0.0004069520174449589),
        (5.0, 1.537459794428035e-12),
        (10.0, 2.088487583762545e-45),
        (15.5, 1.6632016400488723e-106),
        (20.25, 2.272956417880784e-180),
        (26.0, 5.663192408856143e-296),
    ],
    "erfinv": [
        (-0.999, -2.3267537655135246),
        (-0.5, -0.4769362762044699),
        (1e-300, 8.86226925452758e-301),
        (1e-05, 8.862269254759594e-06),
        (0.1, 0.08885599049425769),
        (0.499, 0.47582428088309237),
        (0.5, 0.4769362762044699),
        (0.75, 0.8134198475976185),
        (0.95, 1.3859038243496777),
        (0.999999, 3.458910737275499),
        (0.9999999999990905, 5.05125408524939),
        (0.9999999999999999, 5.8635847487551676),
    ],
    "lgamma": [
        (-20.5, -42.70719597482576),
        (-3.25, -0.6231534513209986),
        (-0.5, 1.2655121234846454),
        (1e-300, 690.7755278982137),
        (0.1, 2.252712651734206),
        (0.5, 0.5723649429247001),
        (0.9999999990686774, 5.375739798578573e-10),
        (1.0000000000009095, -5.249745890076018e-13),
        (1.5, -0.12078223763524522),
        (1.9999999990686774, -3.9374859519130207e-10),
        (2.0000000000009095, 3.8452011276491285e-13),
        (2.5, 0.2846828704729192),
        (5.75, 4.366716036622286),
        (8.4, 9.341884976495052),
        (8.6, 9.757897951599297),
        (30.5, 72.9534711841694),
        (1000000.0, 12815504.569147611),
        (1e300, 6.897755278982137e302),
    ],
    "digamma": [
        (-20.25, 6.174235633614484),
        (-3.75, -1.6923885983113303),
        (-0.125, 7.195982928452304),
        (1e-300, -9.999999999999999e299),
        (0.1, -10.423754940411076),
        (0.5, -1.9635100260214235),
        (1.0, -0.5772156649015329),
        (1.25, -0.22745353337626542),
        (2.0, 0.42278433509846713),
        (7.5, 1.9467574842460869),
        (30.5, 3.401243668961661),
        (1000000.0, 13.815510057964191),
        (1e300, 690.7755278982137),
    ],
}
ULPS = {"erfc": 8, "erfinv": 4, "lgamma": 4, "digamma": 8}  # erfinv next to 1, and lgamma right of 2, have the most


@pytest.mark.parametrize("name", VALUES)
def test_all_digits_of_float64(name: str) -> None:
    x, expected = np.array(VALUES[name]).T
    found = getattr(lucid, name)(lucid.tensor(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=ULPS[name] * 2.0**-52)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_narrower_floats_are_rounded_once(name: str, dtype: str) -> None:
    with np.errstate(over="ignore"):
        x = np.array(VALUES[name])[:, 0].astype(dtype)
        found = getattr(lucid, name)(lucid.tensor(x))
        expected = getattr(lucid, name)(lucid.tensor(x.astype("float64"))).numpy().astype(dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), expected)


def test_the_slopes_are_the_functions_next_in_line() -> None:
    x = lucid.tensor([-2.5, 0.3, 4.0], dtype="float64", requires_grad=True)
    (slope,) = lucid.autograd.grad(lucid.lgamma(x).sum(), x, create_graph=True)
    np.testing.assert_array_equal(slope.detach().numpy(), lucid.digamma(x).detach().numpy())
    for _ in range(3):  # psi(x + 1) - psi(x) = 1 / x, differentiated n times
        (slope,) = lucid.autograd.grad(slope.sum(), x, create_graph=True)
    step = lucid.tensor(x.tolist(), dtype="float64", requires_grad=True)
    moved = lucid.digamma(step + 1)
    for _ in range(3):
        (moved,) = lucid.autograd.grad(moved.sum(), step, create_graph=True)
    np.testing.assert_allclose((moved - slope).detach().numpy(), (-6 / x**4).detach().numpy(), rtol=1e-9)


def test_logsumexp_of_nothing_is_the_log_of_0() -> None:
    for shape, dim, expected in (((0, 3), 0, [-np.inf] * 3), ((0, 3), 1, []), ((2, 0), None, -np.inf)):
        x = lucid.zeros(*shape, requires_grad=True)
        out = x.logsumexp(dim)
        out.sum().backward()
        assert out.tolist() == expected and x.grad.shape == shape and x.logsumexp(dim, True).ndim == x.ndim

"""How an operation is made: what `@op` accepts, generates and saves, for operations of lucid and of its users."""

import numpy as np
import pytest

import lucid
from lucid.autograd import gradcheck, gradgradcheck


def test_what_several_formulas_need_is_computed_once() -> None:
    runs = []

    @lucid.op(
        once={"d": lambda xp, g, out: (runs.append(xp), g * out)[1]},
        x=lambda xp, g, d, y: d * y,
        y=lambda xp, g, d, x: d * x,
    )
    def exp_of_product(xp, x, y):
        return xp.exp(x * y)

    x = lucid.tensor([0.3, 0.2], dtype="float64", requires_grad=True)
    y = lucid.tensor([0.5, 0.1], dtype="float64", requires_grad=True)
    assert gradcheck(exp_of_product, [x, y]) and gradgradcheck(exp_of_product, [x, y])
    runs.clear()
    exp_of_product(x, y).sum().backward()
    assert len(runs) == 1
    np.testing.assert_allclose(x.grad.numpy(), y.detach().numpy() * np.exp(x.detach().numpy() * y.detach().numpy()))
    node = exp_of_product(x.detach(), y)._node
    assert dict(zip(node.op.saved, (value is not None for value in node.saved), strict=True)) == {"out": True, "y": False, "x": True}


def test_a_step_computed_once_that_asks_for_an_unknown_name_is_refused() -> None:
    with pytest.raises(TypeError, match="the formula for 'd' asks for z"):

        @lucid.op(once={"d": lambda xp, g, z: g}, x=lambda xp, g, d: d)
        def lost(xp, x):
            return x

"""How an operation is made: what `@op` accepts, generates and saves, for operations of lucid and of its users."""

from typing import Any

import numpy as np
import pytest

import lucid
from lucid.autograd import checkpoint, functional, grad, gradcheck, gradgradcheck


def leaf(values: object) -> lucid.Tensor:
    return lucid.tensor(values, dtype="float64", requires_grad=True)


def third(f: object, inputs: list[lucid.Tensor]) -> bool:
    """Whether the third derivatives of `f` are the slopes of its second ones."""
    return gradgradcheck(
        lambda *xs: grad(
            f(*xs),
            [x for x in xs if x.requires_grad],
            [lucid.ones_like(f(*xs))],
            create_graph=True,
            materialize_grads=True,
        ),
        inputs,
    )


def test_what_several_formulas_need_is_computed_once() -> None:
    runs = []

    @lucid.op(
        shared={"d": lambda xp, g, out: (runs.append(xp), g * out)[1]},
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
    assert dict(zip(node.op.saved_names, (value is not None for value in node.saved), strict=True)) == {
        "out": True,
        "y": False,
        "x": True,
    }


def test_a_step_computed_once_that_asks_for_an_unknown_name_is_refused() -> None:
    with pytest.raises(TypeError, match="the vjp of 'd' asks for z"):

        @lucid.op(shared={"d": lambda xp, g, z: g}, x=lambda xp, g, d: d)
        def lost(xp, x):
            return x


# -- what a user can make --------------------------------------------------------------------------------------------


@lucid.op(
    aux_outputs={"p": lambda xp, x, sharpness: xp.softmax(x * sharpness, axis=-1)},
    shared={"d": lambda xp, g, p, x_shape: xp.reshape(g, shape=(*x_shape[:-1], 1)) * p},
    x=lambda xp, g, d, values, out, sharpness, x_shape: d * sharpness * (values - xp.reshape(out,
                                                                                             shape=(*x_shape[:-1], 1))),
    values=lambda xp, g, d: d,
)
def soft_pick(xp, x, values, *, sharpness=1.0):
    """The mean of `values`, weighted by the softmax of x."""
    p = xp.exp(x * sharpness)
    p = p / xp.sum(p, axis=-1, keepdims=True)
    return xp.sum(p * values, axis=-1), p


def _others(xp, g, arrays, power):
    """For each factor, power * the product of all, over that factor."""
    found = []
    for i, a in enumerate(arrays):
        part = g * power * a ** (power - 1)
        for j, b in enumerate(arrays):
            part = part if i == j else part * b**power
        found.append(part)
    return found


@lucid.op(arrays=lambda xp, g, arrays, power: _others(xp, g, arrays, power))
def product_of_powers(xp, *arrays, power=2):
    out = arrays[0] ** power
    for a in arrays[1:]:
        out = out * a**power
    return out


@lucid.op(x=lambda xp, g, where, x, x_shape: xp.scatter_add(3 * g * xp.getitem(x, index=(where,)) ** 2, shape=x_shape,
                                                            index=(where,)))
def cubes_at(xp, x, where):
    """The cubes of some elements; `where` holds integers, and has no formula."""
    return x[where] ** 3


@lucid.op(x=lambda xp, g: 2 * g, shift=lambda xp, g: g)
def twice(xp, x, shift=None):
    """2 x, moved by `shift` if there is one."""
    return 2 * x if shift is None else 2 * x + shift


INDEX = lucid.tensor([2, 0, 2])
A, B = [[0.3, -0.5, 0.9], [0.1, 0.8, -0.2]], [[1.1, 0.4, -0.6], [0.7, -0.9, 0.2]]
USERS = {
    "keeps and once": (lambda x, v: soft_pick(x, v), [A, B]),
    "an option": (lambda x, v: soft_pick(x, v, sharpness=2.5), [A, B]),
    "several arrays": (lambda x, y, z: product_of_powers(x, y, z), [A, B, [0.5, -0.4, 1.2]]),
    "several, with an option": (lambda x, y: product_of_powers(x, y, power=3), [A[0], B[0]]),
    "integers": (lambda x: cubes_at(x, INDEX), [A[0]]),
    "left out": (lambda x: twice(x) * twice(x), [A[0]]),
    "not left out": (lambda x, s: twice(x, s) * twice(s, x), [A[0], B[0]]),
}


@pytest.mark.parametrize("name", USERS)
def test_a_users_operation_has_derivatives_of_every_order(name: str) -> None:
    f, values = USERS[name]
    inputs = [leaf(v) for v in values]
    assert gradcheck(f, inputs) and gradgradcheck(f, inputs) and third(f, inputs)


@pytest.mark.parametrize("name", USERS)
def test_a_users_operation_works_wherever_others_do(name: str) -> None:
    f, values = USERS[name]
    inputs = tuple(lucid.tensor(v, dtype="float64") for v in values)

    def g(*xs: lucid.Tensor) -> lucid.Tensor:
        return (f(*xs) ** 2).sum()

    kept, made_again = functional.hessian(g, inputs), functional.hessian(lambda *xs: checkpoint(g, *xs), inputs)
    for row, other in zip(kept, made_again, strict=True):
        for a, b in zip(row, other, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    single = f(*(x.float() for x in inputs))
    assert single.dtype == lucid.float32 and not single.requires_grad
    np.testing.assert_allclose(single.numpy(), f(*inputs).numpy(), rtol=1e-5)


def test_a_users_operation_saves_what_its_formulas_ask_for() -> None:
    x, v = leaf(A), leaf(B)
    saved = dict(zip(soft_pick.op.saved_names, soft_pick(x, v.detach(), sharpness=2.0)._node.saved, strict=True))
    assert saved.pop("sharpness") == 2.0 and saved.pop("x_shape") == (2, 3)
    assert {name for name, value in saved.items() if value is not None} == {"p", "x", "values", "out"}
    saved = dict(zip(soft_pick.op.saved_names, soft_pick(x.detach(), v)._node.saved, strict=True))
    assert saved["values"] is None and saved["out"] is None and saved["p"] is not None
    assert cubes_at(x[0], INDEX)._node.inputs[0] is not None and len(cubes_at(x[0], INDEX)._node.inputs) == 1


def test_what_is_kept_is_not_computed_again_but_where_a_derivative_of_it_is_asked_for() -> None:
    runs = []

    @lucid.op(aux_outputs={"e": lambda xp, x: (runs.append(1), xp.exp(x))[1]}, x=lambda xp, g, e: g * e)
    def exp_kept(xp, x):
        e = xp.exp(x)
        return e, e

    x = leaf([0.3, 0.2])
    exp_kept(x).sum().backward()
    assert not runs
    grad(exp_kept(x).sum(), x, create_graph=True)
    assert len(runs) == 1 and gradgradcheck(exp_kept, x)


def test_an_operation_may_be_defined_anew_where_it_was_defined() -> None:
    def make(factor: float) -> object:
        @lucid.op(x=lambda xp, g: factor * g)
        def scaled_here(xp, x):
            return factor * x

        return scaled_here

    x = leaf([1.0])
    for factor in (2.0, 3.0):  # as in a notebook cell that is run again
        assert grad(make(factor)(x), x)[0].tolist() == [factor]


@lucid.op(x=lambda xp, g: xp.zeros_like(g), y=lambda xp, g: g)
def second_of(xp, x, y):
    return y


@lucid.op(arrays=lambda xp, g, arrays_shape: [g, *[xp.zeros_like(g) for _ in arrays_shape[1:]]])
def first_of(xp, *arrays):
    return arrays[0]


@lucid.op(arrays=lambda xp, g, arrays: [g * xp.ones_like(a) for a in arrays])
def number_of(xp, *arrays):
    return float(sum(a.sum() for a in arrays))


@pytest.mark.parametrize("recording", [True, False])
def test_whichever_input_is_handed_on_is_not_opened_to_writes(recording: bool) -> None:
    for f in (lambda x: second_of(x * 2, x), lambda x: first_of(x, x * 2)):
        x = leaf([1.0])
        with lucid.set_grad_enabled(recording):
            y = f(x)
        with pytest.raises(RuntimeError, match="a view of (another|a leaf)"):
            y.mul_(x)
        assert x.tolist() == [1]


def test_a_forward_may_return_a_python_number() -> None:
    x = leaf([1.0, 2.0])
    y = number_of(x, x)
    y.backward()
    assert y.item() == 6 and x.grad.tolist() == [2, 2]


def test_an_operation_may_be_defined_where_modules_have_no_name() -> None:
    space: dict = {"lucid": lucid}
    text = "@lucid.op(x=lambda xp, g: 2 * g)\ndef doubled_nowhere(xp, x):\n    return 2 * x\n"
    exec(text, space)
    x = leaf([3.0])
    space["doubled_nowhere"](x).backward()
    assert x.grad.tolist() == [2]


def define(*, body: object = lambda xp, x: x * 2, name: str = "odd_one", **formulas: object) -> object:
    body.__name__ = name
    return lucid.op(**formulas)(body)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: define(body=lambda x: x * 2, x=lambda xp, g: g), TypeError,
         r"odd_one: the forward must begin with xp, got \(x\); xp is the namespace"),
        (lambda: define(body=lambda: 2), TypeError, r"odd_one: the forward must begin with xp, got \(\)"),
        (lambda: define(x=lambda g: g), TypeError,
         r"odd_one: the vjp of 'x' must begin with xp and g, got \(g\); what it needs follows by name; write "
         r"@lucid.op"),
        (lambda: define(x=lambda g, xp: g), TypeError,
         r"odd_one: the vjp of 'x' must begin with xp and g, got \(g, xp\)"),
        (lambda: define(x=lambda xp, g, d: d, shared={"d": lambda g, out: g}), TypeError,
         r"odd_one: the vjp of 'd' must begin with xp and g, got \(g, out\)"),
        (lambda: define(x=lambda xp, g, e: e, aux_outputs={"e": lambda x: x}), TypeError,
         r"odd_one: the recomputation of 'e' must begin with xp, got \(x\)"),
        (lambda: lucid.op(lambda xp, x: x), TypeError,
         r"op: @lucid.op stands without its parentheses.*write @lucid.op\(x=lambda xp, g, y: g"),
        (lambda: define(body=lambda xp, x: (x, x), x=lambda xp, g: g)(leaf([1.0])), TypeError,
         "odd_one: an operation has one output, and the forward returned a tuple; "
         ".*aux_outputs=.*lucid.autograd.Function"),
        (lambda: define(body=lambda xp, *x: [*x], x=lambda xp, g: [g])(leaf([1.0])), TypeError,
         "odd_one: an operation has one output, and the forward returned a list"),
        (lambda: define(y=lambda xp, g: g), TypeError, "odd_one: a vjp of 'y', but the inputs are x; write @lucid.op"),
        (lambda: define(x=lambda xp, g, z: g), TypeError,
         "odd_one: the vjp of 'x' asks for z; it can have out, x, x_dtype, x_shape"),
        (lambda: define(x=lambda xp, g, d: d, shared={"d": lambda xp, g, w: g}), TypeError,
         "odd_one: the vjp of 'd' asks for w"),
        (lambda: define(name="multiply", x=lambda xp, g: g), TypeError,
         "lucid.core.elementwise has an operation 'multiply' already.*give yours another name"),
        (lambda: define(x={"x": 1}), TypeError,
         "odd_one: the vjp of 'x' must be a function, got dict; write @lucid.op"),
        (lambda: define(x=lambda xp, g: g)("text"), TypeError,
         "odd_one: expected a Tensor, a number or an array for 'x', got str"),
        (lambda: define(x=lambda xp, g: g)(), TypeError, "missing 1 required positional argument: 'x'"),
        (lambda: define(x=lambda xp, g: g)(leaf([1.0]), 3), TypeError, "takes 1 positional argument"),
        (lambda: define(x=lambda xp, g: g)(leaf([1.0]), axis=3), TypeError, "unexpected keyword argument 'axis'"),
        (lambda: define(body=lambda xp, x: x.reshape(7), x=lambda xp, g: g)(leaf([1.0])), ValueError,
         r"odd_one: cannot reshape .* \(shapes \(1,\)\)"),
        (lambda: define(x=lambda xp, g: xp.reshape(g, shape=(2, 1)))(leaf([1.0, 2.0])).sum().backward(), RuntimeError,
         r"odd_one gave a gradient of shape \(2, 1\) for an input of shape \(2,\)"),
        (lambda: define(x=lambda xp, g: xp.fourier(g))(leaf([1.0])).backward(), AttributeError,
         "xp.fourier: no operation, and not in lucid's array namespace or numpy's"),
        (lambda: product_of_powers(), ValueError, "product_of_powers: expected at least one tensor, got none"),
        (lambda: product_of_powers(leaf([1.0]), "text"), TypeError, "product_of_powers: expected tensors, got str"),
    ],
)  # fmt: skip
def test_misuse_is_told(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_what_is_kept_may_be_told_in_terms_of_what_is_kept_before_it() -> None:
    @lucid.op(
        aux_outputs={"e": lambda xp, x: xp.exp(x), "y": lambda xp, e: xp.log1p(e)},
        x=lambda xp, g, y: g * (1 - xp.exp(-y)),  # asks for the second alone
    )
    def softplus_kept(xp, x):
        e = xp.exp(x)
        y = xp.log1p(e)
        return y.copy(), e, y

    x = leaf([0.3, -0.2])
    assert gradcheck(softplus_kept, x) and gradgradcheck(softplus_kept, x)


def test_a_plan_that_another_thread_has_just_made_is_found():
    op = lucid.exp.op
    save = op.save  # plans it
    assert op.__getattr__("save") is save  # what a thread calls that looked for it a moment earlier
    with pytest.raises(AttributeError, match="operations have no attribute 'saves'"):
        op.__getattr__("saves")


def test_an_operation_may_call_numpys_function_of_its_own_name() -> None:
    x = leaf([8.0, 27.0])

    @lucid.op(x=lambda xp, g, x: g / (3 * xp.cbrt(x) ** 2))
    def cbrt(xp: Any, x: Any) -> Any:
        return xp.cbrt(x)

    assert cbrt(x).tolist() == [2.0, 3.0]
    assert lucid.autograd.gradcheck(cbrt, (x,)) and lucid.autograd.gradgradcheck(cbrt, (x,))

    @lucid.op(x=lambda xp, g, x, out: g * x / out, y=lambda xp, g, y, out: g * y / out)
    def hypot(xp: Any, x: Any, y: Any) -> Any:  # lucid has one of this name
        return xp.hypot(x, y)

    assert hypot(3.0, 4.0).item() == 5.0 and lucid.hypot is not hypot
    y = leaf([1.0, 2.0])
    assert lucid.autograd.gradgradcheck(hypot, (x, y)) and lucid.autograd.gradgradcheck(lucid.hypot, (x, y))


def test_an_operation_may_use_every_function_of_numpys() -> None:
    @lucid.op(x=lambda xp, g, x, width: g * xp.hanning(width))
    def windowed(xp: Any, x: Any, *, width: int) -> Any:
        return x * xp.hanning(width) + 0 * xp.fft.fft(x).real * xp.pi

    x = leaf([1.0, 2.0, 3.0])
    windowed(x, width=3).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0.0, 1.0, 0.0]

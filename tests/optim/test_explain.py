"""optimizer.explain: what it says of a step is what the step does, to the bit, and asking changes nothing."""

import copy
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.optim import Optimizer
from tests.optim.test_optimizers import TABLE
from tests.optim.training import give, model_and_data, parameter
from tests.whole import one_of_each

ROWS = [(name, options) for name, rows in TABLE.items() for options in [{}, *rows]]


def assorted(rng: np.random.Generator) -> list[nn.Parameter]:
    """Small and big ones, of every dtype; without dims, without elements, and with gaps between the elements."""
    gaps = nn.Parameter(np.zeros((3, 4)))
    gaps.data = lucid.Tensor(rng.standard_normal((3, 8))[:, ::2])
    arrays = [
        rng.standard_normal((4, 3)),
        rng.standard_normal((5,)).astype("float32"),
        rng.standard_normal((2, 2)).astype("float16"),
        np.float32(0.5).reshape(()),
        np.zeros((0, 3)),
        rng.standard_normal((83, 99)).astype("float32"),  # moved alone
    ]
    return [gaps, *map(nn.Parameter, arrays)]


def snapshot(optimizer: Optimizer, params: list[nn.Parameter]) -> Any:
    """All that asking might have changed, as bytes and identities."""
    state = {
        id(p): {k: (id(v), np.asarray(v).tobytes()) for k, v in entry.items()} for p, entry in optimizer.state.items()
    }
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    arrays = [(id(p._array), p._array.tobytes(), p.grad is None or p.grad.numpy().tobytes()) for p in params]
    return state, copy.deepcopy(groups), arrays, optimizer.defaults.copy()


def same(values: list[float], array: Any) -> bool:
    """Whether these numbers are those of the array, to the bit."""
    return np.array(values, array.dtype).tobytes() == array.tobytes()


@pytest.mark.parametrize("name, options", one_of_each(ROWS, kind=lambda row: row[0]),
                         ids=[f"{name}-{options}" for name, options in ROWS])
def test_the_step_that_follows_is_the_one_that_was_explained(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    params = assorted(rng)
    optimizer = getattr(optim, name)(params, **{"eps": 1e-6} | options if name == "Adamax" else options)
    for step in range(7 if name == "RAdam" else 4):  # RAdam divides from the sixth on
        for p in params:
            g = rng.standard_normal(p.shape) * (rng.random(p.shape) < 0.7) * (100 if step == 3 else 1)
            p.grad = None if rng.random() < 0.1 else lucid.Tensor(np.asarray(g, p.dtype))
        optimizer.param_groups[0]["lr"] *= 0.9
        before = snapshot(optimizer, params)
        told = [optimizer.explain(p, max(1, p.numel())) for p in params]
        assert snapshot(optimizer, params) == before
        old = [p.detach().numpy().copy() for p in params]
        optimizer.step()
        for p, was, one in zip(params, old, told, strict=True):
            assert one.t == optimizer.state.get(p, {"t": 0})["t"]
            if p.grad is None or not p.numel():
                assert one.table == {}
                continue
            at = tuple(np.array(one.table["index"], int).reshape(p.numel(), p.ndim).T)
            assert len(set(one.table["index"])) == p.numel()
            assert same(one.table["theta"], was[at]) and same(one.table["g"], p.grad.numpy()[at])
            assert same(one.table["theta after"], p.detach().numpy()[at])
            kept = [slot for slot in optimizer.slots if slot in optimizer.state[p]]
            assert [label for label in one.table if label.endswith(" after")] == [
                *(f"{s} after" for s in kept),
                "theta after",
            ]
            for slot in kept:
                assert same(one.table[f"{slot} after"], optimizer.state[p][slot][at])
            assert one.table["move"] == sorted(one.table["move"], key=abs, reverse=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_iteration_of_lbfgs_is_the_one_that_was_explained(dtype: str) -> None:
    model, x, y = model_and_data()
    model, x, y = model.to(dtype), x.to(dtype), y.to(dtype)
    optimizer = optim.LBFGS(model.named_parameters(), lr=0.5, max_iter=1)

    def closure() -> lucid.Tensor:
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        return loss

    for step in range(6):
        closure()
        told = [optimizer.explain(p, p.numel()) for p in model.parameters()]
        optimizer.step(closure)
        for p, one in zip(model.parameters(), told, strict=True):
            assert one.t == step + 1 == optimizer.state[p]["t"] and one.numbers["pairs"] == step
            at = tuple(np.array(one.table["index"]).T)
            assert same(one.table["theta after"], p.detach().numpy()[at])
    text = str(optimizer.explain(first := next(iter(model.parameters()))))
    assert "LBFGS, step 7 of 0.weight: " in text and "d_k = -H_k * g_k" in text and "makes up to 1 iterations" in text
    model[2].bias.grad = None  # other parameters have gradients than before: all begin anew
    assert optimizer.explain(first).t == 1 and optimizer.explain(first).numbers["pairs"] == 0


def test_lbfgs_where_there_is_nowhere_to_go_and_before_a_search() -> None:
    p = give(parameter(1.0, 2.0), 0.0, 1e-9)
    optimizer = optim.LBFGS([p], line_search_fn="strong_wolfe")
    told = optimizer.explain(p)
    assert "No gradient is above tolerance_grad=1e-07, so it would stay where it is." in told.notes
    assert told.table["move"] == [0.0, 0.0]
    give(p, 3.0, 1.0)
    told = optimizer.explain(p)
    assert "The line search begins with this t; where it ends depends on the closure." in told.notes
    assert told.numbers == {"t": 0.25, "slope": -10.0, "pairs": 0} and told.table["move"] == [-0.75, -0.25]
    optimizer.param_groups[0]["tolerance_change"] = 11.0
    assert "Along d it hardly goes downhill any more, so it would stay where it is." in optimizer.explain(p).notes
    assert optimizer.explain(p).table["move"] == [0.0, 0.0]


# -- words -----------------------------------------------------------------------------------------------------------


def test_all_of_it_as_text() -> None:
    w = lucid.tensor([[0.5, -1.0, 2.0], [4.0, 8.0, 16.0]], requires_grad=True)
    optimizer = optim.Adamax([("w", w)], lr=0.25, eps=0)
    w.grad = lucid.tensor([[1.0, -2.0, 0.5], [4.0, 1.0, 1.0]])
    optimizer.step()
    w.grad = lucid.tensor([[1.0, 2.0, 0.0], [-4.0, 1.0, 1.0]])
    told = optimizer.explain(w, 6)
    assert repr(told) == str(told) and str(told) == """\
Adamax, step 2 of w: shape (2, 3), float32
group: lr=0.25, beta1=0.9, beta2=0.999, eps=0, weight_decay=0
now: step=1.31579
    `step`: the learning rate, corrected for m having begun at zero; u needs no correction.
equation:
    if weight_decay:
        g = g + weight_decay * theta
    m = beta1 * m + (1 - beta1) * g
    u = xp.maximum(beta2 * u, xp.abs(g))  # the infinity norm of past gradients, decayed
    return step * m / (u + eps), m, u  # eps at the division, not inside the max as PyTorch has it
6 of 6 elements move:
  index           (0, 0)     (1, 1)     (1, 2)     (0, 2)     (0, 1)
  theta             0.25       7.75      15.75       1.75      -0.75
  g                    1          1          1          0          2
  m                  0.1        0.1        0.1       0.05       -0.2
  m after           0.19       0.19       0.19      0.045       0.02
  u                    1          1          1        0.5          2
  u after              1          1          1     0.4995          2
  move             -0.25      -0.25      -0.25   -0.11854  -0.013158
  move / lr           -1         -1         -1   -0.47416  -0.052632
  move / g         -0.25      -0.25      -0.25          -  -0.006579
  theta after          0        7.5       15.5     1.6315   -0.76316

  index            (1, 0)
  theta              3.75
  g                    -4
  m                   0.4
  m after           -0.04
  u                     4
  u after               4
  move           0.013158
  move / lr      0.052631
  move / g     -0.0032895
  theta after      3.7632"""


def test_a_parameter_without_a_gradient() -> None:
    p = parameter(1.0)
    optimizer = optim.Adamax([p])
    told = optimizer.explain(p)
    assert str(told) == (
        "Adamax, no step of parameter 0 of group 0: shape (1,), float64\n"
        "group: lr=0.002, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0\n"
        "It has no gradient, so step() skips it: it does not move, and its t stays 0."
    )
    assert told.table == {} and "<table" not in told._repr_html_()
    optimizer.state[p] = {"t": 3, "m": np.zeros(1), "u": np.zeros(1)}
    assert "its t stays 3" in str(optimizer.explain(p)) and optimizer.explain(p).t == 3


def test_gradients_that_are_not_finite_come_first_and_are_counted() -> None:
    p = give(parameter(1.0, 2.0, 3.0, 4.0), 1.0, np.nan, 2.0, np.inf)
    told = optim.Adamax([p]).explain(p, 3)
    assert told.table["index"][:2] == [(1,), (3,)] and np.isnan(told.table["move"][:2]).all()
    assert "2 of 4 gradients are not finite: they spoil their own elements, and no others." in told.notes
    assert told.notes[-1] == "4 of 4 elements move; the 3 that move most:"


def test_half_precision_says_where_it_is_rounded_and_who_stays_for_it() -> None:
    p = nn.Parameter(np.array([1.0, 512.0], "float16"))
    p.grad = lucid.Tensor(np.array([1.0, 1.0], "float16"))
    told = optim.SGD([p], lr=0.125).explain(p)
    assert "State and arithmetic are float32; the new theta is rounded to float16 when it is stored." in told.notes
    assert told.table["move"] == [-0.125, 0.0] and told.notes[-1] == "1 of 2 elements move:"


def test_one_number_and_none() -> None:
    one, none = nn.Parameter(np.float64(2.0)), nn.Parameter(np.zeros((0, 3)))
    one.grad, none.grad = lucid.Tensor(np.float64(1.0)), lucid.Tensor(np.zeros((0, 3)))
    optimizer = optim.SGD([one, none], lr=0.5)
    assert optimizer.explain(one).table["index"] == [()] and optimizer.explain(one).table["theta after"] == [1.5]
    assert optimizer.explain(none).notes == ["0 of 0 elements move."] and optimizer.explain(none).table == {}


def test_a_learning_rate_of_zero_divides_nothing() -> None:
    p = give(parameter(1.0), 1.0)
    told = optim.Adamax([p], lr=0.0).explain(p)
    assert told.table["move / lr"] == [None] and told.notes == ["0 of 1 elements move:"]
    assert "\n  move / lr       -\n" in str(told)


class Plain(Optimizer):
    def __init__(self, params: Any, lr: float = 0.5) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0})

    rule = staticmethod(eval("lambda xp, theta, g, *rest: (rest[0] * g,)"))


def test_a_rule_of_ones_own_whose_source_is_not_to_be_found() -> None:
    p = give(parameter(1.0), 1.0)
    told = Plain([p]).explain(p)
    assert told.equation == "" and told.about == "" and told.numbers == {"number0": 0.5}
    assert told.table["theta after"] == [0.5] and "now: number0=0.5\n1 of 1" in str(told)


# -- HTML ------------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Keeps the text of cells, and sees that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[list[str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1][-1] += data


def test_html_has_the_same_numbers_and_is_escaped() -> None:
    w = lucid.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    told = optim.Adamax([("<script>alert(1)</script>&", w)]).explain(w)
    html = told._repr_html_()
    reader = Reader()
    reader.feed(html)
    assert not reader.open and "<script" not in html and "<script>alert(1)</script>&" in reader.text
    assert {label: row for label, *row in reader.cells}["index"] == ["(0,)", "(1,)"]
    assert [label for label, *_ in reader.cells] == list(told.table)
    assert all(text in reader.text for text in (told.equation, told.about, *told.notes))
    assert "src=" not in html and "href=" not in html  # nothing is fetched
    assert set(re.findall(r"[ \";]color: ?(\w+)", html)) == {"inherit"} and "background" not in html  # light or dark


# -- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "thing, found",
    [(parameter(1.0, 2.0), r"a Parameter of shape \(2,\)"), ("weight", "a str"), (0, "a int"), (None, "a NoneType")],
    ids=str,
)
def test_what_is_no_parameter_of_this_optimizer(thing: Any, found: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^SGD.explain: expected one of the parameters of this optimizer, got {found} that is"
    ):
        optim.SGD([parameter(1.0, 2.0)]).explain(thing)


@pytest.mark.parametrize("largest, error", [(0, ValueError), (1.5, ValueError), ("all", TypeError), (True, TypeError)])
def test_a_number_of_elements_that_makes_no_sense(largest: Any, error: type[Exception]) -> None:
    p = give(parameter(1.0), 1.0)
    with pytest.raises(error, match=f"^SGD.explain: largest must be a whole number of 1 or more, got {largest!r}"):
        optim.SGD([p]).explain(p, largest)


@pytest.mark.parametrize("name", ["Adamax", "LBFGS"])
def test_what_step_refuses_is_refused(name: str) -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = getattr(optim, name)([p])
    optimizer.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match=f"^{name}, group 0: lr must be a finite number of 0 or more, got -1.0"):
        optimizer.explain(p)
    optimizer.param_groups[0]["lr"] = 1.0
    p.data = lucid.ones(2, dtype=lucid.float64)
    with pytest.raises(
        ValueError, match=rf"^{name}, group 0: parameter 0 has shape \(2,\) on cpu, its gradient must match, got \(1,\)"
    ):
        optimizer.explain(p)


def test_training_does_not_pay_for_it() -> None:
    program = "import sys, lucid.optim; assert 'lucid.optim.explain' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(lucid.__file__).parents[1])

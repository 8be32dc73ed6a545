"""A training run as a picture: Recorder, model.summary and profile."""

import copy
import json
import math
import re
import sys
import xml.dom.minidom
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pytest

import lucid
import lucid.nn as nn
import lucid.nn.functional as F
import lucid.optim as optim
from lucid.core.events import EVENTS, FORWARD, MODULE
from lucid.core.node import Node
from lucid.core.op import OPS
from lucid.see import Recorder, profile, summary, watch
from lucid.see.profiler import MULTIPLY_ADDS
from lucid.see.recorder import COLOURS, colour, short_names


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3))


def training(steps: int = 25, *, model: Any = None, optimizer: Any = None, **options: Any) -> tuple[Recorder, Any, Any]:
    lucid.manual_seed(0)
    model = model or network()
    optimizer = optimizer or optim.Adamax(model.parameters(), lr=0.01)
    x, y = lucid.randn(32, 4), lucid.randint(0, 3, (32,))
    with Recorder(model, optimizer, **options) as recorder:
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return recorder, model, optimizer


def by_hand(steps: int, at: int) -> dict[str, Any]:
    """The same run without a Recorder; what there is at one of its steps."""
    lucid.manual_seed(0)
    model = network()
    optimizer = optim.Adamax(model.parameters(), lr=0.01)
    x, y = lucid.randn(32, 4), lucid.randint(0, 3, (32,))
    losses, found = [], {}
    for step in range(steps):
        optimizer.zero_grad()
        hidden = model[1](model[0](x))
        loss = F.cross_entropy(model[4](model[3](model[2](hidden))), y)
        loss.backward()
        before = model[0].weight.numpy().copy()
        optimizer.step()
        losses.append(loss.item())
        if step == at:
            w = model[0].weight
            found = {
                "gradient": np.linalg.norm(w.grad.numpy()),
                "update": np.linalg.norm(w.numpy() - before) / np.linalg.norm(before),
                "mean": hidden.numpy().mean(), "std": hidden.numpy().std(), "zeros": (hidden.numpy() == 0).mean(),
                "m": np.sqrt((optimizer.state[w]["m"] ** 2).mean()),
                "u": np.sqrt((optimizer.state[w]["u"] ** 2).mean()),
            }  # fmt: skip
    return {"losses": losses, **found}


def test_what_is_noted_is_what_there_was() -> None:
    recorder, _, _ = training(25, every=10, state=True)
    assert recorder.at == [0, 10, 20] and recorder.rates == [0.01] * 25
    for row, step in enumerate(recorder.at):
        expected = by_hand(25, step)
        found = {
            "gradient": recorder.gradients["0.weight"][row], "update": recorder.updates["0.weight"][row],
            **{key: recorder.activations["1"][key][row] for key in ("mean", "std", "zeros")},
            **{slot: recorder.state["0.weight"][slot][row] for slot in ("m", "u")},
        }  # fmt: skip
        for key, value in found.items():
            assert value == pytest.approx(expected[key], rel=1e-4), key
        assert recorder.losses == pytest.approx(expected["losses"])
    assert all(type(value) is float for value in recorder.losses)


def test_a_recorded_run_is_the_same_to_the_last_bit() -> None:
    _, model, _ = training(25, every=3)
    lucid.manual_seed(0)
    again = network()
    optimizer = optim.Adamax(again.parameters(), lr=0.01)
    x, y = lucid.randn(32, 4), lucid.randint(0, 3, (32,))
    for _ in range(25):
        optimizer.zero_grad()
        F.cross_entropy(again(x), y).backward()
        optimizer.step()
    assert all(
        a.tobytes() == b.tobytes()
        for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_nothing_is_left_behind_and_no_graph_is_kept() -> None:
    walk = lucid.Tensor.backward
    model = network()
    optimizer = optim.Adamax(model.parameters())
    recorder = Recorder(model, optimizer, every=1)
    loss = model(lucid.randn(8, 4)).sum()
    node = ref(loss._node)
    loss.backward()
    optimizer.step()
    del loss
    assert node() is None
    recorder.close()
    recorder.close()
    assert lucid.Tensor.backward is walk and "step" not in vars(optimizer)
    assert all(m._hooks is None for m in model.modules()) and len(recorder.losses) == 1
    model(lucid.randn(8, 4)).sum().backward()
    optimizer.step()
    assert len(recorder.losses) == 1


def test_modules_are_only_looked_at_in_the_steps_that_count() -> None:
    model = network()
    optimizer = optim.Adamax(model.parameters())
    with Recorder(model, optimizer, every=3):
        for step in range(7):
            assert bool(MODULE) == (step % 3 == 0)
            model(lucid.randn(8, 4)).sum().backward()
            optimizer.step()


def test_several_follow_one_training_and_leave_in_any_order() -> None:
    walk, model = lucid.Tensor.backward, network()
    optimizer = optim.Adamax(model.parameters())
    first, watched = Recorder(model, optimizer), watch(model, optimizer).__enter__()
    second = Recorder(model, optimizer)
    for leaving in (first.close, lambda: watched.__exit__(None, None, None), second.close):
        optimizer.zero_grad()
        model(lucid.randn(8, 4)).square().sum().backward()
        optimizer.step()
        leaving()
    assert (len(first.losses), watched.steps, len(second.losses)) == (1, 2, 3)
    assert lucid.Tensor.backward is walk and "step" not in vars(optimizer) and not len(watched.report), watched


def test_a_copy_of_a_followed_optimizer_moves_its_own_parameters() -> None:
    model = network()
    optimizer = optim.Adamax(model.parameters())
    with Recorder(model, optimizer, activations=False) as recorder:
        twin_model, twin = copy.deepcopy((model, optimizer))
        twin_model(lucid.ones(2, 4)).sum().backward()
        before = model[0].weight.numpy().copy()
        twin.step()
    assert np.array_equal(before, model[0].weight.numpy()) and not recorder.rates
    assert not np.array_equal(before, twin_model[0].weight.numpy())


def test_closures_schedules_evaluation_and_tied_modules() -> None:
    layer = nn.Linear(4, 4)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    schedule = optim.ExponentialLR(optimizer, 0.5)

    def closure() -> lucid.Tensor:
        optimizer.zero_grad()
        loss = model(lucid.ones(8, 4)).square().mean()
        loss.backward()
        return loss

    with Recorder(model, optimizer, every=2, state=True) as recorder:
        for _ in range(4):
            with lucid.no_grad():
                model(lucid.full((8, 4), 1e9))  # an evaluation is not noted
            optimizer.step(closure)
            schedule.step()
    assert recorder.rates == [1.0, 0.5, 0.25, 0.125] and all(map(math.isfinite, recorder.losses))
    assert set(recorder.gradients) == {"0.weight", "0.bias"} and recorder.state == {}
    assert max(recorder.activations["0"]["std"]) < 1e3 and len(recorder.activations["0"]["std"]) == 2


def test_nan_and_layers_that_come_and_go_are_gaps() -> None:
    model = network()
    optimizer = optim.Adamax(model.parameters())
    with Recorder(model, optimizer, every=1) as recorder, np.errstate(all="ignore"):
        for step in range(6):
            optimizer.zero_grad()
            out = (model[0] if step % 2 else model)(lucid.randn(8, 4))
            (out.mean() * (float("nan") if step == 2 else float("inf") if step == 3 else 1.0)).backward()
            if step < 2:
                optimizer.step()
            else:
                optimizer.zero_grad()
                with pytest.warns(UserWarning) if step == 2 else np.errstate():
                    optimizer.step()
    assert math.isnan(recorder.losses[2]) and math.isinf(recorder.losses[3])
    picture = recorder.svg()
    xml.dom.minidom.parseString(picture)
    assert "nan" not in re.sub(r"<title>.*?</title>", "", picture).lower()
    assert recorder.plot() is not None
    recorder.to_dict()


def test_what_was_noted_can_be_kept_and_gone_on_with(tmp_path: Path) -> None:
    recorder, model, optimizer = training(25, every=10, state=True)
    kept = recorder.state_dict()
    assert json.loads(json.dumps(kept)) == kept == recorder.to_dict()
    lucid.save({"run": kept}, tmp_path / "run.npz")
    with Recorder(model, optimizer, every=10, state=True) as resumed:
        resumed.load_state_dict(lucid.load(tmp_path / "run.npz")["run"])
        for _ in range(10):
            optimizer.zero_grad()
            F.cross_entropy(model(lucid.randn(32, 4)), lucid.randint(0, 3, (32,))).backward()
            optimizer.step()
    assert resumed.at == [0, 10, 20, 30] and len(resumed.losses) == 35 and resumed.losses[:25] == recorder.losses
    assert len(recorder.losses) == 25
    with pytest.raises(ValueError, match="expected the keys"):
        resumed.load_state_dict({"losses": []})


def test_pictures(tmp_path: Path) -> None:
    recorder, _, _ = training(25, every=5, state=True)
    figure = recorder.plot(tmp_path / "new" / "run.png")
    assert (tmp_path / "new" / "run.png").read_bytes().startswith(b"\x89PNG")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "loss", "learning rate", "norm of the gradient", "step / weight", "spread of the outputs",
        "share of outputs that are 0", "size of m", "size of u",
    ]  # fmt: skip
    shown = figure.axes[5].get_legend_handles_labels()[1] or [line.get_label() for line in figure.axes[5].lines]
    assert shown == ["1 ReLU"]  # the only one that gives zeros
    text = recorder.svg()
    xml.dom.minidom.parseString(text)
    assert text == recorder._repr_html_() == recorder._repr_svg_() and "http" not in text.replace(
        "http://www.w3.org/2000/svg", ""
    )
    assert 'role="img"' in text and "aria-label" in text


def test_a_run_can_be_drawn_in_the_middle_of_a_step() -> None:
    model = network()
    with Recorder(model, optim.Adamax(model.parameters()), every=1) as recorder:
        model(lucid.randn(8, 4))  # its activations are recorded, its step has not been made
        xml.dom.minidom.parseString(recorder.svg())


def test_a_page_shows_the_run(tmp_path: Path) -> None:
    recorder, model, _ = training(25, every=5)
    page = lucid.see.page(model(lucid.ones(2, 4)).sum(), tmp_path / "graph.html", model=model, run=recorder)
    assert recorder.svg() in (tmp_path / "graph.html").read_text() and page is not None


def test_names_are_escaped_and_an_empty_run_is_a_picture() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            setattr(self, '<script>"&weight', nn.Parameter([1.0]))
            self.b = nn.Parameter([1.0])

        def forward(self, x: lucid.Tensor) -> lucid.Tensor:
            return x * getattr(self, '<script>"&weight') * self.b

    model = Odd()
    recorder = Recorder(model, optim.Adamax(model.parameters()), every=1)
    xml.dom.minidom.parseString(recorder.svg())
    assert "nothing recorded" in recorder.svg() and recorder.plot() is not None
    for _ in range(3):
        model(lucid.ones(1)).sum().backward()
        recorder.optimizer.step()
    recorder.close()
    assert "<script>" not in recorder.svg()
    xml.dom.minidom.parseString(recorder.svg())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    optimizer = optim.Adamax(model.parameters())
    with pytest.raises(TypeError, match="Recorder: expected a Module and an Optimizer, got Sequential and list"):
        Recorder(model, [])
    with pytest.raises(ValueError, match="every must be a whole number of 1 or more, got 0"):
        Recorder(model, optimizer, every=0)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match="pip install matplotlib"):
        training(2)[0].plot()
    assert training(2)[0].svg()


def test_matplotlib_is_only_loaded_by_plot() -> None:
    import subprocess

    program = (
        "import sys, lucid; from lucid import nn, optim\n"
        "assert 'lucid.see' not in sys.modules\n"
        "m = nn.Linear(2, 1); r = lucid.see.Recorder(m, optim.Adamax(m.parameters())); r.svg()\n"
        "print('matplotlib' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(lucid.__file__).parents[1]
    )
    assert ran.stdout.strip() == "False"


# -- model.summary -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "inputs", "expected"),
    [
        (lambda: nn.Linear(64, 128), [(32, 64)], 32 * 64 * 128),
        (lambda: nn.Linear(4, 5, bias=False), [(2, 3, 4)], 2 * 3 * 4 * 5),
        (lambda: nn.Conv2d(3, 8, 3, padding=1), [(2, 3, 10, 10)], 2 * 8 * 100 * 3 * 9),
        (lambda: nn.Conv2d(4, 8, 3, groups=2, stride=2), [(1, 4, 9, 9)], 8 * 16 * 2 * 9),
        (lambda: nn.Conv1d(3, 8, 5), [(2, 3, 20)], 2 * 8 * 16 * 3 * 5),
        (lambda: nn.ConvTranspose2d(8, 3, 2, stride=2), [(1, 8, 5, 5)], 25 * 8 * 3 * 4),
        (lambda: nn.LSTM(4, 6), [(7, 2, 4)], 7 * 2 * (24 * 4 + 24 * 6)),
        (lambda: nn.GRU(4, 6, num_layers=2, bidirectional=True), [(7, 2, 4)],
         7 * 2 * 2 * (18 * 4 + 18 * 6 + 18 * 12 + 18 * 6)),
        (lambda: nn.RNN(4, 6), [(7, 2, 4)], 7 * 2 * (6 * 4 + 6 * 6)),
        (lambda: nn.MultiheadAttention(8, 2, batch_first=True), [(2, 5, 8)] * 3,
         2 * 5 * 8 * 24 + 2 * (2 * 5 * 5 * 8) + 2 * 5 * 8 * 8),
        (lambda: nn.ReLU(), [(3, 3)], 0),
    ],
)  # fmt: skip
def test_multiply_adds_are_those_of_the_operations(model: Any, inputs: list[Any], expected: int) -> None:
    assert model().summary(*inputs).multiply_adds == expected


def test_every_operation_that_multiplies_matrices_is_counted() -> None:
    """An operation whose forward says matmul or dot is in the table, or is made of what is (or of LAPACK)."""
    import inspect

    own = {name: inspect.getsource(spec.forward) for name, spec in OPS.items() if not spec.user_defined}
    says = {name for name, text in own.items() if re.search(r"xp\.(matmul|dot)\b|@ ", text.split('"""')[-1])}
    assert {"matmul", "linear"} <= says and says - set(MULTIPLY_ADDS) <= {
        "cofactor",
        "cofactor_along",
        "eigh",
        "matrix_power",
        "pinv",
    }, says


class Twice(nn.Module):
    def __init__(self) -> None:
        self.embed, self.inner = nn.Embedding(10, 6), nn.Sequential(nn.Linear(6, 6), nn.ReLU())
        self.out = nn.Linear(6, 10, bias=False)
        self.out.weight = self.embed.weight  # tied
        self.spare, self.drop = nn.Linear(2, 2), nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, ids: lucid.Tensor) -> lucid.Tensor:
        return self.out(self.drop(self.norm(self.inner(self.inner(self.embed(ids))))))


def test_a_summary_of_tied_repeated_and_unused_modules() -> None:
    model = Twice().train()
    before, random = model.state_dict(), lucid.get_rng_state()
    made = model.summary(lucid.tensor([1, 2, 3]))
    assert all(np.array_equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    assert str(random) == str(lucid.get_rng_state()) and all(m.training for m in model.modules())
    assert all(m._hooks is None for m in model.modules()) and not FORWARD
    rows = {row.name: row for row in made.rows}
    assert (
        rows["inner"].calls == 2
        and rows["inner.0"].multiply_adds == 2 * 3 * 36
        and rows["inner"].multiply_adds == rows["inner.0"].multiply_adds
    )
    assert rows["spare"].calls == 0 and rows["out"].own == 0 and rows["out"].tied
    assert made.parameters == sum(p.numel() for p in model.parameters()) == sum(row.own for row in made.rows)
    text = str(made)
    assert "inner: Sequential, 2 calls" in text and "spare: Linear, not called" in text and " tied " in text
    assert "    0: Linear, 2 calls" in text
    assert made._repr_html_().count("<tr>") == len(rows) + 2
    model.embed.requires_grad_(False)
    assert "60 of them frozen" in str(summary(model, lucid.tensor([1])))


def test_a_summary_whose_forward_fails_leaves_nothing_behind() -> None:
    model = Twice()
    with pytest.raises(TypeError):
        model.summary()
    with pytest.raises(ValueError, match="linear: shapes"):
        nn.Sequential(nn.Linear(2, 2)).summary((3, 5))
    with pytest.raises(TypeError, match="summary: expected a Module, got int"):
        summary(3, (1, 2))
    assert all(m._hooks is None and m.training for m in model.modules()) and not FORWARD


# -- profile -----------------------------------------------------------------------------------------------------------


def test_a_profile_counts_what_ran() -> None:
    model, x = network(), lucid.randn(32, 4)
    model(x).sum().backward()
    making = Node.__init__
    with profile() as p:
        for _ in range(3):
            model(x).sum().backward()
    assert {name: e.calls for name, e in p.entries.items()} == {"linear": 9, "relu": 3, "tanh": 3, "sum": 3}
    linear = p.entries["linear"]
    assert linear.vjp_calls == 9 and linear.forward > 0 and linear.backward > 0
    assert linear.allocated == 3 * 4 * 32 * (16 + 8 + 3) and linear.multiply_adds == 3 * 32 * (64 + 128 + 24)
    assert p.entries["tanh"].saved == 3 * 4 * 32 * 8  # its output
    assert p.wall > linear.seconds
    text = str(p)
    assert text.splitlines()[0].split() == [
        "operation",
        "calls",
        "forward",
        "backward",
        "share",
        "allocated",
        "saved",
        "multiply-adds",
    ]
    by_saved = [row[0] for row in p.table("saved").rows]
    assert by_saved[0] == "linear" and set(by_saved) == set(p.entries)
    with pytest.raises(ValueError, match="there is no column 'colour'"):
        p.table("colour")
    assert p._repr_html_().startswith("<table>")
    assert Node.__init__ is making and not any(handlers for handlers, *_ in EVENTS.values())
    model(x).sum().backward()
    assert linear.calls == 9


def test_a_profile_ends_with_an_error_too() -> None:
    making = Node.__init__
    with pytest.raises(KeyError), profile():
        raise KeyError
    assert Node.__init__ is making and not FORWARD


# -- what is drawn -----------------------------------------------------------------------------------------------------


def recorded(model: nn.Module, steps: int = 3) -> Recorder:
    optimizer = optim.Adamax(model.parameters())
    with Recorder(model, optimizer, every=1) as recorder:
        for _ in range(steps):
            optimizer.zero_grad()
            model(lucid.ones(4, 8)).square().mean().backward()
            optimizer.step()
    return recorder


def test_no_panel_is_empty() -> None:
    without = recorded(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)))
    titles = [panel.title for panel in without.panels()]
    assert titles == ["loss", "learning rate", "norm of the gradient", "step / weight", "spread of the outputs"]
    assert "nothing recorded" not in without.svg() and "share of outputs that are 0" not in without.svg()
    with_relu = recorded(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)))
    assert "share of outputs that are 0" in [panel.title for panel in with_relu.panels()]


def test_colours_do_not_repeat_and_legends_are_short() -> None:
    deep = recorded(nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(20)]))
    svg = deep.svg()
    for panel in re.findall(r"<g transform.*?</g>", svg):
        lines = re.findall(r'<path d="[^"]*" fill="none" stroke="(#\w+)"', panel)
        assert len(set(lines)) == len(lines)
    assert len(re.findall(r'stroke="#', svg)) > 40 and ">and 12 more<" in svg and ">…" not in svg
    figure = deep.plot()
    for axes in figure.axes:
        colours = [line.get_color() for line in axes.get_lines() if line.get_linestyle() == "-"]
        assert len(set(colours)) == len(colours)
        texts = [text.get_text() for text in axes.get_legend().get_texts()] if axes.get_legend() else []
        assert all(len(text) <= 16 for text in texts) and len(set(texts)) == len(texts)
    assert short_names(["a.b.weight", "a.c.weight", "a.c.d.weight"]) == ["b", "c", "c.d"]
    assert short_names(["loss"]) == ["loss"] and short_names([]) == []
    assert {colour(i, 3) for i in range(3)} == set(COLOURS[:3]) and len({colour(i, 40) for i in range(40)}) == 40


def test_at_a_prompt_it_is_a_table() -> None:
    said = repr(recorded(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))))
    assert "0x" not in said and re.search(r"^loss +loss +[\d.]+ +[\d.]+$", said, re.M)
    assert re.search(r"^norm of the gradient +0\.weight +[\d.]+ +[\d.]+$", said, re.M) and said.endswith("draws them")
    model = nn.Linear(2, 1)
    assert "0 steps" in repr(Recorder(model, optim.Adamax(model.parameters())))


def test_memory_of_results_that_were_reshaped_is_counted_and_that_of_views_is_not() -> None:
    layer, x = nn.Linear(8, 16), lucid.ones(4, 5, 8)
    with profile() as p:
        layer(x).reshape(20, 16).swapaxes(0, 1)
    assert p.entries["linear"].allocated == 4 * 4 * 5 * 16
    assert p.entries["reshape"].allocated == p.entries["swapaxes"].allocated == 0

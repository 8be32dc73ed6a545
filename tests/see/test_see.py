"""`lucid.see`: the trace is backward()'s own walk, and drawings hold what is in the graph."""

import json
import math
import os
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.autograd import Function, checkpoint
from lucid.core.backward import reachable
from lucid.core.node import Leaf, Tensor
from lucid.core.op import OPS
from lucid.see.drawing import encode_value, payload
from lucid.see.layout import arrange, assign_coordinates
from lucid.see.names import active_branch, source_text, with_numbers
from lucid.see.picture import LIMIT, Picture, initially_folded
from tests.ops.table import ROWS, Row
from tests.ops.test_table import live, tensors, weights


def picture(loss: Tensor, limit: int = LIMIT, **names: Any) -> Picture:
    return Picture(loss, None, names, limit, None)


class Block(nn.Module):
    def __init__(self, n: int) -> None:
        self.norm, self.up, self.down = nn.LayerNorm(n), nn.Linear(n, 2 * n), nn.Linear(2 * n, n)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(self.up(self.norm(x)).relu())


class Deep(nn.Module):
    def __init__(self, depth: int) -> None:
        self.blocks = [Block(4) for _ in range(depth)]

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


def deep(depth: int) -> Tensor:
    model = Deep(depth)
    with lucid.see.track_provenance():
        loss = model(lucid.randn(3, 4)).sum()
    loss.register_hook(lambda g, model=model: None)  # modules are held weakly: without one there are no paths
    return loss


# -- steps -----------------------------------------------------------------------------------------------------------


def same(trace: lucid.see.steps, leaves: list[Tensor]) -> None:
    """The trace's gradients are those that backward() left, to the last bit."""
    assert set(trace.gradients) == {t for t in leaves if t.grad is not None}
    for t, g in trace.gradients.items():
        assert (g.dtype, g.shape, g.numpy().tobytes()) == (t.dtype, t.grad.shape, t.grad.numpy().tobytes())


OF_EACH = list({row.name.rpartition("-")[0]: row for row in ROWS}.values())  # a row of each operation


@pytest.mark.parametrize("row", OF_EACH, ids=lambda row: row.name)
def test_gradients_are_those_of_backward(row: Row) -> None:
    ts = tensors(row)
    out = row.f(lucid, *ts)
    start = lucid.tensor(weights(out.shape), dtype=out.dtype)
    trace = lucid.see.steps(out, start)
    assert all(t.grad is None for t in ts) and str(trace) and trace._repr_html_()
    out.backward(start)
    same(trace, live(ts))


def test_a_step_says_what_was_given_sent_and_gathered() -> None:
    x = lucid.tensor([1.0, 2.0], requires_grad=True)
    with lucid.see.track_provenance():
        y = (x * x).sum()
    first, second = lucid.see.steps(y)
    assert (first.op, first.number, first.gradient.item(), first.shape) == ("sum", 1, 1.0, ())
    one, two = second.contributions
    assert (one.input, one.to, one.formula, one.filled) == ("x", "x", "g * y", "[1, 1] * [1, 2]")
    assert one.before is None and one.after.tolist() == one.gradient.tolist() == [1.0, 2.0]
    assert two.before.tolist() == [1.0, 2.0] and two.after.tolist() == [2.0, 4.0]
    assert second.provenance is not None and second.provenance.expression == "x * x"
    assert second._repr_html_().count("<tr>") == 3


def test_broadcast_gradients_are_shown_as_they_are_sent() -> None:
    x, b = lucid.ones(3, 2, requires_grad=True), lucid.zeros(2, requires_grad=True)
    y = ((x + b) * b).sum()
    sent = {(step.op, s.to): s for step in lucid.see.steps(y) for s in step.contributions}
    assert sent["multiply", "b"].gradient.shape == (2,) and sent["multiply", "b"].gradient.tolist() == [3.0, 3.0]
    assert sent["add", "b"].before.tolist() == [3.0, 3.0]


def test_what_a_step_holds_is_its_own() -> None:
    x = lucid.ones(2, requires_grad=True)
    y = (x * 3).sum()
    trace = lucid.see.steps(y)
    for step in trace:
        step.gradient.zero_()
        for sent in step.contributions:
            sent.gradient.zero_()
    y.backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_hooks_count_and_retain_grad_is_left_to_backward() -> None:
    x = lucid.ones(2, requires_grad=True)
    h = x * 3
    h.retain_grad()
    h.register_hook(lambda g: g * 10)
    y = h.sum()
    trace = lucid.see.steps(y)
    assert h.grad is None
    y.backward()
    assert h.grad.tolist() == [10.0, 10.0]
    same(trace, [x])


def test_functions_of_several_outputs_and_checkpoints() -> None:
    class Both(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
            ctx.save_for_backward(x)
            return x * 2, x.exp()

        @staticmethod
        def backward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
            return a * 2 + b * ctx.saved_tensors[0].exp()

    x = lucid.tensor([0.5, 1.0], requires_grad=True)
    a, b = Both.apply(x)
    y = (a * b).sum() + checkpoint(lambda t: t.tanh().sin().sum(), x)
    trace = lucid.see.steps(y)
    (step,) = [step for step in trace if step.op == "Both" and isinstance(step.gradient, tuple)]
    assert (
        step.contributions[0].formula == "a * 2 + b * ctx.saved_tensors[0].exp()" and step.contributions[0].input == "x"
    )
    assert str(trace) and lucid.see.page(y).text
    y.backward()
    same(trace, [x])


def test_an_anomaly_is_found_on_the_way() -> None:
    with lucid.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="sqrt gave NaN for its input 'x'"):
        lucid.see.steps((lucid.zeros(1, requires_grad=True).sqrt() * 0).sum())


def test_where_there_is_no_graph_or_it_is_gone() -> None:
    x = lucid.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    for see in (lucid.see.steps, lucid.see.page):
        with pytest.raises(RuntimeError, match="already walked and released.*retain_graph=True"):
            see(y)
        with pytest.raises(RuntimeError, match="was not computed from anything that requires a gradient"):
            see(lucid.ones(1))
        with pytest.raises(RuntimeError, match=r"needs a starting point; reduce it to one number first"):
            see(x * 2)
        with pytest.raises(TypeError, match="expected a Tensor .*, got float"):
            see(1.0)
    assert "multiply" in lucid.see.to_dot(y)  # its shape is still there


def test_a_leaf_by_itself_has_no_steps() -> None:
    x = lucid.tensor(2.0, requires_grad=True)
    trace = lucid.see.steps(x)
    assert len(trace) == 0 and trace.gradients[x].item() == 1
    assert lucid.see.page(x).text and lucid.see.to_svg(x)


# -- formulas and names ----------------------------------------------------------------------------------------------


def test_each_formula_is_found_in_its_source() -> None:
    for spec in OPS.values():
        if not spec.user_defined:
            for formula in spec.vjps.values():
                found = source_text(formula)
                assert not found.startswith("<lambda>") and "lambda" not in found
                compile(found, spec.name, "eval")
    assert source_text(OPS["tanh"].vjps["x"]) == "g * (1 - out * out)"
    assert [source_text(f) for f in OPS["multiply"].vjps.values()] == ["g * y", "g * x"]  # two on neighbouring lines


def test_formulas_of_all_kinds() -> None:
    one = lambda xp, g, x: g * x; two = lambda xp, g, x: g + x  # fmt: skip  # noqa: E702

    def named(xp: Any, g: Any) -> Any:
        """Twice."""
        return g * 2

    def long(xp: Any, g: Any) -> Any:
        h = g * 2
        return h + 1

    assert (source_text(one), source_text(two), source_text(named)) == ("g * x", "g + x", "g * 2")
    assert source_text(long) == "test_formulas_of_all_kinds.<locals>.long(xp, g)"
    made = eval("lambda xp, g: g")
    assert source_text(made) == "<lambda>(xp, g)"


def test_numbers_are_put_in_where_that_helps() -> None:
    assert with_numbers("g * y", {"g": "1", "y": "-2"}) == "1 * (-2)"
    assert with_numbers("xp.exp(g)", {"g": "1"}) == "exp(1)"
    assert (
        with_numbers("g", {"g": "1"})
        == with_numbers("g * y", {"g": "1"})
        == with_numbers("g * x.size", {"g": "1", "x": "2"})
        == ""
    )
    assert active_branch("a if n == 2 else b", {"n": 2}) == "a" and active_branch("a if n == 2 else b", {"n": 1}) == "b"
    assert active_branch("a if odd(n) else b", {"n": 2}) == "a if odd(n) else b"


def test_names_are_those_of_the_caller_the_module_and_the_line() -> None:
    model, x = nn.Linear(2, 1), lucid.ones(3, 2)
    with lucid.see.track_provenance():
        inner = model(x)
        loss = (inner * inner).sum()
        kept = [loss]
        del inner, loss
    found = {step.op: step.name for step in lucid.see.steps(kept[0])}
    assert found == {"sum": "loss", "multiply": "", "linear": "inner"}
    assert {s.to for step in lucid.see.steps(kept[0]) for s in step.contributions} >= {"weight", "bias"}
    assert "head.weight" in str(lucid.see.steps(kept[0], names={"head": model}))
    with pytest.raises(TypeError, match="names: expected a dict of names to Tensors and Modules, got 'x': 1"):
        lucid.see.steps(kept[0], names={"x": 1})
    with pytest.raises(TypeError, match=r"model: expected a lucid.nn.Module, got list"):
        lucid.see.steps(kept[0], model=[model])


# -- the picture -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", OF_EACH[::5], ids=lambda row: row.name)
def test_every_operation_and_leaf_is_drawn_once(row: Row) -> None:
    out = row.f(lucid, *tensors(row))
    made = picture(out)
    nodes = reachable([out._node])
    leaves = {p for node in nodes for p in node.inputs if type(p) is Leaf}
    drawn = [box.node for box in made.boxes if box.node is not None]
    assert len(drawn) == len(set(drawn)) and set(drawn) == {*nodes, *leaves}
    pairs = {(made.boxes[e.source].node, made.boxes[e.target].node) for e in made.edges}
    assert {(p, node) for node in nodes for p in node.inputs if p is not None} <= pairs


def test_values_are_found_wherever_they_were_kept() -> None:
    x = lucid.tensor(2.0, requires_grad=True)
    plain = picture((x * 3).tanh().exp())
    assert [box.value is not None for box in plain.boxes if box.kind == "op"] == [False, True, True]
    with lucid.see.track_provenance():
        loss = (x * 3).tanh().exp()
    assert [float(box.value) for box in picture(loss).boxes] == pytest.approx(
        [6, math.tanh(6), math.exp(math.tanh(6)), 2, 3]
    )


def test_a_value_that_was_written_to_since_says_so() -> None:
    with lucid.see.track_provenance():
        h = lucid.ones(2, requires_grad=True) * 2
        loss = h.sum()
        with lucid.no_grad():
            h += 1
    assert {box.label: box.changed for box in picture(loss).boxes if box.kind == "op"} == {
        "multiply": True,
        "sum": False,
    }


def test_modules_are_groups_that_can_be_folded() -> None:
    made = picture(deep(2))
    labels = [group.label for group in made.groups[1:] if group.members]
    assert labels[:3] == ["Deep", "blocks.0 · Block", "blocks.0.norm · LayerNorm"]
    block = next(group for group in made.groups if group.label == "blocks.1 · Block")
    assert {box.label for box in block.boxes()} >= {"layer_norm", "linear", "relu", "add", "parameter"}
    for group in made.groups:  # what is inside of a call never depends on what depends on it
        inside = {box.number for box in group.boxes()}
        into = {e.target for e in made.edges if e.target in inside and e.source not in inside}
        assert all(
            made.boxes[n].node.sequence
            <= max(made.boxes[m].node.sequence for m in inside if made.boxes[m].kind == "op")
            for n in into
        )


def overlaps(a: Any, b: Any) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.parametrize("fold", [False, True])
def test_boxes_stand_in_their_frames_without_overlap_and_edges_go_right(fold: bool) -> None:
    made = picture(deep(4))
    folded = {g.number for g in made.groups if "Linear" in g.label} if fold else set()
    placed = assign_coordinates(made, arrange(made), folded)
    for group in made.groups:
        if f"g{group.number}" not in placed.rectangles or group.number in folded:
            continue
        inside = [placed.rectangles[f"{'b' if hasattr(m, 'kind') else 'g'}{m.number}"] for m in group.members]
        x, y, w, h, _ = placed.rectangles[f"g{group.number}"]
        assert all(x <= r[0] and r[0] + r[2] <= x + w and y <= r[1] and r[1] + r[3] <= y + h for r in inside)
        assert not any(overlaps(a, b) for i, a in enumerate(inside) for b in inside[:i])
    for line in placed.lines:
        assert all(a[0] <= b[0] for a, b in pairwise(line))
    assert sum(bool(line) for line in placed.lines) == len(made.edges) - 2 * len(folded) * fold


def test_large_graphs_are_folded_and_larger_ones_say_what_is_left_out() -> None:
    assert initially_folded(picture(deep(20))) == []
    large = picture(deep(60))
    assert len(initially_folded(large)) > 60
    x = lucid.ones(2, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + x
    y = y.sum()
    huge = picture(y)
    assert (huge.left_out, huge.total) == (100_001 - LIMIT, 100_001)
    assert 20 < len(huge.root.members) < 200  # parts, of parts
    assert [box.label for box in huge.boxes if box.kind == "more"] == ["94,001 earlier operations, not drawn"]
    assert "99,951 earlier operations are left out (limit=50)" in lucid.see.page(y, limit=50).text
    with pytest.raises(ValueError, match="limit must be a positive number of operations, got 0"):
        lucid.see.page(y, limit=0)


USES: dict[str, Any] = {  # -> how many edges there are from a
    "a * a": (lambda a: a * a, 2), "a + a": (lambda a: a + a, 2), "a.exp()": (lambda a: a.exp(), 1),
    "where(a > 0, a, a)": (lambda a: lucid.where(lucid.tensor([True, False]), a, a), 2),
    "stack([a] * 3)": (lambda a: lucid.stack([a] * 3), 3), "stack([a] * 30)": (lambda a: lucid.stack([a] * 30), 30),
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_what_is_used_twice_has_an_edge_for_each_use(use: str) -> None:
    f, count = USES[use]
    a = lucid.tensor([1.0, 2.0], requires_grad=True)
    loss = f(a).sum()
    made = Picture(loss, None, {"a": a}, 100, None)
    (leaf,) = (box.number for box in made.boxes if box.kind == "leaf")
    assert lucid.see.to_dot(loss).count(f"  b{leaf} -> ") == count
    assert len(re.findall(rf"  b{leaf}\S*(?:\(.*\))? --> ", lucid.see.to_mermaid(loss))) == count
    svg = ElementTree.fromstring(lucid.see.to_svg(loss))
    paths = [path.get("d") for path in svg.iter("{http://www.w3.org/2000/svg}path") if path.get("marker-end")]
    assert len(set(paths)) == len(paths) == len(made.edges)
    placed = assign_coordinates(made, arrange(made))
    for edge, line in zip(made.edges, placed.lines, strict=True):  # every end is at its box
        _, top, _, height, _ = placed.rectangles[f"b{edge.target}"]
        assert top < line[-1][1] < top + height
    sent = payload(made)["steps"][-1]["sent"]
    assert [each["edges"] for each in sent] == [[i] for i, edge in enumerate(made.edges) if edge.source == leaf]


# -- texts -----------------------------------------------------------------------------------------------------------

EVIL = "</script><img onerror=\"x()\" src='y'>&\\"


def test_svg_is_well_formed_and_holds_names_as_text() -> None:
    w = lucid.tensor([1.0, math.nan], requires_grad=True)
    drawing = lucid.see.Graph(w * 2, names={EVIL: w})
    root = ElementTree.fromstring(drawing._repr_svg_())
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert EVIL in words and "multiply" in words and "[1, nan]" in words
    assert (root.get("role"), root.get("aria-label")) == (
        "img",
        "Computation graph of 3 nodes, inputs at the left, the loss at the right",
    )


def test_what_no_picture_can_hold_is_replaced() -> None:
    odd = "".join(map(chr, (*range(32), 127, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF, 0x1F600)))
    a = lucid.tensor([1.0, 2.0], requires_grad=True)
    loss = (a * 2).sum()
    for text in (lucid.see.to_svg(loss, names={odd: a}), lucid.see.Graph(loss, names={odd: a})._repr_svg_()):
        words = [word.text for word in ElementTree.fromstring(text.encode()).iter("{http://www.w3.org/2000/svg}text")]
        assert any("\ufffd" * 9 in word and "\U0001f600" in word for word in words if word)
    for text in (lucid.see.to_dot(loss, names={odd: a}), lucid.see.page(loss, names={odd: a}, title=odd).text,
                 lucid.see.to_mermaid(loss, names={odd: a}), lucid.see.steps(loss, names={odd: a})._repr_html_()):
        assert not set(odd[:9] + odd[14:32] + odd[33:-1]) & set(text)
        text.encode()


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, a = tmp_path / "page.html", lucid.tensor([1.0, 2.0], requires_grad=True)
    lucid.see.page((a * 2).sum(), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="save: .*surrogates not allowed"):
        lucid.see.Page("half \ud800").save(path)

    def fails(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="lucid.see.page: cannot write .*: No space left on device; name a file"):
        lucid.see.page((a * 3).sum(), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    lucid.see.page((a * 2).sum(), path, title="a \ud800 title \0")
    assert "<title>a \ufffd title \ufffd</title>" in path.read_text("utf-8")


def test_dot_and_mermaid_hold_names_as_text() -> None:
    w = lucid.tensor(1.0, requires_grad=True)
    dot = lucid.see.to_dot(w * 2, names={EVIL: w})
    assert '</script><img onerror=\\"x()\\" src=\'y\'>&\\\\' in dot
    assert re.sub(r'"(\\.|[^"\\])*"', "", dot).count('"') == 0  # every quote ends somewhere
    mermaid = lucid.see.to_mermaid(w * 2, names={EVIL: w})
    assert "<img" not in mermaid and "#60;img onerror=#34;" in mermaid


def test_the_page_is_one_file_and_its_data_are_json(tmp_path: Path) -> None:
    class Page(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.scripts: list[str] = []
            self.within, self.links = False, []

        def handle_starttag(self, tag: str, attributes: Any) -> None:
            self.within = tag == "script"
            self.scripts += [""] if self.within else []
            self.links += [value for name, value in attributes if name in ("src", "href")]

        def handle_data(self, text: str) -> None:
            if self.within:
                self.scripts[-1] += text

        def handle_endtag(self, tag: str) -> None:
            self.within = False

    w = lucid.tensor([math.inf, -math.inf, math.nan], requires_grad=True)
    lucid.see.page(w * 2, tmp_path / "page.html", gradient=lucid.ones(3), names={EVIL: w}, title=EVIL)
    read = Page()
    read.feed((tmp_path / "page.html").read_text())
    assert len(read.scripts) == 2 and read.links == []
    assert "<" not in read.scripts[0]
    data = json.loads(read.scripts[0], parse_constant=pytest.fail)
    (box,) = [box for box in data["boxes"] if box["name"] == EVIL]
    assert box["value"]["full"] == ["inf", "-inf", "nan"] and box["value"]["nan"] == 1


def test_a_path_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    y = lucid.ones(1, requires_grad=True) * 2
    with pytest.raises(FileNotFoundError, match=r"see.page: there is no directory '.*no' for .*; create"):
        lucid.see.page(y, tmp_path / "no" / "page.html")
    with pytest.raises(IsADirectoryError, match="see.page: path must name a file, got .*, a directory; name another"):
        lucid.see.page(y, tmp_path)


def test_a_notebook_gets_the_page_in_a_frame_and_a_run_below_the_graph() -> None:
    class Run:
        def _repr_html_(self) -> str:
            return "<p>the run</p>"

    made = lucid.see.page(lucid.ones(1, requires_grad=True) * 2, run=Run())
    assert '<section id="run"><p>the run</p></section>' in made.text
    assert made._repr_html_().startswith("<iframe srcdoc=\"&lt;!doctype html&gt;") and "kB" in repr(made)


def test_small_values_are_shown_in_full_and_large_ones_as_means() -> None:
    assert encode_value(lucid.tensor([0.1, 1 / 3])) | {"std": 0} == {
        "shape": [2],
        "full": [0.1, 0.33333334],
        "low": 0.1,
        "high": 0.333333,
        "mean": 0.216667,
        "std": 0,
        "zeros": 0,
        "nan": 0,
        "infinite": 0,
    }
    stripes = lucid.tensor(np.tile(np.repeat([[1.0, -1 / 3, 0.0]], 30, axis=1), (40, 1)))
    found = encode_value(stripes)
    assert found is not None and (found["rows"], found["columns"]) == (20, 18)
    assert found["heat"] == ("Z" * 6 + chr(69 - 7) * 6 + "E" * 6) * 20
    vector = encode_value(lucid.ones(1000))
    assert vector is not None and vector["rows"] * vector["columns"] == len(vector["heat"])
    assert encode_value(lucid.zeros(0, 3)) == {"shape": [0, 3], "full": []}
    assert encode_value(None) is None and encode_value(True)["full"] == [1]  # type: ignore[index]


# -- errors that teach -----------------------------------------------------------------------------------------------


def changed() -> None:
    y = lucid.ones(2, requires_grad=True).exp()
    y *= 3
    y += 1  # the last of the writes is the one that is told
    y.sum().backward()


def walked_twice() -> None:
    y = lucid.ones(2, requires_grad=True).exp().sum()
    y.backward()
    y.backward()


def misfit() -> None:
    nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(4, 1))(lucid.ones(5, 2))


def unfit() -> None:
    h = lucid.ones(2, requires_grad=True) * 2
    h & (h > 0)


def joined() -> None:
    h = lucid.ones(2, 2, requires_grad=True) * 2
    lucid.cat([h, lucid.ones(3, 3)])


HERE = r"test_see\.py:\d+, in"
TOLD = {
    changed:
        (rf"First it was run at .*{HERE} changed: y = lucid.ones.*exp\(\); then it was changed at .*{HERE} changed: y "
         rf"\+= 1.*; then came backward\(\)", r"track_provenance\(\):` to see the lines"),
    walked_twice: (rf"The first operation that has freed its arrays is sum; it was run at .*{HERE} walked_twice: y = ",
                   r"track_provenance\(\):` to see which line it is"),
    misfit: (rf"it happened in module 2 \(Linear\); 'x' is what tanh gave at .*{HERE} misfit, in module 1: "
             rf"nn.Sequential", "to see where 'x' comes from"),
    unfit: (rf"convert first.*; 'x' is what multiply gave at .*{HERE} unfit: h = ", "to see where 'x' comes from"),
    joined: (rf"; 'arrays' is what multiply gave at .*{HERE} joined: h = ", "to see where 'arrays' comes from"),
}


@pytest.mark.parametrize("f", TOLD, ids=lambda f: f.__name__)
def test_errors_tell_the_lines_or_how_to_hear_of_them(f: Any) -> None:
    lines, hint = TOLD[f]
    with lucid.see.track_provenance(), pytest.raises((RuntimeError, ValueError, TypeError), match=lines):
        f()
    with pytest.raises(
        (RuntimeError, ValueError, TypeError), match=rf"run the forward inside .*{hint}|Run the forward inside .*{hint}"
    ):
        f()

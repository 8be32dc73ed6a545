"""Where nodes come from: the user's line and the module, remembered where somebody asked for it."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest

import lucid
from lucid import nn
from lucid.core.events import EVENTS
from lucid.core.node import Tensor


class Net(nn.Module):
    def __init__(self) -> None:
        self.layers = [nn.Linear(2, 3), nn.Linear(3, 1)]

    def forward(self, x: Tensor) -> Tensor:
        h = self.layers[0](x).tanh()
        return self.layers[1](h)


def test_a_node_knows_its_line_its_expression_and_its_function() -> None:
    x = lucid.ones(2, requires_grad=True)
    with lucid.see.track_provenance():
        y = x * 2; z = y.exp() + 1  # fmt: skip  # noqa: E702
    made = lucid.see.provenance(z._node)
    assert made is not None
    assert Path(made.file) == Path(__file__) and made.text.startswith("y = x * 2; z = y.exp()")
    assert made.function == "test_a_node_knows_its_line_its_expression_and_its_function"
    assert (made.expression, made.module, made.modules) == ("y.exp() + 1", None, ())
    assert lucid.see.provenance(y).expression == "x * 2"  # type: ignore[union-attr]  # of a tensor, too
    assert lucid.see.provenance(z._node.inputs[0]).expression == "y.exp()"  # type: ignore[union-attr]
    assert lucid.see.provenance(x) is None


def test_an_expression_of_several_lines_is_joined() -> None:
    with lucid.see.track_provenance():
        loss = nn.functional.mse_loss(
            Net()(lucid.ones(4, 2)),
            lucid.ones(4, 1),
        )
    made = lucid.see.provenance(loss)
    assert made is not None
    assert made.expression == "nn.functional.mse_loss( Net()(lucid.ones(4, 2)), lucid.ones(4, 1), )"


def test_modules_are_told_by_their_path() -> None:
    net = Net()
    with lucid.see.track_provenance():
        out = net(lucid.ones(4, 2))
        loss = nn.MSELoss()(out, lucid.ones(4, 1))
    tanh = out._node.inputs[0]
    assert lucid.see.provenance(out).module == "layers.1"  # type: ignore[union-attr]
    assert lucid.see.provenance(out).modules == (("", "Net"), ("layers.1", "Linear"))  # type: ignore[union-attr]
    # type: ignore[union-attr]  # the innermost line of the user's
    assert lucid.see.provenance(out).function == "forward"
    assert lucid.see.provenance(tanh).module == "Net"  # type: ignore[union-attr]
    assert lucid.see.provenance(loss).module == "MSELoss"  # type: ignore[union-attr]
    del net
    assert lucid.see.provenance(tanh).modules == (("", "Net"),)  # type: ignore[union-attr]  # gone, but not its class


def test_after_an_error_in_forward_nobody_is_inside_of_a_module() -> None:
    with lucid.see.track_provenance():
        with pytest.raises(ValueError, match="linear"):
            Net()(lucid.ones(4, 5))
        made = lucid.see.provenance(lucid.ones(2, requires_grad=True) * 2)
    assert made is not None and made.module is None


def test_a_leaf_knows_its_line() -> None:
    with lucid.see.track_provenance():
        w = lucid.tensor(2.0, requires_grad=True)
    assert lucid.see.provenance(w).text == "w = lucid.tensor(2.0, requires_grad=True)"  # type: ignore[union-attr]


def test_a_function_knows_its_line() -> None:
    class Twice(lucid.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            return g * 2

    with lucid.see.track_provenance():
        y = Twice.apply(lucid.ones(2, requires_grad=True))
    # type: ignore[union-attr]
    assert lucid.see.provenance(y).expression == "Twice.apply(lucid.ones(2, requires_grad=True))"
    assert y._node.out is y._array


def test_values_are_kept_where_asked_for() -> None:
    x = lucid.ones(2, requires_grad=True)
    with lucid.see.track_provenance():
        y = x * 2
        with lucid.see.track_provenance(values=False):
            z = y * 2
    assert y._node.out is y._array
    assert not hasattr(z._node, "out") and lucid.see.provenance(z) is not None


def test_it_ends_with_its_block_and_costs_nothing_afterwards() -> None:
    def observed() -> list[str]:
        return [name for name, (handlers, *_) in EVENTS.items() if handlers]

    with pytest.raises(KeyError), lucid.see.track_provenance():
        assert observed() == ["node", "write", "module"]
        with lucid.see.track_provenance(False):
            assert not observed()
        assert "node" in observed()
        raise KeyError
    assert not observed()


def test_it_can_be_switched_at_once() -> None:
    lucid.see.track_provenance()
    try:
        assert lucid.see.provenance(lucid.ones(1, requires_grad=True) * 2) is not None
    finally:
        lucid.see.track_provenance(False)
    assert lucid.see.provenance(lucid.ones(1, requires_grad=True) * 2) is None
    with pytest.raises(TypeError, match="expected True or False, got 'yes'"):
        lucid.see.track_provenance("yes")  # type: ignore[arg-type]


def test_what_is_remembered_keeps_nothing_alive() -> None:
    class Big:
        pass

    def forward() -> tuple[Tensor, Any, Any]:
        big, net = Big(), Net()
        net.last = net(lucid.ones(4, 2))  # type: ignore[attr-defined]  # module -> tensor -> node: no way back to it
        return net.last * 1, weakref.ref(big), weakref.ref(net)  # type: ignore[attr-defined]

    gc.disable()
    try:
        with lucid.see.track_provenance():
            kept, big, net = forward()
        assert big() is None and net() is None
        node = weakref.ref(kept._node)
        del kept
        assert node() is None
    finally:
        gc.enable()


def test_see_is_loaded_when_it_is_used() -> None:
    used = "lucid.see.track_provenance; print(lucid.see.__name__)"
    program = f"import sys, lucid; assert 'lucid.see' not in sys.modules; {used}"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "lucid.see"


def test_without_source_there_is_no_text() -> None:
    program = "y = x * 2"
    scope: dict[str, Any] = {"x": lucid.ones(2, requires_grad=True)}
    with lucid.see.track_provenance():
        exec(compile(program, "<made up>", "exec"), scope)
    made = lucid.see.provenance(scope["y"])
    assert made is not None and (made.file, made.line, made.text, made.expression) == ("<made up>", 1, "", "")
    assert str(made) == "<made up>:1, in <module>"

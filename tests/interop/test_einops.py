"""einops on Tensors: what its functions and layers give is what they give on NumPy's arrays, and gradients pass."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.autograd import gradcheck

pytestmark = pytest.mark.libraries
ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(2, 3, 4, 6))
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "rearrange": lambda e, x: e.rearrange(x, "b c (h h2) w -> b (h w) c h2", h2=2),
    "rearrange a list": lambda e, x: e.rearrange([x[0], x[1]], "b c h w -> c (b h) w"),
    "repeat": lambda e, x: e.repeat(x, "b c h w -> b c (h r) w k", r=2, k=3),
    "max": lambda e, x: e.reduce(x, "b c (h h2) (w w2) -> b c h w", "max", h2=2, w2=3),
    "min": lambda e, x: e.reduce(x, "b c h w -> b", "min"),
    "sum": lambda e, x: e.reduce(x, "b c h w -> c 1 w", "sum"),
    "mean": lambda e, x: e.reduce(x, "b c ... -> b c", "mean"),
    "prod": lambda e, x: e.reduce(x, "b c h w -> h b", "prod"),
    "einsum": lambda e, x: e.einsum(x, x, "b c h w, b c v w -> b h v"),
    "pack": lambda e, x: e.pack([x, x[:, 0]], "b * w")[0],
    "unpack": lambda e, x: e.unpack(*e.pack([x, x[:, 0]], "b * w"), "b * w")[1],
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_function_gives_what_it_gives_on_arrays_and_its_derivative(name: str) -> None:
    import einops

    x = lucid.tensor(X, requires_grad=True)
    out = CALLS[name](einops, x)
    assert isinstance(out, lucid.Tensor)
    np.testing.assert_allclose(out.detach(), CALLS[name](einops, X), rtol=1e-12)
    assert gradcheck(lambda x: CALLS[name](einops, x), (x,))


def test_bools() -> None:
    import einops

    assert einops.reduce(lucid.tensor(X > 0), "b c h w -> b", "any").tolist() == [True, True]
    assert einops.reduce(lucid.tensor(X > 9), "b c h w -> b", "all").tolist() == [False, False]


def test_the_layers_in_a_network() -> None:
    from lucid.interop.einops import EinMix, Rearrange, Reduce

    model = nn.Sequential(
        Rearrange("b c (h h2) (w w2) -> b (h w) (c h2 w2)", h2=2, w2=2),
        EinMix("b p c -> b p d", weight_shape="c d", bias_shape="d", c=12, d=5),
        nn.ReLU(),
        Reduce("b p d -> b d", "mean"),
    )
    assert [(name, p.shape) for name, p in model.named_parameters()] == [("1.weight", (12, 5)), ("1.bias", (1, 1, 5))]
    assert "Rearrange('b c (h h2) (w w2) -> b (h w) (c h2 w2)', h2=2, w2=2)" in repr(model)
    x = lucid.tensor(X, dtype=lucid.float32)
    out = model(x)
    out.sum().backward()
    assert out.shape == (2, 5) and model[1].weight.grad.abs().sum() > 0
    twin = copy.deepcopy(model)
    twin.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(twin(x).detach(), out.detach())


def test_the_layers_weights_begin_as_einops_says() -> None:
    """Uniform up to (3 / fan_in) ** 0.5."""
    from lucid.interop.einops import EinMix

    weight = EinMix("b c -> b d", weight_shape="c d", c=300, d=40).weight.detach().numpy()
    assert 0.098 < abs(weight).max() <= 0.1 and abs(weight.mean()) < 0.002


@pytest.mark.parametrize("first", ["einops", "lucid"])
def test_either_may_be_imported_first_and_lucid_imports_nothing(first: str) -> None:
    program = f"""
import sys
import {first}
assert first_is_lucid == ("einops" not in sys.modules)
import {"lucid" if first == "einops" else "einops"}
print(einops.rearrange(lucid.ones(2, 3), "a b -> b a").shape)
"""
    program = program.replace("first_is_lucid", str(first == "lucid"))
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "(3, 2)"


def test_without_einops_the_layers_say_so() -> None:
    program = "import sys; sys.modules['einops'] = None; import lucid; import lucid.interop.einops"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert "ImportError: lucid.interop.einops needs einops; install it with: pip install einops" in run.stderr


PLUGIN = """
import einops.tests
import lucid
from lucid.interop.einops import LucidBackend
einops.tests.collect_test_backends = lambda symbolic=False, layers=False: [] if symbolic else [LucidBackend()]
"""


def test_einopss_own_tests_pass(tmp_path: Path) -> None:
    """Those of them that take a list of backends, with lucid's alone in it."""
    (tmp_path / "only_lucid.py").write_text(PLUGIN)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "only_lucid", "--pyargs", "einops.tests"],
        env={"EINOPS_TEST_BACKENDS": "lucid,numpy", "PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": ""},
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0 and int(run.stdout.rsplit(" passed", 1)[0].rsplit(None, 1)[-1]) > 40, run.stdout

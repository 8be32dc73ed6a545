"""PyTorch's other names: each of the table leads to what is there, by attribute and by import; and what is not there
says what to write."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import lucid
from lucid import _suggest

LATER = {"datasets", "distributed", "distributions", "learn", "see"}  # lucid's own, loaded when they are first used
PAIRS = [(owner, name) for owner, names in _suggest.NAMES.items() for name in names]


@pytest.fixture
def without_tensorboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if nobody had asked for TensorBoard's writer yet, before and after."""

    def forget() -> None:
        sys.modules.pop("lucid.interop.tensorboard", None)
        _suggest.found.cache_clear()

    forget()
    yield
    forget()


def test_each_name_leads_somewhere(monkeypatch: pytest.MonkeyPatch, without_tensorboard: None) -> None:
    """The table is the whole of what is looked up by text (see test_house.py)."""
    there = ModuleType("tensorboardX")
    there.SummaryWriter = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorboardX", there)
    for owner, name in PAIRS:
        value = getattr(importlib.import_module(owner), name)
        assert value is not None and value is getattr(importlib.import_module(owner), name), (owner, name)
        assert name in dir(importlib.import_module(owner))
    assert set(_suggest.pairs(_suggest.METHODS)) <= set(dir(lucid.Tensor))
    for name in _suggest.RECTIFIERS.split():
        x = lucid.tensor([-1.0, 2.0])
        y = x.clone()
        args = (0.1, 7.0) if name == "threshold_" else ()
        assert getattr(lucid.nn.functional, name)(x, *args) is x
        assert x.tolist() == getattr(lucid.nn.functional, name[:-1])(y, *args).tolist()


def test_no_name_of_the_table_hides_one_that_is_there() -> None:
    for owner, name in PAIRS:
        assert name not in vars(importlib.import_module(owner)) or f"{owner}.{name}" in sys.modules, (owner, name)
        assert (
            name not in getattr(importlib.import_module(owner), "__all__", ())
            or owner in _suggest.PATHS
            or name in LATER
        )
    assert not set(_suggest.pairs(_suggest.METHODS)) & _suggest.INSTEAD.keys()


@pytest.mark.parity
def test_each_name_is_one_of_pytorchs() -> None:
    import torch

    own = {("lucid.nn.parameter", "UninitializedParameter"), *(("lucid", name) for name in LATER)}
    for owner, name in PAIRS:
        if owner in ("lucid.see", "lucid.utils.tensorboard") or name == "tensorboard":  # which PyTorch has not itself
            continue
        theirs = importlib.import_module(owner.replace("lucid", "torch", 1))
        if f"{owner}.{name}" in _suggest.PATHS:
            importlib.import_module(f"{theirs.__name__}.{name}") if name != "matmul" else theirs.matmul
        else:
            assert hasattr(theirs, name) or (owner, name) in own, (owner, name)
    for name, old in _suggest.pairs(_suggest.METHODS).items():
        assert hasattr(torch.Tensor, name) or old in ("stack", "cat"), name
    for name, dtype in _suggest.TYPES.items():
        assert str(getattr(torch, name)().dtype) == f"torch.{dtype}"
    for name in "float double half int long short bool uint8".split():
        assert str(getattr(torch, name)) == f"torch.{getattr(lucid, name)}"


PROGRAM = """
import sys
import lucid as torch
assert not [name for name in sys.modules if name.startswith(("threadpoolctl", "tensorboardX", "lucid.nn.modules"))]
import lucid.backends.cudnn as cudnn
cudnn.benchmark, cudnn.deterministic = True, True
torch.backends.cuda.matmul.allow_tf32 = False
from lucid.utils.data.dataset import Dataset
from lucid.utils.data.sampler import Sampler
from lucid.utils.data.dataloader import DataLoader
import lucid.nn.modules.linear
from lucid.nn.modules import *
from lucid.nn.modules.module import Module
from lucid.nn.parameter import Parameter, UninitializedParameter
from lucid.optim.lr_scheduler import _LRScheduler
from lucid.autograd import Variable
from lucid.autograd.variable import Variable as Same
from lucid.distributions.normal import Normal
from lucid.nn.utils.clip_grad import clip_grad_norm_
from lucid.utils.checkpoint import checkpoint
from lucid.nn.functional import relu_, upsample
from lucid.special import expit
assert Linear is torch.nn.Linear and Module is torch.nn.Module and lucid.nn.modules.linear.Linear is Linear
assert torch.nn.modules.conv.Conv2d is torch.nn.Conv2d and Variable is Same and Normal is torch.distributions.Normal
assert Dataset is torch.utils.data.Dataset is torch.utils.data.dataset.Dataset and isinstance(torch.ones(1), Variable)
assert torch.nn.modules is sys.modules["lucid.nn.modules"] and torch.nn.modules.__all__
torch.cuda.manual_seed_all(3)
first = torch.randn(2).tolist()
torch.cuda.manual_seed(3)
assert torch.randn(2).tolist() == first
assert not torch.backends.mps.is_available() and not torch.backends.cudnn.is_available()
assert torch.accelerator.is_available() == torch.cuda.is_available()
torch.set_float32_matmul_precision("high")
torch.use_deterministic_algorithms(True)
assert torch.finfo(torch.float).eps == 2.0**-23 and torch.iinfo(torch.long).max == 2**63 - 1
assert isinstance(torch.ones(2, 3).shape, torch.Size) and isinstance(torch.float, torch.dtype)
assert torch.ones(2, dtype=float).dtype == torch.float and torch.ones(2, dtype=int).dtype == torch.long
assert torch.ones(2, dtype=bool).dtype == torch.bool and torch.zeros(1, dtype=torch.half).dtype == torch.float16
x = torch.zeros(3)
assert torch.exp_(x) is x and torch.bernoulli(x).tolist() == [1, 1, 1]
assert {"arcsin", "float", "special", "backends"} <= set(dir(torch)) and "float" not in torch.__all__
"""


def test_a_program_with_pytorchs_paths_runs() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], check=True)


@pytest.mark.parametrize(
    "line, says",
    [
        ("import lucid.jit", "lucid has no 'jit': operations run as they are called; leave it out"),
        ("from lucid import vmap", r"lucid has no 'vmap': give operations the whole batch, or write stack\(\["),
        ("from lucid.func import grad", "lucid has no 'func': write autograd.grad, or jacobian"),
        ("from lucid.distributed import init_process_group", "'init_process_group': write distributed.init"),
        ("from lucid.cuda.amp import autocast", "lucid.cuda has no 'amp': write model.half"),
        (
            "from lucid.nn.utils.rnn import pack_padded_sequence",
            "'pack_padded_sequence': write nn.utils.rnn.pad_sequence",
        ),
        ("from lucid.nn import Linear, Conv3d", "lucid.nn has no 'Conv3d': there are no layers of volumes"),
        ("from lucid.optim import Adamw", "lucid.optim has no 'Adamw'; there is 'AdamW'"),
        ("import lucid.nn.quantized as q", "lucid.nn has no 'quantized': weights are floats"),
        ("import lucid.nowhere", "No module named 'lucid.nowhere'"),
        ("from lucid.nn.modules.linear import Bilinear", "cannot import name 'Bilinear'"),
    ],
)
def test_an_import_of_what_is_not_there_says_what_to_write(line: str, says: str) -> None:
    with pytest.raises(ImportError, match=says):
        exec(line, {})


def test_what_another_package_has_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, without_tensorboard: None
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    says = "SummaryWriter needs tensorboardX; install it with: pip install tensorboardX"
    with pytest.raises(ImportError, match=says):
        from lucid.utils.tensorboard import SummaryWriter  # noqa: F401
    with pytest.raises(ImportError, match=says):
        lucid.utils.tensorboard.SummaryWriter  # noqa: B018


def test_a_module_of_pytorchs_path_shows_the_public_names() -> None:
    module: Any = importlib.import_module("lucid.nn.modules.activation")
    assert isinstance(module, ModuleType) and set(lucid.nn.__all__) <= set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="lucid.nn.modules.activation has no 'Reluu'; there is 'ReLU'"):
        module.Reluu  # noqa: B018

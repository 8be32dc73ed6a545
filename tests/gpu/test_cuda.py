"""What a user does with a GPU: models that move, state that follows, checkpoints, errors, and what a step costs.

On the stand-in, and on CuPy where a GPU answers.
"""

from __future__ import annotations

import contextlib
import io
import math
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.gpu.namespace import gpu as gpu_of_lucid
from lucid.nn import functional as F
from tests.gpu import stand_in
from tests.gpu.gpus import gpu as gpu
from tests.gpu.gpus import there, unasked
from tests.gpu.stand_in.arrays import counted
from tests.project.test_examples import PROGRAMS, example


def mlp() -> tuple[nn.Module, Callable[[], Any]]:
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    x, y = lucid.randn(32, 64), lucid.randint(10, (32,))
    return model, lambda: F.cross_entropy(model(x), y)


def cnn() -> tuple[nn.Module, Callable[[], Any]]:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
    )
    x, y = lucid.randn(16, 1, 8, 8), lucid.randint(10, (16,))
    return model, lambda: F.cross_entropy(model(x), y)


def lstm() -> tuple[nn.Module, Callable[[], Any]]:
    model = nn.ModuleList([nn.LSTM(8, 16), nn.Linear(16, 1)])
    x, y = lucid.randn(12, 4, 8), lucid.randn(4, 1)
    return model, lambda: F.mse_loss(model[1](model[0](x)[0][-1]), y)


def transformer() -> tuple[nn.Module, Callable[[], Any]]:
    model = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True)
    x = lucid.randn(4, 6, 16)
    return model, lambda: (model(x) ** 2).mean()


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "transformer": transformer}


def steps(make: Callable[[], Any], count: int) -> Any:
    """Training steps on the default device, with all that a step may have; yields before each, then the parameters."""
    lucid.manual_seed(3)
    model, loss_of = make()
    optimizer = optim.Adamax(model.parameters(), lr=0.01)
    schedule = optim.ExponentialLR(optimizer, 0.9)
    for _ in range(count):
        yield
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    yield {"loss": loss.item(), **{name: p.detach().cpu().numpy() for name, p in model.named_parameters()}}


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_gives_the_same_model(name: str, gpu: str) -> None:
    lucid.set_default_dtype("float64")  # Adamax divides by |g|: of a gradient that is 0 but for rounding it makes much
    *_, found = steps(MODELS[name], 5)
    lucid.set_default_device("cpu")
    *_, expected = steps(MODELS[name], 5)
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-8, atol=1e-8, err_msg=key)


# What a step launches, by the stand-in's count (one for each function of the array library): a budget, which a change
# that makes it dearer has to raise knowingly.
BUDGET = {"mlp": 75, "cnn": 134, "lstm": 121, "transformer": 188}


@pytest.mark.parametrize("name", MODELS)
def test_a_step_neither_waits_nor_uploads_and_keeps_to_its_budget(name: str) -> None:
    with there("stand-in"):
        training = steps(MODELS[name], 5)
        for _ in range(4):
            next(training)
        with counted() as found:
            next(training)
    assert not unasked(found), found
    assert BUDGET[name] * 0.7 < found["launches"] <= BUDGET[name], found["launches"]


@pytest.mark.parametrize("p", [0.0, 0.25, 0.9, 1.0])
def test_dropout_drops_the_same_everywhere(p: float, gpu: str) -> None:
    found = []
    for device in ("cuda", "cpu"):
        lucid.manual_seed(5)
        found.append([F.dropout(lucid.ones(100, 30, device=device), p).cpu().numpy() for _ in range(2)])
    np.testing.assert_allclose(*found, rtol=1e-6)
    first, second = found[1]
    assert abs((first == 0).mean() - p) < 0.03 and (p in (0, 1) or (first != second).any())


def planted(what: str) -> Callable[[Any, Any], Any]:
    """An operation that does what must not be done on a GPU."""

    @lucid.op()
    def faulty(xp: Any, x: Any) -> Any:
        if what == "host array":
            return x * np.ones(3, dtype="float32")
        if what == "item":
            return x * x.sum().item()
        return xp.module.einsum_path(x)

    return faulty


def test_planted_faults_are_caught() -> None:
    with there("stand-in"):
        x = lucid.ones(3)
        with pytest.raises(TypeError, match="unsupported type"):
            planted("host array")(x)
        with counted() as found:
            planted("item")(x)
        assert found["syncs"] == 1 and any("test_cuda" in key for key in found)
        with pytest.raises(AttributeError, match="einsum_path"):
            planted("missing")(x)
        with pytest.raises(TypeError, match="keyword"):
            gpu_of_lucid().module.sum(x._array, initial=1)
        with pytest.raises(TypeError, match="Implicit"):
            np.asarray(x._array)


# -- moving ----------------------------------------------------------------------------------------------------------


def test_a_model_moves_and_its_state_follows(gpu: str) -> None:
    lucid.set_default_device("cpu")
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    optimizer = optim.Adamax(model.parameters())
    x = lucid.randn(8, 3)
    for device in ("cpu", "cuda", "cpu", "cuda"):
        model.to(device)
        before = [p.detach().clone() for p in model.parameters()]
        optimizer.zero_grad()
        (model(x.to(device)) ** 2).sum().backward()
        optimizer.step()
        for p, old in zip(model.parameters(), before, strict=True):
            assert p.device.type == p.grad.device.type == device
            assert lucid.Tensor(optimizer.state[p]["m"]).device.type == device
            assert not (p == old).all()
    assert [optimizer.state[p]["t"] for p in model.parameters()] == [4] * 6


def test_a_checkpoint_of_a_gpu_is_read_without_one(tmp_path: Any) -> None:
    with there("stand-in"):
        model = nn.Linear(3, 2)
        optimizer = optim.Adamax(model.parameters())
        model(lucid.ones(4, 3)).sum().backward()
        optimizer.step()
        lucid.save(
            {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "x": lucid.ones(2)}, tmp_path / "a"
        )
        lucid.save_safetensors(model.state_dict(), tmp_path / "b.safetensors")
        weight, moment = model.weight.detach().cpu().numpy(), optimizer.state_dict()["state"][0]["m"]
    saved = lucid.load(tmp_path / "a")
    assert saved["x"].device == "cpu"
    other = nn.Linear(3, 2)
    again = optim.Adamax(other.parameters())
    other.load_state_dict(saved["model"])
    again.load_state_dict(saved["optimizer"])
    np.testing.assert_array_equal(other.weight.detach().numpy(), weight)
    np.testing.assert_array_equal(again.state[other.weight]["m"], moment)
    np.testing.assert_array_equal(lucid.load_safetensors(tmp_path / "b.safetensors")["weight"], weight)
    with there("stand-in"):
        third = nn.Linear(3, 2)
        third.load_state_dict(saved["model"])
        assert third.weight.device == "cuda:0"
        np.testing.assert_array_equal(third.weight.detach().cpu().numpy(), weight)


def test_pickles_and_copies(gpu: str) -> None:
    p = nn.Parameter(lucid.ones(3))
    (p * 2).sum().backward()
    copy = pickle.load(io.BytesIO(pickle.dumps(p)))
    assert type(copy) is nn.Parameter and copy.device == "cuda:0" and copy.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_graph_may_cross_devices(gpu: str) -> None:
    x = lucid.tensor([1.0, 2.0], device="cpu", requires_grad=True)
    w = lucid.tensor([3.0, 4.0], device="cuda", requires_grad=True)
    loss = ((x * x).to("cuda") * w).sum().cpu() + x.sum()
    loss.backward()
    assert x.grad.device == "cpu" and x.grad.tolist() == [7.0, 17.0]
    assert w.grad.device == "cuda:0" and w.grad.tolist() == [1.0, 4.0]
    (slope,) = lucid.autograd.grad(((x * x).to("cuda") * w).sum().cpu(), w, create_graph=True)
    (second,) = lucid.autograd.grad(slope.sum(), x)
    assert second.device == "cpu" and second.tolist() == [2.0, 4.0]


def test_two_gpus() -> None:
    with stand_in.installed(gpus=2):
        model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).to("cuda:1")
        optimizer = optim.Adamax(model.parameters())
        x = lucid.randn(4, 2)
        for _ in range(2):
            optimizer.zero_grad()
            (model[2](model[:2](x.to("cuda:1")).to("cuda:0").to("cuda:1")) ** 2).mean().to("cuda:0").backward()
            optimizer.step()
        assert all(p.device == p.grad.device == "cuda:1" for p in model.parameters())
        with pytest.raises(RuntimeError, match="'x' on cuda:0 and 'weight' on cuda:1"):
            F.linear(x.to("cuda"), model[0].weight)


def test_dlpack_and_the_array_interface(gpu: str) -> None:
    x = lucid.arange(3.0)
    assert not hasattr(x.cpu(), "__cuda_array_interface__")
    with pytest.raises(BufferError, match="detach"):
        _ = lucid.ones(2, requires_grad=True).__cuda_array_interface__
    if gpu == "cuda":
        cupy = gpu_of_lucid().module
        assert cupy.asarray(x).tolist() == [0.0, 1.0, 2.0]
        shared = cupy.from_dlpack(x)
        shared[0] = 5
        assert x.tolist() == lucid.from_dlpack(shared).tolist() == [5.0, 1.0, 2.0]
        assert lucid.Tensor(shared).device == "cuda:0"


def test_half_precision_trains(gpu: str) -> None:
    model = nn.Linear(4, 2).half()
    optimizer = optim.Adamax(model.parameters())
    model(lucid.ones(3, 4).half()).sum().backward()
    optimizer.step()
    assert model.weight.dtype == lucid.float16 and optimizer.state[model.weight]["m"].dtype == lucid.float32


def test_half_precision_is_summed_and_multiplied_in_single(gpu: str) -> None:
    many = lucid.ones(6000, 4).half().requires_grad_()
    assert many.sum(0).tolist() == [6000.0] * 4 and many.cumsum(0)[-1].tolist() == [6000.0] * 4
    ties = lucid.ones(70_000).half().requires_grad_()
    ties.max().backward()
    assert ties.grad[0].item() == pytest.approx(1 / 70_000, rel=0.01)
    row = lucid.ones(1, 4).half().requires_grad_()
    (row.expand(6000, 4) + row[lucid.zeros(6000).long()]).sum().backward()
    assert row.grad.tolist() == [[12_000.0] * 4]
    for f in (lambda x: x * 1e5, lambda x: 1e5 * x, lambda x: x * lucid.tensor(1e5), lambda x: x / 1e-5):
        x = lucid.tensor([0.01, 0.5]).half().requires_grad_()
        out = f(x)
        out.backward(lucid.tensor([0.01, 0.0]).half())
        assert out.dtype == lucid.float16 and [round(x.grad[0].item()), round(out[0].item())] == [1000, 1000]
    x = lucid.tensor([math.inf, 0.0, 0.1]).half()
    assert (x == 1e5).tolist() == (x == 1e-10).tolist() == (x == 0.1).tolist() == [False] * 3
    logits = lucid.zeros(2, 70_000).half().requires_grad_()
    loss = F.cross_entropy(logits, lucid.tensor([3, 4]))
    assert loss.item() == pytest.approx(11.156, rel=1e-3) and logits.softmax(1)[0, 0].item() > 0
    many_rows = F.cross_entropy(lucid.zeros(5000, 2).half(), lucid.zeros(5000).long())
    assert many_rows.item() == pytest.approx(0.6931, rel=1e-3)


def test_integers_divided_by_0_are_refused_when_the_gpu_is_waited_for() -> None:
    with there("stand-in"):
        x = lucid.tensor([1, 0])
        for f, name in ((lambda: 6 // x, "floor_divide"), (lambda: x % x, "remainder")):
            out = f()
            with pytest.raises(ZeroDivisionError, match=f"{name}: integers cannot be divided by 0.*a GPU reports this"):
                out.tolist()
        with pytest.raises(ZeroDivisionError, match="floor_divide"):
            x // 0
        assert (6 // (x + 1)).tolist() == [3, 6] and (x.float() // 0).isinf().tolist() == [True, False]


# -- errors ----------------------------------------------------------------------------------------------------------


def test_an_index_out_of_range_is_said_when_the_gpu_is_waited_for() -> None:
    with there("stand-in"):
        weight, table = lucid.randn(4, 2), nn.Embedding(4, 2)
        assert table(lucid.tensor([0, 3])).sum().item()
        wrong: list[tuple[Callable[[], Any], str]] = [
            (lambda: table(lucid.tensor([0, 4])), "embedding: input holds a number that is not one of the 4 rows"),
            (lambda: weight[lucid.tensor([-5])], "getitem: an index is out of bounds for the 4 of dim 0"),
            (lambda: weight.gather(1, lucid.tensor([[2]])), "gather: an index is out of range for the 2 of dim 1"),
            (
                lambda: F.cross_entropy(weight, lucid.tensor([0, 1, 2, 0])),
                "target holds a number that is not one of the 2",
            ),
        ]
        for call, told in wrong:
            # A GPU goes on here, as our own kernels do: but what the stand-in does has no memory beside it.
            with contextlib.suppress(stand_in.Trap, IndexError):
                call()
            with pytest.raises(IndexError, match=told):
                weight.sum().item()
            assert weight.sum().item()
        assert F.cross_entropy(weight, lucid.tensor([0, 1, -100, 0])).item()


def test_mixed_devices_are_refused(gpu: str) -> None:
    here, there_ = lucid.ones(2, device="cpu"), lucid.ones(2, device="cuda")
    with pytest.raises(RuntimeError, match=r"multiply: .*'x' on cpu and 'y' on cuda:0; .*\.to\('cuda:0'\)"):
        here * there_
    with pytest.raises(RuntimeError, match=r"'x' on cuda:0 and 'y', a NumPy array, on cpu"):
        there_ * np.ones(2)
    with pytest.raises(RuntimeError, match=r"cat: .* on cpu and .* on cuda:0"):
        lucid.cat([here, there_])
    with pytest.raises(RuntimeError, match=r"the tensor is on cuda:0, its gradient on cpu"):
        (lucid.ones(2, requires_grad=True) * 2).backward(here)
    with pytest.raises(ValueError, match=r"got shape \(2,\) and float32 on cpu"):
        there_.grad = here


def test_mixed_devices_within_a_model_name_the_module(gpu: str) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    model[1][0].to("cpu")
    with pytest.raises(RuntimeError, match=r"linear, in module '1\.0' \(Linear\): .*'x' on cuda:0 and 'weight' on cpu"):
        model(lucid.ones(1, 2))


def test_a_gpu_that_is_not_there(gpu: str) -> None:
    with pytest.raises(RuntimeError, match=r"device 'cuda:7': there is no such GPU here; there is 'cuda:0'"):
        lucid.zeros(2, device="cuda:7")
    with pytest.raises(RuntimeError, match="no such GPU"):
        nn.Linear(2, 2).to("cuda:9")


@pytest.mark.parametrize(
    "module, told",
    [
        (None, r"needs CuPy, which is not installed here .*pip install \"cupy-cuda12x\[ctk\]>=14\""),
        ("raise ImportError('libnvrtc.so.12: cannot open shared object file')",
         r"does not load \(libnvrtc.so.12: .*pip uninstall"),
        ("class cuda:\n class runtime:\n  def getDeviceCount():\n   raise RuntimeError('cudaErrorInsufficientDriver: "
         "too old')", r"no usable GPU \(cudaErrorInsufficientDriver: too old\); see whether nvidia-smi"),
        ("class cuda:\n class runtime:\n  getDeviceCount = lambda: 0", "no GPU on this machine; use device='cpu'"),
    ],
    ids=["no CuPy", "another CUDA", "old driver", "no GPU"],
)  # fmt: skip
def test_no_gpu_to_work_with(module: str | None, told: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [_Only(tmp_path), *sys.meta_path])
    if module is not None:
        (tmp_path / "cupy.py").write_text(module)
        (tmp_path / "cupyx").mkdir()
        (tmp_path / "cupyx" / "__init__.py").touch()
        (tmp_path / "cupyx" / "scipy").mkdir()
        (tmp_path / "cupyx" / "scipy" / "__init__.py").touch()
        (tmp_path / "cupyx" / "scipy" / "special.py").write_text("erf = None")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("cupy", "cupyx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("lucid.gpu.namespace.loaded", None)
    with pytest.raises(RuntimeError, match=told):
        lucid.ones(2).to("cuda")
    assert not lucid.cuda.is_available() and lucid.cuda.device_count() == 0
    for name in [name for name in sys.modules if name.partition(".")[0] in ("cupy", "cupyx")]:
        del sys.modules[name]


class _Only:
    """Finds CuPy in one folder, and nowhere else."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in ("cupy", "cupyx"):
            return None
        from importlib.machinery import PathFinder

        found = PathFinder.find_spec(name, path if path is not None else [str(self.folder)])
        if found is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return found


def test_out_of_memory_says_what_is_free(gpu: str) -> None:
    if gpu == "cuda":
        with pytest.raises(MemoryError, match=r"of the GPU's .* are free, tensors hold"):
            lucid.zeros(2**40)
        return
    too_large = gpu_of_lucid().module.cuda.memory.OutOfMemoryError
    x = lucid.ones(2)

    @lucid.op()
    def large(xp: Any, x: Any) -> Any:
        raise too_large("Out of memory allocating 4,000 bytes (allocated so far: 1,000 bytes).")

    told = (
        r"large: Out of memory allocating 4,000 bytes .* 8,192 MiB of the GPU's 16,384 are free, tensors hold 0; make"
    )
    with pytest.raises(MemoryError, match=told):
        large(x)


# -- lucid.cuda ------------------------------------------------------------------------------------------------------


def test_memory_is_told(gpu: str) -> None:
    assert lucid.cuda.is_available() and lucid.cuda.device_count() >= 1
    lucid.cuda.synchronize()
    lucid.cuda.empty_cache()
    with pytest.raises(ValueError, match="expected a GPU"):
        lucid.cuda.synchronize("cpu")
    if gpu == "cuda":
        lucid.cuda.reset_peak_memory_stats()
        before = lucid.cuda.memory_allocated()
        x = lucid.zeros(2**20)
        assert lucid.cuda.memory_allocated() == before + 2**22
        del x
        assert lucid.cuda.memory_allocated() == before and lucid.cuda.max_memory_allocated() == before + 2**22
        assert lucid.cuda.memory_reserved() >= 2**22
        assert "NVIDIA" in lucid.cuda.get_device_name()


@pytest.mark.gpu
@pytest.mark.parametrize("name", MODELS)
def test_training_leaves_nothing_in_the_pool(name: str) -> None:
    with there("cuda"):
        training = steps(MODELS[name], 30)
        for _ in range(10):
            next(training)
        held = lucid.cuda.memory_allocated()
        for _ in range(15):
            next(training)
        assert lucid.cuda.memory_allocated() == held


def test_the_program_of_the_documentation(gpu: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[2] / "docs" / "gpu.md").read_text()
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], {})
    loss, device = re.fullmatch(r"loss ([\d.]+) on (\w+)\n", capsys.readouterr().out).groups()
    assert float(loss) < 0.1 and device == "cuda"


# -- the examples ----------------------------------------------------------------------------------------------------


def test_the_doctor_knows_what_a_gpu_takes_for_a_cross_entropy(gpu: str) -> None:
    names = ["softmax-twice", "relu-before-loss", "labels-off-by-one"]
    assert example("07_broken_training").main([*names, "--quick", "--device=cuda"]) == 0


@pytest.mark.gpu
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_an_example_learns_as_on_the_cpu(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same losses, step by step, as far as float32 lets two devices agree on a course."""
    pytest.importorskip("matplotlib", reason="the examples draw with matplotlib, which is not installed here")
    program = example(path.stem)
    if path.stem == "07_broken_training":  # it judges its losses itself
        assert program.main(["--quick", "--device=cuda"]) == 0
        return
    curves = {device: losses_of(program, path, device, tmp_path, monkeypatch) for device in ("cpu", "cuda")}
    assert len(curves["cpu"]) == len(curves["cuda"]) > 0
    np.testing.assert_allclose(curves["cuda"], curves["cpu"], rtol=2e-2, atol=1e-4)


def losses_of(program: Any, path: Path, device: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The first hundred losses that an example, at its quick size, calls backward() on."""
    losses: list[lucid.Tensor] = []
    backward = lucid.Tensor.backward

    def noting(loss: lucid.Tensor, *args: Any, **options: Any) -> None:
        losses.append(loss.detach())
        backward(loss, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(lucid.Tensor, "backward", noting)
        out = [f"--out={folder / device}{suffix}" for suffix in re.findall(r'out="out/\w+(\.\w+)"', path.read_text())]
        program.main(["--quick", "--seed=0", f"--device={device}", *out])
    return np.array([loss.sum().item() for loss in losses[:100]])

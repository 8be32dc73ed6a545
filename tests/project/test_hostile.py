"""Every argument of every public callable is given what it cannot take: the outcome is a result, or an error that names
the callable. The table is made from the signatures; no callable is listed by hand, and no exception is excused."""

from __future__ import annotations

import inspect
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from traceback import walk_tb
from types import FrameType
from typing import Any

import numpy as np
import pytest

import lucid
import lucid.datasets
import lucid.see
from lucid import nn, optim
from lucid.utils import data
from tests.whole import whole

HOSTILE: dict[str, Callable[[], Any]] = {
    "None": lambda: None, "a text": lambda: "text", "bytes": lambda: b"raw", "a complex number": lambda: 1j,
    "a huge int": lambda: 10**30, "a hugely negative int": lambda: -(10**30), "NaN": lambda: float("nan"),
    "a bool": lambda: True, "an empty list": list, "a list of None": lambda: [None], "a dict": dict,
    "an object": object, "a class": lambda: int, "a function": lambda: lambda *args, **options: None,
    "complex numbers": lambda: np.array([1j, 2j]), "objects": lambda: np.array([None, "a"]),
    "texts": lambda: np.array(["a", "b"]), "a tensor": lambda: lucid.ones(2, 3), "an array": lambda: np.ones((2, 3)),
}  # fmt: skip


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))


def optimizer() -> Any:
    return optim.SGD(model().parameters(), lr=0.1)


x = lambda: lucid.tensor(np.arange(6.0).reshape(2, 3) / 7, dtype=lucid.float32)
square = lambda: lucid.eye(3) * 2
# What stands for an argument that is not the hostile one, by its name; a name that is not here gets 1.
PLAUSIBLE: dict[str, Callable[[], Any]] = {
    **dict.fromkeys("x y a self input other tensor data weight_ src source probabilities x1 x2 prediction".split(), x),
    **dict.fromkeys("tensor1 tensor2 end values sorted_sequence mat1".split(), x), "vec": lambda: lucid.ones(3),
    **dict.fromkeys("A B b matrix mat2".split(), square), "sizes": lambda: (1, -1), "q": lambda: 0.5,
    "bias": lambda: None, "condition": lambda: x() > 0.3,
    "mask": lambda: x() > 0.3, "index": lambda: lucid.zeros(2, 3, dtype=lucid.int64), "value": lambda: 1.0,
    "indices": lambda: lucid.zeros(2, 3, dtype=lucid.int64), "dim": lambda: 0, "tensors": lambda: [x(), x()],
    "shape": lambda: (3, 2), "size": lambda: (3, 2), "pad": lambda: (1, 1), "min": lambda: 0.0, "dtype": lambda: None,
    "equation": lambda: "ij->i", "func": lambda: lambda t: t.sum(), "function": lambda: lambda t: t.sum(),
    "fn": lambda: lambda t: None, "hook": lambda: lambda *a: None, "closure": lambda: lambda: x().sum(),
    "params": lambda: list(model().parameters()), "parameters": lambda: list(model().parameters()),
    "module": model, "model": model, "optimizer": optimizer, "loss": lambda: (x().requires_grad_() * 1).sum(),
    "outputs": lambda: (x().requires_grad_() * 1).sum(), "inputs": lambda: x().double().requires_grad_(),
    "lr_lambda": lambda: lambda epoch: 1.0, "dataset": lambda: list(range(4)), "data_source": lambda: list(range(4)),
    "sampler": lambda: [0, 1], "datasets": lambda: [[1, 2], [3]], "lengths": lambda: [1, 3], "batch_size": lambda: 2,
    "milestones": lambda: [1, 2], "T_max": lambda: 5, "state_dict": dict, "normalized_shape": lambda: 3,
    "target": x, "nonlinearity": lambda: "relu", "name": lambda: "name", "dims0": lambda: 0, "dim0": lambda: 0,
    "max_lr": lambda: 1.0, "total_steps": lambda: 9, "base_lr": lambda: 0.1, "schedulers": list,
    "encoder_layer": lambda: nn.TransformerEncoderLayer(4, 2, 8),
    "decoder_layer": lambda: nn.TransformerDecoderLayer(4, 2, 8), "d_model": lambda: 4, "embed_dim": lambda: 4,
    "requires_grad": lambda: False, "group": lambda: {"params": []}, "low": lambda: 0, "high": lambda: 5,
    "correction": lambda: 1, "path": lambda: "/nowhere/at/all", "modules": list, "v": lambda: x().double(),
    "lr": lambda: 0.1, "array": lambda: np.ones(3), "num_samples": lambda: 2, "samples": lambda: [1, 2],
    "eps": lambda: 0.1,
    "weight": lambda: lucid.ones(3, 3), "indexing": lambda: "ij", "device": lambda: None, "metrics": lambda: 1.0,
}  # fmt: skip
FIXED = optimizer()
one, picture, line, labels = (lambda: lucid.ones(1)), (lambda: lucid.ones(1, 2, 5, 5)), (lambda: lucid.ones(1, 2, 5)), (
    lambda: lucid.tensor([0, 1])
)
BY_CALLABLE: dict[str, dict[str, Callable[[], Any]]] = {
    **{name: {"input": line, "weight": lambda: lucid.ones(2, 2, 2)} for name in ("conv1d", "conv_transpose1d")},
    **{name: {"input": picture, "weight": lambda: lucid.ones(2, 2, 2, 2)} for name in ("conv2d", "conv_transpose2d")},
    **{name: {"input": picture} for name in ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "interpolate", "unfold",
                                             "dropout2d")},
    **{name: {"input": line} for name in ("max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "dropout1d")},
    **{name: {"input": labels, "tensor": labels} for name in ("embedding", "one_hot")},
    **{name: {"target": labels} for name in ("cross_entropy", "nll_loss")},
    **{name: {"index": labels} for name in ("index_select", "index_add", "index_fill", "index_fill_")},
    **{name: {"indices": lambda: (labels(),), "values": lambda: 1.0} for name in ("index_put", "index_put_")},
    "select": {"index": lambda: 1},
    "baddbmm": {"batch1": lambda: lucid.ones(2, 2, 3), "batch2": lambda: lucid.ones(2, 3, 3)},
    "movedim": {"source": lambda: 0}, "repeat_interleave": {"repeats": lambda: 2}, "lerp": {"weight": lambda: 0.5},
    "fold": {"input": lambda: lucid.ones(1, 4, 4), "output_size": lambda: 3, "kernel_size": lambda: 2},
    "linear": {"weight": lambda: lucid.ones(2, 3)}, "arange": {"start": lambda: 1, "end": lambda: 5},
    "linspace": {"start": lambda: 0, "end": lambda: 1}, "eye": {"n": lambda: 2, "m": lambda: 2},
    "scaled_dot_product_attention": dict.fromkeys(("query", "key", "value"), line),
    "prelu": {"weight": one}, "trace": {"x": square}, "tensordot": {"dims": lambda: 1, "b": lambda: x().T},
    "matmul": {"b": lambda: x().T}, "view": {"shape": lambda: (3, 2)}, "expand": {"shape": lambda: (2, 3)},
    "broadcast_to": {"shape": lambda: (2, 3)}, "permute": {"dims": lambda: (1, 0)}, "flip": {"dims": lambda: (0,)},
    "Unflatten": {"unflattened_size": lambda: (1, 3)}, "RemovableHandle": {"hooks": dict},
    "ChainedScheduler": {"schedulers": lambda: [optim.StepLR(optimizer(), 2)]}, "Subset": {"indices": lambda: [0, 1]},
    "OneCycleLR": {"total_steps": lambda: 9, "max_lr": lambda: 1.0}, "TensorDataset": {"tensors": lambda: (x(), x())},
    "SequentialLR": {"optimizer": lambda: FIXED, "schedulers": lambda: [optim.StepLR(FIXED, 2)], "milestones": list},
}  # fmt: skip


def made(cls: type) -> Any:
    """An object of a public class."""
    if cls is lucid.Tensor:
        return x()
    return cls(**{p.name: plausible(cls.__name__, p) for p in needed(cls)})


def needed(f: Any) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in inspect.signature(f).parameters.values() if p.default is p.empty and p.kind not in kinds]


def plausible(owner: str, p: inspect.Parameter) -> Any:
    own = BY_CALLABLE.get(owner, {})
    if p.name in own:
        return own[p.name]()
    return PLAUSIBLE[p.name]() if p.name in PLAUSIBLE else 1


def public() -> Iterator[tuple[str, Callable[[], Any], tuple[str, ...]]]:
    """Each public callable: its title, what makes it (an object anew for each call), and the names that will do."""
    places = [lucid, nn, nn.functional, nn.init, nn.utils, lucid.linalg, lucid.autograd, optim, data, lucid.io,
              lucid.see, lucid.datasets]  # fmt: skip
    seen: set[int] = set()
    functions = tuple({name.rstrip("_") for place in (nn.functional, lucid, nn) for name in place.__all__})
    for place in places:
        for name in place.__all__:
            value = getattr(place, name)
            if id(value) in seen or inspect.ismodule(value) or not callable(value):
                continue
            seen.add(id(value))
            title = f"{place.__name__}.{name}"
            if not inspect.isclass(value):
                yield title, lambda value=value: value, (name, getattr(value, "__name__", name))
                continue
            if issubclass(value, BaseException) or value is lucid.device:
                continue
            yield title, lambda value=value: value, (name,)
            for key, member in inspect.getmembers_static(value, inspect.isfunction):
                if not key.startswith("_") and key not in MACHINERY and id(member) not in seen:
                    seen.add(id(member))
                    yield (f"{title}.{key}", lambda value=value, key=key: getattr(made(value), key),
                           (key, name, member.__name__))  # fmt: skip
            if issubclass(value, nn.Module) and value is not nn.Module:
                yield f"{title}()", lambda value=value: made(value), (name, *functions)


# What a class's own machinery calls, and no user: with what, is the class's affair.
MACHINERY = {"forward", "extra_repr", "check", "rate", "start", "step_scalars", "take"}
KINDS = (TypeError, ValueError, IndexError, KeyError, AttributeError, RuntimeError, MemoryError, OSError)


class Slow(BaseException):
    """It took seconds: a refusal comes before the work."""


def outcome(make: Callable[[], Any], names: tuple[str, ...], argument: str, hostile: Any) -> str | None:
    """What is wrong with what the call does; None where it gives a result, or a good refusal."""
    f = make()
    target = f.forward if isinstance(f, nn.Module) else f
    owner = names[-1] if not isinstance(f, nn.Module) else type(f).__name__
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for p in inspect.signature(target).parameters.values():
        wanted = hostile if p.name == argument else plausible(owner, p)
        if p.kind is p.VAR_POSITIONAL:
            positional += [wanted] if p.name == argument else wanted if isinstance(wanted, (tuple, list)) else [wanted]
        elif p.kind is p.VAR_KEYWORD:
            continue
        elif p.name == argument or p.default is p.empty:
            if p.kind is p.KEYWORD_ONLY or keywords or (p.name == argument and len(positional) < index_of(target, p)):
                keywords[p.name] = wanted
            else:
                positional.append(wanted)
    signal.setitimer(signal.ITIMER_REAL, 5)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), lucid.enable_grad():
            warnings.simplefilter("ignore")
            f(*positional, **keywords)
    except Exception as error:
        if any(frame.f_globals is globals() for frame, _ in list(walk_tb(error.__traceback__))[1:]):
            return None  # it came from a function that was given
        text = str(error.args[0]) if isinstance(error, KeyError) else str(error)
        if not isinstance(error, KINDS):
            return f"{type(error).__name__}: {text}"
        named = any(re.search(rf"^{re.escape(n)}\b|\b{re.escape(n)}[:(.]", text) for n in names)
        return None if named else f"{type(error).__name__} without a name: {text}"
    except Slow:
        return "slow"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def index_of(f: Any, p: inspect.Parameter) -> int:
    return list(inspect.signature(f).parameters).index(p.name)


def faults(title: str, make: Callable[[], Any], names: tuple[str, ...]) -> list[str]:
    def alarm(number: int, frame: FrameType | None) -> None:
        raise Slow

    before = signal.signal(signal.SIGALRM, alarm)
    found = []
    try:
        f = make()
        target = f.forward if isinstance(f, nn.Module) else f
        for argument, p in inspect.signature(target).parameters.items():
            for kind, hostile in HOSTILE.items():
                if p.kind is not p.VAR_KEYWORD and (wrong := outcome(make, names, argument, hostile())):
                    found.append(f"{title}, {kind} for {argument}: {wrong}")
    finally:
        signal.signal(signal.SIGALRM, before)
        lucid.set_default_dtype(lucid.float32)
        lucid.set_default_device("cpu")
        lucid.set_grad_enabled(True)
        lucid.autograd.set_detect_anomaly(False)
    return found


ALL = list(public())


@whole
@pytest.mark.parametrize("title, make, names", ALL, ids=[title for title, _, _ in ALL])
def test_a_refusal_names_the_callable(
    title: str, make: Callable[[], Any], names: tuple[str, ...], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not faults(title, make, names)

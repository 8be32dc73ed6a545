"""Every public function, method and layer says what is wrong with a wrong use of it: the rows are in errors.py."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from tests.ops.test_table import surface
from tests.project.errors import ERRORS
from tests.whole import first

TABLE = sys.modules["lucid.core.op"].OPS  # `lucid.op` itself is the decorator
ROWS = [(name, i) for name, rows in ERRORS.items() for i in range(len(rows))]


@pytest.mark.parametrize("name, i", ROWS, ids=lambda value: str(value))
def test_a_wrong_use_gets_a_sentence(name: str, i: int) -> None:
    call, error, message = ERRORS[name][i]
    with np.errstate(all="ignore"), pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    assert re.search(message, str(raised.value)), f"{raised.value} does not match {message}"


# -- operands that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op",
                         [op for op in TABLE.values() if op.forward.__module__.startswith("lucid.") and op.inputs],
                         ids=lambda op: op.name)
@pytest.mark.parametrize("wrong", first(["a", None, [1.0], {}]), ids=repr)
def test_an_operation_refuses_what_is_no_tensor(op: Any, wrong: object) -> None:
    options = dict.fromkeys(op.options)
    if op.variadic:
        with pytest.raises(TypeError, match=f"^{op.name}: expected tensors, got {type(wrong).__name__}"):
            op.call(lucid.ones(2), wrong, **options)
        return
    for place, name in enumerate(op.inputs):
        if wrong is not None or name not in op.nullable:
            given = [lucid.ones(2)] * len(op.inputs)
            given[place] = wrong
            with pytest.raises(
                TypeError,
                match=f"^{op.name}: expected a Tensor, a number or an array for {name!r}, got {type(wrong).__name__}; "
                      f"lucid.tensor",
            ):
                op.call(*given, **options)


REDUCTIONS = "all amax amin any argmax argmin logsumexp mean prod std sum var linalg.inv linalg.det".split()
OF_TENSORS = {name: f for name, f in surface().items() if not name.startswith("Tensor.")
              and next(iter(inspect.signature(f).parameters.values()), None) is not None
              and (next(iter(inspect.signature(f).parameters.values())).annotation == "Tensor"
                   or name.removeprefix("lucid.") in REDUCTIONS)}  # fmt: skip


ALSO: dict[str, Any] = {  # what must be right for the tensor to be looked at
    "clamp": {"min": 0}, "clip": {"min": 0}, "pad": {"pad": (1, 1)}, "scatter": {"src": 1.0},
    **{f"masked_{how}": {"mask": lucid.ones(2, 3) > 0} for how in ("fill", "scatter", "select")},
    "nll_loss": {"target": lucid.arange(2)}, "index_put": {"indices": (0,)},
    "baddbmm": dict.fromkeys(("batch1", "batch2"), lucid.ones(1, 3, 3)),
    **{name: {"dim": 0} for name in ("softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp")},
}  # fmt: skip


@pytest.mark.parametrize("name", OF_TENSORS)
@pytest.mark.parametrize("wrong", first(["a", None, {}]), ids=repr)
def test_a_function_refuses_what_is_no_tensor(name: str, wrong: object) -> None:
    """It says its own name, or that of the operation in it that was given the wrong thing; and never an
    AttributeError.
    """
    first, *others = inspect.signature(OF_TENSORS[name]).parameters.values()
    needed = [p for p in others if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    given = {p.name: lucid.ones(2, 3) if p.annotation == "Tensor" else 1 for p in needed} | ALSO.get(
        name.rpartition(".")[2], {}
    )
    with pytest.raises(TypeError) as raised:
        OF_TENSORS[name](wrong, **given)
    who, _, what = str(raised.value).partition(": ")
    assert who in {*TABLE, *(f.__name__ for f in OF_TENSORS.values())}, raised.value
    assert re.match(f"(expected|{first.name} must be) a .*Tensor.*, got {type(wrong).__name__}", what), raised.value


# -- the table is complete -------------------------------------------------------------------------------------------

# What can be misused only by giving it no tensor, or not at all, and why.
NO_ERRORS = {
    "an operation on one tensor, of any shape and dtype":
        "isfinite isinf isnan neg abs ceil cos exp expm1 floor log log1p log2 log10 reciprocal relu sigmoid sign sin "
        "sqrt square tan tanh trunc erf rsqrt round Tensor.clone acos acosh asin asinh atan atanh cosh erfc "
        "erfinv exp2 lgamma logical_not nan_to_num sinh Tensor.__pos__ nonzero "
    "F.relu F.silu F.elu F.hardsigmoid F.hardswish F.leaky_relu F.logsigmoid F.mish F.relu6 F.selu F.softplus "
    "F.softsign F.tanhshrink",
    "takes nothing":
        "get_default_device get_default_dtype get_rng_state is_grad_enabled Tensor.bool Tensor.contiguous Tensor.cpu "
        "Tensor.detach Tensor.detach_ Tensor.dim Tensor.double Tensor.element_size Tensor.float Tensor.half Tensor.int "
        "Tensor.is_contiguous "
    "Tensor.is_floating_point Tensor.long Tensor.numel Tensor.numpy Tensor.tolist Tensor.__array__ "
    "Tensor.__array_namespace__ Tensor.__copy__ "
    "Tensor.__dlpack_device__ Tensor.__format__ Tensor.__repr__ Tensor.byte Tensor.char Tensor.data_ptr Tensor.short",
    "a property that is read":
        "Tensor.T Tensor.device Tensor.dtype Tensor.grad_fn Tensor.is_cuda Tensor.is_leaf Tensor.ndim "
        "Tensor.shape",
    "needs a GPU": "Tensor.cuda",
    "takes anything": "is_tensor",
}


def short(name: str) -> str:
    return name.removeprefix("lucid.").replace("nn.functional.", "F.")


def test_every_public_function_has_error_rows() -> None:
    names: dict[int, set[str]] = {}
    for name, function in surface().items():
        names.setdefault(id(getattr(function, "op", function)), set()).add(short(name))
    excused = {name for group in NO_ERRORS.values() for name in group.split()}
    without = [min(group) for group in names.values() if not group & ERRORS.keys() and not group & excused]
    assert not without, f"no error rows for {sorted(without)}"
    there = set().union(*names.values())
    assert not [name for name in excused if name not in there], "these are not there"
    assert not [name for name in ERRORS if name not in there and not name.startswith("nn.")], "these are not there"
    assert not [group for group in names.values() if group & excused and group & ERRORS.keys()], (
        "these are excused, and have rows"
    )


def test_every_layer_has_error_rows() -> None:
    layers = {
        f"nn.{name}" for name, value in vars(nn).items() if inspect.isclass(value) and issubclass(value, nn.Module)
    }
    rows = {name for name in ERRORS if name.startswith("nn.")}
    expected = layers - {"nn.Module"} - ANY_TENSOR
    assert not expected - rows, f"no error rows for {sorted(expected - rows)}"
    assert not rows - expected, f"these are not there, or need none: {sorted(rows - expected)}"


ANY_TENSOR = {f"nn.{name}"
              for name in "Identity ReLU ReLU6 Sigmoid Tanh SiLU SELU ELU Mish LeakyReLU Softplus LogSigmoid Softsign "
                          "Tanhshrink Hardsigmoid Hardswish".split()}

"""Wrong uses of every public function, method and layer, and the sentence that each must give (test_errors.py).

name -> [(call, exception, what the message must match)]; `F.` is lucid.nn.functional, what has no prefix is lucid's own.
A row of one name counts for all names of the same function: `sum` for `Tensor.sum`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import lucid
from lucid.nn import functional as F
from tests.project import errors_nn, errors_tensors

Error = tuple[Callable[[], Any], type[Exception], str]

x3, x23 = lucid.ones(3), lucid.ones(2, 3)
ints, mask = lucid.tensor([0, 2, 1]), lucid.tensor([True, False, True])
live = lambda: lucid.ones(3, requires_grad=True) * 1
logits = lucid.zeros(4, 3)


def along(name: str, *others: Any, method: Any = None) -> list[Error]:
    """What a function that works along a dim says of a dim that is not there, and of one that is no int."""
    f = method or getattr(lucid, name)
    return [(lambda: f(x23, *others, dim=2), IndexError, rf"{name}: dim 2 is out of range for .*(\(2, 3\)|2-D).*; expected -2 to 1"),
            (lambda: f(x23, *others, dim="a"), TypeError, f"{name}: expected an int.* for dim, got 'a'")]  # fmt: skip


def unlike(name: str) -> list[Error]:
    """What a function of two tensors says of shapes that do not broadcast."""
    f = getattr(lucid, name)
    return [(lambda: f(x23, lucid.ones(4)), ValueError, rf"{f.__name__}: shapes \(2, 3\) and \(4,\) do not broadcast together"),
            (lambda: f(x3, "a"), TypeError, f"{f.__name__}: expected a Tensor, a number or an array for 'y', got str")]  # fmt: skip


def shaped(name: str, f: Callable[..., Any]) -> list[Error]:
    """What a function that takes a shape says of floats, and of negative lengths."""
    return [(lambda: f(2.5), TypeError, rf"{name}: expected ints, or a tuple of ints, got \(2.5,\)"),
            (lambda: f((2, -1)), ValueError, rf"{name}: .*\(2, -1\)")]  # fmt: skip


def made(f: Callable[..., Any]) -> list[Error]:
    """What a function that makes a tensor says of its options."""
    return [(lambda: f(dtype="float99"), TypeError, "unknown dtype 'float99'; expected one of float16"),
            (lambda: f(device="tpu"), ValueError, "unknown device 'tpu'; expected 'cpu', 'cuda' or 'cuda:N'")]  # fmt: skip


PAIRS = "add sub mul div maximum minimum eq ne lt le gt ge".split()
DIMS = "sum mean prod amax amin any all var std logsumexp argmax argmin cumsum cumprod softmax log_softmax norm".split()

ERRORS: dict[str, list[Error]] = {
    **{name: unlike(name) for name in PAIRS},
    **{name: along(name) for name in DIMS},
    # operators
    "Tensor.__and__": [(lambda: mask & lucid.tensor([True] * 2), ValueError, r"logical_and: shapes \(3,\) and \(2,\) do not broadcast"), (lambda: x3 & x3, TypeError, "logical_and: not defined for float32 and float32; convert first")],
    "Tensor.__or__": [(lambda: mask | lucid.tensor([True] * 2), ValueError, r"logical_or: shapes \(3,\) and \(2,\) do not broadcast"), (lambda: x3 | x3, TypeError, "logical_or: not defined for float32 and float32; convert first")],
    "Tensor.__xor__": [(lambda: mask ^ lucid.tensor([True] * 2), ValueError, r"logical_xor: shapes \(3,\) and \(2,\) do not broadcast"), (lambda: x3 ^ x3, TypeError, "logical_xor: not defined for float32 and float32; convert first")],
    "Tensor.__invert__": [(lambda: ~x3, TypeError, "invert: not defined for float32; convert first")],
    "Tensor.__mod__": [(lambda: x23 % lucid.ones(4), ValueError, r"remainder: shapes \(2, 3\) and \(4,\) do not broadcast"), (lambda: x3 % "a", TypeError, "remainder: expected a Tensor, a number or an array for 'y', got str")],
    "Tensor.__floordiv__": [(lambda: x23 // lucid.ones(4), ValueError, r"floor_divide: shapes \(2, 3\) and \(4,\) do not broadcast"), (lambda: x3 // None, TypeError, "floor_divide: expected a Tensor, .* for 'y', got NoneType")],
    **{f"Tensor.{name}": [(lambda f=f: f("a"), TypeError, f"{op}: expected a Tensor, a number or an array for '[xa]', got str")] for name, f, op in (
        ("__rsub__", lambda y: y - x3, "subtract"), ("__rtruediv__", lambda y: y / x3, "divide"), ("__rfloordiv__", lambda y: y // x3, "floor_divide"), ("__rmod__", x3.__rmod__, "remainder"), ("__rmatmul__", lambda y: y @ x3, "matmul"),
        ("__rpow__", lambda y: y ** x3, "power"))},
    "Tensor.__eq__": [(lambda: x23 == lucid.ones(4), ValueError, r"equal: shapes \(2, 3\) and \(4,\) do not broadcast")],
    "Tensor.__ne__": [(lambda: x23 != lucid.ones(4), ValueError, r"not_equal: shapes \(2, 3\) and \(4,\) do not broadcast")],
    "matmul": [(lambda: x23 @ x23, ValueError, r"matmul: shapes \(2, 3\) and \(2, 3\) do not fit: the last dimension of the first"), (lambda: x3 @ lucid.tensor(1.0), ValueError, r"matmul: .*use \* to scale by a number"),
               (lambda: lucid.matmul(x3, 3), ValueError, r"matmul: .*use \* to scale by a number")],
    "mm": [(lambda: lucid.mm(x23, x3), ValueError, r"mm: expected two 2-D tensors, got shapes \(2, 3\) and \(3,\)")],
    "bmm": [(lambda: lucid.bmm(lucid.ones(2, 2, 3), lucid.ones(1, 3, 2)), ValueError, r"bmm: expected two 3-D tensors, got shapes \(2, 2, 3\) and \(1, 3, 2\)")],
    "dot": [(lambda: lucid.dot(x23, x3), ValueError, r"dot: expected two 1-D tensors of one length, got shapes \(2, 3\) and \(3,\)")],
    "outer": [(lambda: lucid.outer(x23, x3), ValueError, r"outer: expected two 1-D tensors, got shapes \(2, 3\) and \(3,\)")],
    # element by element
    "pow": [(lambda: lucid.arange(3) ** -1, ValueError, "pow: integers to the negative power -1 are not integers"), (lambda: x23 ** lucid.ones(4), ValueError, r"power: shapes \(2, 3\) and \(4,\) do not broadcast")],
    "clamp": [(lambda: x3.clamp(), ValueError, "clamp: expected min or max"), (lambda: x23.clamp(min=lucid.ones(4)), ValueError, r"shapes \(2, 3\) and \(4,\) do not broadcast")],
    "where": [(lambda: lucid.where(x3, x3, x3), TypeError, r"where: expected a bool condition, got float32; write where\(t != 0"), (lambda: lucid.where(x23 > 0, x23, lucid.ones(2)), ValueError, r"where: shapes .* do not broadcast")],
    "isclose": [(lambda: x23.isclose(lucid.ones(4)), ValueError, r"shapes \(2, 3\) and \(4,\) do not broadcast")],
    "allclose": [(lambda: x23.allclose(lucid.ones(4)), ValueError, r"shapes \(2, 3\) and \(4,\) do not broadcast")],
    # reductions
    "norm": [*along("norm"), (lambda: x3.norm("nuc"), ValueError, "norm: expected p to be a number, inf or -inf, got 'nuc'")],
    "max": [(lambda: x23.max(5), IndexError, "argmax: dim 5 is out of range"), (lambda: x23.max(x3[:2]), ValueError, r"maximum: shapes \(2, 3\) and \(2,\) do not broadcast")],
    "min": [(lambda: x23.min(dim=-3), IndexError, "argmin: dim -3 is out of range"), (lambda: x23.min("a"), TypeError, "minimum: expected a Tensor, .* for 'y', got str")],
    "sum": [*along("sum"), (lambda: lucid.tensor(1.0).sum(1), IndexError, "sum: dim 1 is out of range .*no dimensions"), (lambda: x3.sum(dim=1.5), TypeError, "sum: expected an int, several ints or None for dim, got 1.5"),
            (lambda: x3.sum(axes=0), TypeError, "sum: unexpected keyword 'axes'; expected dim and keepdim"), (lambda: x23.sum((0, 0)), ValueError, "sum: .*duplicate")],
    "softmax": [*along("softmax"), (lambda: x3.softmax(), TypeError, "softmax: expected an int for dim, got None")],
    "log_softmax": [*along("log_softmax"), (lambda: x3.log_softmax(), TypeError, "log_softmax: expected an int for dim, got None; classes are usually the last one, dim=-1")],
    # joins
    "cat": [(lambda: lucid.cat([x23, x23], 2), IndexError, "cat: dim 2 is out of range"), (lambda: lucid.cat([x23, x3]), ValueError, r"cat: .*same number of dimensions.*shapes \(2, 3\), \(3,\)"), (lambda: lucid.cat([]), ValueError, "cat: expected at least one tensor, got none"),
            (lambda: lucid.cat([[1.0]]), TypeError, "cat: expected tensors, got list"), (lambda: lucid.cat(x3, x3), TypeError, r"cat: expected an int for dim, got Tensor; pass the tensors as one list, cat\(\[x, y\]\)"),
            (lambda: lucid.cat(lucid.tensor(1.0)), TypeError, "cat: expected a sequence of tensors, got Tensor")],
    "stack": [(lambda: lucid.stack([]), ValueError, "stack: expected at least one tensor, got none"), (lambda: lucid.stack([x23, x3]), ValueError, r"stack: expected tensors of one shape, got \(2, 3\) and \(3,\)"),
              (lambda: lucid.stack([x3, x3], 2), IndexError, "stack: dim 2 is out of range; expected -2 to 1"), (lambda: lucid.stack([x3, 1.0]), TypeError, "stack: expected a Tensor, got float"), (lambda: lucid.stack(3), TypeError, "stack: expected a sequence of tensors, got int")],
    # shapes
    "reshape": [(lambda: x23.reshape(4, 2), ValueError, r"reshape: 6 elements of shape \(2, 3\) do not fit into shape \(4, 2\)"), (lambda: x23.reshape(-1, -1), ValueError, r"reshape: only one dim can be worked out, got -1 more than once in \(-1, -1\)"),
                (lambda: x23.reshape(2.5), TypeError, r"reshape: expected ints, or a tuple of ints, got \(2.5,\)")],
    "Tensor.view": [(lambda: x23.T.view(6), ValueError, r"view: shape \(3, 2\) with this memory layout cannot be seen as \(6,\); use reshape"), (lambda: x23.view(5), ValueError, r"view: 6 elements of shape \(2, 3\) do not fit into shape \(5,\)")],
    "flatten": [(lambda: x23.flatten(1, 0), ValueError, "flatten: start_dim 1 comes after end_dim 0"), (lambda: x23.flatten(2), IndexError, "flatten: dim 2 is out of range for a 2-D tensor; expected -2 to 1")],
    "squeeze": along("squeeze"),
    "unsqueeze": [(lambda: x23.unsqueeze(4), IndexError, "unsqueeze: dim 4 is no place in a 2-D tensor; expected -3 to 2"), (lambda: x23.unsqueeze("a"), TypeError, "unsqueeze: expected an int for dim, got 'a'")],
    "transpose": [(lambda: x23.transpose(0, 2), IndexError, "transpose: dim 2 is out of range for a 2-D tensor; expected -2 to 1")],
    "permute": [(lambda: x23.permute(0, 0), ValueError, r"permute: expected each of the 2 dims once, got \(0, 0\)"), (lambda: x23.permute(0, 2), IndexError, "permute: dim 2 is out of range"), (lambda: x23.permute("a"), TypeError, "permute: expected ints")],
    "movedim": [(lambda: x23.movedim(0, 2), IndexError, "movedim: dim 2 is out of range for a 2-D tensor")],
    "Tensor.t": [(lambda: lucid.ones(1, 1, 1).t(), ValueError, r"t: expected at most 2 dims, got shape \(1, 1, 1\)")],
    "Tensor.mT": [(lambda: x3.mT, IndexError, "transpose: dim -2 is out of range for a 1-D tensor")],
    "broadcast_to": [(lambda: x23.broadcast_to(3, 2), ValueError, r"broadcast_to: shapes \(2, 3\).* do not broadcast"), (lambda: x23.broadcast_to("a"), TypeError, "broadcast_to: expected ints")],
    "expand": [(lambda: x23.expand(3), ValueError, r"expand: shape \(2, 3\) does not expand to \(3,\)"), (lambda: x23.expand(4, 3), ValueError, r"expand: shape \(2, 3\) does not expand to \(4, 3\)")],
    "Tensor.expand_as": [(lambda: x23.expand_as(x3), ValueError, r"expand: shape \(2, 3\) does not expand to \(3,\)")],
    "Tensor.repeat": [(lambda: x23.repeat(2), ValueError, r"repeat: expected at least 2 counts of 0 or more for shape \(2, 3\), got \(2,\)"), (lambda: x3.repeat(-1), ValueError, r"repeat: expected at least 1 counts .* got \(-1,\)")],
    "tile": [(lambda: x23.tile(-2), ValueError, r"repeat: expected at least 2 counts of 0 or more .* got \(1, -2\)"), (lambda: x23.tile("a"), TypeError, "tile: expected ints")],
    "split": [(lambda: x23.split([1, 1], 1), ValueError, r"split: sizes \[1, 1\] do not add up to the 3 of dim 1"), (lambda: x23.split(0), ValueError, "split: expected a positive size, got 0"), (lambda: x23.split(1, 2), IndexError, "split: dim 2 is out of range")],
    "chunk": [(lambda: x23.chunk(0), ValueError, "chunk: expected a positive number of chunks, got 0"), (lambda: x23.chunk(1.5), TypeError, "chunk: expected an int for the number of chunks, got 1.5"), (lambda: x23.chunk(1, 2), IndexError, "chunk: dim 2 is out")],
    "unbind": along("unbind"),
    "flip": [(lambda: x23.flip(2), IndexError, "flip: dim 2 is out of range for a 2-D tensor; expected -2 to 1"), (lambda: x23.flip("a"), TypeError, "flip: expected ints")],
    "roll": [(lambda: x23.roll((1, 1), 0), ValueError, r"roll: expected as many shifts as dims, got \(1, 1\) and \(0,\)"), (lambda: x23.roll((1, 1)), ValueError, "roll: expected as many shifts as dims"), (lambda: x23.roll(1, 2), IndexError, "roll: dim 2 is out of range"),
             (lambda: x23.roll(0.5), TypeError, "roll: expected ints")],
    "meshgrid": [(lambda: lucid.meshgrid(x23), ValueError, "meshgrid: expected 1-D tensors"), (lambda: lucid.meshgrid(x3, indexing="yx"), ValueError, "meshgrid: expected indexing 'ij' or 'xy', got 'yx'")],
    "pad": [(lambda: F.pad(x3, (1, 1), "mirror"), ValueError, "pad: expected mode .*'mirror'"), (lambda: F.pad(x3, (1,)), ValueError, r"pad: expected a \(before, after\) pair .* got \(1,\)"), (lambda: F.pad(x3, (-2, -2)), ValueError, r"pad: \(-2, -2\) cuts off more than shape \(3,\) has")],
    # indexing
    "Tensor.__getitem__": [(lambda: x3[3], IndexError, "getitem: index 3 is out of bounds"), (lambda: x3[[0, 7]], IndexError, "getitem: index 7 is out of bounds"), (lambda: x3[0, 0], IndexError, "getitem: too many indices"),
                           (lambda: x3[lucid.tensor([True, False])], IndexError, "getitem: boolean index did not match"), (lambda: x3[0.5], TypeError, "getitem: an index of float64 values; expected ints, slices"), (lambda: x3["a"], TypeError, "getitem: .*expected ints, slices")],
    "Tensor.__setitem__": [(lambda: lucid.zeros(3).__setitem__(slice(None), lucid.ones(2)), ValueError, r"setitem: a value of shape \(2,\) does not fit into a place of shape \(3,\)"), (lambda: lucid.zeros(3, 4).__setitem__(0, lucid.ones(5)), ValueError, r"setitem: a value of shape \(5,\) does not fit into a place of shape \(4,\)"), (lambda: lucid.zeros(3).__setitem__(5, 1.0), IndexError, "setitem: index 5 is out of bounds")],
    "gather": [(lambda: x3.gather(0, lucid.tensor([5])), IndexError, "gather: index 5 is out of range for the 3 of dim 0"), (lambda: x3.gather(0, lucid.tensor([[0]])), ValueError, r"gather: index of shape \(1, 1\) does not fit a tensor of shape \(3,\)"),
               (lambda: x3.gather(1, ints), IndexError, "gather: dim 1 is out of range"), (lambda: x3.gather(0, x3), TypeError, "gather: expected an index of integers, got float32")],
    "index_select": [(lambda: x3.index_select(0, lucid.tensor([0.5])), TypeError, "index_select: expected an index of integers, got float32"), (lambda: x3.index_select(0, lucid.tensor([-4])), IndexError, "index_select: index -4 is out of range"),
                     (lambda: x3.index_select(1, ints), IndexError, "index_select: dim 1 is out of range")],
    "masked_fill": [(lambda: x3.masked_fill(x3, 1.0), TypeError, "masked_fill: expected a bool mask, got float32"), (lambda: x23.masked_fill(lucid.ones(4) > 0, 1.0), ValueError, r"where: shapes \(4,\), .*do not broadcast|do not broadcast together")],
    "masked_select": [(lambda: x23.masked_select(lucid.tensor([True, False])), ValueError, r"masked_select: shapes \(2, 3\) and \(2,\) do not broadcast"), (lambda: x3.masked_select(x3), TypeError, "masked_select: expected a bool mask, got float32")],
    # writing in place
    **{f"Tensor.{name}": [(lambda f=f: f(lucid.ones(3), x23), ValueError, rf"{name}: the result has shape \(2, 3\) and cannot be stored in shape \(3,\)"), (lambda f=f: f(lucid.ones(3, requires_grad=True), 2.0), RuntimeError, f"{name}: this tensor is a leaf that requires a gradient")]
       for name, f in (("add_", lambda x, y: x.add_(y)), ("sub_", lambda x, y: x.sub_(y)), ("mul_", lambda x, y: x.mul_(y)), ("div_", lambda x, y: x.div_(y)), ("pow_", lambda x, y: x.pow_(y)))},
    "Tensor.clamp_": [(lambda: lucid.ones(3).clamp_(), ValueError, "clamp: expected min or max"), (lambda: lucid.arange(3).clamp_(0.5), TypeError, "clamp_: a float32 result cannot be stored in a tensor of int64")],
    "Tensor.relu_": [(lambda: lucid.ones(3, requires_grad=True).relu_(), RuntimeError, "relu_: this tensor is a leaf that requires a gradient")],
    "Tensor.zero_": [(lambda: lucid.ones(3, requires_grad=True).zero_(), RuntimeError, "zero_: this tensor is a leaf that requires a gradient")],
    "Tensor.fill_": [(lambda: lucid.ones(3).fill_("a"), TypeError, "cannot make a tensor of .*expected numbers"), (lambda: lucid.ones(3, requires_grad=True).fill_(1), RuntimeError, "fill_: this tensor is a leaf")],
    "Tensor.copy_": [(lambda: lucid.ones(3).copy_(lucid.ones(2)), ValueError, r"copy_: a value of shape \(2,\) does not fit into a place of shape \(3,\)"), (lambda: lucid.ones(3, requires_grad=True).copy_(x3), RuntimeError, "copy_: this tensor is a leaf")],
    "Tensor.masked_fill_": [(lambda: lucid.ones(3, requires_grad=True).masked_fill_(mask, 1), RuntimeError, "masked_fill_: this tensor is a leaf")],
    "Tensor.scatter_": [(lambda: lucid.ones(3, requires_grad=True).scatter_(0, ints, 1.0), RuntimeError, "scatter_: this tensor is a leaf")],
    "Tensor.scatter_add_": [(lambda: lucid.ones(3, requires_grad=True).scatter_add_(0, ints, x3), RuntimeError, "scatter_add_: this tensor is a leaf")],
    # making tensors
    "tensor": [(lambda: lucid.tensor([[1, 2], [3]]), ValueError, r"nested lists that form a full rectangle, got \[\[1, 2\], \[3\]\]"), (lambda: lucid.tensor(["a"]), TypeError, "cannot make a tensor of .*expected numbers"), (lambda: lucid.tensor([None]), TypeError, "cannot make a tensor of object values"),
               (lambda: lucid.tensor([1j]), TypeError, "cannot make a tensor of complex128"), (lambda: lucid.zeros(2, dtype="complex64"), TypeError, "unknown dtype 'complex64'"), (lambda: lucid.tensor([1], requires_grad=True), TypeError, r"int64 has no gradients; use a float dtype, x.float\(\)"), *made(lambda **o: lucid.tensor([1.0], **o))],
    "as_tensor": [(lambda: lucid.as_tensor("a"), TypeError, "cannot make a tensor of .*expected numbers"), *made(lambda **o: lucid.as_tensor(np.ones(2), **o))],
    "from_numpy": [(lambda: lucid.from_numpy([1.0]), TypeError, "from_numpy: expected a NumPy array, got list"), (lambda: lucid.from_numpy(np.zeros(2, "complex64")), TypeError, "unknown dtype .*complex64")],
    "from_dlpack": [(lambda: lucid.from_dlpack([1.0]), TypeError, "from_dlpack: expected what has __dlpack__, such as an array, got list")],
    **{name: [*shaped(name, f), *made(lambda f=f, **o: f(2, **o))] for name, f in ((name, getattr(lucid, name)) for name in ("zeros", "ones", "empty"))},
    "rand": [*shaped("rand", lucid.rand), *made(lambda **o: lucid.rand(2, **o)), (lambda: lucid.rand(2, dtype="int64"), TypeError, "rand: expected a float dtype, got int64; use randint")],
    "randn": [*shaped("randn", lucid.randn), *made(lambda **o: lucid.randn(2, **o)), (lambda: lucid.randn(2, dtype="bool"), TypeError, "randn: expected a float dtype, got bool")],
    "full": [*shaped("full", lambda size: lucid.full(size, 1.0)), (lambda: lucid.full((2,), "a"), TypeError, "cannot make a tensor of"), *made(lambda **o: lucid.full((2,), 1.0, **o))],
    **{name: [(lambda f=f: f("a"), TypeError, f"{name}: expected a Tensor, got str"), *made(lambda f=f, **o: f(x3, **o))]
       for name, f in ((name, getattr(lucid, name)) for name in ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"))},
    "full_like": [(lambda: lucid.full_like([1], 2), TypeError, "full_like: expected a Tensor, got list")],
    "eye": [(lambda: lucid.eye(-1), ValueError, "eye: expected n to be 0 or more, got -1"), (lambda: lucid.eye(2, 1.5), TypeError, "eye: expected an int for m, got 1.5")],
    "arange": [(lambda: lucid.arange(0, 5, -1), ValueError, "arange: step -1 does not lead from 0 to 5"), (lambda: lucid.arange("a"), TypeError, "arange: expected a number for end, got 'a'"), (lambda: lucid.arange(0, 5, 0), ValueError, "arange: step 0 does not lead")],
    "linspace": [(lambda: lucid.linspace(0, 1, -1), ValueError, "linspace: expected steps to be 0 or more, got -1"), (lambda: lucid.linspace(0, 1, 2.5), TypeError, "linspace: expected an int for steps, got 2.5"), (lambda: lucid.linspace(0, "a", 3), TypeError, "linspace: expected a number for end, got 'a'")],
    "randint": [(lambda: lucid.randint(3, 3, (2,)), ValueError, "randint: no integers from 3 up to 3"), (lambda: lucid.randint(5), TypeError, r"randint: expected \(high, size\) or \(low, high, size\)"), (lambda: lucid.randint(1.5, (2,)), TypeError, "randint: expected an int for high, got 1.5")],
    "randperm": [(lambda: lucid.randperm(-1), ValueError, "randperm: expected n to be 0 or more, got -1"), (lambda: lucid.randperm([1, 2]), TypeError, r"randperm: expected an int for n, got \[1, 2\]")],
    "multinomial": [(lambda: lucid.multinomial(ints, 1), TypeError, "multinomial: expected weights of a float dtype, got int64"), (lambda: lucid.multinomial(lucid.ones(1, 1, 1), 1), ValueError, r"multinomial: expected weights of shape .* got shape \(1, 1, 1\)"),
                    (lambda: lucid.multinomial(x3, 0), ValueError, "multinomial: expected num_samples to be 1 or more, got 0"), (lambda: lucid.multinomial(x3, -1), ValueError, "multinomial: expected num_samples to be 0 or more, got -1"), (lambda: lucid.multinomial(x3, 1.5), TypeError, "multinomial: expected an int for num_samples, got 1.5"),
                    *[(lambda w=w: lucid.multinomial(lucid.tensor([1.0, w]), 1), ValueError, "multinomial: expected finite weights of 0 or more") for w in (-1.0, float("nan"), float("inf"))],
                    (lambda: lucid.multinomial(lucid.tensor([[1.0, 0.0], [0.0, 0.0]]), 1, True), ValueError, "multinomial: expected weights that are not all 0"), (lambda: lucid.multinomial(lucid.zeros(0), 1), ValueError, "multinomial: expected weights that are not all 0"),
                    (lambda: lucid.multinomial(lucid.tensor([1.0, 0.0, 2.0]), 3), ValueError, "multinomial: 3 samples without replacement, but only 2 weights above 0")],
    "Tensor.new_zeros": shaped("new_zeros", x3.new_zeros),
    "Tensor.new_ones": shaped("new_ones", x3.new_ones),
    "Tensor.new_tensor": [(lambda: x3.new_tensor("a"), TypeError, "cannot make a tensor of")],
    "Tensor.__init__": [(lambda: lucid.Tensor(2, 3), TypeError, r"requires_grad: expected True or False, got 3; for a shape use lucid.empty"), (lambda: lucid.Tensor("a"), TypeError, "cannot make a tensor of")],
    # settings
    "manual_seed": [(lambda: lucid.manual_seed("a"), TypeError, "manual_seed: expected an int, got 'a'"), (lambda: lucid.manual_seed(-1), ValueError, "manual_seed: expected a seed of 0 or more, got -1")],
    "set_rng_state": [(lambda: lucid.set_rng_state({"a": 1}), ValueError, "set_rng_state: expected what get_rng_state")],
    "set_default_device": [(lambda: lucid.set_default_device("tpu"), ValueError, "unknown device 'tpu'; expected 'cpu', 'cuda' or 'cuda:N'")],
    "set_default_dtype": [(lambda: lucid.set_default_dtype("int64"), TypeError, "set_default_dtype: expected float16, float32 or float64, got int64"), (lambda: lucid.set_default_dtype("float99"), TypeError, "unknown dtype 'float99'")],
    "inference_mode": [(lambda: lucid.inference_mode(lambda: 0), TypeError, r"inference_mode: expected True or False, got <function .*@inference_mode\(\)")],
    "op": [(lambda: lucid.op(z=lambda xp, g: g)(lambda xp, x: x), TypeError, "a formula for 'z', but the inputs are x")],
    # files
    "save": [(lambda: lucid.save({"a": {1}}, "/nowhere/x"), TypeError, r"save: checkpoint\['a'\] is an object of type set"), (lambda: lucid.save(1, "/nowhere/x"), FileNotFoundError, "save: there is no directory '/nowhere'"), (lambda: lucid.save(1, x3), TypeError, "not Tensor")],
    "load": [(lambda: lucid.load(__file__), ValueError, "load: .*errors.py' is truncated, damaged or not written by lucid.save"), (lambda: lucid.load("/nowhere/x"), FileNotFoundError, "/nowhere/x")],
    "save_safetensors": [(lambda: lucid.save_safetensors([x3], "x"), TypeError, "save_safetensors: expected a dict of names and tensors, got list")],
    "load_safetensors": [(lambda: lucid.load_safetensors(__file__), ValueError, "load_safetensors: .*errors.py' cannot be read"), (lambda: lucid.load_safetensors("/nowhere/x"), FileNotFoundError, "/nowhere/x")],
    # conversions
    "Tensor.to": [(lambda: x3.to("float99"), TypeError, "unknown dtype 'float99'"), (lambda: x3.to("cuda:a"), ValueError, "unknown device 'cuda:a'")],
    "Tensor.type_as": [(lambda: x3.type_as("a"), TypeError, "type_as: expected a Tensor, got str")],
    "Tensor.item": [(lambda: x3.item(), ValueError, r"item: expected one element, got shape \(3,\); use .tolist\(\)")],
    "Tensor.__bool__": [(lambda: bool(x3), ValueError, r"truth of a tensor of shape \(3,\) is ambiguous; use .any\(\) or .all\(\)")],
    "Tensor.__float__": [(lambda: float(x3), ValueError, "expected one element")],
    "Tensor.__int__": [(lambda: int(x3), ValueError, "expected one element")],
    "Tensor.__index__": [(lambda: [1][x3[0]], TypeError, "only a 0-d integer tensor is an index, got float32")],
    "Tensor.__len__": [(lambda: len(x3[0]), TypeError, r"len\(\) of a 0-d tensor")],
    "Tensor.__iter__": [(lambda: list(x3[0]), TypeError, "iteration over a 0-d tensor")],
    "Tensor.__contains__": [(lambda: "a" in x3, TypeError, "equal: expected a Tensor, .* got str")],
    "Tensor.__cuda_array_interface__": [(lambda: lucid.ones(2).__cuda_array_interface__, AttributeError, r"this tensor is on the CPU; use \.cuda\(\) first")],
    "Tensor.__dlpack__": [(lambda: np.from_dlpack(live()), BufferError, r"requires a gradient is not handed out; use .detach\(\)")],
    "Tensor.__reduce__": [(lambda: live().__reduce__(), RuntimeError, r"only leaves can be .*an output of <multiply>; use \.detach\(\)")],
    "Tensor.__deepcopy__": [(lambda: live().__deepcopy__({}), RuntimeError, r"only leaves can be .*an output of <multiply>; use \.detach\(\)")],
    "Tensor.size": [(lambda: x3.size(1), IndexError, "size: dim 1 is out of range for a 1-D tensor")],
    # the graph
    "Tensor.backward": [(lambda: x3.sum().backward(), RuntimeError, "not computed from anything that requires a gradient"), (lambda: live().backward(), RuntimeError, r"\.sum\(\)\.backward\(\) or \.mean\(\)\.backward\(\), or pass gradient="),
                        (lambda: live().backward(lucid.ones(2)), RuntimeError, r"expected a gradient of shape \(3,\), got shape \(2,\)"), (lambda: live().sum().backward(inputs=[x3]), ValueError, "expected inputs to be leaf tensors")],
    "Tensor.retain_grad": [(lambda: x3.retain_grad(), RuntimeError, r"retain_grad: this tensor does not require a gradient; call requires_grad_\(\)")],
    "Tensor.register_hook": [(lambda: x3.register_hook(print), RuntimeError, "register_hook: this tensor does not require a gradient")],
    "Tensor.requires_grad": [(lambda: setattr(live(), "requires_grad", False), RuntimeError, r"requires_grad = False on a computed tensor; use .detach\(\)"), (lambda: setattr(ints, "requires_grad", True), TypeError, "a tensor of int64 has no gradients")],
    "Tensor.requires_grad_": [(lambda: ints.requires_grad_(), TypeError, "requires_grad: a tensor of int64 has no gradients; use a float dtype"), (lambda: lucid.ones(2).requires_grad_("a"), TypeError, "requires_grad: expected True or False, got 'a'")],
    "Tensor.grad": [(lambda: setattr(lucid.ones(2), "grad", np.ones(2)), TypeError, "grad: expected a Tensor or None, got ndarray"), (lambda: setattr(lucid.ones(2), "grad", x3), ValueError, r"grad: expected shape \(2,\) and float32 on cpu, got shape \(3,\) and float32 on cpu")],
    "Tensor.data": [(lambda: setattr(lucid.ones(2, requires_grad=True), "data", lucid.arange(3)), TypeError, "data: a tensor that requires a gradient cannot hold int64"), (lambda: setattr(lucid.ones(2), "data", "a"), TypeError, "cannot make a tensor of")],
}  # fmt: skip

ERRORS |= errors_nn.ERRORS | errors_tensors.ERRORS

"""Where frameworks differ, or a definition has a hole: what lucid does. docs/conventions.md lists these rows."""

import asyncio
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.nn import functional as F
from lucid.optim import lr_scheduler

inf, nan = math.inf, math.nan


def slope(f: Any, *values: Any) -> Any:
    """The gradient of f's sum with respect to its first argument."""
    xs = [lucid.tensor(v, dtype="float64", requires_grad=True) for v in values]
    with np.errstate(all="ignore"):
        f(*xs).sum().backward()
    return xs[0].grad.tolist()


def curvature(f: Any, values: Any) -> Any:
    """The gradient of the sum of f's gradient."""
    x = lucid.tensor(values, dtype="float64", requires_grad=True)
    (first,) = lucid.autograd.grad(f(x), x, create_graph=True)
    return lucid.autograd.grad(first.sum(), x)[0].tolist()


def slope_of_curvature() -> Any:
    """That of the sum of the second derivatives of c * norm() ** 2 at 0, along c."""
    x, c = lucid.zeros(2, dtype="float64", requires_grad=True), lucid.ones((), dtype="float64", requires_grad=True)
    (first,) = lucid.autograd.grad(c * x.norm() ** 2, x, create_graph=True)
    (second,) = lucid.autograd.grad(first.sum(), x, create_graph=True)
    return lucid.autograd.grad(second.sum(), c)[0].item()


def attended(mask: Any, query: Any = None) -> Any:
    """What a query gets of two keys with the values (3, 4) and (5, 6)."""
    query = lucid.ones(1, 2) if query is None else query
    return F.scaled_dot_product_attention(
        query,
        lucid.ones(2, 2).to(query.dtype),
        lucid.tensor([[3.0, 4.0], [5.0, 6.0]]).to(query.dtype),
        lucid.tensor(mask),
    )


def modes_of_blocks() -> list[bool]:
    """Inside of two generators' blocks of which the first ends first, between the ends, and after both."""

    def block(context: Any) -> Any:
        with context():
            yield lucid.is_grad_enabled()

    first, second = block(lucid.enable_grad), block(lucid.no_grad)
    modes = [[next(first), next(second)][1]]
    for each in (first, second):
        each.close()
        modes.append(lucid.is_grad_enabled())
    return modes


def modes_of_tasks() -> list[list[bool]]:
    """In a task that waits within `no_grad`, before and after, and in another one meanwhile."""

    async def inside() -> list[bool]:
        with lucid.no_grad():
            return [lucid.is_grad_enabled(), await asyncio.sleep(0) or lucid.is_grad_enabled()]

    async def beside() -> list[bool]:
        return [lucid.is_grad_enabled()]

    async def both() -> list[list[bool]]:
        return await asyncio.gather(inside(), beside())

    return asyncio.run(both())


def _of_head(mask: Any) -> Any:
    """The weights of a MultiheadAttention for a query and two keys."""
    return lucid.nn.MultiheadAttention(2, 1)(
        lucid.ones(1, 2), lucid.ones(2, 2), lucid.ones(2, 2), attn_mask=lucid.tensor(mask)
    )[1].tolist()


# case -> (what is computed, what must come out); the names stand in docs/conventions.md, and a test compares them
GRADIENTS: dict[str, tuple[Any, Any]] = {
    "ties of `max()` and `amax` share evenly": (lambda: slope(lambda x: x.max(), [3, 3, 1]), [0.5, 0.5, 0]),
    "ties of `min()` and `amin` share evenly":
        (lambda: slope(lambda x: x.amin(0), [1, 1, 1, 3]), [1 / 3, 1 / 3, 1 / 3, 0]),
    "ties of `median()` share evenly": (lambda: [slope(lambda x: x.median(), [1, 2, 2, 3]),
                                                 slope(lambda x: x.median(0).values, [1, 2, 2, 3])],
                                        [[0, 0.5, 0.5, 0], [0, 1, 0, 0]]),
    "`maximum(x, x)` gives each side half": (lambda: [slope(f, [2]) for g in (lucid.maximum, lucid.minimum)
                                                      for f in (lambda x, g=g: g(x, x.detach()),
                                                                lambda x, g=g: g(x.detach(), x))], [[0.5]] * 4),
    "`max(dim)` gives all to the element at the index":
        (lambda: slope(lambda x: x.max(0).values, [3, 3, 1]), [1, 0, 0]),
    "`max()` and `amax` send the gradient to a NaN":
        (lambda: slope(lambda x: x.max() + x.amin(0), [1, nan, 2]), [0, 2, 0]),
    "`relu` at 0 has slope 0": (lambda: slope(lambda x: x.relu(), [0, -0.0]), [0, 0]),
    "`relu` at NaN has slope 1":
        (lambda: slope(lambda x: x.relu() + F.hardtanh(x), [nan]), [2]),
    "`abs` at 0 has slope 0": (lambda: slope(lambda x: x.abs(), [0]), [0]),
    "`norm` at 0 has slope 0, for every p": (lambda: [slope(lambda x, p=p: x.norm(p), [0, 0]) for p in (1, 2, 3, 0.5)],
                                             [[0, 0]] * 4),
    "`hypot` at 0 has slope 0": (lambda: [slope(lucid.hypot, [0, 3], [0, 4]), slope(lucid.atan2, [0], [0])],
                                 [[0, 0.6], [0]]),
    "`std` of constant data has slope 0": (lambda: [slope(lambda x: x.std(0), [[v, w]] * 3)
                                                    for v, w in ((0.1, 0.7), (0.7, 0.1))], [[[0, 0]] * 3] * 2),
    "where the slope of `norm` or `std` is 0 so is its own slope":
        (lambda: [curvature(lambda x, f=f, g=g: g(f(x), x), [0, 0])
                  for f in (lucid.std, *(lambda x, p=p: x.norm(p) for p in (1, 2, 3, 0.5)))
                  for g in (lambda y, x: y * (1 + x.sum()), lambda y, x: y, lambda y, x: y * x.sum())], [[0, 0]] * 15),
    "the second derivative of `norm() * norm()` at 0, a product of two norms, is 0":
        (lambda: lucid.autograd.functional.hessian(lambda x: x.norm() * x.norm(), lucid.zeros(2)).tolist(),
         [[0, 0], [0, 0]]),
    "the slope of `norm() ** 2` at 0 is 0, and its second derivative 2 I":
        (lambda: [lucid.autograd.hessian(lambda x: x.norm() ** 2, lucid.zeros(2)).tolist(),
                  lucid.autograd.hessian(lambda x: x.std(correction=0).square() * 2, lucid.zeros(2)).tolist(),
                  slope_of_curvature()],
         [[[2, 0], [0, 2]], [[1, -1], [-1, 1]], 4]),
    "`var` of one element has slope NaN": (lambda: [math.isnan(slope(lambda x: x.var(), [1])[0])], [True]),
    "`sqrt` at 0 has slope infinity": (lambda: slope(lambda x: x.sqrt(), [0]), [inf]),
    "`log` at 0 has slope infinity": (lambda: slope(lambda x: x.log(), [0]), [inf]),
    "`x ** 0` at 0 has slope 0": (lambda: [slope(lambda x: x**0, [0]), slope(lambda x, y: x**y, [0], [0])], [[0], [0]]),
    "`0 ** y` has slope 0 in y": (lambda: slope(lambda y: lucid.zeros(3, dtype="float64") ** y, [2, 0.5, 0]),
                                  [0, 0, 0]),
    "`clamp` passes the gradient at its bounds":
        (lambda: slope(lambda x: x.clamp(0, 1), [-1, 0, 0.5, 1, 2]), [0, 1, 1, 1, 0]),
    "`leaky_relu`, `elu` at 0 take the slope from below":
        (lambda: [slope(lambda x: F.leaky_relu(x, 0.1), [0]), slope(lambda x: F.elu(x, 2.0), [0])], [[0.1], [2.0]]),
    "`selu`, `prelu` at 0 take the slope from below":
        (lambda: [slope(F.selu, [0])[0] / (1.0507009873554805 * 1.6732632423543772),
                  *slope(lambda x: F.prelu(x, lucid.tensor([0.25])), [0])], [1, 0.25]),
    "`hardtanh`, `relu6`, `hardsigmoid` have slope 0 at both kinks":
        (lambda: [slope(F.hardtanh, [-1, 1]), slope(F.relu6, [0, 6]), slope(F.hardsigmoid, [-3, 3])], [[0, 0]] * 3),
    "`hardswish` has slope 0 at -3 and 1 at 3": (lambda: slope(F.hardswish, [-3, 3]), [0, 1]),
    "activations and losses at -inf and inf have the slopes of their limits":
        (lambda: [*[slope(f, [-inf, inf]) for f in (F.silu, F.mish, F.hardswish, F.softsign)],
                  slope(lambda x: x.logsumexp(0), [inf, 0, -inf]), slope(lambda x: x.softmax(0)[0], [inf, 0])],
         [[0, 1], [0, 1], [0, 1], [0, 0], [1, 0, 0], [0, 0]]),
    "`sign`, `floor`, `ceil`, `round` have slope 0":
        (lambda: [slope(f, [0.3]) for f in (lucid.sign, lucid.floor, lucid.ceil, lucid.round)], [[0]] * 4),
    "`prod` is right where elements are 0": (lambda: [slope(lambda x: x.prod(), v) for v in ([0, 2, 3], [0, 0, 3])],
                                             [[6, 0, 0], [0, 0, 0]]),
    "`cumprod` is right where elements are 0": (lambda: slope(lambda x: x.cumprod(0), [2, 0, 3, 0]), [1, 8, 0, 0]),
    "`det` at a singular matrix has its cofactors as slope":
        (lambda: [slope(lucid.linalg.det, [[1, 2], [2, 4]]), slope(lucid.linalg.det, [[0, 0], [0, 0]])],
         [[[4, -2], [-2, 1]], [[0, 0], [0, 0]]]),
    "equal eigenvalues have a slope in `eigh`, their eigenvectors have none":
        (lambda: [slope(lambda x: lucid.linalg.eigh(x).eigenvalues, [[2, 0], [0, 2]]),
                  [all(not math.isfinite(n)
                       for n in slope(lambda x: lucid.linalg.eigh(x).eigenvectors[0, 1], [[2, 0], [0, 2]])[0])]],
         [[[1, 0], [0, 1]], [True]]),
    "equal singular values have a slope in `svd`, their vectors have none":
        (lambda: [slope(lambda x: lucid.linalg.svd(x).S, [[2, 0], [0, 2]]),
                  [all(not math.isfinite(n)
                       for n in slope(lambda x: lucid.linalg.svd(x).U[0, 1], [[2, 0], [0, 2]])[0])]],
         [[[1, 0], [0, 1]], [True]]),
    "repeated indices add up": (lambda: slope(lambda x: x[[0, 0, 1]], [1, 2]), [2, 1]),
    "a value that another one is written over has slope 0":
        (lambda: slope(lambda y: [x := lucid.zeros(2, dtype="float64"), x.__setitem__([0, 0, 1], y), x * 3][-1],
                       [1, 2, 3]), [0, 3, 3]),
    "`logsumexp` of all -inf is -inf with slope 0": (lambda: slope(lambda x: x.logsumexp(0), [-inf, -inf]), [0, 0]),
    "`logcumsumexp` and `logaddexp` of -inf alone have slope 0":
        (lambda: [slope(lambda x: x.logcumsumexp(0), [-inf, -inf, 1000, -1000, -inf, 3]),
                  *(slope(f, [-inf, -inf, 1e20, inf], [-inf, 2, 1e20, 0])
                    for f in (lucid.logaddexp, lambda x, y: lucid.logaddexp(y, x)))],
         [[0, 0, 4, 0, 0, 0], *[[0, 0, 0.5, 1]] * 2]),
    "`softmax` survives -inf": (lambda: slope(lambda x: x.softmax(0)[0], [0, -inf]), [0, 0]),
    "attention to no key at all gives zeros with slope 0":
        (lambda: [attended([[False, False]]).tolist(), attended([[-inf, -inf]]).tolist(),
                  slope(lambda x: attended([[False, False]], x.reshape(1, 2)), [1, 2])], [[[0, 0]], [[0, 0]], [0, 0]]),
    "`normalize` of zeros is 0 with slope 1 / eps":
        (lambda: slope(lambda x: F.normalize(x, dim=0, eps=0.01), [0, 0]), [100, 100]),
    "`cosine_similarity` below `eps` has the slope of what it computes":
        (lambda: slope(lambda x: F.cosine_similarity(x, lucid.tensor([1.0, 0.0]), 0, 0.1), [0.01, 0]), [10, 0]),
    "the row `padding_idx` of an embedding gets no gradient":
        (lambda: slope(lambda w: F.embedding(lucid.tensor([0, 1, 0]), w, padding_idx=0), [[5], [7]]), [[0], [1]]),
    "`where` does not stop NaN from the branch not taken":
        (lambda: [math.isnan(slope(lambda x: lucid.where(x > 0, x.sqrt(), x), [-1.0])[0])], [True]),
    "`l1_loss` at 0 has slope 0": (lambda: slope(lambda x: F.l1_loss(x, lucid.tensor([1.0], dtype="float64")), [1]),
                                   [0]),
    "`binary_cross_entropy` is held at 100 and its slope finite":
        (lambda: [math.isfinite(slope(lambda x: F.binary_cross_entropy(x, lucid.tensor([1.0], dtype="float64")),
                                      [0.0])[0]),
                *slope(lambda y: F.binary_cross_entropy(lucid.tensor([0.0], dtype="float64"), y), [0.5])], [True, 100]),
    "`cross_entropy` of nothing but ignored labels is NaN with slope 0":
        (lambda: [math.isnan(F.cross_entropy(lucid.zeros(1, 2), lucid.tensor([-100])).item()),
                  *slope(lambda x: F.cross_entropy(x, lucid.tensor([-100])), [[1, 2]])], [True, [0, 0]]),
    "`kl_div` at a target of 0 is 0 and its slope finite":
        (lambda: [F.kl_div(lucid.tensor([-2.0]), lucid.tensor([0.0])).item(),
                  *slope(lambda t: F.kl_div(lucid.tensor([-2.0]), t), [0])], [0, 2]),
    "the slope of `kl_div` at a target of 0 is 0 where the input is -inf":
        (lambda: slope(lambda t: F.kl_div(lucid.tensor([-inf, -1.0], dtype="float64"), t, reduction="sum"), [0, 1]),
         [0, 2]),
    "`max_pool2d` gives all to the first of equals":
        (lambda: slope(lambda x: F.max_pool2d(x.reshape(1, 1, 1, 3), (1, 3)), [1, 3, 3]), [0, 1, 0]),
    "`max_pool2d` of a window with a NaN gives it all":
        (lambda: slope(lambda x: F.max_pool2d(x.reshape(1, 1, 1, 3), (1, 3)), [1, nan, 3]), [0, 1, 0]),
    "NaN spoils `max`, `maximum` and `relu`":
        (lambda: [math.isnan(f(lucid.tensor([nan, 1.0])).max().item())
                  for f in (lambda x: x, lambda x: lucid.maximum(x, 0), lucid.relu)], [True] * 3),
    "`tanh`, `sigmoid` and `exp` of half have the slope of the number before it was rounded":
        (lambda: [0 < slope(lambda x: x.half().tanh().double(), [4.5])[0] < 5e-4], [True]),
}  # fmt: skip


def optimizer_of(lr: float = 1.0) -> Any:
    p = lucid.tensor([1.0], requires_grad=True)
    p.sum().backward()
    return lucid.optim.SGD([p], lr=lr)


def refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()


def descend(x: Any, loss_of: Any) -> None:
    optimizer = lucid.optim.LBFGS([x], line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        loss_of().backward()
        return loss_of()

    for _ in range(3):
        optimizer.step(closure)


VALUES: dict[str, tuple[Any, Any]] = {
    "`0 ** 0` is 1": (lambda: (lucid.tensor([0.0]) ** 0).tolist(), [1]),
    "an empty `sum` is 0, an empty `prod` 1":
        (lambda: [lucid.zeros(0).sum().item(), lucid.zeros(0).prod().item()], [0, 1]),
    "`var` of one element is NaN": (lambda: [math.isnan(lucid.ones(1).var().item())], [True]),
    "`argmax` takes the first of equals": (lambda: lucid.tensor([1, 3, 3]).argmax().item(), 1),
    "`sort`, `argsort` and `topk` leave equals in their order":
        (lambda: [x := lucid.tensor([1.0, 2.0, 1.0, 2.0]),
                  [x.argsort().tolist(), x.sort(descending=True).indices.tolist(), x.topk(3).indices.tolist()]][1],
         [[0, 2, 1, 3], [1, 3, 0, 2], [1, 3, 0]]),
    "NaN is the largest to `sort` and `topk`":
        (lambda: [x := lucid.tensor([inf, nan, -inf]),
                  [x.argsort().tolist(), x.argsort(descending=True).tolist(), x.topk(1).indices.tolist()]][1],
         [[2, 0, 1], [1, 0, 2], [1]]),
    "`quantile` between two infinities is infinite":
        (lambda: lucid.tensor([1.0, inf, inf]).quantile(0.75).item(), inf),
    "`round` goes to the even neighbour": (lambda: lucid.tensor([0.5, 1.5, 2.5]).round().tolist(), [0, 2, 2]),
    "`%` has the sign of the divisor": (lambda: (lucid.tensor([-5.0, 5.0]) % lucid.tensor([3.0, -3.0])).tolist(),
                                        [1, -1]),
    "integers divide to float32": (lambda: [(lucid.tensor([1]) / 2).tolist(), str((lucid.tensor([1]) / 2).dtype)],
                                   [[0.5], "float32"]),
    "a Python number never changes a dtype's width": (lambda: str((lucid.ones(1) * 2.0).dtype), "float32"),
    "NaN is not equal to itself": (lambda: (lucid.tensor([nan]) == lucid.tensor([nan])).tolist(), [False]),
    "`clamp` with a NaN bound is NaN":
        (lambda: [math.isnan(lucid.ones(1).clamp(*bounds).item())
                  for bounds in ((nan,), (None, nan), (lucid.tensor(nan),), (None, lucid.tensor(nan)))], [True] * 4),
    "`sigmoid` and `softplus` do not overflow":
        (lambda: [lucid.tensor([-1e4, 1e4]).sigmoid().tolist(), F.softplus(lucid.tensor([-1e4, 1e4])).tolist()],
         [[0, 1], [0, 1e4]]),
    "`logsigmoid` and `gelu` keep their digits far out":
        (lambda: [F.logsigmoid(lucid.tensor([-1e4, 40.0], dtype="float64")).tolist(),
                  abs(F.gelu(lucid.tensor(-9.0,
                                          dtype="float64")).item() / (-4.5 * math.erfc(9 / math.sqrt(2))) - 1) < 1e-13],
         [[-1e4, -math.exp(-40)], True]),
    "`no_grad` ends with its block, whichever of several ends first": (lambda: modes_of_blocks(), [False, True, True]),
    "`no_grad` in a task of asyncio is that task's alone": (lambda: modes_of_tasks(), [[False, False], [True]]),
    "`gelu` of -inf is 0": (lambda: F.gelu(lucid.tensor([-inf, inf])).tolist(), [0, inf]),
    "squares neither overflow nor vanish in `norm`, `std`, `clip_grad_norm_` and the layers that normalise":
        (lambda: [round(lucid.full((4,), size).norm().item() / size, 5) for size in (1e-30, 1e30)]
         + [round(F.layer_norm(lucid.tensor([-1e30, 1e30]), 2)[1].item(), 6)], [2, 2, 1]),
    "0 times the logarithm of 0 is 0 in `kl_div` and `cross_entropy`":
        (lambda: [F.kl_div(lucid.tensor([-inf, 0.0]), lucid.tensor([0.0, 1.0])).item(),
                  F.kl_div(lucid.tensor([-inf, 0.0]), lucid.tensor([-inf, 0.0]), log_target=True).item(),
                  F.cross_entropy(lucid.tensor([-inf, 0.0]), lucid.tensor([0.0, 1.0])).item()], [0, 0, 0]),
    "activations and losses of -inf and inf are their limits":
        (lambda: [[f(lucid.tensor([-inf, inf])).tolist() for f in (F.silu, F.softsign)],
                  F.softmax(lucid.tensor([inf, 0.0]), 0).tolist(),
                  F.binary_cross_entropy_with_logits(lucid.tensor([-inf, inf]), lucid.tensor([0.0, 1.0])).item()],
         [[[0, inf], [-1, 1]], [1, 0], 0]),
    "a mask of bools: True takes part in `scaled_dot_product_attention`, not in `MultiheadAttention`":
        (lambda: [attended([[True, False]]).tolist(), _of_head([[True, False]])], [[[3, 4]], [[0, 1]]]),
    "batch norm divides by n, its `running_var` has n - 1":
        (lambda: [m := lucid.nn.BatchNorm1d(1, eps=0.0, momentum=1.0).double(),
                  [m(lucid.tensor([[0.0], [2.0]], dtype="float64")).tolist(), m.running_var.tolist()]][1],
         [[[-1], [1]], [2]]),
    "convolution does not turn its kernel round":
        (lambda: F.conv1d(lucid.tensor([[1.0, 2.0, 3.0]]), lucid.tensor([[[10.0, 1.0]]])).tolist(), [[12, 23]]),
    "`padding='same'` puts the odd one behind":
        (lambda: F.conv1d(lucid.ones(1, 2), lucid.tensor([[[1.0, 2.0]]]), padding="same").tolist(), [[3, 1]]),
    "`avg_pool2d` counts the zeros of its padding":
        (lambda: [F.avg_pool1d(lucid.ones(1, 2), 2, padding=1).tolist(),
                  F.avg_pool1d(lucid.ones(1, 2), 2, padding=1, count_include_pad=False).tolist()],
         [[[0.5, 0.5]], [[1, 1]]]),
    "`interpolate` takes pixels for squares":
        (lambda: [F.interpolate(lucid.tensor([[[0.0, 1.0]]], dtype="float64"), size=4, mode="linear",
                                align_corners=a).tolist()[0][0][1] for a in (False, True)], [0.25, 1 / 3]),
    "`sigmoid` keeps its relative accuracy":
        (lambda: [abs(lucid.tensor(-80.0, dtype="float64").sigmoid().item() / math.exp(-80) - 1) < 1e-15], [True]),
    "batch norm does not count a batch that is refused or empty":
        (lambda: [m := lucid.nn.BatchNorm1d(2), m(lucid.ones(0, 2)), refused(lambda: m(lucid.ones(1, 2))),
                  m.num_batches_tracked.item(), m.running_mean.tolist()][-2:], [0, [0, 0]]),
    "`checkpoint` moves running statistics once":
        (lambda: [m := lucid.nn.BatchNorm1d(1), x := lucid.tensor([[1.0], [3.0]], requires_grad=True),
                  lucid.autograd.checkpoint(m, x).sum().backward(), m.num_batches_tracked.item()][-1:], [1]),
    "LBFGS's line search turns back where the loss is not finite":
        (lambda: [x := lucid.tensor(3.0, requires_grad=True), descend(x, lambda: x - x.log()), abs(x.item() - 1) < 1e-3
                  ][-1:], [True]),
    "`ConstantLR` with a factor of 0 ends":
        (lambda: [o := optimizer_of(), c := lr_scheduler.ConstantLR(o, 0.0, 1), o.step(), c.step(),
                  o.param_groups[0]["lr"]][-1:], [1]),
    "`ReduceLROnPlateau` takes `threshold` of the size of a negative best":
        (lambda: [o := optimizer_of(), p := lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.1),
                  p.step(-1.0), p.step(-0.95), o.param_groups[0]["lr"]][-1:], [0.1]),
    "schedules over one optimizer multiply, in any order":
        (lambda: [o := optimizer_of(), e := lr_scheduler.ExponentialLR(o, 0.5),
                  c := lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)), o.step(), e.step(), c.step(),
                  o.param_groups[0]["lr"]][-1:], [0.25]),
    "half beside a number that it cannot hold is computed in single":
        (lambda: [(lucid.tensor([0.01]).half() * n).tolist() for n in (1e5, lucid.tensor([100_000]))], [[1000]] * 2),
    "`interpolate` by 120 / 88 of 88 pixels has 120":
        (lambda: F.interpolate(lucid.zeros(1, 1, 88), scale_factor=120 / 88).shape[2], 120),
    "a sum of integers is int64, a product of several tensors keeps their dtype":
        (lambda: [x := lucid.tensor([200, 100], dtype="uint8"),
                  [x.sum().item(), (x @ x).item(), lucid.einsum("i,j->", x, x).item()]][1], [300, 80, 144]),
}  # fmt: skip

ERRORS: dict[str, tuple[Any, type[Exception]]] = {
    "integer tensors with `requires_grad`": (lambda: lucid.ones(2, dtype="int64").requires_grad_(), TypeError),
    "`backward()` on more than one number": (lambda: (lucid.ones(2, requires_grad=True) * 1).backward(), RuntimeError),
    "a second `backward()`": (lambda: [y := (lucid.ones(1, requires_grad=True) * 1), y.backward(), y.backward()],
                              RuntimeError),
    "a kernel larger than the padded image":
        (lambda: F.conv2d(lucid.ones(1, 1, 3, 3), lucid.ones(1, 1, 4, 4)), ValueError),
    "batch norm in training of one value for each channel":
        (lambda: lucid.nn.BatchNorm1d(2)(lucid.ones(1, 2)), ValueError),
    "three dims for `dropout2d`": (lambda: F.dropout2d(lucid.ones(2, 3, 4)), ValueError),
    "losses given differing shapes": (lambda: F.mse_loss(lucid.ones(3, 1), lucid.ones(3)), ValueError),
    "`inv` and `solve` of a singular matrix, `cholesky` of one that is not positive definite":
        (lambda: lucid.linalg.inv(lucid.ones(2, 2)), ValueError),
    "indices out of range, negative ones too, in `gather`, `scatter`, `index_select` and their kin":
        (lambda: lucid.ones(3).gather(0, lucid.tensor([-1])), IndexError),
    "integers divided by 0, in `//` and `%`": (lambda: lucid.tensor([1]) // 0, ZeroDivisionError),
}  # fmt: skip


def equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(equal, found, expected))
    return found == expected or abs(found - expected) < 1e-12


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients_at_the_edges(case: str) -> None:
    compute, expected = GRADIENTS[case]
    assert equal(found := compute(), expected), found


@pytest.mark.parametrize("case", VALUES)
def test_values_at_the_edges(case: str) -> None:
    compute, expected = VALUES[case]
    with np.errstate(all="ignore"):
        assert equal(found := compute(), expected), found


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_an_error(case: str) -> None:
    compute, error = ERRORS[case]
    with pytest.raises(error):
        compute()


def test_the_page_lists_just_these() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()
    listed = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
    assert [row for row in listed if row not in ("case", "---")] == [*GRADIENTS, *VALUES, *ERRORS]


@pytest.mark.parity
@pytest.mark.parametrize(
    "f",
    [lambda m, x: x.max(), lambda m, x: x.amin(0), lambda m, x: m.maximum(x, x), lambda m, x: x.max(0)[0],
     lambda m, x: m.relu(x), lambda m, x: x.abs(), lambda m, x: (x * 0).norm(), lambda m, x: (x * 0).norm(3),
     lambda m, x: (x * 0 + 1).std(), lambda m, x: x.sqrt(), lambda m, x: x.log(), lambda m, x: x**0,
     lambda m, x: x.clamp(0, 1), lambda m, x: m.nn.functional.leaky_relu(x), lambda m, x: m.nn.functional.elu(x, 2.0),
     lambda m, x: m.sign(x), lambda m, x: m.cumprod(x, 0), lambda m, x: m.sort(x, stable=True, dim=0)[0] * m.arange(3),
     lambda m, x: m.round(x), lambda m, x: x.prod(), lambda m, x: x[[0, 0, 1]], lambda m, x: x**x,
     lambda m, x: m.nn.functional.gelu(x), lambda m, x: m.nn.functional.softplus(x * 30),
     lambda m, x: m.nn.functional.huber_loss(x, m.zeros_like(x)),
     lambda m, x: m.nn.functional.smooth_l1_loss(x, m.zeros_like(x)), lambda m, x: m.logsumexp(x * 1e3, 0),
     lambda m, x: 0.0**x,
     lambda m, x: m.nn.functional.selu(x), lambda m, x: m.nn.functional.prelu(x, m.tensor([0.3], dtype=m.float64)),
     lambda m, x: m.nn.functional.hardtanh(x), lambda m, x: m.nn.functional.relu6(x * 6),
     lambda m, x: m.nn.functional.hardswish(x * 6 - 3),
     lambda m, x: m.nn.functional.relu6(x * 6), lambda m, x: m.nn.functional.mish(x * 1e3),
     lambda m, x: m.nn.functional.logsigmoid(x * 1e3), lambda m, x: m.nn.functional.normalize(x * 0, dim=0),
     lambda m, x: m.nn.functional.normalize(x * 1e-13, dim=0),
     lambda m, x: m.nn.functional.scaled_dot_product_attention(x.reshape(3, 1), x.reshape(3, 1), x.reshape(3, 1),
                                                               m.tensor([[True, False, True], [False] * 3,
                                                                         [True] * 3])),
     lambda m, x: m.nn.functional.cross_entropy(x.reshape(3, 1), m.tensor([-100] * 3))],
)  # fmt: skip
@pytest.mark.parametrize("values", [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, -1.0, 2.0]], ids=str)
def test_pytorch_does_the_same_at_the_edges(f: Any, values: list[float]) -> None:
    import torch

    found = []
    for m in (lucid, torch):
        x = m.tensor(values, dtype=m.float64, requires_grad=True)
        with np.errstate(all="ignore"):
            y = f(m, x).sum()
            y.backward()
        found.append((y.item(), x.grad.tolist()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-12)

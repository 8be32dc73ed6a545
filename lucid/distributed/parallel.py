"""One model on several processes: the same parameters on all, each rank's own samples, one gradient.

After a rank's backward the gradients, weighted by the numbers of samples, are added up in one flat buffer, and every
rank's optimizer does the same with the same numbers: the step of one process, but for the order of the sums.
"""

from __future__ import annotations

import struct
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import accumulate, zip_longest
from types import SimpleNamespace
from typing import Any

from lucid.autograd.function import Function
from lucid.autograd.grad_mode import is_grad_enabled, no_grad
from lucid.autograd.recompute import tensors_in
from lucid.core.array import namespace, to_numpy
from lucid.core.events import on
from lucid.core.node import Tensor, recomputing
from lucid.distributed.collectives import broadcast, described, overwrite, wide
from lucid.distributed.world import World, ranks_named, world
from lucid.nn.module import Module
from lucid.nn.norms import BatchNorm, BatchNorm1d, BatchNorm2d
from lucid.ops.create import tensor
from lucid.ops.norms import batch_norm
from lucid.ops.random import generator
from lucid.ops.shapes import cat

NAME = "DistributedDataParallel"
CHECK_EVERY = 100  # steps, after which parameters that have come to differ between ranks are found


class DistributedDataParallel(Module):
    """`module` on all processes of `lucid.distributed.init()`; on a single one it is just `module`.

    Made on all ranks, it gives them rank 0's parameters and buffers. Then every `backward()` through its output ends
    with the gradients of the whole batch, the same on all ranks, whichever parameters a rank did not use; clipping and
    the optimizer go on from there. A rank counts as many samples as its inputs have, from 0 on. Random numbers drawn in
    the forward, such as dropout's, differ by rank; outside of it the generators stay the same.

    Args:
        device_ids, output_device, find_unused_parameters: change nothing; parameters tell where they are.
        dim: the dim of the first Tensor among the inputs that counts the samples.
        broadcast_buffers: average float buffers with the gradients, so that ranks keep the same (PyTorch: rank 0's).
        init_sync: begin with rank 0's values; a UserWarning says where others had others. False makes that an error.
        reduction: "mean" if the loss is a mean over the rank's samples, "sum" (gradients are added up) if a sum.

    A TypeError for what is no Module; a ValueError for another `reduction`, and for parameters whose names, shapes,
    dtypes or order differ between ranks; a RuntimeError before `init`, and where the ranks' calls differ.
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0,
        broadcast_buffers: bool = True, init_sync: bool = True, find_unused_parameters: bool = False, *,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        here = world(NAME)
        if not isinstance(module, Module):
            raise TypeError(f"{NAME}: expected a Module, got {type(module).__name__}")
        if reduction not in ("mean", "sum"):
            raise ValueError(f'{NAME}: reduction must be "mean" or "sum", got {reduction!r}')
        self.module, self.dim, self._reducer = module, dim, None
        if here.size > 1:
            self._reducer = Reducer(here, module, broadcast_buffers, init_sync, reduction == "mean")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module makes of this; backward through it ends in a reduction."""
        if self._reducer is None or not is_grad_enabled():
            return self.module(*args, **kwargs)
        bits: Any = generator().bit_generator
        before = bits.state
        bits.advance(self._reducer.world.rank << 96)  # far from what any other rank draws, ever
        try:
            output = self.module(*args, **kwargs)
        finally:
            bits.state = before
            bits.advance(1 << 64)
        lengths = [x.shape[self.dim] for x in (*args, *kwargs.values()) if getattr(x, "ndim", 0) > self.dim]
        return self._reducer.expect(output, lengths[0] if lengths else 1)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """A block in which backward leaves each rank its own gradients, to accumulate them: the first backward after it
        reduces them all, each rank counting the samples of all its parts."""
        switch: Any = self._reducer or SimpleNamespace(active=True)
        before, switch.active = switch.active, False
        try:
            yield
        finally:
            switch.active = before


class Reducer:
    """What adds up the gradients of a module's parameters over all ranks when a backward pass is over."""

    def __init__(self, here: World, module: Module, buffers: bool, init_sync: bool, mean: bool) -> None:
        self.world, self.mean, self.active, self.steps = here, mean, True, 0
        self.module, self.named = module, dict[str, Tensor](module.named_parameters())
        self.buffers = [b for _, b in module.named_buffers() if buffers and b.dtype.kind == "f"]
        self.reached: dict[Any, int] = {}  # a forward's hook -> its samples, where gradients came by since a reduction
        everything = self.named | dict(module.named_buffers())
        names, text = self.differing(everything)
        if names and not init_sync:
            raise ValueError(f"{NAME}: {text}; call lucid.manual_seed with one seed on all ranks")
        if names and here.rank == 0:
            warnings.warn(f"{NAME}: {text}, and takes its values; was there one lucid.manual_seed?", stacklevel=4)
        for name in names:
            broadcast(everything[name])
        weak = weakref.ref(self)
        subscription = on("backward", lambda tensors: (reducer := weak()) and reducer.reduce)
        weakref.finalize(self, subscription.remove).atexit = False

    def differing(self, tensors: dict[str, Tensor]) -> tuple[list[str], str]:
        """Which of these have not rank 0's values everywhere, and a clause on it; a ValueError for other shapes."""
        mine = [f"{n}: {described(t)} {blake2b(to_numpy(t._array).tobytes()).hexdigest()}" for n, t in tensors.items()]
        first, *others = [data.decode().split("\n") for data in self.world.gather(NAME, "\n".join(mine).encode())]
        ranks, places = list[int](), set[int]()
        for rank, other in enumerate(others, 1):
            for i, pair in enumerate(zip_longest(first, other, fillvalue="nothing more ")):
                (ours, here), (theirs, there) = (line.rpartition(" ")[::2] for line in pair)
                if ours != theirs:
                    raise ValueError(f"{NAME}: the models differ: rank 0 has {ours}; rank {rank} has {theirs}")
                if here != there:
                    ranks, places = [*ranks, rank], places | {i}
        names = [name for i, name in enumerate(tensors) if i in places]
        count = f"{', '.join(names[:1])} ({len(names)} of {len(tensors)})"
        return names, f"{count} is not the same on {ranks_named(sorted(set(ranks)))} as on rank 0"

    def expect(self, output: Any, samples: int) -> Any:
        """The output, which notes when a gradient comes to it that there is something to reduce, of so many samples."""

        def on_gradient(g: Any) -> None:  # holds the reducer, should the model be gone by then
            self.reached[on_gradient] = samples

        for t in tensors_in(output):
            if t._node is not None:  # the key is this reducer's, so that a leaf, should one come out, has one hook
                t._node.hooks = {**(t._node.hooks or {}), -id(self): on_gradient}
        return output

    def reduce(self) -> None:
        """Replace each gradient by its mean, or its sum, over the samples of all ranks."""
        params = [p for p in self.named.values() if p._node is not None]  # layers may have been frozen, or thawed
        if not (self.reached and self.active and params):
            return
        samples = sum(self.reached.values())
        self.reached.clear()
        arrays = [t._array for t in (*params, *self.buffers)]
        dtype = max((wide(a.dtype) for a in arrays), key=lambda dtype: dtype.itemsize)
        flat = (xp := namespace(arrays[0])).empty(sum(a.size for a in arrays), dtype=dtype)  # gradients will be views
        ends = accumulate(a.size for a in arrays)
        views = [flat[end - a.size : end].reshape(a.shape) for end, a in zip(ends, arrays, strict=True)]
        unused = {str(i) for i, p in enumerate(params) if p._grad is None}
        call = f"the gradients of {len(params)} parameters, {flat.size} numbers of {flat.dtype}"
        said = self.world.agree(call, struct.pack("<QI", samples, len(unused)))
        counts, lacking = zip(*[struct.unpack("<QI", own[:12]) for own in said], strict=True)
        if any(lacking):  # a parameter that no rank has used keeps no gradient
            lists = self.world.gather(call, " ".join(unused).encode())
            unused.intersection_update(*[text.decode().split() for text in lists])
        samples, total = (samples, sum(counts)) if any(counts) else (1, self.world.size)
        for i, (t, view) in enumerate(zip((*(p._grad for p in params), *self.buffers), views, strict=True)):
            if t is None or not samples:  # the mean of no samples is NaN
                view[...] = 0
            else:
                weight = samples / total if self.mean or i >= len(params) else 1.0
                xp.multiply(t._array, weight, out=view, dtype=flat.dtype)
        self.world.add_up(call, flat)
        for i, (t, view) in enumerate(zip((*params, *self.buffers), views, strict=True)):
            if i >= len(params):
                overwrite(t, view)
            elif str(i) not in unused:
                t._grad = Tensor(view.astype(t.dtype, copy=False), False, None)
        self.steps += 1
        if self.steps % CHECK_EVERY == 0 and (found := self.differing(dict(self.module.named_parameters())))[0]:
            how = "optimizers and schedules must be the same, and the loss, where they read it, that of all ranks"
            raise RuntimeError(f"{NAME}: after {self.steps} steps {found[1]}; {how}")


class SumOverRanks(Function):
    """The sum over ranks of what each computed from `samples` samples. DistributedDataParallel will weigh this rank's
    gradients by its samples, so those that come here from other ranks are weighed by theirs before."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, samples: int) -> Tensor:
        """x -> the sum."""
        here, ctx.samples, total = world("SyncBatchNorm"), samples, x._array.copy()
        here.agree(call := f"SyncBatchNorm: the sum of {described(x)}")
        here.add_up(call, total)
        return Tensor(total)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """The gradients of all ranks' losses."""
        return SumOverRanks.apply(grad * ctx.samples, 1) / max(ctx.samples, 1), None


class SyncBatchNorm(BatchNorm):
    """Batch normalisation by the statistics of all ranks' samples: what BatchNorm1d and BatchNorm2d make of the whole
    batch; see `BatchNorm`. Two sums over ranks are taken in the forward and two in the backward, in training."""

    dims, layout = (2, 3, 4), "(n, num_features), and up to two dims more"

    @staticmethod
    def convert_sync_batchnorm(module: Module) -> Module:
        """Make every BatchNorm1d and BatchNorm2d in `module` a SyncBatchNorm, in place; returns `module`."""
        for layer in module.modules():
            if type(layer) in (BatchNorm1d, BatchNorm2d):
                layer.__class__ = SyncBatchNorm
        return module

    def forward(self, input: Tensor) -> Tensor:
        """(n, num_features, ...) -> the same shape."""
        here, n = world("SyncBatchNorm"), input.shape[0] if input.ndim else 0
        if here.size == 1 or not self.training or input.ndim not in self.dims or input.shape[1] != self.num_features:
            return super().forward(input)  # which also says what is wrong
        x = input.to(wide(input.dtype))
        others, count = [0, *range(2, x.ndim)], [x.numel() / max(self.num_features, 1)]
        sums = SumOverRanks.apply(cat([x.sum(others), tensor(count, dtype=x.dtype, device=x.device)]), n)
        total, mean = sums[-1].detach(), sums[:-1] / sums[-1].detach()
        var = SumOverRanks.apply((x - mean.reshape(-1, *[1] * (x.ndim - 2))).square().sum(others), n) / total
        if self.num_batches_tracked is not None and self.track_running_stats and not recomputing.get():
            with no_grad():
                self.num_batches_tracked.add_(1)
                share = 1 / self.num_batches_tracked.to(x.dtype) if self.momentum is None else self.momentum
                for running, new in ((self.running_mean, mean), (self.running_var, var * (total / (total - 1)))):
                    running.mul_(1 - share).add_(new.to(running.dtype) * share)  # type: ignore[union-attr]
        return batch_norm(x, mean, var, self.weight, self.bias, False, 0.0, self.eps).to(input.dtype)

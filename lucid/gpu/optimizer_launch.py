"""How does one rule move parameters on a GPU?

There nothing is packed or cut into chunks: a kernel of the rule (optimizer_kernel.py) reads and writes the arrays where
they are, up to 96 parameters in one launch. A step costs the host a list of the gradients' addresses, as only those are
new; everything else in the table of a launch stays as long as the plan does. A parameter, gradient or state with gaps
in it, such as a transposed one, is moved by a launch of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lucid.core.array import Array, namespace
from lucid.gpu.optimizer_kernel import Table, kernel_of
from lucid.optim.buckets import Bucket, Task, own_state, storage_id
from lucid.optim.rule import Pattern, Rule


class GpuBucket(Bucket):
    """Parameters of one dtype on one GPU."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.stored = self.arrays[0].dtype
        slots = [arrays for arrays in self.memory if arrays is not None]
        self.slots_of = list(zip(*slots, strict=True)) or [()] * len(self.arrays)
        self.own = {storage_id(array) for arrays in (self.arrays, *slots) for array in arrays}
        self.dense = [
            theta.size > 0 and all(array.flags.c_contiguous for array in (theta, *slots))
            for theta, slots in zip(self.arrays, self.slots_of, strict=True)
        ]
        self.tabled: tuple[Any, ...] = ()  # the kernel and the parameters that the tables are for
        self.tables: list[Table] = []

    def allocate_state(self, slot: str) -> list[Array]:
        """The array of each state."""
        initial, pairs = self.initial.get(slot, 0), zip(self.states, self.arrays, strict=True)
        return [own_state(state, slot, theta, initial) for state, theta in pairs]

    def compile(self, rule: Rule, pattern: Pattern | None) -> Any:
        """The kernels."""
        return kernel_of(self.xp.module, self.stored, rule, self.slots, pattern)

    def move(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any], gradients: list[Array]) -> list[Task]:
        """Launch; what does not fit a table moves by itself."""
        namespace(self.arrays[0])  # which makes their device the current one
        kernel = self.prepare(rule, scalars, static)
        numbers = [x.item() for x in (*self.static_scalars, *self.step_scalars)]
        tabled, alone, addresses = [], [], []
        own, dense, stored = self.own, self.dense, self.stored  # this loop is most of what a step costs the host
        for j, g in enumerate(gradients):
            base = g.base
            if id(g if base is None else base) in own:  # a gradient that is a parameter must not change meanwhile
                gradients[j] = g = g.copy()
            if dense[j] and g.flags.c_contiguous and g.dtype == stored and kernel is not None:
                tabled.append(j)
                addresses.append(g.data.ptr)
            else:
                alone.append(j)
        for j in alone:
            g, theta = gradients[j], self.arrays[j]
            if kernel is None or g.dtype != stored:  # the rule is evaluated an operation at a time
                wide, memory = theta.astype(self.dtype), [None if x is None else x[j] for x in self.memory]
                self.evaluate(rule, wide, g.astype(self.dtype, copy=False), memory, scalars, static)
                theta[...] = wide
            elif g.size:
                kernel.each(g, *numbers, theta, *self.slots_of[j])
        if kernel is not None and tabled:
            n = kernel.rows
            if (kernel, tabled) != self.tabled:
                self.tabled, rows = (kernel, tabled), [tabled[i : i + n] for i in range(0, len(tabled), n)]
                self.tables = [
                    Table(kernel, [self.arrays[j] for j in some], [self.slots_of[j] for j in some]) for some in rows
                ]
            for i, table in enumerate(self.tables):
                table.move(addresses[i * n : (i + 1) * n], numbers)
        return []

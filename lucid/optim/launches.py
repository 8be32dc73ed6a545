"""Chapter 8, continued. How one equation moves parameters that lie on a GPU.

Nothing is packed there, and nothing cut into pieces: a kernel of the rule (kernel.py) reads and writes the arrays where
they are, up to 96 parameters in one launch. What a step costs the host is a list of the gradients' addresses, as those
are all that is new; everything else in the table of a launch stays as long as the plan does.

A parameter, gradient or state with gaps in it, such as a transposed one, is moved by a launch of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lucid.core.array import Array, namespace
from lucid.optim.jobs import Job, Numbers, Piece, Rule, lay_alone, owner
from lucid.optim.kernel import Kernel, Table, kernel_of


class Launched(Job):
    """Parameters of one dtype on one GPU."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.stored = self.arrays[0].dtype
        slots = [arrays for arrays in self.memory if arrays is not None]
        self.slots_of = list(zip(*slots, strict=True)) or [()] * len(self.arrays)
        self.own = {owner(array) for arrays in (self.arrays, *slots) for array in arrays}
        self.dense = [
            theta.size > 0 and all(array.flags.c_contiguous for array in (theta, *slots))
            for theta, slots in zip(self.arrays, self.slots_of, strict=True)
        ]
        self.laid: tuple[Any, ...] = ()  # for which kernel and parameters the tables are
        self.tables: list[Table] = []

    def lay(self, slot: str) -> list[Array]:
        """The array of each entry."""
        return [
            lay_alone(entry, slot, theta, self.dtype, self.initial)
            for entry, theta in zip(self.entries, self.arrays, strict=True)
        ]

    def look_up(self, rule: Rule, numbers: Numbers, constants: dict[str, Any]) -> Kernel | None:
        """The kernels instead of the program."""
        return kernel_of(self.xp.module, self.stored, rule, self.names, numbers, constants)

    def move(
        self, rule: Rule, numbers: Numbers, constants: dict[str, Any], gradients: list[Array]
    ) -> Sequence[Piece]:
        """Launch; what does not fit a table moves by itself."""
        namespace(self.arrays[0])  # which makes their device the current one
        kernel = self.prepare(rule, numbers, constants)
        tabled, alone, addresses = [], [], []
        own, dense, stored = self.own, self.dense, self.stored  # this loop is most of what a step costs the host
        for j, g in enumerate(gradients):
            base = g.base
            if id(g if base is None else base) in own:  # somebody's gradient is a parameter: it must not change
                gradients[j] = g = g.copy()
            if dense[j] and g.flags.c_contiguous and g.dtype == stored and kernel is not None:
                tabled.append(j)
                addresses.append(g.data.ptr)
            else:
                alone.append(j)
        for j in alone:
            g = gradients[j]
            if kernel is None or g.dtype != stored:
                self.as_it_stands(j, rule, g, numbers, constants)
            elif g.size:
                kernel.each(g, *self.scalars, self.arrays[j], *self.slots_of[j])
        if kernel is not None and tabled:
            self.tabulate(kernel, tabled)
            for i, table in enumerate(self.tables):
                table.move(addresses[i * kernel.rows : (i + 1) * kernel.rows], self.scalars)
        return ()

    def tabulate(self, kernel: Kernel, tabled: list[int]) -> None:
        """Fill tables with these parameters, unless they are in them already."""
        if (kernel, tabled) == self.laid:
            return
        self.laid = (kernel, tabled)
        self.tables = []
        for start in range(0, len(tabled), kernel.rows):
            rows = tabled[start : start + kernel.rows]
            self.tables.append(Table(kernel, [self.arrays[j] for j in rows], [self.slots_of[j] for j in rows]))

    def as_it_stands(self, j: int, rule: Rule, g: Array, numbers: Numbers, constants: dict[str, Any]) -> None:
        """Evaluate the rule an operation at a time: where it has no tape, or the gradient another dtype than theta."""
        places = [self.arrays[j], *(None if arrays is None else arrays[j] for arrays in self.memory)]
        wide = [place if place is None else place.astype(self.dtype, copy=False) for place in places]
        new = rule(self.xp, wide[0], g.astype(self.dtype, copy=False), *wide[1:], *numbers, **constants)
        for place, value in zip(places, new, strict=True):
            if place is not None:
                place[...] = value

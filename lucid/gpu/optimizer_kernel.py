"""How does one rule move parameters on a GPU? It becomes a kernel.

On a GPU a step costs what its memory traffic costs. An operation at a time, as NumPy works, would go through
memory some thirty times for Adamax; the equation needs seven passes: read theta, g, m and u, write theta, m
and u. So the rule's trace (optim/rule.py) is printed as a function of one element, whose intermediate values
never leave the registers: docs/kernels.md shows that of Adamax.

Two kernels call it. `each` is CuPy's ElementwiseKernel: one parameter, of any strides. `many` moves up to 96
where they are: a small model costs one launch, whose arguments are their addresses. Only those of the
gradients are new at each step; the rest of the `Table` of a launch stays as long as the plan does.

Arithmetic is in `scalar`, float or double, hyperparameters included. Products and sums are not fused,
division and root are correctly rounded, so results are the CPU's bits, but for numbers below 1.2e-38, which
CuPy's kernels flush to zero. exp, log and powers (used by no rule here) differ by some ulps.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, starmap
from math import ceil, inf
from operator import call
from typing import Any

from lucid.core.array import Array, DType, cpu, float32, float64, namespace
from lucid.gpu.cuda_expressions import CTYPES, CUDA_EXPRESSIONS, OPTIONS, helpers, statements, typedefs
from lucid.optim.buckets import Bucket, Memory
from lucid.optim.chunks import own_state
from lucid.optim.rule import Call, CompiledRule, Pattern, Rule, Slots, compiled_rule

MOST = 96  # parameters in a launch
ROOM = 4096  # bytes: the arguments that a launch may have on every GPU and with every driver
THREADS = 256  # in a block
CHUNK = 4096  # elements that a block moves at a time; small, so that parameters of all sizes share the GPU evenly
BLOCKS = 65_536  # in a launch, beyond which a block moves several chunks
# No names for a slot or a hyperparameter in a kernel: C++'s words, CuPy's, and those of the text below.
RESERVED = set("""
    alignas alignof and asm auto bool break case catch char class const continue default delete do double else enum
    explicit export extern false float for friend goto if inline int long mutable namespace new not operator or private
    protected public register return short signed sizeof static struct switch template this throw true try typedef
    typeid typename union unsigned using virtual void volatile while xor
    T i j n abs all aligned at before chunk count end exp fabs four fours from left log maximum minimum more number pow
    row scalar scalars sign size sqrt stored table wide
""".split())  # fmt: skip


def identifier(name: str) -> str:
    """`name`, or one like it that is not reserved, begins with a letter, and has no Greek ones."""
    if name[0].isdecimal():  # a literal, or what was computed from numbers
        return "s" + re.sub(r"\W", "_", name)
    name = "".join(letter if letter.isascii() else f"u{ord(letter):x}" for letter in name)
    return f"own_{name}" if name in RESERVED or name.startswith("_") or re.fullmatch(r"[vs]\d\w*", name) else name


class Kernel:
    """The kernels that do what a rule says, for parameters of the dtype `stored`.

    Attributes:
        name: the optimizer's.
        body: the text of what both call, `NAME_rule`.
        each: the kernel for one parameter, called with `(g, *scalars, theta, *slots)`: its `takes` and `gives`.
        many: the kernel for a `Table` of them; `text` is its source.
        rows: how many parameters a Table holds; `layout`, its dtype.
        static, step, static_values, takes_scalars, step_values: as the CompiledRule has them.
    """

    def __init__(self, cupy: Any, rule: CompiledRule, stored: DType) -> None:
        wide = float64 if stored == float64 else float32
        self.static, self.static_values = rule.static, rule.static_values
        self.step, self.takes_scalars, self.step_values = rule.step, rule.takes_scalars, rule.step_values
        title = rule.trace.title.removesuffix(".rule").lower()
        self.name = re.sub(r"\W+", "_", title, flags=re.ASCII).strip("_")
        self.slots = [identifier(slot) for slot in rule.trace.new]
        self.scalars = [identifier(x.name) for x in (*rule.static, *rule.step)]
        count = len(self.scalars) + (len(self.scalars) % 2 if wide == float32 else 0)  # C pads
        self.rows = min(MOST, (ROOM - 8 - wide.itemsize * count) // (8 * (3 + len(self.slots))))
        columns: list[Any] = [(name, "u8", (self.rows,)) for name in ("theta", "g", *self.slots, "end")]
        self.layout = DType([*columns, ("count", "u8"), *([("scalars", wide, (count,))] if count else [])])
        self.body = body(f"{self.name}_rule", rule)
        self.text = "\n".join([*typedefs(stored), "", self.body, _table(self)])
        self.many = cupy.RawKernel(self.text, f"{self.name}_many", options=OPTIONS)
        self.takes = ", ".join([f"{stored} g", *(f"{wide} {name}" for name in self.scalars)])
        self.gives = ", ".join([f"{stored} theta", *(f"{wide} {slot}" for slot in self.slots)])
        operands = ", ".join(["wide", "g", *self.slots, *self.scalars])
        text = f"scalar wide = theta; {self.name}_rule({operands}); theta = wide;"
        options = {"preamble": f"typedef {CTYPES[str(wide)]} scalar;\n\n{self.body}", "options": OPTIONS}
        self.each = cupy.ElementwiseKernel(self.takes, self.gives, text, f"{self.name}_each", **options)


def body(name: str, rule: CompiledRule) -> str:
    """The rule as a function of one element, below what it needs beyond CUDA."""
    trace = rule.trace
    names = {x: identifier(x.name) for x in rule.inputs}
    lines = statements(trace.instructions, names)
    lines += [f"{identifier(slot)} = {names[x]};" for slot, x in trace.new.items() if x is not trace.inputs[slot]]
    lines += [f"theta = {names[trace.theta]} - {names[trace.update]};"]
    arrays = ", ".join(f"scalar{'' if x == 'g' else '&'} {identifier(x)}" for x in trace.inputs)
    scalars = ", ".join(f"scalar {names[x]}" for x in (*rule.static, *rule.step))
    notes = ", ".join(_note(i) for static in (True, False) for i in trace.on_numbers(static))
    arguments = f"    {arrays},\n    {scalars})" if scalars else f"    {arrays})"
    head = [f"__device__ inline void {name}(", arguments + (f"  // {notes}" if notes else "")]
    return "\n".join([*helpers(trace.instructions), *head, "{", *(f"    {line}" for line in lines), "}\n"])


def _note(instruction: Any) -> str:
    """What a number is that was computed from others, as in `s1 = 1 - beta1`."""
    function, operands, out = instruction
    texts = [x.name if x.value is not None else identifier(x.name) for x in operands]
    return f"{identifier(out.name)} = {CUDA_EXPRESSIONS[function].format(*texts)}"


def _table(kernel: Kernel) -> str:
    """The kernel that takes a table: it cuts all the parameters, one after the other, into chunks."""
    arrays = {"theta": "stored", "g": "const stored", **dict.fromkeys(kernel.slots, "scalar")}
    scalars = [f"table.{name}" for name in kernel.scalars]

    def call(*element: str) -> str:
        return f"{kernel.name}_rule({', '.join(['wide', *element, *scalars])});"

    def each(line: str, but: str = "", depth: int = 3) -> str:
        return ("\n" + "    " * depth).join(line.format(x=x, kind=kind) for x, kind in arrays.items() if x != but)

    return f"""\
template <class number> struct alignas(4 * sizeof(number)) Four {{ number x[4]; }};
template <class number> __device__ inline Four<number>& four(number* x, int i) {{ return ((Four<number>*)x)[i]; }}

struct Table {{
    {each(f"{{kind}}* {{x}}[{kernel.rows}];", depth=1)}
    unsigned long long end[{kernel.rows}];  // where each ends; it begins at the first whole chunk behind the one before
    unsigned long long count;
    {f"scalar {', '.join(kernel.scalars)};" if scalars else ""}
}};
static_assert(sizeof(Table) == {kernel.layout.itemsize}, "the host fills it");

extern "C" __global__ void {kernel.name}_many(const Table table)
{{
    const unsigned long long chunk = {CHUNK}, all = table.end[table.count - 1];
    for (unsigned long long at = blockIdx.x * chunk; at < all; at += gridDim.x * chunk) {{
        int row = 0;  // whose chunk this is: how many end before
        for (int more = 64; more > 0; more /= 2)
            if (row + more < (int)table.count && table.end[row + more - 1] <= at) row += more;
        const unsigned long long before = row ? table.end[row - 1] : 0;
        const unsigned long long from = at - (before + chunk - 1) / chunk * chunk, left = table.end[row] - at;
        const int size = left < chunk ? left : chunk;
        {each("{kind}* {x} = table.{x}[row] + from;", depth=2)}

        bool aligned = true;
        {each("aligned = aligned && (size_t){x} % sizeof(Four<{kind}>) == 0;", depth=2)}
        const int fours = aligned ? size / 4 : 0;
        for (int i = threadIdx.x; i < fours; i += blockDim.x) {{
            {each("auto {x}_four = four({x}, i);")}
            for (int j = 0; j < 4; j++) {{
                scalar wide = theta_four.x[j];
                {call(*(f"{x}_four.x[j]" for x in arrays if x != "theta"))}
                theta_four.x[j] = wide;
            }}
            {each("four({x}, i) = {x}_four;", but="g")}
        }}
        for (int i = 4 * fours + threadIdx.x; i < size; i += blockDim.x) {{
            scalar wide = theta[i];
            {call(*(f"{x}[i]" for x in arrays if x != "theta"))}
            theta[i] = wide;
        }}
    }}
}}
"""


class Table:
    """Parameters that are moved by one launch: their addresses, and where each ends, as the kernel reads them."""

    def __init__(self, kernel: Kernel, thetas: Sequence[Array], slots: Sequence[Sequence[Array]]) -> None:
        self.kernel, self.record = kernel, cpu.zeros(1, dtype=kernel.layout)
        row, count, chunks, ends = self.record[0], len(thetas), 0, []
        for theta in thetas:
            ends.append(chunks * CHUNK + theta.size)
            chunks += ceil(theta.size / CHUNK)
        row["count"], row["end"][:count] = count, ends
        for name, arrays in zip(["theta", *kernel.slots], [thetas, *zip(*slots, strict=True)], strict=True):
            row[name][:count] = [array.data.ptr for array in arrays]
        self.blocks = (min(chunks, BLOCKS),)
        self.g = row["g"][:count]
        self.scalars = row["scalars"][: len(kernel.scalars)] if kernel.scalars else None

    def launch(self, gradients: list[int], scalars: Sequence[float]) -> Call:
        """The call that launches, with the addresses of the gradients; everything is passed by value."""
        self.g[:] = gradients
        if self.scalars is not None:
            self.scalars[:] = scalars
        return self.kernel.many, self.blocks, (THREADS,), (self.record,)


@lru_cache(maxsize=512)
def kernel_of(cupy: Any, stored: DType, rule: Rule, slots: Slots, pattern: Pattern | None) -> Kernel | None:
    """The kernels of a rule for this pattern; None where it cannot be traced."""
    compiled = compiled_rule(rule, slots, pattern)
    return None if compiled is None else Kernel(cupy, compiled, stored)


class GpuBucket(Bucket):
    """Parameters of one dtype on one GPU."""

    capacity = inf

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.stored = self.arrays[0].dtype
        slots = [arrays for arrays in self.memory if arrays is not None]
        self.slots_of = list(zip(*slots, strict=True)) or [()] * len(self.arrays)
        self.own = Memory([array for arrays in (self.arrays, *slots) for array in arrays])
        is_dense = lambda theta, *slots: theta.size > 0 and all(x.flags.c_contiguous for x in (theta, *slots))
        self.dense = list(map(is_dense, self.arrays, *slots))
        self.tabled: tuple[Any, ...] = ()  # the kernel and the parameters that the tables are for
        self.tables: list[Table] = []

    def allocate_state(self, slot: str) -> list[Array]:
        """The array of each state."""
        initial, pairs = self.initial.get(slot, 0), zip(self.states, self.arrays, strict=True)
        return [own_state(state, slot, theta, initial) for state, theta in pairs]

    def compile(self, rule: Rule, pattern: Pattern | None) -> Any:
        """The kernels."""
        return kernel_of(self.xp.module, self.stored, rule, self.slots, pattern)

    def move(self, gradients: list[Array]) -> None:
        """Launch; what does not fit a table moves by itself."""
        namespace(self.arrays[0])  # which makes their device the current one
        kernel = self.compiled
        numbers = [x.item() for x in (*self.static_scalars, *self.step_scalars)]
        tabled, alone, addresses, calls = [], [], [], []
        own, dense, stored = self.own, self.dense, self.stored  # this loop is most of what a step costs the host
        for j, g in enumerate(gradients):
            if (id(g) in own.ids) if own.owned and g.base is None else own.count(g):  # it must not change meanwhile
                gradients[j] = g = g.copy()
            if dense[j] and g.flags.c_contiguous and g.dtype == stored and kernel is not None:
                tabled.append(j)
                addresses.append(g.data.ptr)
            else:
                alone.append(j)
        for j in alone:
            g, theta = gradients[j], self.arrays[j]
            if kernel is None or g.dtype != stored:  # the rule is evaluated an operation at a time
                calls += self.as_it_stands(j, g)
            elif g.size:
                calls.append((kernel.each, g, *numbers, theta, *self.slots_of[j]))
        if kernel is not None and tabled:
            n = kernel.rows
            if (kernel, tabled) != self.tabled:
                self.tabled, pieces = (kernel, tabled), [tabled[i : i + n] for i in range(0, len(tabled), n)]
                arrays, slots = self.arrays, self.slots_of
                self.tables = [Table(kernel, [arrays[j] for j in x], [slots[j] for j in x]) for x in pieces]
            for i, table in enumerate(self.tables):
                calls.append(table.launch(addresses[i * n : (i + 1) * n], numbers))
        deque(chain(starmap(call, calls), self.counted()), 0)

"""How is an optimizer's rule read: what must it take and return, and how does it come to work in place?

A rule is pure: `m = beta1 * m + (1 - beta1) * g` makes three new arrays. So it is traced (core/trace.py), and each
result gets a place: over an operand that is not needed any more, else in the workspace. `print(compiled_rule(...))`
shows it; for Adamax:

    %m = multiply %beta1 %m
    %w0 = multiply %1 %g            %1 is 1 - beta1
    %m = add %m %w0
    %u = multiply %beta2 %u
    %w0 = abs %g
    %u = maximum %u %w0
    %w0 = multiply %step %m
    %w1 = add %u %eps
    %w0 = divide %w0 %w1
    %theta = subtract %theta %w0

These are the operations of the rule in its order, so the results are the same to the bit. A rule that cannot be traced
(a sum, a norm, a matrix product) is evaluated as it stands, for one parameter after the other, whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from inspect import Parameter, getattr_static, signature
from itertools import repeat, starmap
from operator import itemgetter, setitem
from types import FunctionType
from typing import Any

from lucid.core.array import cpu
from lucid.core.trace import Instruction, ScalarTracer, Trace, TracedNamespace, TraceError, Tracer, evaluate, number_of

Rule = Callable[..., tuple[Any, ...]]
Slots = tuple[str | None, ...]  # the arrays that a rule keeps for each parameter; None for one that is not in use
Pattern = tuple[tuple[bool | None, ...], tuple[tuple[str, Any], ...]]
Call = tuple[Any, ...]  # a function and what it is called with, for `operator.call`
ZERO, NOT_ZERO = "= 0", "!= 0"  # in a pattern, of a number


def evaluate_rule(
    rule: Rule, xp: Any, theta: Any, g: Any, slots: Sequence[Any], scalars: Sequence[Any], static: Mapping[str, Any]
) -> tuple[Any, list[Any]]:
    """What the rule makes of these arrays, evaluated as it stands: the new theta, and the new value of each slot."""
    results = rule(xp, theta, g, *slots, *scalars, **static)
    update, new, theta = split_results(rule, results, len(slots), theta)
    return theta - update, new


def writes_of(
    rule: Rule, scalars: Sequence[Any], static: Mapping[str, Any], xp: Any, array: Any, g: Any, slots: Sequence[Any],
    dtype: Any,
) -> list[Call]:  # fmt: skip
    """The calls that put into a parameter's array and the slots what the rule, evaluated as it stands and in `dtype`,
    makes of them."""
    theta, g = array.astype(dtype, copy=False), g.astype(dtype, copy=False)
    value, new = evaluate_rule(rule, xp, theta, g, slots, scalars, static)
    pairs = [*zip(slots, new, strict=True), (theta, value), (array, theta)]  # theta late: a new slot may be it
    return [(setitem, old, ..., value) for old, value in pairs if old is not None]


def split_results(rule: Rule, results: Any, count: int, theta: Any) -> tuple[Any, list[Any], Any]:
    """What a rule with `count` slots returned: the update, the new slots, and what the update is subtracted from.

    Raises:
        TypeError: for another number of results.
    """
    if not isinstance(results, tuple) or len(results) not in (count + 1, count + 2):
        alone = "nothing" if results is None else "one value and no tuple"
        got = f"{len(results)} results" if isinstance(results, tuple) else alone
        raise TypeError(
            f"{title_of(rule)}: expected a tuple of the update and the new value of each of its {count} slots (and, "
            f"where it scales theta itself, that theta as the last), got {got}"
        )
    update, *new = results
    return update, new[:count], new[count] if len(new) > count else theta


def title_of(rule: Rule) -> str:
    """The rule's name for messages and kernels, such as "Adamax.rule"."""
    return str(getattr(rule, "__qualname__", rule))


def step_scalar_names(rule: Rule, slots: int, count: int) -> list[str]:
    """What the rule calls the numbers that it takes after the slots."""
    arguments = list(signature(rule).parameters.values())[3 + slots :]
    names = [a.name for a in arguments if a.kind is Parameter.POSITIONAL_OR_KEYWORD]
    return names if len(names) == count else [f"number{i}" for i in range(count)]


def pattern_of(step_scalars: Sequence[object], static: Mapping[str, Any]) -> Pattern | None:
    """All that decides which trace a rule has: the flags among its numbers, and which of the others are 0.

    None where there is no telling, as there is something else than numbers and words among the hyperparameters.
    """
    flags = tuple([x if type(x) is bool else None for x in step_scalars])
    kinds = [(k, (ZERO, NOT_ZERO)[bool(v)] if type(v) in (int, float) else v) for k, v in static.items()]
    return (flags, tuple(kinds)) if all(v is None or type(v) in (bool, str) for _, v in kinds) else None


class RuleTrace(Trace):
    """The trace of a rule, for a pattern of flags and zeros.

    Attributes:
        inputs: theta, g and the slots in use, by name.
        new: slot -> its new value. No two are the same, and none is an input, but for a slot that stays as it is.
        update, theta: what is subtracted in the end, and from what: the input theta, or what the rule returned for it.
    """

    def __init__(self, rule: Rule, slots: Slots, pattern: Pattern) -> None:
        super().__init__(cpu)
        self.title, (flags, static) = title_of(rule), pattern
        self.inputs = {name: Tracer(self, name) for name in ("theta", "g", *filter(None, slots))}
        theta, g, *_ = self.inputs.values()
        self.step_names = names = step_scalar_names(rule, len(slots), len(flags))
        scalars = [ScalarTracer(self, k, None, False) if v is None else v for k, v in zip(names, flags, strict=True)]
        self.step_scalars = [x for x in scalars if isinstance(x, ScalarTracer)]
        options = {k: ScalarTracer(self, k, v == NOT_ZERO, True) if v in (ZERO, NOT_ZERO) else v for k, v in static}
        old = [None if slot is None else self.inputs[slot] for slot in slots]
        results = rule(TracedNamespace(self), theta, g, *old, *scalars, **options)
        update, new, base = split_results(rule, results, len(slots), theta)
        self.new: dict[str, Tracer] = {}
        for slot, value in zip(slots, new, strict=True):
            if slot is not None:
                taken = {*self.inputs.values(), *self.new.values()}
                self.new[slot] = value if value is self.inputs[slot] else self._array(value, taken)
        inputs, slots_in_use = set(self.inputs.values()), {x for x in old if x is not None}
        self.theta = base if base is theta else self._array(base, inputs | set(self.new.values()))
        self.update = self._array(update, slots_in_use if base is theta else {*slots_in_use, theta})

    def _array(self, value: Any, taken: set[Any]) -> Tracer:
        """A result as an array of its own: a copy of one that is taken."""
        if not isinstance(value, Tracer) or isinstance(value, ScalarTracer):
            raise TraceError("a result that is no array")
        array: Tracer = self.emit("astype", value) if value.is_bool else value
        return self.emit("copy", array) if array in taken else array

    def __str__(self) -> str:
        results = [f"%{slot} = {value}" for slot, value in self.new.items()]
        return "\n".join([super().__str__(), *results, f"%theta = subtract {self.theta} {self.update}"])


def last_uses(instructions: Sequence[Instruction], outputs: Iterable[Tracer]) -> dict[Tracer, int]:
    """Liveness: each value's last instruction, after which it is dead. Outputs live to the end."""
    last = {x: i for i, (_, operands, _) in enumerate(instructions) for x in operands}
    return last | dict.fromkeys(outputs, len(instructions))


Code = list[tuple[str, list[int], int]]  # function, registers of its operands, register of its result


def allocate(
    instructions: Sequence[Instruction], inputs: Sequence[Tracer], outputs: Collection[Tracer],
    homes: Mapping[Tracer, Tracer],
) -> tuple[Code, dict[Tracer, int], int]:  # fmt: skip
    """Give each result of instructions on arrays a register to be written to, by liveness, so that there are few.

    Register i holds input i at first; those after the inputs are workspace. `outputs` are the results that are needed
    at the end. `homes` maps some of these to the input whose register they must be in by then; no other input is
    overwritten. Gives the code, the register of each value, and how many registers of workspace there are.
    """
    kept, last = set(outputs), last_uses(instructions, outputs)
    register = {x: i for i, x in enumerate(inputs)}
    home = {value: register[x] for value, x in homes.items()}
    holds = {register[x]: x for x in homes.values()}  # what stands in each register that may be written to
    code: Code = []
    count = len(inputs)
    for i, (function, operands, out) in enumerate(instructions):
        free = [r for r, value in holds.items() if last.get(value, -1) <= i]
        workspace = [r for r in free if r >= len(inputs)]
        # Best over an operand that dies here. An output stays out of other outputs' homes, which it might block.
        over = [register[x] for x in operands if register[x] in (workspace if out in kept else free)]
        choices = [r for r in [home.get(out)] if r in free] + over + workspace
        place = choices[0] if choices else count
        count = max(count, place + 1)
        code.append((function, [register[x] for x in operands], place))
        register[out], holds[place] = place, out
    for value, place in home.items():
        if register[value] != place:  # the old value was still needed when the new one was there
            code.append(("copy", [register[value]], place))
    return code, register, count - len(inputs)


class CompiledRule:
    """A rule as a list of calls that work in place.

    Attributes:
        calls: `(function, at)`: `at(registers)` are the operands, and the array for the result. The registers are
            theta, g, the slots in use, the scalars, the workspace, in this order.
        workspace: how many arrays of workspace there are.
        update: the register of what is to be subtracted from theta in the end.
        uses_theta: whether any call reads theta or writes to it.
        static, step: the scalars: first those that depend on hyperparameters alone, then those that are new at each
            step: what the rule is given as such, then what it computes of it.
    """

    def __init__(self, trace: RuleTrace) -> None:
        self.trace, used = trace, trace.scalars()
        self.static = [x for x in used if x.static]
        self.step = [*dict.fromkeys([*trace.step_scalars, *(x for x in used if not x.static)])]
        self.inputs = [*trace.inputs.values(), *self.static, *self.step]
        results = {**trace.new, "theta": trace.theta}
        homes = {value: trace.inputs[name] for name, value in results.items() if value is not trace.inputs[name]}
        outputs = {*homes, trace.update}.difference(self.inputs)
        on_arrays = [i for i in trace.instructions if not isinstance(i[2], ScalarTracer)]
        self.code, register, self.workspace = allocate(on_arrays, self.inputs, outputs, homes)
        self.update = register[trace.update]
        self.uses_theta = self.update == 0 or any(0 in (*operands, out) for _, operands, out in self.code)
        self.calls = [(in_place(function), itemgetter(*operands, out)) for function, operands, out in self.code]
        # Nothing is computed of those of the rule, and no flags stand among them.
        self.takes_scalars = len(self.step) == len(trace.step_scalars) == len(trace.step_names)
        self._on_static, self._on_step = trace.on_numbers(static=True), trace.on_numbers(static=False)

    def bound(self, registers: Sequence[Any]) -> list[Call]:
        """The calls on these registers. All of it is C, so Ctrl-C, which Python looks for between calls of its own,
        does not come in between where one call in C makes them all: `deque(starmap(call, bound), 0)`."""
        return [f(*at(registers)) if type(f) is FunctionType else (f, *at(registers)) for f, at in self.calls]

    def static_values(self, static: Mapping[str, Any]) -> list[Any]:
        """The values of the static scalars, computed in double precision."""
        values = evaluate(self._on_static, dict(static))
        return [number_of(x, values) for x in self.static]

    def step_values(self, static: Mapping[str, Any], step_scalars: Sequence[Any]) -> Sequence[Any]:
        """The values of the scalars that are new at each step, given those of the rule, flags included."""
        values = {**static, **dict(zip(self.trace.step_names, step_scalars, strict=True))}
        evaluate(self._on_static + self._on_step, values)
        return [number_of(x, values) for x in self.step]

    def __str__(self) -> str:
        names = [str(x) for x in self.inputs] + [f"%w{i}" for i in range(self.workspace)]
        lines = [f"{names[out]} = {function} {' '.join(names[i] for i in x)}" for function, x, out in self.code]
        return "\n".join([*lines, f"%theta = subtract %theta {names[self.update]}"])


def in_place(function: str) -> Callable[..., Any]:
    """A function of NumPy's that takes the array to write to after its operands; a bool operand is 1 or 0 to it. Where
    NumPy's is none such, a function of Python's that makes a call of these arrays."""
    return SPECIAL.get(function) or getattr(cpu, function)


def _copy(x: Any, out: Any) -> Call:
    return setitem, out, ..., x


def _where(condition: Any, x: Any, y: Any, out: Any) -> Call:
    # `where` has no out. NumPy asks a function in Python whether it is overridden; its implementation is in C.
    where = getattr(cpu.where, "_implementation", cpu.where)
    return next, map(partial(setitem, out, ...), starmap(where, repeat((condition, x, y))))


SPECIAL: dict[str, Callable[..., Any]] = {
    "astype": _copy, "copy": _copy, "where": _where, "logical_xor": cpu.not_equal,
    # These two no longer take `out` by position.
    **dict.fromkeys(("maximum", "logical_or"), lambda x, y, out: (partial(cpu.maximum, x, y, out=out),)),
    **dict.fromkeys(("minimum", "logical_and"), lambda x, y, out: (partial(cpu.minimum, x, y, out=out),)),
}  # fmt: skip


@lru_cache(maxsize=512)
def compiled_rule(rule: Rule, slots: Slots, pattern: Pattern | None) -> CompiledRule | None:
    """The rule for this pattern, compiled; None where it cannot be traced."""
    if pattern is None:
        return None
    try:
        return CompiledRule(RuleTrace(rule, slots, pattern))
    except TraceError:
        return None


def check_rule(kind: Any, one_number: Any) -> tuple[str, ...]:
    """Refuse a rule that cannot work, where it is defined; gives the names of the hyperparameters that it takes.
    `one_number` is the `step_scalars` that gives the learning rate alone.

    Raises:
        TypeError: for arguments in another order than they are given in, another number of results, and functions or
            attributes that no array has.
    """
    rule, slots, name = kind.rule, list(kind.slots), f"{kind.__name__}.rule"
    arguments = list(signature(rule).parameters.values())
    first = [a.name for a in arguments if a.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    static = [a.name for a in arguments if a.kind is Parameter.KEYWORD_ONLY]
    scalars = [argument for argument in first if argument not in ("self", "xp", "theta", "g", *slots)]
    form = f"rule({', '.join(['xp', 'theta', 'g', *slots, *scalars, *['*'] * bool(static), *static])})"
    for what, right in (("rule", form), ("step_scalars", "step_scalars(options, t)")):
        if not isinstance(getattr_static(kind, what), staticmethod):
            why = "must be a static method, as it belongs to no optimizer"
            raise TypeError(f"{kind.__name__}.{what}: {why}; write @staticmethod {right}")
    taken = first[3:][: len(slots)]  # of which *rest takes what is missing
    all_of_them = taken == slots or any(a.kind is Parameter.VAR_POSITIONAL for a in arguments)
    if first[:1] != ["xp"] or len(first) < 3 or taken != slots[: len(taken)] or not all_of_them:
        raise TypeError(
            f"{name}: its arguments must begin with the namespace xp, theta, its gradient g and the slots {slots}, got "
            f"({', '.join(first)}); write {form}"
        )
    for what in ("optional_slots", "initial_values", "torch_slot_names"):
        mapping = getattr(kind, what)
        named = mapping.values() if what == "torch_slot_names" else mapping
        if unknown := [slot for slot in named if slot is not None and slot not in slots]:
            raise TypeError(f"{kind.__name__}.{what}: {unknown[0]!r} is no slot; slots = {slots} lists those there are")
    ours = kind.__module__.startswith("lucid.")  # these have tests, and importing them would take 5 ms longer
    for zero in () if ours else (NOT_ZERO, ZERO):
        try:
            RuleTrace(rule, kind.slots, ((None,) * len(scalars), tuple((k, zero) for k in static)))
        except AttributeError as error:
            raise TypeError(f"{name}: {error}") from error
        except TypeError as error:
            if str(error).startswith(title_of(rule)):  # another number of results
                raise TypeError(f"{error}; write return {', '.join(['update', *slots])}{',' * (not slots)}") from None
        except Exception as error:  # what it says of arrays is said when it runs on arrays
            if str(error) == "a decision that depends on an array":
                how = "as `if g > 0:` and max(g, 0) do; write xp.where(g > 0, a, b) or xp.maximum(g, 0)"
                raise TypeError(f"{name}: decides once for all elements of an array, {how}") from None
    if kind.step_scalars is one_number:
        check_numbers(kind, {"lr": "lr"})
    return tuple(static)


def check_numbers(kind: Any, options: dict[str, Any]) -> None:
    """Refuse a rule that takes more or fewer numbers after the slots than `step_scalars` gives."""
    _, _, _, *rest = signature(kind.rule).parameters.values()
    if any(a.kind is Parameter.VAR_POSITIONAL for a in rest):  # which is that of an optimizer without one, too
        return
    names = [a.name for a in rest if a.kind < Parameter.VAR_POSITIONAL][len(kind.slots) :]
    if len(names) != len(given := kind.step_scalars(options, 1)):
        raise TypeError(
            f"{kind.__name__}.rule: takes {len(names)} numbers after the slots, ({', '.join(names)}), expected "
            f"{len(given)}, as step_scalars gives ({', '.join(map(str, given))}); all others stand behind the *"
        )

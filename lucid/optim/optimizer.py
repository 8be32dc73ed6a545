"""What do all optimizers share? Groups of parameters and their hyperparameters, state, and the step.

An optimizer is one equation, its `rule`; adamax.py shows what one looks like. How the rule is read stands in rule.py,
how it moves many parameters in buckets.py, what is refused in validation.py, how state is saved in state_dict.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from operator import is_
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lucid.autograd.grad_mode import enable_grad
from lucid.core.array import is_writable, namespace
from lucid.core.events import STEP, begin
from lucid.core.node import Tensor, bump_version
from lucid.optim import validation
from lucid.optim.buckets import QUIET, GroupOptions, Plan
from lucid.optim.rule import check_numbers, check_rule
from lucid.optim.state_dict import kinds, load, state_dict
from lucid.optim.validation import BETAS, NON_NEGATIVE, Domain

if TYPE_CHECKING:
    from lucid.optim.explain import Explanation


class Optimizer:
    """Base of all optimizers: groups of parameters, the state each gathers, and one `step` that moves them.

    A subclass is an equation and the numbers that go into it. It says

    - `rule(xp, theta, g, slots..., step_scalars..., *, hyperparameters...)`: the *update* and the new slots.
      theta becomes theta - update. It is a static method and pure: it returns new arrays and writes to none. One
      that is not elementwise (sums, norms) runs for one parameter after the other. A rule that scales theta as well,
      as decoupled weight decay does, returns the scaled theta after the slots; the update is subtracted from that;
    - `slots`: the names of the arrays that the rule keeps for each parameter. They are zero at first, or the value
      of the hyperparameter that `initial_values` names. A slot that `optional_slots` maps to a
      hyperparameter exists only where that is not zero or False; elsewhere the rule gets None for it;
    - `step_scalars(options, t)`: the numbers that the rule takes after the slots, new at the t-th update;
      bools among them may decide what the rule does;
    - `domains`: what each hyperparameter may be; `pairs`: which ones may be given two at a time, as PyTorch
      has `betas`, which becomes `beta1` and `beta2`;
    - `torch_slot_names`: the slots by PyTorch's names; None for what PyTorch keeps and `step_scalars` computes.

    A rule that cannot work is refused where the class is defined. One may also define its own `step()`, in PyTorch's
    way: `state[p]` is then a dict to fill, empty at first.

    Args:
        params: an iterable of Parameters, or of dicts, one for each group: `"params"`, and any hyperparameter
            that is to differ from the default. The dicts are copied, never written to. Pairs of a name and a
            Parameter, as `model.named_parameters()` gives them, may stand in the place of Parameters: then
            `load_state_dict` goes by the names.
        defaults: the hyperparameters by name.

    Attributes:
        param_groups: one dict for each group: `"params"`, a list, and the hyperparameters, read at every step;
            where parameters have names, `"param_names"`.
        defaults: what a group takes for the hyperparameters that it does not name.
        state: parameter -> `{"t": its number of updates, slot: array, ...}`, from its first update on.

    Raises:
        TypeError: for parameters that are not an ordered iterable of Parameters (or of leaf tensors that
            require a gradient) of a float dtype, and for hyperparameters that are not numbers or are unknown.
        ValueError: for no parameters, the same one twice, and numbers out of their domain.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    optional_slots: ClassVar[Mapping[str, str]] = {}
    initial_values: ClassVar[Mapping[str, str]] = {}
    domains: ClassVar[Mapping[str, Domain]] = {"lr": NON_NEGATIVE, "weight_decay": NON_NEGATIVE}
    pairs: ClassVar[Mapping[str, tuple[str, ...]]] = BETAS
    torch_slot_names: ClassVar[Mapping[str, str | None]] = {}
    _name: ClassVar[str] = "Optimizer"
    _static_names: ClassVar[tuple[str, ...]] = ()  # the hyperparameters that the rule takes

    @staticmethod
    def rule(xp, theta, g, *rest, **hyperparameters):
        """The equation: the update, which is subtracted from theta, and the new value of each slot."""
        raise NotImplementedError("an optimizer is a subclass of Optimizer with a rule; see lucid.optim.Adamax")

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """The numbers that the rule is given at a parameter's t-th update, counting from 1, in double precision."""
        return (options["lr"],)

    def check(self, context: str, options: dict[str, Any]) -> None:
        """Raise a ValueError that begins with `context` if the hyperparameters of a group do not go together."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._name = cls.__name__
        if cls.rule is not Optimizer.rule:
            cls._static_names = check_rule(cls, Optimizer.step_scalars)

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Refuse an unknown keyword in a sentence that lists the known ones."""
        validation.check_keywords(cls, kwargs)
        return super().__new__(cls)

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults: dict[str, Any] = validation.split_pairs(self._name, defaults, self.pairs)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Any, dict[str, Any]] = {} if type(self).rule is not Optimizer.rule else defaultdict(dict)
        self._plan: Plan | None = None
        self._seen: list[object] = []  # what stood in all groups, and their parameters
        self._options: list[GroupOptions] = []  # what was made of it
        self._warned = False
        validation.check_static_names(self._name, self._static_names, self.defaults)
        check_numbers(type(self), self._group_options(self._name, self.defaults).checked)
        items = validation.as_list(self._name, params)
        self._add(items if any(isinstance(item, Mapping) for item in items) else [{"params": items}])

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Let `group`, a dict as the constructor takes them, be trained as well, from the next step on.

        Raises:
            TypeError, ValueError: as the constructor does; the optimizer is then as it was.
        """
        self._add([group])

    def _add(self, groups: list[Any]) -> None:
        """Check all of `groups`, then append them."""
        self.param_groups += validation.check_groups(self, groups)

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name not in ("params", "param_names")]
        return "\n".join([*lines, ")"])

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Move every parameter that has a gradient, once.

        Args:
            closure: computes the loss, and the gradients; called once, with gradients enabled.

        Returns:
            What the closure returned; None without one.

        Raises:
            TypeError, ValueError: for hyperparameters that a group was given since, and for gradients that do
                not fit their parameters; nothing has moved then.

        Warns:
            UserWarning: once, if no parameter has a gradient.
        """
        after = begin(STEP, self, closure) if STEP else ()
        options, loss = self._read_groups(), None
        if closure is not None:
            validation.function(f"{self._name}.step", "closure", closure)
            with enable_grad():
                loss = closure()
            options = self._read_groups()
        plan = self._plan
        gradients = None if plan is None else plan.gradients(self.param_groups, options, self.state)
        if plan is None or gradients is None:
            plan = self._plan = Plan(self._name, self.param_groups, options, self.state)
            gradients = plan.gradients(self.param_groups, options, self.state) or []
            if not gradients:
                validation.warn_of_no_gradient(self)
        try:
            QUIET.copy().run(plan.run, self.rule, self.step_scalars, gradients)
        except BaseException:  # Ctrl-C too
            self._plan = None
            raise
        for function in after:
            function(loss)
        return loss

    def explain(self, parameter: Any, largest: int = 5) -> Explanation:
        """The step that `step()` would take now, for one parameter and number by number; nothing is changed by it.

        The rule is asked what it makes of the present gradient, state and hyperparameters, so the numbers are,
        on the CPU to the bit, those of the step that follows. Between `backward()` and `step()` is the time to ask.

        Args:
            parameter: one of this optimizer's.
            largest: how many elements to show: those that move most.

        Returns:
            An Explanation: text where it is printed, HTML in a notebook. Its `table` has the numbers in full,
            by the names that the text has for them: `table["theta after"]` is a list.

        Raises:
            TypeError, ValueError: for a parameter that is not this optimizer's, and where `step` would raise one.

        >>> import lucid
        >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
        >>> optimizer = lucid.optim.SGD([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> table = optimizer.explain(w).table
        >>> table["index"], table["move"], table["theta after"]
        ([(1,), (0,)], [-1.0, -0.5], [1.0, 0.5])
        """
        from lucid.optim.explain import explain  # not part of training: loaded on first use

        return explain(self, parameter, largest)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: set them to None, or, with `set_to_none=False`, to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p._grad is None:
                    p._grad = None
                elif p.grad.is_leaf and is_writable(p.grad._array):
                    p.grad._array[...] = 0
                    bump_version(p.grad._array)
                else:
                    p.grad = Tensor(namespace(p.grad._array).zeros_like(p.grad._array))

    def _read_groups(self) -> list[GroupOptions]:
        """The hyperparameters of every group, as they stand now; another list if anything is new."""
        seen: list[object] = []
        for group in self.param_groups:
            seen += group.values()
            seen += group["params"]
        # The same objects as at the last step were checked there.
        if len(seen) != len(self._seen) or not all(map(is_, seen, self._seen)):
            groups = enumerate(self.param_groups)
            self._options = [self._group_options(f"{self._name}, group {i}", group) for i, group in groups]
            has_pairs = any(pair in group for group in self.param_groups for pair in self.pairs)
            self._seen = [] if has_pairs else seen  # a group with "betas" is read at each step
        return self._options

    def _group_options(self, context: str, group: Mapping[str, Any]) -> GroupOptions:
        """The hyperparameters that stand in `group`, each checked."""
        validation.split_pairs(context, group, self.pairs)
        options = {}
        for name, default in self.defaults.items():
            if name not in group:
                raise ValueError(f"{context}: {name} is missing; set group[{name!r}], by default to {default!r}")
            value, domain = group[name], self.domains.get(name)
            options[name] = value if domain is None else domain(context, name, value)
        self.check(context, options)
        return GroupOptions(
            options, static={name: options[name] for name in self._static_names},
            slots=tuple(x if options.get(self.optional_slots.get(x, ""), True) else None for x in self.slots),
            initial={slot: options[name] for slot, name in self.initial_values.items()},
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """A snapshot, in PyTorch's layout: `{"state": {0: {...}}, "param_groups": [{..., "params": [0, ...]}]}`.

        Parameters are numbered through all groups. Arrays are NumPy copies and the rest plain values, so that
        it can be pickled, and read where there is no GPU. Where parameters were given with names, every group
        has `"param_names"`.

        Raises:
            ValueError: if a group's parameters were edited and its names were not.
        """
        return state_dict(self._name, self.param_groups, self.state)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what a `state_dict` holds: training goes on as if it had never stopped.

        Arrays are copied, to the device of their parameter and to the dtype that its state has here. Where the
        parameters have names, here and in what is loaded, each finds its state by name, whatever the order;
        elsewhere by index. What PyTorch's optimizer of the same name has saved, its tensors turned into NumPy
        arrays, is understood as well.

        Raises:
            TypeError, ValueError: for what does not fit the groups and parameters here, all of it named at
                once; the optimizer is then as it was.

        Warns:
            UserWarning: if PyTorch's optimizer of this name is not quite the same.
        """
        load(self, state_dict, kinds(Optimizer))

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name != "step"}  # a wrapped one
        return {**own, "_plan": None, "_options": [], "_seen": []}  # a copy makes its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

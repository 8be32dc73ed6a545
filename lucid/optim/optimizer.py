"""Chapter 8. The equations of learning: what all optimizers share.

An optimizer is one equation, its `rule`; adamax.py shows what one looks like. Here stands everything around
it: the groups of parameters and their numbers, and the state that each parameter gathers. What is refused at
the door stands in options.py, how state is saved and found again in state_dict.py; how a rule is run over many
parameters is the question of runner.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter as Argument
from inspect import signature
from operator import is_
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lucid.autograd.grad_mode import enable_grad
from lucid.core.array import namespace
from lucid.core.events import STEP, begin
from lucid.core.node import Tensor, bump_version
from lucid.optim.jobs import Settings, writeable
from lucid.optim.options import (
    BETAS,
    NON_NEGATIVE,
    Domain,
    check_keywords,
    check_names,
    check_parameter,
    checked,
    listed,
    named,
    split_pairs,
)
from lucid.optim.runner import Plan
from lucid.optim.state_dict import load, mismatches, state_dict, with_own_names

if TYPE_CHECKING:
    from lucid.optim.explain import Explanation

NO_GRADIENT = (
    "no parameter has a gradient, so nothing moved. Call loss.backward() before step(), and zero_grad() before "
    "backward() or after step(), not between them; if you do, the parameters given to this optimizer are not those "
    "that the loss was computed from (of another model, or replaced since), or all are frozen"
)


class Optimizer:
    """Base of all optimizers: groups of parameters, the state each gathers, and one `step` that moves them.

    A subclass is an equation and the numbers that go into it. It says

    - `rule(xp, theta, g, *slots, *numbers, *, constants)`: the new theta and the new slots. It is
      elementwise, and pure: it returns new arrays and writes to none. Its keyword-only arguments are
      hyperparameters that it takes as they are;
    - `slots`: the names of the arrays that the rule remembers for each parameter. They are zero at first, or
      what the hyperparameter says that `initial` maps them to. A slot that `only_with` maps to a
      hyperparameter exists only where that is not zero or False; elsewhere the rule gets None for it;
    - `numbers(options, t)`: what else the rule takes at the t-th update: numbers that change between steps,
      and flags (bools) that may decide what the rule does;
    - `domains`: what each hyperparameter may be; `pairs`: which ones may be given two at a time, as PyTorch
      has `betas`, which becomes `beta1` and `beta2`;
    - `in_torch`: the slots by PyTorch's names; None for what PyTorch keeps and `numbers` computes.

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
    only_with: ClassVar[Mapping[str, str]] = {}
    initial: ClassVar[Mapping[str, str]] = {}
    domains: ClassVar[Mapping[str, Domain]] = {"lr": NON_NEGATIVE, "weight_decay": NON_NEGATIVE}
    pairs: ClassVar[Mapping[str, tuple[str, str]]] = BETAS
    in_torch: ClassVar[Mapping[str, str | None]] = {}
    _constants: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def rule(xp, theta, g, *rest, **constants):
        """The equation: new values of theta and of each slot."""
        raise NotImplementedError("an optimizer is a subclass of Optimizer with a rule; see lucid.optim.Adamax")

    @staticmethod
    def numbers(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """What the rule is given for a parameter's t-th update, counting from 1; computed on the host, in double."""
        return (options["lr"],)

    def check(self, where: str, options: dict[str, Any]) -> None:
        """Raise a ValueError that begins with `where` if the hyperparameters of a group do not go together."""

    def unlike_torch(self, group: dict[str, Any]) -> str:
        """What PyTorch's optimizer of this name does otherwise, for a group of its state that is loaded here; or "".

        It may take keys out of `group` that mean nothing here.

        Raises:
            ValueError: if it does so much otherwise that its state must not be loaded.
        """
        return ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        arguments = signature(cls.rule).parameters.values()
        cls._constants = tuple(a.name for a in arguments if a.kind is Argument.KEYWORD_ONLY)

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Refuse an unknown keyword in a sentence that lists the known ones."""
        check_keywords(cls, kwargs)
        return super().__new__(cls)

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults: dict[str, Any] = split_pairs(self._name, defaults, self.pairs)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Any, dict[str, Any]] = {}
        self._plan: Plan | None = None
        self._known: list[Settings] = []
        self._warned = False
        self._names = (*self.defaults, *self.pairs)
        self._settings(self._name, self.defaults)
        given = listed(self._name, params)
        self._add(given if any(isinstance(item, Mapping) for item in given) else [{"params": given}])

    @property
    def _name(self) -> str:
        return type(self).__name__

    # -- groups ----------------------------------------------------------------------------------------------

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Let `group`, a dict as the constructor takes them, be trained as well, from the next step on.

        Raises:
            TypeError, ValueError: as the constructor does; the optimizer is then as it was.
        """
        self._add([group])

    def _add(self, groups: list[Any]) -> None:
        """Check all of `groups`, then append them."""
        first, names_of_all = len(self.param_groups), [group.get("param_names") for group in self.param_groups]
        places = {p: (i, j) for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"])}
        added: list[dict[str, Any]] = []
        for i, group in enumerate(groups, first):
            where = f"{self._name}, group {i}"
            if not isinstance(group, Mapping) or "params" not in group:
                found = f"keys {list(group)}" if isinstance(group, Mapping) else f"a {type(group).__name__}"
                raise TypeError(f"{where}: expected a dict with 'params', got {found}; do not mix dicts and Parameters")
            names, params = named(where, listed(where, group["params"]))
            names_of_all.append(names)
            for j, p in enumerate(params):
                check_parameter(f"{where}: parameter {j}", p)
                if p in places:
                    before = "parameter {1} of group {0}".format(*places[p])
                    raise ValueError(f"{where}: parameter {j} is the same as {before}; give each parameter once")
                places[p] = i, j
            own = {k: v for k, v in group.items() if k not in ("params", "param_names")}
            options = {**self.defaults, **split_pairs(where, own, self.pairs)}
            self._settings(where, options)
            added.append({"params": params, **({} if names is None else {"param_names": names}), **options})
        if not any(group["params"] for group in added):
            raise ValueError(f"{self._name}: got no parameters, expected at least one; was an iterator used up before?")
        check_names(self._name, names_of_all)
        self.param_groups += added

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name not in ("params", "param_names")]
        return "\n".join([*lines, ")"])

    # -- stepping --------------------------------------------------------------------------------------------

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
        settings, loss = self._read_groups(), None
        if closure is not None:
            with enable_grad():
                loss = closure()
            settings = self._read_groups()
        gradients = None if self._plan is None else self._plan.gradients(self.param_groups, settings, self.state)
        if gradients is None:
            self._plan = Plan(self._name, self.param_groups, settings, self.state)
            gradients = self._plan.gradients(self.param_groups, settings, self.state)
            if not gradients:
                self._warn_of_no_gradient()
        assert self._plan is not None and gradients is not None
        self._plan.run(self.rule, self.numbers, gradients)
        for function in after:
            function(loss)
        return loss

    def _warn_of_no_gradient(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(f"{self._name}.step: {NO_GRADIENT}", UserWarning, stacklevel=3)

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
                elif p.grad.is_leaf and writeable(p.grad._array):
                    p.grad._array[...] = 0
                    bump_version(p.grad._array)
                else:
                    p.grad = Tensor(namespace(p.grad._array).zeros_like(p.grad._array))

    def _read_groups(self) -> list[Settings]:
        """The hyperparameters of every group, as they stand now; the same list as last time if all are the same."""
        names, known, groups = self._names, self._known, self.param_groups
        if len(known) == len(groups):
            for i, group in enumerate(groups):
                # The very objects that were found good before are good. Anything else is looked at: a pair, too.
                if not all(map(is_, map(group.get, names), known[i].values)):
                    break
            else:
                return known
        self._known = [self._settings(f"{self._name}, group {i}", group) for i, group in enumerate(groups)]
        return self._known

    def _settings(self, where: str, group: Mapping[str, Any]) -> Settings:
        """The hyperparameters that stand in `group`, each checked."""
        split_pairs(where, group, self.pairs)
        options = {}
        for name, default in self.defaults.items():
            if name not in group:
                raise ValueError(f"{where}: {name} is missing; set group[{name!r}], by default to {default!r}")
            value, domain = group[name], self.domains.get(name)
            options[name] = value if domain is None else checked(where, name, value, domain)
        self.check(where, options)
        memory = tuple(slot if options.get(self.only_with.get(slot, ""), True) else None for slot in self.slots)
        constants = {name: options[name] for name in self._constants}
        initial = {slot: options[name] for slot, name in self.initial.items()}
        values = (*[group[name] for name in self.defaults], *[None] * len(self.pairs))
        return Settings(values, options, constants, memory, initial)

    # -- saving ----------------------------------------------------------------------------------------------

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
        groups, state, warning = load(
            type(self),
            self.param_groups,
            state_dict,
            read_group=self._read_saved_group,
            translate=self._with_own_names,
            mismatches_of=self._mismatches,
            kinds=kinds(Optimizer),
        )
        for own, group in zip(self.param_groups, groups, strict=True):
            kept: dict[str, Any] = {key: own[key] for key in ("params", "param_names") if key in own}
            own.clear()
            own.update({**kept, **group})
        self.state.clear()
        self.state.update(state)
        if warning:
            warnings.warn(f"{self._name}.load_state_dict: {warning}", UserWarning, stacklevel=2)

    def _read_saved_group(self, where: str, group: dict[str, Any], from_torch: bool) -> tuple[dict[str, Any], str]:
        """A saved group as it is here, checked; and what PyTorch's optimizer does otherwise, if it is of that."""
        group = split_pairs(where, group, self.pairs)
        difference = self.unlike_torch(group) if from_torch else ""
        self._settings(where, group)
        return group, difference

    def _with_own_names(self, state: Mapping[Any, Any], params: Mapping[Any, Any]) -> dict[Any, Any]:
        """A saved state under the names that it has here; `params` gives the parameter of each index."""
        return {i: with_own_names(entry, self.in_torch) for i, entry in state.items()}

    def _mismatches(self, where: str, p: Any, entry: Any) -> list[str]:
        """What keeps `entry` from being the state of the parameter `p`, in words."""
        needed = [slot for slot in self.slots if slot not in self.only_with]
        return mismatches(where, p, entry, self.slots, needed)

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name != "step"}  # somebody follows this one's
        return {**own, "_plan": None, "_known": []}  # a copy makes its own


def kinds(base: type[Optimizer]) -> list[type[Optimizer]]:
    """All optimizers that lucid has."""
    found = [kind for kind in base.__subclasses__() if kind.__module__.startswith("lucid.")]
    return [*found, *(each for kind in found for each in kinds(kind))]

"""Chapter 8. The equations of learning: what all optimizers share.

An optimizer is one equation, its `rule`; adamax.py shows what one looks like. Here stands everything around
it: the groups of parameters and their numbers, the state that each parameter gathers, and how that is saved
and loaded. What is refused at the door stands in options.py; how a rule is run over many parameters is the
question of runner.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from inspect import Parameter as Argument
from inspect import signature
from numbers import Integral
from operator import is_
from typing import Any, ClassVar, Self

from lucid.backend import is_array, namespace, to_numpy
from lucid.graph import enable_grad, written
from lucid.optim.options import NON_NEGATIVE, Domain, check_parameter, checked, listed, split_betas
from lucid.optim.runner import Plan, Settings, state_array, writeable
from lucid.tensor import Tensor


class Optimizer:
    """Base of all optimizers: groups of parameters, the state each gathers, and one `step` that moves them.

    A subclass is an equation and the numbers that go into it. It says

    - `rule(xp, theta, g, *slots, *numbers, *, constants)`: the new theta and the new slots. It is
      elementwise, and pure: it returns new arrays and writes to none. Its keyword-only arguments are
      hyperparameters that it takes as they are;
    - `slots`: the names of the arrays that the rule remembers for each parameter, zero at first. A slot that
      `only_with` maps to a hyperparameter exists only where that is not zero or False; elsewhere the rule
      gets None for it;
    - `numbers(options, t)`: what else the rule takes at the t-th update: numbers that change between steps;
    - `domains`: what each hyperparameter may be.

    Args:
        params: an iterable of Parameters, or of dicts, one for each group: `"params"`, and any hyperparameter
            that is to differ from the default. The dicts are copied, never written to.
        defaults: the hyperparameters by name. A pair `betas` becomes `beta1` and `beta2`.

    Attributes:
        param_groups: one dict for each group: `"params"`, a list, and the hyperparameters, read at every step.
        defaults: what a group takes for the hyperparameters that it does not name.
        state: parameter -> `{"t": its number of updates, slot: array, ...}`, from its first update on.

    Raises:
        TypeError: for parameters that are not an ordered iterable of Parameters (or of leaf tensors that
            require a gradient) of a float dtype, and for hyperparameters that are not numbers or are unknown.
        ValueError: for no parameters, the same one twice, and numbers out of their domain.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    only_with: ClassVar[Mapping[str, str]] = {}
    domains: ClassVar[Mapping[str, Domain]] = {"lr": NON_NEGATIVE, "weight_decay": NON_NEGATIVE}
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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        arguments = signature(cls.rule).parameters.values()
        cls._constants = tuple(a.name for a in arguments if a.kind is Argument.KEYWORD_ONLY)

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Refuse an unknown keyword in a sentence that lists the known ones."""
        known = signature(cls.__init__).parameters
        unknown = [keyword for keyword in kwargs if keyword not in known]
        if unknown and not any(argument.kind is Argument.VAR_KEYWORD for argument in known.values()):
            expected = ", ".join(list(known)[1:])
            raise TypeError(f"{cls.__name__}: got the keyword {unknown[0]!r}, expected {expected}; leave it out")
        return super().__new__(cls)

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults: dict[str, Any] = split_betas(self._name, defaults)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Any, dict[str, Any]] = {}
        self._plan: Plan | None = None
        self._known: list[Settings] = []
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
        first = len(self.param_groups)
        places = {p: (i, j) for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"])}
        added: list[dict[str, Any]] = []
        for i, group in enumerate(groups, first):
            where = f"{self._name}, group {i}"
            if not isinstance(group, Mapping) or "params" not in group:
                found = f"keys {list(group)}" if isinstance(group, Mapping) else f"a {type(group).__name__}"
                raise TypeError(f"{where}: expected a dict with 'params', got {found}; do not mix dicts and Parameters")
            params = listed(where, group["params"])
            for j, p in enumerate(params):
                check_parameter(f"{where}: parameter {j}", p)
                if p in places:
                    before = "parameter {1} of group {0}".format(*places[p])
                    raise ValueError(f"{where}: parameter {j} is the same as {before}; give each parameter once")
                places[p] = i, j
            options = {**self.defaults, **split_betas(where, {k: v for k, v in group.items() if k != "params"})}
            self._settings(where, options)
            added.append({"params": params, **options})
        if not any(group["params"] for group in added):
            raise ValueError(f"{self._name}: got no parameters, expected at least one; was an iterator used up before?")
        self.param_groups += added

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
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
        """
        settings, loss = self._read_groups(), None
        if closure is not None:
            with enable_grad():
                loss = closure()
            settings = self._read_groups()
        gradients = None if self._plan is None else self._plan.gradients(self.param_groups, settings, self.state)
        if gradients is None:
            self._plan = Plan(self._name, self.param_groups, settings, self.state)
            gradients = self._plan.gradients(self.param_groups, settings, self.state)
        assert self._plan is not None and gradients is not None
        self._plan.run(self.rule, self.numbers, gradients)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: set them to None, or, with `set_to_none=False`, to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p._grad is None:
                    p._grad = None
                elif p.grad.is_leaf and writeable(p.grad._array):
                    p.grad._array[...] = 0
                    written(p.grad._array)
                else:
                    p.grad = Tensor(namespace(p.grad._array).zeros_like(p.grad._array))

    def _read_groups(self) -> list[Settings]:
        """The hyperparameters of every group, as they stand now; the same list as last time if all are the same."""
        names, known, groups = self.defaults, self._known, self.param_groups
        if len(known) == len(groups):
            for i, group in enumerate(groups):
                # The very objects that were found good before are good. Anything else is looked at.
                if "betas" in group or not all(map(is_, map(group.get, names), known[i].values)):
                    break
            else:
                return known
        self._known = [self._settings(f"{self._name}, group {i}", group) for i, group in enumerate(groups)]
        return self._known

    def _settings(self, where: str, group: Mapping[str, Any]) -> Settings:
        """The hyperparameters that stand in `group`, each checked."""
        split_betas(where, group)
        options = {}
        for name, default in self.defaults.items():
            if name not in group:
                raise ValueError(f"{where}: {name} is missing; set group[{name!r}], by default to {default!r}")
            value, domain = group[name], self.domains.get(name)
            options[name] = value if domain is None else checked(where, name, value, domain)
        self.check(where, options)
        memory = tuple(slot if options.get(self.only_with.get(slot, ""), True) else None for slot in self.slots)
        constants = {name: options[name] for name in self._constants}
        return Settings(tuple(group[name] for name in self.defaults), options, constants, memory)

    # -- saving ----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """A snapshot, in PyTorch's layout: `{"state": {0: {...}}, "param_groups": [{..., "params": [0, ...]}]}`.

        Parameters are numbered through all groups. Arrays are NumPy copies and the rest plain values, so that
        it can be pickled, and read where there is no GPU.
        """
        params = [p for group in self.param_groups for p in group["params"]]
        index = {p: i for i, p in enumerate(params)}
        state = {i: {k: plain(v) for k, v in self.state[p].items()} for p, i in index.items() if p in self.state}
        groups = [
            {**{k: plain(v) for k, v in group.items() if k != "params"}, "params": [index[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what a `state_dict` holds: training goes on as if it had never stopped.

        Arrays are copied, to the device of their parameter and to the dtype that its state has here.

        Raises:
            TypeError, ValueError: for what does not fit the groups and parameters here, all of it named at
                once; the optimizer is then as it was.
        """
        where = f"{self._name}.load_state_dict"
        try:
            state = dict(state_dict["state"])
            groups = [dict(deepcopy(group)) for group in state_dict["param_groups"]]
            there, here = ([len(group["params"]) for group in each] for each in (groups, self.param_groups))
        except (KeyError, TypeError, ValueError) as error:
            found = list(state_dict) if isinstance(state_dict, Mapping) else f"a {type(state_dict).__name__}"
            raise TypeError(
                f"{where}: expected what state_dict() returns, a dict of 'state' and 'param_groups', got {found}"
            ) from error
        if there != here:
            raise ValueError(
                f"{where}: expected groups of {here} parameters, as here, got {there}; "
                "make the optimizer over the same parameters in the same groups first"
            )
        places: dict[Any, Any] = {}
        problems = []
        for i, (group, own) in enumerate(zip(groups, self.param_groups, strict=True)):
            places.update(zip(group.pop("params"), own["params"], strict=True))
            try:
                groups[i] = split_betas(f"group {i}", group)
                self._settings(f"group {i}", groups[i])
            except (TypeError, ValueError) as error:
                problems.append(str(error))
        if len(places) != sum(here):
            problems.append("param_groups: two parameters have the same index")
        for i, entry in state.items():
            problems += self._misfits(f"state {i!r}", places.get(i), entry)
        if problems:
            raise ValueError(f"{where}: this state does not fit, nothing was loaded:\n  " + "\n  ".join(problems))

        entries = {
            places[i]: {k: int(v) if k == "t" else state_array(places[i]._array, v) for k, v in entry.items()}
            for i, entry in state.items()
        }
        for own, group in zip(self.param_groups, groups, strict=True):
            params = own["params"]
            own.clear()
            own.update({"params": params, **group})
        self.state.clear()
        self.state.update(entries)

    def _misfits(self, where: str, p: Any, entry: Mapping[str, Any]) -> list[str]:
        """What keeps `entry` from being the state of `p`, in words."""
        if p is None or not isinstance(entry, Mapping):
            return [f"{where}: no group has a parameter of this index" if p is None else f"{where}: not a dict"]
        needed = {"t", *self.slots} - self.only_with.keys()
        known = needed | {*self.slots}
        found = [f"{where}: {name!r} is missing" for name in sorted(needed - entry.keys())]
        found += [f"{where}: {name!r} is unknown, expected {sorted(known)}" for name in entry if name not in known]
        t = entry.get("t", 0)
        if isinstance(t, bool) or not isinstance(t, Integral) or t < 0:
            found.append(f"{where}: t is {t!r}, expected a count of updates")
        for slot in self.slots:
            shape = getattr(entry.get(slot, p), "shape", None)
            if shape != p.shape:
                found.append(f"{where}: {slot} has shape {shape}, expected {tuple(p.shape)} as its parameter")
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_plan": None, "_known": []}  # a copy makes its own


def plain(value: Any) -> Any:
    """`value` without anything that is shared or needs a GPU: arrays as NumPy copies, NumPy scalars as Python's."""
    if isinstance(value, Tensor):
        value = value._array
    if is_array(value):
        return to_numpy(value).copy()
    return value.item() if hasattr(value, "dtype") else deepcopy(value)

"""Modules that hold modules or parameters, named "0", "1", ... or by the user's key.

Plain lists and dicts of modules are found just as well (see `lucid.nn.module`); these exist for Sequential, and for
those who expect the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from operator import index
from typing import Any, Generic, Self, TypeVar, overload
from weakref import WeakKeyDictionary

from lucid.core.node import Tensor
from lucid.core.promotion import shown
from lucid.core.tensor import Parameter
from lucid.nn.module import Module

Item = TypeVar("Item", Module, Parameter)
NAMES: WeakKeyDictionary[Any, list[str]] = WeakKeyDictionary()  # of the entries of lists, once asked for: in order


class Container(Module, Generic[Item]):
    """A module whose entries are its attributes of one kind."""

    _kind: type[Item]

    def _entries(self) -> dict[str, Item]:
        return {name: value for name, value in vars(self).items() if isinstance(value, self._kind)}

    def _checked(self, item: Any) -> Item:
        if self._kind is Parameter and isinstance(item, Tensor) and not isinstance(item, Parameter):
            item = Parameter(item)
        if not isinstance(item, self._kind):
            got = type(item).__name__
            if isinstance(item, type) and issubclass(item, self._kind):
                got = f"the class {item.__name__}; write {item.__name__}()"
            elif callable(item) and self._kind is Module:
                name = getattr(item, "__name__", got)
                layers = (k for a in Module.__subclasses__() for k in a.__subclasses__())
                same = [f"nn.{k.__name__}()" for k in layers if k.__name__.lower() == name.replace("_", "")]
                got = f"the function {name}; write {(same or ['a Module with it as its forward'])[0]}"
            raise TypeError(f"{type(self).__name__}: an entry must be a {self._kind.__name__}, got {got}")
        return item

    def __len__(self) -> int:
        return len(self._entries())

    def extra_repr(self) -> str:
        """Shapes and dtypes of parameters."""
        parameters = [(name, p) for name, p in self._entries().items() if isinstance(p, Parameter)]
        return ", ".join(f"({name}): {tuple(p.shape)} {p.dtype}" for name, p in parameters)


class IndexedModules(Container[Item]):
    """A list that is a module: entry i is, unless it was given a name, the attribute called str(i)."""

    def _names(self) -> list[str]:
        if (names := NAMES.get(self)) is None:
            names = NAMES[self] = list(self._entries())
        return names

    def __setattr__(self, name: str, value: Any) -> None:
        new, was = name not in vars(self), isinstance(vars(self).get(name), self._kind)
        super().__setattr__(name, value)
        if isinstance(value, self._kind) != was and (names := NAMES.get(self)) is not None:
            names.append(name) if new else NAMES.pop(self)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        NAMES.pop(self, None)

    def __len__(self) -> int:
        return len(self._names())

    def _name(self, i: int) -> str:
        names = self._names()
        try:
            return names[index(i)]
        except IndexError:
            raise IndexError(f"{type(self).__name__} has {len(names)} entries, and so no entry {i}") from None

    def _refill(self, entries: Iterable[tuple[str, Item]]) -> Self:
        """Put other entries in place of those here; numbers become places, names stay."""
        for name in self._entries():
            delattr(self, name)
        for i, (name, item) in enumerate(entries):
            setattr(self, str(i) if name.isdecimal() else name, item)
        return self

    def __iter__(self) -> Iterator[Item]:
        kind = self._kind
        return iter([value for value in vars(self).values() if isinstance(value, kind)])

    def __contains__(self, item: object) -> bool:
        return any(item is entry for entry in self)

    @overload
    def __getitem__(self, i: int) -> Item: ...
    @overload
    def __getitem__(self, i: slice) -> IndexedModules[Item]: ...
    def __getitem__(self, i: int | slice) -> Item | IndexedModules[Item]:
        if not isinstance(i, slice):
            item: Item = vars(self)[self._name(i)]
            return item
        bases = type(self).__mro__  # a slice of a user's Sequential, whose __init__ may need arguments, is a plain one
        plain: type[IndexedModules[Item]] = bases[bases.index(IndexedModules) - 1]
        return plain()._refill(list(self._entries().items())[i])

    def __setitem__(self, i: int | slice, item: Any) -> None:
        if not isinstance(i, slice):
            setattr(self, self._name(i), self._checked(item))
        else:
            entries = list(self._entries().items())
            entries[i] = [("0", self._checked(one)) for one in item]
            self._refill(entries)

    def __delitem__(self, i: int | slice) -> None:
        entries = list(self._entries().items())
        del entries[i]
        self._refill(entries)

    def __add__(self, items: Iterable[Item]) -> IndexedModules[Item]:
        return self[:].extend(items)

    def __iadd__(self, items: Iterable[Item]) -> Self:
        return self.extend(items)

    def pop(self, i: int = -1) -> Item:
        """Take entry `i` out, and return it."""
        item = self[i]
        del self[i]
        return item

    def append(self, item: Item) -> Self:
        """Add one at the end; returns self."""
        item, own = self._checked(item), vars(self)
        last = next((name for name in reversed(own) if isinstance(own[name], self._kind)), "-1")
        start = int(last) + 1 if last.isdecimal() else len(self)  # which takes a look at every entry
        setattr(self, next(name for name in map(str, itertools.count(start)) if name not in own), item)
        return self

    def extend(self, items: Iterable[Item]) -> Self:
        """Add several at the end; returns self."""
        for item in list(items):
            self.append(item)
        return self

    def insert(self, i: int, item: Item) -> Self:
        """Put one before entry `i`; returns self."""
        entries = list(self._entries().items())
        entries.insert(i, ("0", self._checked(item)))
        return self._refill(entries)


class ModuleList(IndexedModules[Module]):
    """Modules in a list, which itself computes nothing; a plain Python list on a Module does the same. A TypeError for
    an entry that is not a Module."""

    _kind = Module

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)


class ParameterList(IndexedModules[Parameter]):
    """Parameters in a list; Tensors become Parameters. A plain Python list of Parameters does the same. A TypeError for
    an entry that is not a Tensor."""

    _kind = Parameter

    def __init__(self, values: Iterable[Tensor] = ()) -> None:
        self.extend(values)  # type: ignore[arg-type]


class KeyedModules(Container[Item], MutableMapping[str, Item]):
    """A dict that is a module. Its entries are not among its attributes, so that any str can be a key, "keys" too."""

    __eq__, __hash__ = object.__eq__, object.__hash__  # a module's, not a mapping's

    def __init__(self, entries: Mapping[str, Item] | Iterable[tuple[str, Item]] = ()) -> None:
        self.update(entries)

    def _entries(self) -> dict[str, Item]:
        return vars(self).setdefault("_held", {})

    def _attributes(self) -> dict[str, Any]:
        return {**{name: value for name, value in vars(self).items() if name != "_held"}, **self._entries()}

    def __getattr__(self, name: str) -> Any:  # only reached where there is no such attribute
        if name in vars(self).get("_held", ()):
            return self._entries()[name]
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, self._kind) or name in self and not hasattr(type(self), name):
            self[name] = value
        else:
            super().__setattr__(name, value)

    def add_module(self, name: str, module: Any) -> None:
        """Add or replace one, as `self[name] = module` does."""
        self[name] = module

    def __getitem__(self, key: str) -> Item:
        if key not in self:
            raise KeyError(f"{type(self).__name__}: no entry {shown(key)}; there are {', '.join(self) or 'none'}")
        return self._entries()[key]

    def __setitem__(self, key: str, item: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"{type(self).__name__}: a key must be a str, got {key!r}; write str(...) of it")
        self._entries()[key] = self._checked(item)

    def update(self, other: Any = (), /, **more: Any) -> None:
        """Add or replace those of a mapping, or of pairs of a key and an entry."""
        try:
            entries = dict(other, **more)
        except (TypeError, ValueError) as error:
            expected = "expected a mapping, or pairs of a key and an entry"
            raise TypeError(f"{type(self).__name__}.update: {expected}, got {shown(other)}") from error
        for key, item in entries.items():
            self[key] = item

    def __delitem__(self, key: str) -> None:
        self[key]  # which says it if there is none
        del self._entries()[key]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._entries()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())


class ModuleDict(KeyedModules[Module]):
    """Modules by name, which itself computes nothing; a plain dict on a Module does the same. Any str can be a key. A
    TypeError for an entry that is not a Module, and for a key that is no str."""

    _kind = Module


class ParameterDict(KeyedModules[Parameter]):
    """Parameters by name; Tensors become Parameters. The rest is as in `ModuleDict`."""

    _kind = Parameter

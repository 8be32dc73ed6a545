"""Modules that hold modules or parameters: an entry is a plain attribute, named "0", "1", ... or by the user's key.

Plain lists and dicts of modules are found just as well (see `lucid.nn.module`); these exist for Sequential, and for
those who expect the others.
"""

from __future__ import annotations

import itertools
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from operator import index
from typing import Any, Generic, Self, TypeVar, overload

from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn.module import Module

Item = TypeVar("Item", Module, Parameter)


class Container(Module, Generic[Item]):
    """A module whose entries are its attributes of one kind."""

    _kind: type[Item]

    def _entries(self) -> dict[str, Item]:
        return {name: value for name, value in vars(self).items() if isinstance(value, self._kind)}

    def __len__(self) -> int:
        return len(self._entries())


class IndexedModules(Container[Item]):
    """A list that is a module: entry i is, unless it was given a name, the attribute called str(i)."""

    def _checked(self, item: Any) -> Item:
        if not isinstance(item, self._kind):
            got = type(item).__name__
            if isinstance(item, type) and issubclass(item, self._kind):
                got = f"the class {item.__name__}; write {item.__name__}()"
            raise TypeError(f"{type(self).__name__}: an entry must be a {self._kind.__name__}, got {got}")
        return item

    def _name(self, i: int) -> str:
        names = list(self._entries())
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
            return self._entries()[self._name(i)]
        bases = type(self).__mro__  # a slice of a user's Sequential, whose __init__ may need arguments, is a plain one
        plain: type[IndexedModules[Item]] = bases[bases.index(IndexedModules) - 1]
        return plain()._refill(list(self._entries().items())[i])

    def __setitem__(self, i: int, item: Item) -> None:
        setattr(self, self._name(i), self._checked(item))

    def __delitem__(self, i: int | slice) -> None:
        entries = list(self._entries().items())
        del entries[i]
        self._refill(entries)

    def __iadd__(self, items: Iterable[Item]) -> Self:
        return self.extend(items)

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

    def _checked(self, item: Any) -> Parameter:
        is_plain = isinstance(item, Tensor) and not isinstance(item, Parameter)
        return super()._checked(Parameter(item) if is_plain else item)

    def extra_repr(self) -> str:
        """Shapes and dtypes."""
        return ", ".join(f"({name}): {tuple(p.shape)} {p.dtype}" for name, p in self._entries().items())


class ModuleDict(Container[Module]):
    """Modules by name, which itself computes nothing; a plain dict on a Module does the same. A TypeError for an entry
    that is not a Module, a KeyError for a key that is the name of a method or attribute."""

    _kind = Module

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._entries()[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        self[key]  # a KeyError if there is no such module
        delattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __contains__(self, key: object) -> bool:
        return key in self._entries()

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._entries().keys()

    def values(self) -> ValuesView[Module]:
        """The modules."""
        return self._entries().values()

    def items(self) -> ItemsView[str, Module]:
        """Names and modules."""
        return self._entries().items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace several."""
        for key, module in dict(modules).items():
            self[key] = module

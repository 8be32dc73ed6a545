"""What there is to draw of a graph: boxes for operations, leaves and constants, edges between them, groups around them.

Boxes stand within the calls of modules that they were made in. A call begins and ends, so what lies in it never
depends on what depends on it, and a group can be folded into one box without making a circle. Of graphs that were
recorded without modules, and of long programs inside of one, the operations are grouped by the order of their birth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Any

from lucid.autograd.provenance import Provenance, provenance
from lucid.core.array import is_array
from lucid.core.backward import reachable
from lucid.core.node import Leaf, Node, Tensor, write_record
from lucid.see.formulas import formulas as formulas_of
from lucid.see.names import Names, kind

LIMIT = 6000  # operations that are drawn; a page of so many takes some 10 MB
OPEN = 200  # operations up to which everything is shown unfolded
SEEN = 60  # boxes up to which groups are unfolded at first where there are more operations than that
MANY = 120  # boxes in one group, beyond which they are grouped again


@dataclass(eq=False)
class Box:
    """One thing that is drawn.

    Attributes:
        number: its place in the list of all.
        kind: "op", "parameter", "leaf" (any other that gets a gradient), "constant", or "more" for what is left out.
        label: the operation, or what it is.
        name: what the program calls it; "".
        shape: of the value, or None where it is not known.
        value: the array, a number, or None where it was not kept.
        changed: whether the value was written to in place since.
        origin: the user's line; None.
        node: the graph's; None for constants.
        group: the innermost group that it stands in.
    """

    number: int
    kind: str
    label: str
    name: str
    shape: Any
    value: Any = None
    changed: bool = False
    provenance: Provenance | None = None
    node: Node | None = None
    group: Group | None = None


@dataclass(eq=False)
class Group:
    """Boxes and groups in one frame: a call of a module, a stretch of operations, or (at the top) the whole graph."""

    number: int
    label: str
    path: str
    parent: Group | None
    members: list[Box | Group] = field(default_factory=list)

    def boxes(self) -> list[Box]:
        """All in it, those of groups within too."""
        found: list[Box] = []
        frontier: list[Box | Group] = [self]
        while frontier:
            each = frontier.pop()
            if isinstance(each, Box):
                found.append(each)
            else:
                frontier += reversed(each.members)
        return found


@dataclass(frozen=True)
class Edge:
    """From a box to the operation that has it as an input of this name."""

    source: int
    target: int
    input: str


class Picture:
    """The graph behind a tensor, to be drawn.

    Attributes:
        boxes, edges, root: what was found; `root` is the group around everything.
        left_out: how many operations there are beyond `limit`; the youngest are drawn.
        remembered: whether the nodes know where they come from.
    """

    def __init__(self, loss: Tensor, model: Any, names: Mapping[str, Any] | None, limit: int, frame: Any) -> None:
        if not isinstance(loss, Tensor):
            raise TypeError(f"lucid.see: expected a Tensor whose graph is to be drawn, got {type(loss).__name__}")
        if loss._node is None:
            raise RuntimeError(
                "lucid.see: this tensor has no graph; it was not computed from anything that requires a gradient. Was "
                "it made under no_grad, from .data, .detach() or .numpy(), or do no parameters have requires_grad=True?"
            )
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ValueError(f"lucid.see: limit must be a positive number of operations, got {limit!r}")
        self.names = Names(names, model, frame)
        self.names.tensors[loss._node] = loss
        self.loss, self.boxes, self.input_index = loss, [], []  # type: tuple[Tensor, list[Box], list[Edge]]
        self.root = Group(0, "", "", None)
        self.groups, self._calls = [self.root], {}  # type: tuple[list[Group], dict[int, Group]]
        self._of: dict[Any, Box] = {}
        self._into: dict[int, list[int]] | None = None
        nodes = reachable([loss._node]) or [loss._node]
        self.left_out = max(0, len(nodes) - limit)
        self.total = len(nodes)
        drawn = nodes[:limit][::-1]
        for node in drawn:
            self._box(node)
        self._draw_edges(drawn)
        self.remembered = any(box.origin for box in self.boxes)
        for group in list(self.groups):
            self._group_again(group)
        _settle(self)
        for group in self.groups[1:]:
            _dissolve(group)

    def into(self, box: int) -> list[int]:
        """The edges that end at a box, by number."""
        if self._into is None:
            self._into = {}
            for i, edge in enumerate(self.input_index):
                self._into.setdefault(edge.target, []).append(i)
        return self._into.get(box, [])

    # -- boxes -------------------------------------------------------------------------------------------------

    def _add(self, kind: str, label: str, name: str, shape: Any, **more: Any) -> Box:
        box = Box(len(self.boxes), kind, label, name, shape, **more)
        self.boxes.append(box)
        return box

    def _box(self, node: Node) -> Box:
        what = kind(node)
        box = self._add(what, node.name() if what == "op" else what, self.names.of(node), node.shape, node=node)
        box.value, box.changed = self._value(node)
        box.origin = provenance(node, self.names.paths)
        if what == "op":
            box.group = self._group(node, box.origin)
            box.group.members.append(box)
        self._of[node] = box
        return box

    def _value(self, node: Node) -> tuple[Any, bool]:
        """The array that a node stands for, from wherever it was kept, and whether it was changed since."""
        tensor = node.tensor() if isinstance(node, Leaf) else self.names.tensors.get(node)
        array = getattr(node, "out", None) if tensor is None else tensor._array
        if array is None and "out" in (saved := getattr(node.op, "saved", ())) and node.saved is not None:
            array = node.saved[list(saved).index("out")]
        born = node.sequence if type(node) is not Leaf else self.loss._node.sequence
        return array, array is not None and write_record(array) > born

    def _draw_edges(self, nodes: list[Node]) -> None:
        more: Box | None = None
        for node in nodes:
            target, inputs = self._of[node], _inputs(node)
            for (name, value), parent in zip(inputs, _padded(node.inputs, len(inputs)), strict=True):
                if parent is None:
                    source = self._constant(node, name, value)
                elif parent in self._of:
                    source = self._of[parent]
                    if source.value is None and value is not None:
                        source.value = value
                elif type(parent) is Leaf:
                    source = self._box(parent)
                else:
                    more = more or self._add("more", f"{self.left_out:,} earlier operations, not drawn", "", None)
                    source = more
                if source is not None:
                    self.input_index.append(Edge(source.number, target.number, name))

    def _constant(self, node: Node, name: str, value: Any) -> Box | None:
        """The box of an input that needs no gradient; None where it was not kept."""
        if value is None or isinstance(value, (str, bool)):
            return None
        if not is_array(value):
            return self._add("constant", "number", "", (), value=value) if isinstance(value, (int, float)) else None
        if id(value) not in self._of:
            changed = write_record(value) > node.sequence
            title = self.names.arrays.get(id(value), "")
            box = self._add("constant", "constant", title, value.shape, value=value, changed=changed)
            self._of[id(value)] = box
        return self._of[id(value)]

    # -- groups ------------------------------------------------------------------------------------------------

    def _group(self, node: Node, place: Provenance | None) -> Group:
        """The group of the innermost call that a node was made in."""
        calls, chain = node.provenance[2] if place else None, []  # type: Any, list[Any]
        while calls is not None:
            chain.insert(0, calls)
            calls = calls[2]
        group = self.root
        for call, (path, cls) in zip(chain, place.modules if place else (), strict=True):
            if id(call) not in self._calls:  # one and the same object for all that was made in the call, and kept by it
                inner = Group(len(self.groups), f"{path} · {cls}" if path else cls, path, group)
                self.groups.append(inner)
                group.members.append(inner)
                self._calls[id(call)] = inner
            group = self._calls[id(call)]
        return group

    def _group_again(self, group: Group) -> None:
        """Where too many stand side by side, put neighbours in the order of their birth together."""
        while len(group.members) > MANY:
            size = max(12, isqrt(len(group.members)))
            members, group.members = _in_order(group.members), []
            for start in range(0, len(members), size):
                part = Group(len(self.groups), "", group.path, group)
                part.members = members[start : start + size]
                for each in part.members:
                    if isinstance(each, Box):
                        each.group = part
                    else:
                        each.parent = part
                first, last = _ends(part)
                part.label = f"{first} … {last}"
                self.groups.append(part)
                group.members.append(part)


def _ends(part: Group) -> tuple[str, str]:
    """What the first and the last member of a part are called."""
    found: list[str] = []
    for each in (part.members[0], part.members[-1]):
        if isinstance(each, Group) and " … " in each.label:
            found.append(each.label.split(" … ")[len(found)])
        else:
            found.append((each.path if isinstance(each, Group) else each.name) or each.label)
    return found[0], found[1]


def _padded(parents: tuple[Any, ...], n: int) -> list[Any]:
    return [*parents, *[None] * (n - len(parents))]


def _inputs(node: Node) -> list[tuple[str, Any]]:
    """(name, saved value or None) of each input: first of those that have a formula, in the order of the parents."""
    spec, count = node.op, len(node.inputs)
    formulas = list(getattr(spec, "formulas", ()))
    if not formulas:
        return [(name, None) for name, _ in formulas_of(node)]
    saved = dict(zip(spec.saved_names, node.saved or (), strict=False))
    if spec.variadic:
        kept = saved.get(formulas[0], (None,) * count)
        return [(f"{formulas[0]}[{i}]", kept[i]) for i in range(count)]
    rest = [name for name in spec.inputs if name not in formulas and saved.get(name) is not None]
    return [(name, saved.get(name)) for name in (*formulas, *rest)]


def _settle(picture: Picture) -> None:
    """Put leaves and constants into the innermost group that holds all who use them."""
    users: dict[int, list[Group]] = {}
    for edge in picture.input_index:
        users.setdefault(edge.source, []).append(picture.boxes[edge.target].group or picture.root)
    for box in picture.boxes:
        if box.group is None:
            around = [around_of(group) for group in users.get(box.number, [picture.root])]
            shared = [level for level in zip(*around, strict=False) if all(each is level[0] for each in level)]
            box.group = shared[-1][0]
            box.group.members.append(box)


def _dissolve(group: Group) -> None:
    """Around a single operation no frame is drawn."""
    only = group.members[0] if len(group.members) == 1 else None
    if isinstance(only, Box) and group.parent is not None:
        only.group, group.members = group.parent, []
        group.parent.members[group.parent.members.index(group)] = only


def around_of(group: Group | None) -> list[Group]:
    """The groups around a group and itself, the outermost first."""
    found: list[Group] = []
    while group is not None:
        found.insert(0, group)
        group = group.parent
    return found


def _in_order(members: list[Any]) -> list[Any]:
    """Operations, and groups of them, by birth."""

    def born(each: Any) -> int:
        nodes = [box.node for box in ([each] if isinstance(each, Box) else each.boxes())]
        return min(node.sequence for node in nodes if node is not None)

    return sorted(members, key=born)


def first_folded(picture: Picture) -> list[int]:
    """The groups that are folded at first: none of a small graph; a large one is unfolded as far as it can be seen."""
    groups = [group for group in picture.groups[1:] if group.members]
    if sum(box.kind == "op" for box in picture.boxes) <= OPEN:
        return []
    folded = {group.number for group in groups}
    level, seen = [picture.root], len(picture.root.members)
    while level:
        level = [member for group in level for member in group.members if isinstance(member, Group)]
        more = sum(len(group.members) - 1 for group in level)
        if not level or seen + more > SEEN:
            break
        seen += more
        folded -= {group.number for group in level}
    return sorted(folded)

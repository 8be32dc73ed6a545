"""What there is to draw of a graph: boxes for operations, leaves and constants, edges between them, groups around them.

Boxes stand within the calls of modules that they were made in. A call begins and ends, so nothing inside it depends on
something outside that depends on it: a group can be folded into one box without making a cycle. Graphs that were
recorded without modules, and long programs inside of one, are grouped by the order in which their operations ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from math import isqrt
from typing import Any, NamedTuple

from lucid.autograd.provenance import Provenance
from lucid.core.array import is_array
from lucid.core.backward import reachable
from lucid.core.node import Leaf, Node, Tensor, write_record
from lucid.see.names import Names, formulas, kind, saved_values

LIMIT = 6000  # operations that are drawn; a page of so many takes some 10 MB
OPEN = 200  # operations up to which everything is shown unfolded
VISIBLE = 60  # boxes up to which groups are unfolded at first where there are more operations than that
CROWDED = 120  # members of a group, beyond which they are grouped again


@dataclass(eq=False)
class Box:
    """One thing that is drawn."""

    number: int  # its index in the list of all
    kind: str  # "op", "parameter", "leaf" (any other that gets a gradient), "constant", or "more": what is left out
    label: str  # the operation, or what it is
    name: str  # in the program; "" if it has none
    shape: Any  # of the value, or None where it is not known
    value: Any = None  # the array, a number, or None where it was not kept
    changed: bool = False  # whether the value was written to in place since
    provenance: Provenance | None = None  # the user's line
    node: Node | None = None  # the graph's; None for constants
    group: Group | None = None  # the innermost one around it
    short: str = ""  # the name without the path of the group around it


@dataclass(eq=False)
class Group:
    """Boxes and groups in one frame: a call of a module, a stretch of operations, or (at the top) the whole graph."""

    number: int
    label: str
    name: str  # the module's path
    group: Group | None  # the one around it
    members: list[Box | Group] = field(default_factory=list)
    short: str = ""  # the label without the path of the group around it

    def boxes(self) -> list[Box]:
        """All boxes in it, those of inner groups too."""
        return [box for m in self.members for box in ([m] if isinstance(m, Box) else m.boxes())]

    def operations(self) -> int:
        """How many operations are in it."""
        return sum(box.kind == "op" for box in self.boxes())

    def add(self, member: Box | Group) -> None:
        """Put a box or a group into it."""
        member.group = self
        self.members.append(member)


class Edge(NamedTuple):
    """From a box to the operation that has it as an input of this name."""

    source: int
    target: int
    input: str


class Picture:
    """The graph of a tensor, to be drawn."""

    def __init__(self, loss: Tensor, model: Any, names: Mapping[str, Any] | None, limit: int, frame: Any) -> None:
        if not isinstance(loss, Tensor):
            raise TypeError(f"lucid.see: expected a Tensor to draw the graph of, got {type(loss).__name__}")
        if loss._node is None:
            raise RuntimeError(
                "lucid.see: this tensor has no graph; it was not computed from anything that requires a gradient. Was "
                "it computed under no_grad, or from .data, .detach() or .numpy(), or do no parameters require one?"
            )
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ValueError(f"lucid.see: limit must be a positive number of operations, got {limit!r}")
        self.names = Names(names, model, frame)
        self.names.tensors[loss._node] = loss
        self.loss, self.loss_node = loss, loss._node
        self.boxes, self.edges = [], []  # type: list[Box], list[Edge]
        self.root = Group(0, "", "", None)  # around everything
        self.groups, self._group_of_call = [self.root], dict[int, Group]()
        self._box_of: dict[Any, Box] = {}  # of nodes, and of constants by the id of their array
        nodes = reachable([loss._node]) or [loss._node]
        self.total, self.left_out = len(nodes), max(0, len(nodes) - limit)  # operations; the youngest are drawn
        for node in nodes[:limit]:
            self.names.name_of(node)
        for node in reversed(nodes[:limit]):
            self._add_node(node)
        self._add_edges()
        self.has_provenance = any(box.provenance for box in self.boxes)
        for group in list(self.groups):
            self._split(group)
        self._place_leaves()
        for group in self.groups[1:]:  # draw no frame around a single box
            only = group.members[0] if len(group.members) == 1 else None
            if isinstance(only, Box) and group.group is not None:
                only.group, group.members = group.group, []
                group.group.members[group.group.members.index(group)] = only
        everything: list[Box | Group] = [*self.boxes, *self.groups]
        for member in everything:
            paths = [f"{group.name}." for group in enclosing(member.group) if group.name]
            name = member.name if isinstance(member, Box) else member.label
            member.short = next((name[len(p) :] for p in reversed(paths) if name.startswith(p)), name)

    def _add(self, kind: str, label: str, name: str, shape: Any, **attributes: Any) -> Box:
        self.boxes.append(Box(len(self.boxes), kind, label, name, shape, **attributes))
        return self.boxes[-1]

    def _add_node(self, node: Node) -> Box:
        node_kind, made_at = kind(node), self.names.provenance(node)
        label = node.name() if node_kind == "op" else node_kind
        box = self._add(node_kind, label, self.names.name_of(node), node.shape, node=node, provenance=made_at)
        tensor = node.tensor() if isinstance(node, Leaf) else self.names.tensors.get(node)
        box.value = saved_values(node).get("out") if tensor is None else tensor._array
        since = self.loss_node.sequence if isinstance(node, Leaf) else node.sequence
        box.changed = box.value is not None and write_record(box.value)[0] > since
        if node_kind == "op":
            (self._group_for(node.provenance[2], made_at.modules) if made_at else self.root).add(box)
        self._box_of[node] = box
        return box

    def _add_edges(self) -> None:
        more: Box | None = None
        for target in self.boxes.copy():
            node: Any = target.node
            for (name, value), parent in zip_longest(_inputs(node), node.inputs) if target.kind == "op" else ():
                if parent is None:
                    source = self._constant(node, value)
                elif parent in self._box_of or type(parent) is Leaf:
                    source = self._box_of.get(parent) or self._add_node(parent)
                    source.value = value if source.value is None else source.value
                else:
                    label = f"{self.left_out:,} earlier operations, not drawn"
                    source = more = more or self._add("more", label, "", None)
                if source is not None:
                    self.edges.append(Edge(source.number, target.number, name))

    def _constant(self, node: Node, value: Any) -> Box | None:
        """The box of an input that needs no gradient; None where it was not kept."""
        if not is_array(value):
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            return self._add("constant", "number", "", (), value=value) if is_number else None
        if id(value) not in self._box_of:
            box = self._add("constant", "constant", self.names.arrays.get(id(value), ""), value.shape, value=value)
            self._box_of[id(value)], box.changed = box, write_record(value)[0] > node.sequence
        return self._box_of[id(value)]

    def _new_group(self, label: str, name: str, around: Group) -> Group:
        self.groups.append(Group(len(self.groups), label, name, around))
        around.add(self.groups[-1])
        return self.groups[-1]

    def _group_for(self, call: Any, modules: tuple[tuple[str, str], ...]) -> Group:
        """The group of a module call, within those of the calls around it."""
        if call is None:
            return self.root
        if id(call) not in self._group_of_call:  # all nodes made in a call hold one and the same object
            around, (path, cls) = self._group_for(call[2], modules[:-1]), modules[-1]
            self._group_of_call[id(call)] = self._new_group(f"{path} · {cls}" if path else cls, path, around)
        return self._group_of_call[id(call)]

    def _split(self, group: Group) -> None:
        """Where too many members stand side by side, group neighbours in the order in which they ran."""

        def first_ran(member: Box | Group) -> int:
            boxes = [member] if isinstance(member, Box) else member.boxes()
            return min(box.node.sequence for box in boxes if box.node is not None)

        while len(group.members) > CROWDED:
            size = max(12, isqrt(len(group.members)))
            members, group.members = sorted(group.members, key=first_ran), []
            for start in range(0, len(members), size):
                part = self._new_group("", group.name, group)
                for member in members[start : start + size]:
                    part.add(member)
                labels = [m.label if " … " in m.label else m.name or m.label for m in part.members]
                part.label = f"{labels[0].split(' … ')[0]} … {labels[-1].split(' … ')[-1]}"

    def _place_leaves(self) -> None:
        """Put leaves and constants into the innermost group that holds all operations that use them."""
        used_in: dict[int, list[Group]] = {}
        for edge in self.edges:
            used_in.setdefault(edge.source, []).append(self.boxes[edge.target].group or self.root)
        for box in self.boxes:
            if box.group is None:
                chains = [enclosing(group) for group in used_in.get(box.number, [self.root])]
                shared = [level[0] for level in zip(*chains, strict=False) if len(set(map(id, level))) == 1]
                shared[-1].add(box)


def _inputs(node: Node) -> list[tuple[str, Any]]:
    """(name, saved value or None) of each input: first the differentiable ones, in the order of the parents."""
    spec = node.op
    saved, names = saved_values(node), [name for name, _ in formulas(node)]
    if not getattr(spec, "vjps", ()):
        return [(name, None) for name in names]
    if spec.variadic:
        values = saved.get(next(iter(spec.vjps)), (None,) * len(names))
        return list(zip(names, values, strict=False))
    rest = [name for name in spec.inputs if name not in names and saved.get(name) is not None]
    return [(name, saved.get(name)) for name in (*names, *rest)]


def enclosing(group: Group | None) -> list[Group]:
    """The groups around a group, and itself at the end; the outermost first."""
    return [] if group is None else [*enclosing(group.group), group]


def initially_folded(picture: Picture) -> list[int]:
    """The groups that are folded at first: none of a small graph; of a large one as many as keep it readable."""
    if picture.root.operations() <= OPEN:
        return []
    folded = {group.number for group in picture.groups[1:] if group.members}
    level, visible = [picture.root], len(picture.root.members)
    while level := [member for group in level for member in group.members if isinstance(member, Group)]:
        visible += sum(len(group.members) - 1 for group in level)
        if visible > VISIBLE:
            break
        folded -= {group.number for group in level}
    return sorted(folded)

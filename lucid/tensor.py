"""Chapter 5. The handle that users hold: an array, the node that made it, and its gradient.

A Tensor adds nothing to the mathematics. It knows its array, remembers the node that the array came out of (None where
no gradient is wanted, a Leaf where the user asked for one), and offers the operations as methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from lucid import backend, functions, shaping
from lucid.conversion import Conversion
from lucid.devices import Device
from lucid.graph import Leaf, Node, RemovableHandle, enable_grad, walk
from lucid.methods import Operations
from lucid.op import RECORDED, RUNTIME, Op
from lucid.ops import arithmetic
from lucid.origins import while_remembering
from lucid.writing import Writing


class Tensor(Operations, Writing, Conversion):
    """An array that can remember how it was computed.

    `Tensor(data)` wraps an array as it is, without copying; of nested lists it makes one. `lucid.tensor(data)`, which
    always copies, is what most programs want.

    Attributes:
        grad: the gradient that `backward()` left here, a Tensor of the same shape, or None. Can be assigned.
        data: the same numbers without the history; assigning it gives this tensor another array.
    """

    __slots__ = ("_array", "_node", "_grad", "origin", "views", "shared", "__weakref__")
    _array: backend.Array
    _node: Any  # Node | None
    # See `share` in writing.py. Where there is nothing to say, `origin` and `shared` are not set, which saves time.
    views: list[ref[Tensor]] | None  # those that show this tensor's memory
    origin: tuple[Tensor, Op, tuple[Any, ...]] | None  # of a view: what it shows, through which operation and options
    shared: bool  # another tensor has this memory, and the graph cannot follow how
    __array_ufunc__ = None  # so that ndarray * tensor is Tensor.__rmul__ and not NumPy's idea of it

    def __init__(self, data: Any, requires_grad: bool = False, _node: Node | None = None) -> None:
        self._array = data if type(data) is backend.ndarray else backend.as_array(data)
        self._node = _node
        self._grad: Tensor | None = None
        self.views = None
        if requires_grad is not False:
            self.requires_grad = requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dim."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return self._array.ndim

    @property
    def dtype(self) -> backend.DType:
        """The dtype of the elements, such as `lucid.float32`."""
        return self._array.dtype

    @property
    def device(self) -> Device:
        """Where the array lies, "cpu" or "cuda:N": a string with the attributes `type` and `index`."""
        return backend.device_of(self._array)

    @property
    def grad_fn(self) -> Node | None:
        """The node that computed this tensor; None for leaves."""
        return None if type(self._node) is Leaf else self._node

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made by the user rather than by a recorded operation."""
        return self._node is None or type(self._node) is Leaf

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded. Can be assigned on leaves.

        Raises:
            TypeError: when set on a tensor of integers or bools.
            RuntimeError: when unset on a tensor that an operation computed.
        """
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not isinstance(wanted, bool):
            raise TypeError(f"requires_grad: expected True or False, got {wanted!r}; for a shape use lucid.empty(2, 3)")
        if not self.is_leaf:
            if not wanted:
                raise RuntimeError("requires_grad = False on a computed tensor; use .detach() for one without history")
        elif not wanted:
            self._node = None
        elif self._node is None:
            if self.dtype.kind != "f":
                raise TypeError(
                    f"requires_grad: a tensor of {self.dtype} has no gradients; use a float dtype, x.float()"
                )
            self._node = Leaf(self)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward()` left here.

        Raises:
            TypeError, ValueError: when assigned something other than None or a Tensor of this shape and dtype.
        """
        return self._grad

    @grad.setter
    def grad(self, grad: Tensor | None) -> None:
        if grad is not None:
            if not isinstance(grad, Tensor):
                raise TypeError(f"grad: expected a Tensor or None, got {type(grad).__name__}")
            if grad.shape != self.shape or grad.dtype != self.dtype:
                raise ValueError(
                    f"grad: expected shape {self.shape} and {self.dtype}, got shape {grad.shape} and {grad.dtype}"
                )
        self._grad = grad

    @property
    def data(self) -> Tensor:
        """The same memory as a tensor without history; assigning gives this tensor another array."""
        return self.detach()

    @data.setter
    def data(self, data: Any) -> None:
        array = data._array if isinstance(data, Tensor) else backend.from_data(data, None)
        if self._node is not None and array.dtype.kind != "f":
            raise TypeError(f"data: a tensor that requires a gradient cannot hold {array.dtype}; use a float dtype")
        self._array, self.origin = array, None
        for view in self.views or ():  # they keep the memory that was
            if (tensor := view()) is not None:
                tensor.origin = None
        self.views = None
        if type(self._node) is Leaf:
            self._node.shape = array.shape

    def backward(
        self, gradient: Any = None, retain_graph: Any = None, create_graph: Any = False, inputs: Any = None
    ) -> None:
        """Add the gradient of this tensor with respect to every leaf it was computed from to that leaf's `grad`.

        Args:
            gradient: the gradient of some later quantity with respect to this tensor, of its shape; 1 for one number.
            retain_graph: keep the graph for another backward; it is released otherwise.
            create_graph: record this pass too, so that the gradients can be differentiated again.
            inputs: leaves to restrict the gradients to.

        Raises:
            RuntimeError: without a graph, on a released one, on more than one number without `gradient`, or where an
                array that is needed was changed in place.
        """
        backward([self], [gradient], retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """The same memory without history: gradients stop here."""
        return Tensor(self._array)

    def detach_(self) -> Tensor:
        """Forget the history of this tensor itself.

        Raises:
            RuntimeError: for a view, which has its history from the tensor that it shows.
        """
        if getattr(self, "origin", None) is not None:
            raise RuntimeError("detach_: a view has its history from the tensor that it shows; use x = x.detach()")
        self._node = None
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of a computed tensor in its `grad`, as leaves do.

        Raises:
            RuntimeError: if no gradient will come by.
        """
        node = self._needs_node("retain_grad")
        if type(node) is not Leaf:
            retain(node, self)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(gradient)` whenever this tensor's gradient is known; what it returns, if anything, replaces it.

        Returns a handle whose `remove()` takes the hook away.
        """

        def on_gradient(g: Any) -> Any:
            given = g if isinstance(g, Tensor) else Tensor(backend.namespace(g).copy(g))
            result = hook(given)
            if result is None:
                return None
            if not isinstance(result, Tensor) or result.shape != given.shape:
                raise RuntimeError(
                    f"register_hook: the hook must return None or a Tensor of shape {given.shape}, got {result!r}"
                )
            result = result.to(given.dtype)
            return result if isinstance(g, Tensor) else result._array

        return _add_hook(self._needs_node("register_hook"), on_gradient)

    def _needs_node(self, what: str) -> Node:
        if self._node is None:
            raise RuntimeError(f"{what}: this tensor does not require a gradient; call requires_grad_() first")
        return self._node

    def new_tensor(self, data: Any) -> Tensor:
        """A tensor of `data` with this dtype and device."""
        return Tensor(backend.from_data(data, self.dtype, self.device))

    def new_zeros(self, *shape: Any) -> Tensor:
        """Zeros of a shape, with this dtype and device."""
        return Tensor(backend.namespace(self._array).zeros(shaping.lengths("new_zeros", shape), dtype=self.dtype))

    def new_ones(self, *shape: Any) -> Tensor:
        """Ones of a shape, with this dtype and device."""
        return Tensor(backend.namespace(self._array).ones(shaping.lengths("new_ones", shape), dtype=self.dtype))

    def nonzero(self, as_tuple: Any = False) -> Any:
        """Where the elements are not 0: one row of indices for each, or with `as_tuple` one tensor for each dim."""
        found = tuple(Tensor(part) for part in backend.namespace(self._array).nonzero(self._array))
        return found if as_tuple else functions.stack(found, dim=1)

    def __repr__(self) -> str:
        notes = (
            [] if self.dtype in (backend.get_default_dtype(), backend.int64, backend.bool_) else [f"dtype={self.dtype}"]
        )
        if not self.numel():
            notes.insert(0, f"shape={self.shape}")
        notes += [] if self.device == "cpu" else [f"device={self.device!r}"]
        notes += ["requires_grad=True"] if type(self._node) is Leaf else [f"grad_fn={self._node}"] if self._node else []
        title = "Parameter(tensor(" if type(self) is Parameter else "tensor("
        body = backend.text_of(self._array, title)
        return title + ", ".join([body, *notes]) + ")" * title.count("(")

    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        return _rebuild(*self.__reduce__()[1])

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise RuntimeError(
                f"copy: only leaves can be deep-copied or pickled, this is an output of {self._node}; use .detach()"
            )
        grad = None if self._grad is None else backend.to_numpy(self._grad._array)
        return _rebuild, (type(self), backend.to_numpy(self._array), self.device, self.requires_grad, grad)


class Parameter(Tensor):
    """A tensor that a model learns: a leaf with its own copy of `data`, in data's dtype, that requires a gradient.

    Raises:
        TypeError: if it should require a gradient and `data` holds integers or bools.

    >>> import lucid
    >>> lucid.nn.Parameter(lucid.zeros(2))
    Parameter(tensor([0., 0.], requires_grad=True))
    """

    def __init__(self, data: Any, requires_grad: Any = True) -> None:
        array = data._array if isinstance(data, Tensor) else data
        super().__init__(backend.from_data(array, None), requires_grad)


def _rebuild(cls: type[Tensor], array: Any, device: str, requires_grad: bool, grad: Any) -> Tensor:
    """A tensor from what `__reduce__` wrote down; on the CPU where its GPU is not to be had."""
    tensor = Tensor.__new__(cls)
    Tensor.__init__(tensor, backend.to_device(backend.from_data(array, array.dtype), device), requires_grad)
    if grad is not None:
        tensor._grad = Tensor(backend.to_device(backend.from_data(grad, grad.dtype), device))
    return tensor


def _add_hook(node: Node, hook: Callable[[Any], Any]) -> RemovableHandle:
    if node.hooks is None:
        node.hooks = {}
    return RemovableHandle(node.hooks, hook)


def retain(node: Node, tensor: Tensor) -> None:
    """Let `tensor` keep, in its `grad`, the gradient that comes by at `node`."""
    alive = ref(tensor)

    def keep(g: Any) -> None:
        if (t := alive()) is not None:
            g = g if isinstance(g, Tensor) else Tensor(backend.namespace(g).copy(g))
            t._grad = g if t._grad is None else arithmetic.add(t._grad, g)

    if node.hooks is None:
        node.hooks = {}
    node.retained = {**(node.retained or {}), id(tensor): keep}


def lift(node: Node) -> tuple[Any, ...]:
    """What a node saved, as Tensors with their history: what its formulas run on under create_graph."""
    spec = node.op
    if type(spec) is not Op:
        return spec.lift(node)  # type: ignore[attr-defined]  # a Function knows best where they came from

    def origin(name: str) -> Node | None:
        return node if name == "out" else node.parents[spec.edges[name]] if name in spec.edges else None

    found: dict[str, Any] = {}
    for name, value in zip(spec.saved, node.saved or (), strict=True):
        if spec.variadic and name in spec.inputs:
            found[name] = tuple(Tensor(array, False, p) for array, p in zip(value, node.parents, strict=True))
        else:
            found[name] = Tensor(value, False, origin(name)) if backend.is_array(value) else value
    for name in spec.keeps:
        found[name] = spec.keeps[name](RECORDED, *[found[want] for want in spec.recipes[name]])
    return tuple(found.values())


def differentiate(
    outputs: list[Tensor], gradients: list[Any], retain_graph: Any, create_graph: Any, wanted: set[Node] | None = None
) -> list[tuple[Node, Tensor]]:
    """Walk back from `outputs`: the leaves (or the nodes of `wanted`) and their gradients as Tensors."""
    seeds = [_seed(t, g, create_graph) for t, g in zip(outputs, gradients, strict=True)]
    release = not (create_graph if retain_graph is None else retain_graph)
    xp = backend.namespace(outputs[0]._array)
    with xp.quiet():  # 0 / 0 on a path whose gradient is 0 anyway is no news
        if create_graph:
            with enable_grad():
                return list(walk(seeds, RECORDED, lift, wanted, release))
        return [(node, Tensor(g)) for node, g in walk(seeds, xp, None, wanted, release)]


def _seed(output: Tensor, gradient: Any, create_graph: Any) -> tuple[Node, Any]:
    """Where a walk starts, and with what."""
    if output._node is None:
        raise RuntimeError(
            "backward: this tensor was not computed from anything that requires a gradient. Was it made under no_grad, "
            "from .data, .detach() or .numpy(), or do no parameters have requires_grad=True?"
        )
    if gradient is None:
        if output._array.size != 1:
            raise RuntimeError(
                f"backward: the gradient of a tensor of shape {output.shape} needs a starting point; reduce it to one "
                f"number first, .sum().backward() or .mean().backward(), or pass gradient= of that shape"
            )
        one = backend.namespace(output._array).one(output._array)
        return output._node, Tensor(one) if create_graph else one
    if not isinstance(gradient, Tensor):
        gradient = output.new_tensor(gradient)
    if gradient.shape != output.shape:
        raise RuntimeError(f"backward: expected a gradient of shape {output.shape}, got shape {gradient.shape}")
    gradient = gradient.to(output.dtype)
    return output._node, gradient if create_graph else gradient._array


def backward(
    tensors: list[Tensor], gradients: list[Any], retain_graph: Any = None, create_graph: Any = False, inputs: Any = None
) -> None:
    """`Tensor.backward` from several tensors at once."""
    if isinstance(inputs, Tensor):
        inputs = [inputs]
    if inputs is not None and not (inputs and all(isinstance(t, Tensor) and type(t._node) is Leaf for t in inputs)):
        raise ValueError(f"backward: expected inputs to be leaf tensors that require a gradient, got {inputs!r}")
    wanted = None if inputs is None else {t._node for t in inputs}
    for node, g in differentiate(tensors, gradients, retain_graph, create_graph, wanted):
        leaf = node.tensor()  # type: ignore[attr-defined]
        if leaf is None:
            continue  # nobody is left to look at it
        if g._array.dtype is not leaf._array.dtype:
            g = g.to(leaf.dtype)  # a hook, or a user's formula, may have said otherwise
        before = leaf._grad
        if before is None:
            leaf._grad = g
        elif create_graph:
            leaf._grad = before + g
        else:
            leaf._grad = Tensor(before._array + g._array)


def _leaving_its_array(tensor: Tensor, data: Any, requires_grad: bool = False, _node: Node | None = None) -> None:
    _make(tensor, data, requires_grad, _node)
    if _node is not None:
        _node.out = tensor._array


_make = Tensor.__init__
while_remembering("values", Tensor, "__init__", _leaving_its_array)
RUNTIME.update(Tensor=Tensor)

"""What an operation is: a forward on arrays, and one vector-Jacobian product (vjp) for each input.

    @op(x=lambda xp, g, y: g * y,
        y=lambda xp, g, x: g * x)
    def multiply(xp, x, y):
        return x * y

The forward takes a namespace `xp` (array.py), then arrays by position, then options by keyword. A vjp takes `xp`, the
gradient `g` of the output, and whatever else it needs *by name*: an input (`y`), the output (`out`), an input's shape
or dtype (`x_shape`, `x_dtype`) or an option (`axis`). What the vjps of those inputs that need a gradient name is what
gets saved for backward, and nothing else. The engine, not the vjp, undoes broadcasting.

A forward may return more than its output: `aux_outputs` names values that it has at hand and that vjps need, each with
a function that recomputes it from the inputs (`losses.cross_entropy` saves its softmax less the labels). `shared` names
a value that several vjps need and that backward computes once (`recurrent.lstm` goes back through time once, and has
the gradients of seven inputs).

A vjp is written once and runs on two kinds of values. Normally they are arrays. When the gradient must itself be
differentiable (`create_graph=True`), the same vjp runs on Tensors with `xp` = `on_tensors`, the operations themselves.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from inspect import CO_VARARGS, Parameter, Signature, signature
from itertools import islice, repeat
from types import FunctionType, SimpleNamespace
from typing import Any

from lucid.core.array import as_array, cpu, float16, float32, is_array, is_scalar, ndarray, register_forward
from lucid.core.events import FORWARD, observed
from lucid.core.node import Node, Tensor, grad_mode, register_view
from lucid.core.promotion import NotAnOperand, default_float, describe_error, promote_operands

OPS: dict[str, Op] = {}
on_tensors = SimpleNamespace(quiet=nullcontext)  # name -> the operation on Tensors: `xp` for vjps under create_graph

FORM = "@lucid.op(x=lambda xp, g, y: g * y, y=lambda xp, g, x: g * x) above def multiply(xp, x, y): return x * y"
BARE = "op: @lucid.op stands without its parentheses, or was given an argument by position; write {form}"
TAKEN = (
    "op: {module} has an operation {name!r} already, and vjps that say xp.{name} mean that one; give yours another name"
)
ONE_OUTPUT = (
    "{name}: an operation has one output, and the forward returned a {kind}; name what else it returns with "
    "aux_outputs=..., or use lucid.autograd.Function for several outputs"
)


class Op:
    """What is known about one operation; `multiply.op` for the operation `multiply`.

    Attributes:
        name: the forward's name; without a leading underscore, which it has where the public form is another function.
        forward: the function of `xp` and arrays.
        vjps: input -> its vector-Jacobian product.
        inputs: names of the array inputs, in order; `variadic` if the only one is `*arrays`.
        options: names of the keyword options -> their defaults.
        floats: whether integers are made floats before the forward sees them.
        in_single: whether half precision is computed in single, forwards and backwards, and rounded once, at the end:
            True, False, or "cpu" where kernels of a GPU do that by themselves.
        aux_outputs: name -> what the forward returns after its output, as a function of xp, inputs, options, `out` and
            the ones before it.
        shared: name -> what several vjps name and backward computes before them, a function like them.
        saved_names: what the vjps name, and for a shared value what that is computed from; the layout of a node's
            `saved`. This, `save`, `vjp`, `vjp_args`, `shared_users` and `recompute_args` come from `_plan_backward`.
        nullable: the inputs that may be None.
        promoted: the inputs that are brought to one dtype before the forward sees them.
        view: whether the output may share memory with the input.
        user_defined: whether it is of another package: what its forward returns may share memory with anything.
        call: the operation on Tensors.
    """

    shape_rule: Callable[[list[Any]], str] | None = None  # says for which shapes it is defined, in errors

    def __init__(
        self, forward: Callable[..., Any], vjps: dict[str, Callable[..., Any]], view: bool = False,
        floats: bool = False, aux_outputs: dict[str, Callable[..., Any]] | None = None,
        shared: dict[str, Callable[..., Any]] | None = None, in_single: bool | str = False,
    ) -> None:  # fmt: skip
        self.name = forward.__name__.removeprefix("_")
        self.forward, self.vjps, self.view, self.floats, self.in_single = forward, vjps, view, floats, in_single
        self.aux_outputs, self.shared = aux_outputs or {}, shared or {}
        _names_after(self.name, "the forward", forward, "xp")
        self.parameters = _parameters(forward)[1:]
        self.inputs = [p.name for p in self.parameters if p.kind is not p.KEYWORD_ONLY]
        self.options = {p.name: p.default for p in self.parameters if p.kind is p.KEYWORD_ONLY}
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in self.parameters)
        self.nullable = {p.name for p in self.parameters if p.default is None and p.name in self.inputs}
        self.user_defined = not (forward.__module__ or "").startswith("lucid.")
        self.promoted = [name for name in self.inputs if name in vjps] or self.inputs
        self.input_index = {name: i for i, name in enumerate(vjps)}  # input -> its place in a node's `inputs`
        self.differentiable = [self.inputs.index(name) for name in vjps if name in self.inputs]  # ... in a call
        self.all_differentiable = self.differentiable == list(range(len(self.inputs)))
        if self.user_defined:
            self._plan_backward()
        self.call: Any = _call_of(self)

    def __getattr__(self, name: str) -> Any:  # only reached when the name is not there
        own = vars(self)  # which another thread may have completed since
        if not name.startswith("__") and "vjp" not in own:
            self._plan_backward()  # when it is first recorded: 133 plans are 4 ms of `import lucid`
        if name not in own:
            raise AttributeError(f"operations have no attribute {name!r}")
        return own[name]

    def _plan_backward(self) -> None:
        """Decide from the signatures of the vjps what is saved, and what each vjp is called with.

        For `multiply`, saved_names is [y, x], and vjp_args {x: "xp, g, saved[0]", y: "xp, g, saved[1]"}.
        """
        functions = {**self.shared, **self.vjps}
        # What is saved without asking who needs it.
        small = {*self.options, *(f"{n}_{about}" for n in self.inputs for about in ("shape", "dtype"))}
        known = {*small, *self.inputs, *self.aux_outputs, *self.shared, "out"}
        args = {n: _names_after(self.name, f"the vjp of {n!r}", f, "xp", "g") for n, f in functions.items()}
        for name, wants in args.items():
            if name in self.vjps and name not in self.inputs:
                raise TypeError(
                    f"{self.name}: a vjp of {name!r}, but the inputs are {', '.join(self.inputs)}; write {FORM}"
                )
            if not known.issuperset(wants):
                odd, can = [want for want in wants if want not in known], ", ".join(sorted(known))
                raise TypeError(f"{self.name}: the vjp of {name!r} asks for {', '.join(odd)}; it can have {can}")

        def ingredients(wants: Sequence[str]) -> list[str]:
            """What must be saved for these names: in place of a shared value, what that is computed from."""
            lists = [ingredients(args[want]) if want in self.shared else [want] for want in wants]
            return list(dict.fromkeys(name for names in lists for name in names))

        # An auxiliary output was computed without a history; create_graph recomputes it, from its own ingredients.
        self.recompute_args = {
            n: _names_after(self.name, f"the recomputation of {n!r}", f, "xp") for n, f in self.aux_outputs.items()
        }
        needs = {name: ingredients(args[name]) for name in self.vjps}
        for wants in needs.values():
            for want in wants:  # the list grows as it is read: one recomputation may need what another one makes
                wants += [name for name in self.recompute_args.get(want, ()) if name not in wants]
        self.saved_names = list(dict.fromkeys(want for wants in needs.values() for want in wants))
        # An array is saved only for the vjps that will run: with each value, the operands for which it is needed.
        users = {n: [self.inputs.index(i) for i, wants in needs.items() if n in wants] for n in self.saved_names}
        always = {n for n in self.saved_names if n in small or len(users[n]) == len(self.vjps)}
        self.save = self._save_of({n: None if n in always else users[n] for n in self.saved_names})
        place = {n: f"saved[{i}]" for i, n in enumerate(self.saved_names)} | {n: f"shared_{n}" for n in self.shared}
        self.vjp_args = {n: ", ".join(["xp", "g", *[place[want] for want in wants]]) for n, wants in args.items()}

        def users_of(shared: str) -> list[int]:
            """Places, in a node's `inputs`, of those whose vjps need a shared value, themselves or through another."""
            direct = [i for name, i in self.input_index.items() if shared in args[name]]
            return direct + [i for name in self.shared if shared in args[name] for i in users_of(name)]

        self.shared_users = {name: users_of(name) for name in self.shared}
        self.vjp = self.vjp_with(functions)

    def _save_of(self, users: dict[str, list[int] | None]) -> Callable[..., tuple[Any, ...]]:
        """A function of a call that gives the values of these names, but None for one that no operand needs, of those
        that are its users. For `multiply`: `(arrays[1] if nodes[0] is not None else None, ...)`."""
        values = []
        for want, needed_by in users.items():
            name, _, about = want.rpartition("_")  # x_shape is the shape of x
            if want in self.options:
                value = f"options.get({want!r}, default_{want})"
            elif want in self.aux_outputs:
                value = f"aux[{list(self.aux_outputs).index(want)}]"
            elif want in self.inputs:
                value = "tuple(arrays)" if self.variadic else f"arrays[{self.inputs.index(want)}]"
            elif want == "out":
                value = want
            elif self.variadic:
                value = f"tuple([x.{about} for x in arrays])"
            else:
                value = f"arrays[{self.inputs.index(name)}].{about}"
            needed = " or ".join([f"nodes[{i}] is not None" for i in needed_by or ()])
            values.append(f"{value} if {needed} else None" if needed else value)
        defaults = {f"default_{name}": value for name, value in self.options.items()}
        return self._compiled("save(arrays, nodes, out, aux, options)", [], values, defaults)

    def vjp_with(self, functions: Mapping[str, Callable[..., Any]]) -> Callable[..., Sequence[Any]]:
        """A function of (xp, g, saved, inputs), where `g` is the gradient of the output and `inputs` a node's: the
        gradient of each differentiable input, None where `inputs` has no node. `functions` are the vjps, by name. For
        `multiply`: `(None if inputs[0] is None else vjp_x(xp, g, saved[0]), ...)`."""
        scope = {f"vjp_{name}": function for name, function in functions.items()}
        calls = {name: f"vjp_{name}({args})" for name, args in self.vjp_args.items()}
        lines = []
        for name, users in self.shared_users.items():
            needed = " or ".join([f"inputs[{i}] is not None" for i in users])
            lines.append(f"shared_{name} = {calls[name]} if {needed} else None")
        parts = [calls[name] for name in self.vjps]
        if len(parts) > 1:
            parts = [f"None if inputs[{i}] is None else {part}" for i, part in enumerate(parts)]
        return self._compiled("vjp(xp, g, saved, inputs)", lines, [f"*{parts[0]}"] if self.variadic else parts, scope)

    def _compiled(self, head: str, lines: list[str], values: list[str], scope: dict[str, Any]) -> Callable[..., Any]:
        """A function for this operation alone, which asks at no call what is known beforehand: it runs `lines` and
        returns the tuple of `values`. Its text is its docstring, and debuggers and tracebacks show it."""
        text = "\n    ".join([f"def {head}:", *lines, "return (", *[f"    {value}," for value in values], ")"])
        made: dict[str, Any] = {}
        exec(compile(text, file := f"<{self.name}: {head}>", "exec"), scope | {"__name__": __name__}, made)
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        (function,) = made.values()
        function.__doc__ = text
        return function

    def saved_as_tensors(self, node: Node) -> tuple[Any, ...]:
        """What a node saved, as Tensors with their history: what its vjps run on under create_graph."""
        values: dict[str, Any] = {}
        for name, value in zip(self.saved_names, node.saved or (), strict=True):
            if self.variadic and name in self.inputs:
                values[name] = tuple(Tensor(array, False, n) for array, n in zip(value, node.inputs, strict=True))
            elif is_array(value):
                index = self.input_index.get(name)
                values[name] = Tensor(
                    value, False, node if name == "out" else None if index is None else node.inputs[index]
                )
            else:
                values[name] = value
        for name, recompute in self.aux_outputs.items():
            values[name] = recompute(on_tensors, *[values[want] for want in self.recompute_args[name]])
        return tuple(values.values())

    def result(self, xp: Any, operands: Any, arrays: Any, nodes: Any, out: Any, options: dict[str, Any]) -> Tensor:
        """The output of a call as a Tensor, recorded if need be; the calls below leave the uncommon cases to it."""
        aux: Sequence[Any] = ()
        if self.aux_outputs:
            aux, out = out[1:], out[0]
        if type(out) is not ndarray:
            out = self.as_array(xp, out)
        inputs = tuple(nodes) if self.all_differentiable else tuple([nodes[i] for i in self.differentiable])
        if grad_mode.get()[0] and any(inputs):
            tensor = Tensor(out, False, Node(self, inputs, self.save(arrays, nodes, out, aux, options), out))
        else:
            out = out if "dtype" in self.options or not operands else default_float(out, arrays)
            tensor = Tensor(out, False, None)
        if self.view:
            register_view(operands[0], tensor, self, options)
        elif self.user_defined:
            for x in operands:
                register_view(x, tensor, self, {})
        return tensor

    def as_array(self, xp: Any, out: Any) -> Any:
        """What a forward returned that is no NumPy array, as an array of `xp`."""
        if is_scalar(out):
            return xp.asarray(out)
        if isinstance(out, (tuple, list)):
            raise TypeError(ONE_OUTPUT.format(name=self.name, kind=type(out).__name__))
        return out if is_array(out) else xp.asarray(out)

    def bind(self, operands: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Operands by position, in order, of a call that left some out or gave them by name."""
        missing = self.inputs[len(operands) :]
        if absent := [name for name in missing if name not in options and name not in self.nullable]:
            raise TypeError(f"{self.name}() missing the argument {absent[0]!r}")
        if len(operands) > len(self.inputs):
            raise TypeError(f"{self.name}() takes {len(self.inputs)} arguments by position, got {len(operands)}")
        rest = {name: value for name, value in options.items() if name not in missing}
        return (*operands, *[options.get(name) for name in missing]), rest

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def _parameters(f: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a function: for a plain one in a tenth of the time that inspect takes, 3 ms for all."""
    if type(f) is not FunctionType or hasattr(f, "__wrapped__"):
        return list(signature(f).parameters.values())
    code, names = f.__code__, iter(f.__code__.co_varnames)
    positional, keyword = list(islice(names, code.co_argcount)), list(islice(names, code.co_kwonlyargcount))
    rest = [Parameter(name, Parameter.VAR_POSITIONAL) for name in names if code.co_flags & CO_VARARGS][:1]
    defaults = dict(zip(reversed(positional), reversed(f.__defaults__ or ()), strict=False)) | (f.__kwdefaults__ or {})
    kinds = dict.fromkeys(positional, Parameter.POSITIONAL_OR_KEYWORD) | dict.fromkeys(keyword, Parameter.KEYWORD_ONLY)
    found = [Parameter(name, kind, default=defaults.get(name, Parameter.empty)) for name, kind in kinds.items()]
    return found[: len(positional)] + rest + found[len(positional) :]


def _names_after(owner: str, what: str, f: Callable[..., Any], *first: str) -> list[str]:
    """The names of the parameters of `f` after the first ones, which must be called `first`."""
    if not callable(f):
        raise TypeError(f"{owner}: {what} must be a function, got {type(f).__name__}; write {FORM}")
    if type(f) is FunctionType and not hasattr(f, "__wrapped__"):  # inspect would take 20 times as long, 3 ms in all
        names = list(f.__code__.co_varnames[: f.__code__.co_argcount + f.__code__.co_kwonlyargcount])
    else:
        names = list(signature(f).parameters)
    if tuple(names[: len(first)]) != first:
        rest = "what it needs follows by name" if len(first) > 1 else "xp is the namespace of array functions"
        raise TypeError(
            f"{owner}: {what} must begin with {' and '.join(first)}, got ({', '.join(names)}); {rest}; write {FORM}"
        )
    return names[len(first) :]


# -- the call ----------------------------------------------------------------------------------------------------------
# Fast templates for one, two and three inputs, and `_nary` for all others. The usual case, NumPy arrays of one dtype,
# is recognised in place; everything else goes through promote_operands. `simple` says that there are no auxiliary
# outputs, no `dtype` option, and no view of the first of several inputs.


def _cast(x: Any, dtype: Any) -> Tensor:
    return on_tensors.astype(x, dtype=dtype)


def _in_single(op: Op, operands: Sequence[Any], options: dict[str, Any]) -> Tensor:
    """The call with half precision made single, and its result, unless it is a bool, half again: recorded casts."""
    names = op.inputs * len(operands) if op.variadic else op.inputs
    halves = [n in op.promoted and getattr(x, "dtype", float32) != float32 for n, x in zip(names, operands)]  # noqa: B905
    wide = [_cast(x, float32) if half else x for x, half in zip(operands, halves, strict=True)]
    return _cast(out, float16) if (out := op.call(*wide, **options)).dtype == float32 else out


def _otherwise(op: Op, error: Exception, operands: Any, options: Any, arrays: Any, nodes: Any) -> Any:
    """After a call has failed: what it gives if it was in other words of PyTorch's, such as `out=`; else the error."""
    if lacking := [name for name, x in zip(op.inputs, operands, strict=False) if x is ...]:
        operands, options = (), {name: x for name, x in zip(op.inputs, operands, strict=True) if x is not ...} | options
    if options and (out := on_tensors.in_other_words(op.call, operands, options)) is not NotImplemented:
        return out
    if lacking:
        count = f"{len(lacking)} required positional argument{'s'[: len(lacking) - 1]}"
        raise TypeError(f"{op.name}() missing {count}: {' and '.join(map(repr, lacking))}") from None
    raise describe_error(op, error, arrays, nodes) from error


def _unary(op: Op, simple: bool) -> Any:
    forward, floats, in_single, view, name = op.forward, op.floats, op.in_single, op.view, op.name

    def call(x: Any, **options: Any) -> Tensor:
        if isinstance(x, Tensor):
            array, node = x._array, x._node
        else:
            array, node = as_array(x, name) if type(x) is ndarray else x, None
        try:
            if type(array) is ndarray and (not floats or node is not None or array.dtype.kind == "f") and not (
                in_single and array.dtype is float16
            ):
                xp, compute = cpu, forward
            elif (promoted := promote_operands(op, (x,), _cast)) is None:
                return _in_single(op, (x,), options)
            else:
                xp, (array,), (node,) = promoted
                compute = xp.forward(op)
            if FORWARD:
                compute = observed(FORWARD, op, compute)
            out = compute(xp, array, **options) if options else compute(xp, array)
        except Exception as error:
            return _otherwise(op, error, (x,), options, (array,), (node,))
        if not simple:
            return op.result(xp, (x,), (array,), (node,), out, options)
        if type(out) is not ndarray:
            out = op.as_array(xp, out)
        if node is None or not grad_mode.get()[0]:
            tensor = Tensor(out if out.dtype is float32 else default_float(out, (array,)), False, None)
        else:
            tensor = Tensor(out, False, Node(op, (node,), op.save((array,), (node,), out, (), options), out))
        if view:
            register_view(x, tensor, op, options)
        return tensor

    return call


def _binary(op: Op, simple: bool, operator: bool) -> Any:
    foreign: Any = NotAnOperand if operator else ()
    forward, floats, in_single, alike, name = op.forward, op.floats, op.in_single, len(op.promoted) == 2, op.name

    def call(x: Any, y: Any, **options: Any) -> Tensor:
        if isinstance(x, Tensor):
            a, m = x._array, x._node
        else:
            a, m = as_array(x, name) if type(x) is ndarray else x, None
        if isinstance(y, Tensor):
            b, n = y._array, y._node
        else:
            b, n = as_array(y, name) if type(y) is ndarray else y, None
        try:
            if type(a) is ndarray and type(b) is ndarray and (a.dtype is b.dtype or not alike) and (
                not floats or m is not None or a.dtype.kind == "f"
            ) and not (in_single and a.dtype is float16):
                xp, compute = cpu, forward
            elif (promoted := promote_operands(op, (x, y), _cast)) is None:
                return _in_single(op, (x, y), options)
            else:
                xp, (a, b), (m, n) = promoted
                compute = xp.forward(op)
            if FORWARD:
                compute = observed(FORWARD, op, compute)
            out = compute(xp, a, b, **options) if options else compute(xp, a, b)
        except foreign:
            return NotImplemented
        except Exception as error:
            return _otherwise(op, error, (x, y), options, (a, b), (m, n))
        if not simple:
            return op.result(xp, (x, y), (a, b), (m, n), out, options)
        if type(out) is not ndarray:
            out = op.as_array(xp, out)
        if (m is None and n is None) or not grad_mode.get()[0]:
            return Tensor(out if out.dtype is float32 else default_float(out, (a, b)), False, None)
        return Tensor(out, False, Node(op, (m, n), op.save((a, b), (m, n), out, (), options), out))

    return call


def _ternary(op: Op, simple: bool) -> Any:
    forward, floats, in_single, name = op.forward, op.floats, op.in_single, op.name

    def call(x: Any, y: Any, z: Any, **options: Any) -> Tensor:
        if isinstance(x, Tensor):
            a, m = x._array, x._node
        else:
            a, m = as_array(x, name) if type(x) is ndarray else x, None
        if isinstance(y, Tensor):
            b, n = y._array, y._node
        else:
            b, n = as_array(y, name) if type(y) is ndarray else y, None
        if isinstance(z, Tensor):
            c, o = z._array, z._node
        else:
            c, o = as_array(z, name) if type(z) is ndarray else z, None
        try:
            if type(a) is ndarray and (b is None or (type(b) is ndarray and b.dtype is a.dtype)) and (
                c is None or (type(c) is ndarray and c.dtype is a.dtype)
            ) and (not floats or a.dtype.kind == "f") and not (in_single and a.dtype is float16):
                xp, compute = cpu, forward
            elif (promoted := promote_operands(op, (x, y, z), _cast)) is None:
                return _in_single(op, (x, y, z), options)
            else:
                xp, (a, b, c), (m, n, o) = promoted
                compute = xp.forward(op)
            if FORWARD:
                compute = observed(FORWARD, op, compute)
            out = compute(xp, a, b, c, **options) if options else compute(xp, a, b, c)
        except Exception as error:
            return _otherwise(op, error, (x, y, z), options, (a, b, c), (m, n, o))
        if not simple:
            return op.result(xp, (x, y, z), (a, b, c), (m, n, o), out, options)
        if type(out) is not ndarray:
            out = op.as_array(xp, out)
        if (m is None and n is None and o is None) or not grad_mode.get()[0]:
            return Tensor(out if out.dtype is float32 else default_float(out, (a, b, c)), False, None)
        return Tensor(out, False, Node(op, (m, n, o), op.save((a, b, c), (m, n, o), out, (), options), out))

    return call


def _nary(op: Op, simple: bool) -> Any:
    forward, floats, in_single, variadic, count = op.forward, op.floats, op.in_single, op.variadic, len(op.inputs)
    name = op.name
    kinds = repeat((True, False)) if variadic else [(n in op.promoted, n in op.nullable) for n in op.inputs]

    def call(*operands: Any, **options: Any) -> Tensor:
        if len(operands) != count and not variadic:
            operands, options = op.bind(operands, options)
        arrays, nodes, dtype, usual = [], [], None, True
        for x, (is_promoted, is_nullable) in zip(operands, kinds):  # noqa: B905 (strict=True is slower)
            if isinstance(x, Tensor):
                array, node = x._array, x._node
            else:
                array, node = as_array(x, name) if type(x) is ndarray else x, None
            arrays.append(array)
            nodes.append(node)
            if type(array) is not ndarray:
                usual = usual and array is None and is_nullable
            elif is_promoted:
                usual = usual and (dtype is None or array.dtype is dtype)
                dtype = array.dtype
        half = in_single and dtype is float16
        try:
            if not count or (usual and dtype is not None and (not floats or dtype.kind == "f") and not half):
                xp, compute = cpu, forward
            elif (promoted := promote_operands(op, operands, _cast)) is None:
                return _in_single(op, operands, options)
            else:
                xp, arrays, nodes = promoted
                compute = xp.forward(op)
            if FORWARD:
                compute = observed(FORWARD, op, compute)
            out = compute(xp, *arrays, **options)
        except Exception as error:
            return _otherwise(op, error, operands, options, arrays, nodes)
        return op.result(xp, operands, arrays, nodes, out, options)

    return call


def _call_of(op: Op, operator: bool = False) -> Any:
    """The operation on Tensors: a template with a copy of its code for this operation alone. CPython adapts a code
    object's instructions to what they meet; one that all operations share would be adapted to none of them."""
    count = len(op.inputs)
    template: Any = _nary
    if count <= 2 and not (op.variadic or op.nullable):
        template = [_nary, _unary, _binary][count]
    optional = [name in op.nullable for name in op.inputs]
    if optional in ([False, False, True], [False, True, True]) and op.all_differentiable:  # linear, layer_norm
        template = _ternary
    simple = op.all_differentiable and not (op.aux_outputs or op.user_defined or "dtype" in op.options)
    call = template(op, simple and not (op.view and count > 1), *[operator] * (template is _binary))
    code = call.__code__
    inputs = [] if template is _nary else op.inputs  # its arguments have the names that the forward gives
    code = code.replace(co_name=op.name, co_varnames=(*inputs, *code.co_varnames[len(inputs) :]))
    missing = () if operator or op.user_defined else (...,) * (len(inputs) - len(op.nullable))
    defaults = (*missing, *[None for name in inputs if name in op.nullable])
    own = FunctionType(code, call.__globals__, op.name, defaults, call.__closure__)
    own.__qualname__, own.__module__, own.__doc__ = op.name, op.forward.__module__, op.forward.__doc__
    own.__signature__ = Signature(op.parameters, __validate_parameters__=False)  # type: ignore[attr-defined]
    own.op = op  # type: ignore[attr-defined]
    if template is _binary and not operator:
        own.operator = _call_of(op, True)  # type: ignore[attr-defined]  # x + y, which may be NotImplemented
    return own


def op(
    misplaced: None = None, /, *, view: bool = False, floats: bool = False, in_single: bool | str = False,
    aux_outputs: dict[str, Callable[..., Any]] | None = None,
    shared: dict[str, Callable[..., Any]] | None = None, **vjps: Callable[..., Any],
) -> Callable[[Callable[..., Any]], Callable[..., Tensor]]:  # fmt: skip
    """Make an operation on Tensors out of a forward on arrays; `vjps` gives the gradient of each input by its name.

    Works outside lucid as well: a forward has all of NumPy's functions, on a GPU CuPy's, and there are derivatives of
    every order as long as vjps use operators and operations (`xp.exp`, `xp.sum(g, axis=0)`). `view` says that the
    output may share memory with the input; `floats` that integers are made floats first; `in_single` that half is
    computed in single; `aux_outputs` names what the forward returns after its output; `shared` what several vjps need.

    Raises:
        TypeError: when the forward does not begin with `xp`, or a vjp not with `xp` and `g`; when a vjp is of an input,
            or asks for a name, that the forward does not have; when another module has an operation of this name
            already, which other operations' vjps may be using.

    >>> import lucid
    >>> @lucid.op(x=lambda xp, g, x: g * 3 * x * x)
    ... def cube(xp, x):
    ...     return x * x * x
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    if misplaced is not None:
        raise TypeError(BARE.format(form=FORM))

    def register(forward: Callable[..., Any]) -> Callable[..., Tensor]:
        spec = Op(forward, vjps, view, floats, aux_outputs, shared, in_single)
        known = OPS.get(spec.name)
        mentioned = spec.user_defined and spec.name in getattr(forward, "__code__", op.__code__).co_names
        namesake = mentioned and hasattr(cpu.module, spec.name)  # `xp.name` is the library's, in there and elsewhere
        if known is not None and known.forward.__module__ != forward.__module__:
            if namesake:
                return spec.call
            raise TypeError(TAKEN.format(module=known.forward.__module__, name=known.name))
        OPS[spec.name] = spec
        if not namesake:
            register_forward(spec.name, (lambda *args, **kw: forward(*args, **kw)[0]) if aux_outputs else forward)
        setattr(on_tensors, spec.name, spec.call)
        return spec.call

    return register



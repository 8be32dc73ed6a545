"""Chapter 2. What an operation is: a forward, and one gradient formula for each input.

    @op(x=lambda xp, g, y: g * y,
        y=lambda xp, g, x: g * x)
    def multiply(xp, x, y):
        return x * y

The forward takes a namespace `xp` (chapter 1), then arrays by position, then options by keyword. A formula takes `xp`,
the gradient `g` of the output, and then whatever it asks for *by name*: an input (`y`), the output (`out`), an input's
shape (`x_shape`) or an option (`axis`). What the formulas of the inputs that need a gradient ask for is what gets
saved, and nothing else.

What a forward has in hand and its formulas would compute anew can be kept: it returns it behind the output, and `keeps`
gives it a name, and says what it is in terms of the inputs. `losses.cross_entropy` keeps its softmax less the labels.
What several formulas would each compute is computed `once`: a function like a formula, which the others ask for by
name in its turn (`recurrent.lstm` goes back through time once, and then has the gradients of seven inputs).

A formula is written once and read twice. Normally it runs on raw arrays. When the derivative must itself be
differentiable (`create_graph=True`) the same formula runs with `xp` = `RECORDED`, the operations below on Tensors.

Toy models are hundreds of small operations, so the cost of one call is what makes them slow. Everything about an
operation that can be decided once is decided once: from the signatures `op` writes the text of two Python functions,
as `dataclasses` does, and compiles it when the operation is first called (doing so for all of them at import would
take 20 ms). `multiply.op.source` shows the text. Generic code doing the same by looping over names took 6 times as long
on the forward and backward of a 2-16-16-1 network.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from lucid import backend

if TYPE_CHECKING:
    from lucid.tensor import Tensor

TABLE: dict[str, Op] = {}
RECORDED = SimpleNamespace()  # name -> the operation on Tensors: `xp` for formulas under create_graph
# Who looks on while operations run: functions of an operation and its forward that give the forward to call instead.
# It is the operations that are changed, in `look_on`, so that an operation nobody looks at asks nothing.
OBSERVERS: list[Callable[[Op, Callable[..., Any]], Callable[..., Any]]] = []

# Globals of the generated functions. Later chapters add what the text below names: Node and grad_mode (graph.py),
# prepare, prepare_all, settle and explain (operands.py), forward_on (kernels/), Tensor and share (tensor.py).
RUNTIME: dict[str, Any] = {"cpu": backend.cpu, "ndarray": backend.ndarray, "float32": backend.float32}
RESERVED = {  # what the generated text says by name, and so no argument may be called
    "spec", "forward", "cpu", "ndarray", "float32", "saved", "parents", "out", "g", "xp", "Tensor", "Node", "grad_mode",
    "prepare", "prepare_all", "settle", "explain", "forward_on", "share", "as_output", "error", "type", "isinstance",
    "tuple",
}  # fmt: skip


class Op:
    """What is known about one operation; `multiply.op` for the operation `multiply`.

    Attributes:
        name: the forward's name.
        forward: the function of `xp` and arrays.
        formulas: input name -> gradient formula.
        inputs: names of the array inputs, in order; `variadic` if the only one is `*arrays`.
        options: names of the keyword options.
        floats: whether integers are made floats before the forward sees them: small ones would wrap around in it.
        keeps: name -> what the forward returns behind its output, as a function of xp, inputs, options, `out` and
            what is kept before it.
        once: name -> what several formulas ask for and the walk back computes before them, a function like them.
        saved: names of what the formulas ask for; the layout of a node's `saved` tuple.
        nullable: the inputs that may be None.
        promoted: the inputs that are brought to one dtype before the forward sees them.
        view: whether the output may share memory with the input.
        source: the text of the two generated functions, `call` and `back`.
        call: the operation on Tensors.
        back: (xp, g, saved, parents) -> one gradient, or None, for each of `formulas`. There after the first call.
    """

    def __init__(
        self,
        forward: Callable[..., Any],
        formulas: dict[str, Callable[..., Any]],
        view: bool,
        floats: bool,
        keeps: dict[str, Callable[..., Any]],
        once: dict[str, Callable[..., Any]],
    ) -> None:
        _behind_first(forward.__name__, "the forward", forward, "xp")
        parameters = list(inspect.signature(forward).parameters.values())[1:]
        self.name, self.forward, self.formulas = forward.__name__, forward, formulas
        self.view, self.floats, self.keeps, self.once = view, floats, keeps, once
        self.parameters = parameters
        self.inputs = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        self.options = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.nullable = {p.name for p in parameters if p.default is None and p.name in self.inputs}
        # A user's: what it returns may be anybody's array. Where the text was run by exec, its module has no name.
        self.foreign = not (forward.__module__ or "").startswith("lucid.")
        self.promoted = [name for name in self.inputs if name in formulas] or self.inputs
        self.asks = {
            name: _behind_first(self.name, f"the formula for {name!r}", f, "xp", "g")
            for name, f in {**once, **formulas}.items()
        }
        self._check()
        self.wants = {name: self._behind(self.asks[name]) for name in formulas}
        # What is kept was computed without a history; to compute it anew with one, create_graph needs its ingredients.
        self.recipes = {
            name: _behind_first(self.name, f"what is kept as {name!r}", f, "xp")
            for name, f in keeps.items()
        }
        for wants in self.wants.values():
            for want in wants:  # which grows meanwhile: a recipe may ask for what another one makes
                wants += [each for each in self.recipes.get(want, ()) if each not in wants]
        self.saved = list(dict.fromkeys(want for wants in self.wants.values() for want in wants))
        self.edges = {name: i for i, name in enumerate(formulas)}  # input -> its place among a node's parents
        # Each operation has globals of its own: its forward and formulas go by the same names in all of them.
        self._scope: dict[str, Any] = {
            "spec": self,
            "forward": forward,
            **{f"f_{name}": f for name, f in {**once, **formulas}.items()},
        }
        self._scope |= {f"default_{p.name}": p.default for p in parameters}
        self.call = FunctionType(_first_call.__code__, self._scope, self.name)
        self.call.__qualname__ = self.name
        self.call.__module__, self.call.__doc__ = forward.__module__, forward.__doc__
        self.call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        self.call.op = self  # type: ignore[attr-defined]
        self.back: Any = None

    @cached_property
    def source(self) -> str:
        """The text; written when it is first asked for, which for all operations at import would take 4 ms."""
        return variadic_text(self) if self.variadic else text(self)

    def compile(self) -> None:
        """Make `call` and `back` of the source. `call` stays the object that was handed out: it gets new code."""
        made: dict[str, Any] = {}
        self._scope.update(RUNTIME)
        self._scope["forward"] = self.observed()
        exec(compile(self.source, f"<generated for op {self.name}>", "exec"), self._scope, made)
        self.back = made["back"]
        self.call.__defaults__, self.call.__kwdefaults__ = made["call"].__defaults__, made["call"].__kwdefaults__
        self.call.__code__ = made["call"].__code__

    def observed(self, forward: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """The forward, or what runs in its place on a GPU, as those who look on want it called."""
        forward = self.forward if forward is None else forward
        for observe in OBSERVERS:
            forward = observe(self, forward)
        return forward

    def _check(self) -> None:
        if own := [p.name for p in self.parameters if p.name in RESERVED]:
            raise TypeError(
                f"{self.name}: the name {own[0]!r} is used by the generated code; give the argument another"
            )
        known = {*self.inputs, *(f"{name}_shape" for name in self.inputs), *self.options, *self.keeps, "out"}
        known |= set(self.once)
        for name, wants in self.asks.items():
            if name not in self.inputs and name not in self.once:
                raise TypeError(f"{self.name}: a formula for {name!r}, but the inputs are {', '.join(self.inputs)}")
            if odd := [want for want in wants if want not in known]:
                can = ", ".join(sorted(known))
                raise TypeError(f"{self.name}: the formula for {name!r} asks for {', '.join(odd)}; it can have {can}")

    def _behind(self, asks: list[str]) -> list[str]:
        """What must be saved for a formula that asks for `asks`: in place of what is computed once, its ingredients."""
        found: list[str] = []
        for name in asks:
            found += [w for w in (self._behind(self.asks[name]) if name in self.once else [name]) if w not in found]
        return found

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def _behind_first(who: str, what: str, f: Callable[..., Any], *first: str) -> list[str]:
    """The names of the parameters of `f` behind the first ones, which must be called `first`."""
    if type(f) is FunctionType and not hasattr(f, "__wrapped__"):  # inspect would take 20 times as long, 3 ms in all
        names = list(f.__code__.co_varnames[: f.__code__.co_argcount + f.__code__.co_kwonlyargcount])
    else:
        names = list(inspect.signature(f).parameters)
    if tuple(names[: len(first)]) != first:
        raise TypeError(
            f"{who}: {what} must begin with {' and '.join(first)}, got ({', '.join(names)}); "
            + ("what follows is asked for by name" if len(first) > 1 else "xp is the namespace of array functions")
        )
    return names[len(first) :]


def as_output(spec: Op, xp: Any, out: Any) -> Any:
    """What a forward returned that is no NumPy array, as an array of `xp`."""
    if isinstance(out, (tuple, list)):
        raise TypeError(
            f"{spec.name}: an operation has one output, and the forward returned a {type(out).__name__}; name what "
            f"comes behind the output with keeps=..., or use lucid.autograd.Function for several outputs"
        )
    return out if backend.is_array(out) else xp.asarray(out)


RUNTIME["as_output"] = as_output


def _first_call(*args: Any, **options: Any) -> Any:
    """What an operation is until it is called; `spec` is a global of each one's own."""
    spec.compile()  # type: ignore[name-defined]  # noqa: F821
    return spec.call(*args, **options)  # type: ignore[name-defined]  # noqa: F821


def op(
    misplaced: None = None,
    /,
    *,
    view: bool = False,
    floats: bool = False,
    keeps: dict[str, Callable[..., Any]] | None = None,
    once: dict[str, Callable[..., Any]] | None = None,
    **formulas: Callable[..., Any],
) -> Callable[[Callable[..., Any]], Callable[..., Tensor]]:
    """Make an operation on Tensors out of a forward on arrays; `formulas` gives the gradient of each input by name.

    Works for operations outside lucid as well; they get derivatives of every order as long as their formulas use
    operators and other operations (`xp.exp`, `xp.sum(g, axis=0)`). `view` says that the output may share memory
    with the input; `floats` that integers are to come as floats; `keeps` names what is returned behind the output;
    `once` what several formulas ask for.

    Raises:
        TypeError: when the forward does not begin with `xp`, or a formula not with `xp` and `g`; when a formula is
            for an input, or asks for a name, that the forward does not have; when another
            module has an operation of this name already, which other operations' formulas may be using.

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
        raise TypeError(
            "op: @lucid.op stands without its parentheses, or was given something by position; write "
            "@lucid.op(x=lambda xp, g: ...), with the gradient of each input by its name, or @lucid.op() for none"
        )

    def register(forward: Callable[..., Any]) -> Callable[..., Tensor]:
        known = TABLE.get(forward.__name__)
        if known is not None and known.forward.__module__ != forward.__module__:
            raise TypeError(
                f"op: {known.forward.__module__} has an operation {known.name!r} already, and formulas that say "
                f"xp.{known.name} mean that one; give yours another name"
            )
        spec = TABLE[forward.__name__] = Op(forward, formulas, view, floats, keeps or {}, once or {})
        backend.register(spec.name, (lambda *args, **options: forward(*args, **options)[0]) if keeps else forward)
        setattr(RECORDED, spec.name, spec.call)
        return spec.call

    return register


def look_on(observe: Callable[[Op, Callable[..., Any]], Callable[..., Any]], on: bool = True) -> None:
    """From now on, or with `on=False` no longer, every operation calls `observe(op, forward)` instead of its forward.

    Formulas are not seen, for they run forwards as plain functions of a namespace. Holds in all threads.
    """
    (OBSERVERS.append if on else OBSERVERS.remove)(observe)
    for spec in TABLE.values():
        spec._scope["forward"] = spec.observed()


def text(spec: Op) -> str:
    """The source of an operation's two functions: the call on Tensors, and the way back on whatever `xp` works with."""
    names, edges = spec.inputs, list(spec.formulas)
    nullable = spec.nullable
    arrays, options = [f"{n}_a" for n in names], [f"{o}={o}" for o in spec.options]
    lines = [f"def call({_signature(spec)}):"]
    for n in names:
        lines += [f"    if isinstance({n}, Tensor): {n}_a = {n}._array; {n}_n = {n}._node",
                  f"    else: {n}_a = {n}; {n}_n = None"]  # fmt: skip
    # The usual case, arrays of one dtype on the CPU, is recognised in place; everything else goes through prepare.
    plain = [
        f"type({n}_a) is ndarray" if n not in nullable else f"({n}_a is None or type({n}_a) is ndarray)" for n in names
    ]
    first = spec.promoted[0] if spec.promoted else None
    alike = [f"{first}_a.dtype is {n}_a.dtype" for n in spec.promoted[1:]]
    alike = [
        t if n not in nullable else f"({n}_a is None or {t})" for n, t in zip(spec.promoted[1:], alike, strict=True)
    ]
    if spec.floats:  # what needs a gradient is a float
        alike.append(f"({first}_n is not None or {first}_a.dtype.kind == 'f')")
    if names:
        flat = ", ".join(f"{n}_a, {n}_n" for n in names)
        lines += [f"    if {' and '.join(plain + alike)}: xp = cpu",
                  f"    else: xp, {flat} = prepare(spec, {', '.join(names)})"]  # fmt: skip
    else:
        lines += ["    xp = cpu"]
    outputs, given = ", ".join(["out", *spec.keeps]), f"({_tuple(arrays)}), ({_tuple(n + '_n' for n in names)})"
    forward = "(forward if xp is cpu else forward_on(xp, spec))" if names else "forward"
    lines += [f"    try: {outputs} = {forward}({', '.join(['xp', *arrays, *options])})",
              f"    except Exception as error: raise explain(spec, error, {given}) from error",
              "    if type(out) is not ndarray: out = as_output(spec, xp, out)"]  # fmt: skip
    unrecorded = " and ".join(f"{n}_n is None" for n in edges)
    condition = f"if ({unrecorded}) or not grad_mode.recording: " if edges else ""
    # Ints in, float out: the default dtype and not NumPy's float64, unless the call names its dtype.
    free = names and "dtype" not in spec.options
    fresh = f"Tensor(out if out.dtype is float32 else settle(out, {', '.join(arrays)}))" if free else "Tensor(out)"
    lines += [f"    {condition}return {_shared(spec, fresh)}"]
    if edges:
        made = (f"Tensor(out, False, Node(spec, ({_tuple(n + '_n' for n in edges)}), "
                f"({_tuple(_keep(spec, want) for want in spec.saved)}), out.shape))")  # fmt: skip
        lines += [f"    return {_shared(spec, made)}"]
    lines += ["def back(xp, g, saved, parents):"]
    if spec.saved:
        lines += [f"    {_tuple(spec.saved)} = saved"]
    if edges:
        lines += [f"    {_tuple(n + '_n' for n in edges)} = parents"]
    for o in spec.once:
        idle = " and ".join(f"{n}_n is None" for n in edges if _needs(spec, n, o))
        lines += [f"    {o} = None if {idle} else f_{o}({', '.join(['xp', 'g', *spec.asks[o]])})"]
    parts = [f"None if {n}_n is None else f_{n}({', '.join(['xp', 'g', *spec.asks[n]])})" for n in edges]
    return "\n".join([*lines, f"    return ({_tuple(parts)})"])


def variadic_text(spec: Op) -> str:
    """The same for an operation on `*arrays`, whose one formula gives a sequence of gradients, one for each array."""
    (name,) = spec.inputs
    options = [f"{o}={o}" for o in spec.options]
    keep = {"out": "out", f"{name}_shape": f"tuple([a.shape for a in {name}_a])", name: f"tuple({name}_a)"}
    wants = spec.wants.get(name, [])
    saved = _tuple(keep.get(want, want) for want in wants)
    foreign = [f"    for each in {name}: share(each, made, spec, ())"] if spec.foreign else []
    return "\n".join([
        f"def call({_signature(spec)}):",
        f"    xp, {name}_a, {name}_n = prepare_all(spec, {name})",
        f"    try: out = forward({', '.join(['xp', '*' + name + '_a', *options])})",
        f"    except Exception as error: raise explain(spec, error, {name}_a, {name}_n or ()) from error",
        "    if type(out) is not ndarray: out = as_output(spec, xp, out)",
        f"    if {name}_n is None or not grad_mode.recording: made = Tensor(out)",
        f"    else: made = Tensor(out, False, Node(spec, {name}_n, ({saved}), out.shape))",
        *foreign,
        "    return made",
        "def back(xp, g, saved, parents):",
        *([f"    {_tuple(wants)} = saved"] if wants else []),
        f"    return f_{name}({', '.join(['xp', 'g', *wants])})",
    ])  # fmt: skip


def _shared(spec: Op, made: str) -> str:
    """The text of a new tensor, with a word on whose memory it may have: a view's first input's, a user's any one's."""
    for name in spec.inputs if spec.foreign and not spec.view else spec.inputs[: spec.view]:
        made = f"share({name}, {made}, spec, ({_tuple(spec.options)}))"
    return made


def _needs(spec: Op, name: str, once: str) -> bool:
    """Whether the formula (or the step computed once) `name` asks for `once`, itself or through another."""
    return any(ask == once or ask in spec.once and _needs(spec, ask, once) for ask in spec.asks[name])


def _signature(spec: Op) -> str:
    """`x, y, *, axis=None`: the forward's own signature, without xp."""
    parts = []
    for i, p in enumerate(spec.parameters):
        if p.kind is p.KEYWORD_ONLY and not spec.variadic and (i == 0 or spec.parameters[i - 1].name in spec.inputs):
            parts.append("*")
        star = "*" if p.kind is p.VAR_POSITIONAL else ""
        default = repr(p.default) if type(p.default) in (type(None), bool, int, str) else f"default_{p.name}"
        parts.append(star + p.name + ("" if p.default is p.empty else f"={default}"))
    return ", ".join(parts)


def _keep(spec: Op, want: str) -> str:
    """What goes into the saved tuple for `want`: an array is kept only if a formula that asks for it will run."""
    if want in spec.options:
        return want
    handed = want == "out" or want in spec.keeps
    if not handed and want not in spec.inputs:
        return f"{want.removesuffix('_shape')}_a.shape"
    value = want if handed else f"{want}_a"
    asking = [n for n, wants in spec.wants.items() if want in wants]
    if len(asking) == len(spec.formulas):
        return value
    return f"({value} if {' or '.join(f'{n}_n is not None' for n in asking)} else None)"


def _tuple(parts: Any) -> str:
    return "".join(f"{part}, " for part in parts).rstrip() or "()"

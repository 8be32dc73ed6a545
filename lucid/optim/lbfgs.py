"""L-BFGS: a quasi-Newton method, whose steps use how the gradient has changed along the steps before.

It has no elementwise rule: a step evaluates the loss many times, by a closure. line_search.py decides how far
it goes each time. A vector is a list of arrays, one for each parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from math import inf, isfinite, nan
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from lucid.autograd.grad_mode import enable_grad
from lucid.core.array import Array, is_writable, namespace
from lucid.core.events import STEP, begin
from lucid.core.node import Tensor, bump_version
from lucid.optim.buckets import compute_dtype
from lucid.optim.chunks import as_state
from lucid.optim.line_search import Point, strong_wolfe
from lucid.optim.optimizer import Optimizer
from lucid.optim.state_dict import mismatches, scalar
from lucid.optim.validation import NON_NEGATIVE, WHOLE, Params, check_gradient_and_state, warn_of_no_gradient

if TYPE_CHECKING:
    from lucid.optim.explain import Preview

Vector = list[Array]


class LBFGS(Optimizer):
    """L-BFGS (Nocedal and Wright 2006, Numerical Optimization, Algorithms 7.4 and 7.5), with a line search.

    One `step` makes up to `max_iter` iterations of

        s_k = theta_k - theta_{k-1},  y_k = g_k - g_{k-1}               kept for the last `history_size` k
        d_k = -H_k * g_k
        theta_{k+1} = theta_k + t_k * d_k

    H approximates the inverse Hessian: it is the matrix nearest to (s_k y_k / y_k y_k) times the identity that
    maps every y to its s. It is never formed; H g is computed from the s and y by two loops over them. t_k is `lr`,
    or, with `line_search_fn="strong_wolfe"`, what a line search that begins there finds. The very first move is
    lr * min(1, 1 / sum |g|) times -g. A pair with s y of 1e-10 or less is not kept, as d might not go downhill.

    It is made for smooth losses of all the data, where it needs far fewer steps than any other optimizer
    here; noise, as of batches, misleads it. Where the book leaves a choice it does as PyTorch's, and takes
    the same steps. `explain` shows the first iteration of the next step.

    Args:
        params: an iterable of Parameters, or of one dict: there can be only one group, else a ValueError.
        lr: t, or the t that a line search begins with.
        max_iter: how many iterations a step makes at most.
        max_eval: after how many evaluations of the closure no iteration begins; 5/4 of max_iter unless given.
        tolerance_grad: stop where no element of the gradient is larger.
        tolerance_change: stop where no element of theta, nor the loss, changes by more.
        history_size: how many pairs s, y are kept, each as large as all parameters.
        line_search_fn: None or "strong_wolfe".

    Attributes:
        state: parameter -> `{"t": iterations so far, "g": the gradient before the last move, "move": that
            move, "s": a list of arrays, "y": a list of arrays}`. When other parameters have gradients than
            before, it is cleared. All else, and errors, as for Adamax.

    >>> import lucid
    >>> w = lucid.tensor([-1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.LBFGS([w], max_iter=50, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2  # Rosenbrock's valley
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()  # the loss before the step
    104.0
    >>> lucid.allclose(w, lucid.ones(2), atol=1e-3)
    True
    """

    slots = ("g", "move", "s", "y")
    histories = ("s", "y")  # lists of arrays
    torch_slot_names = {"n_iter": "t", "prev_flat_grad": "g", "old_stps": "s", "old_dirs": "y"} | dict.fromkeys(
        ("d", "func_evals", "ro", "al", "H_diag", "prev_loss")
    )
    domains = dict.fromkeys(("lr", "tolerance_grad", "tolerance_change"), NON_NEGATIVE)
    domains |= dict.fromkeys(("max_iter", "max_eval", "history_size"), WHOLE)

    def __init__(
        self, params: Params, lr: float = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        if max_eval is None:
            max_eval = WHOLE(self._name, "max_iter", max_iter) * 5 // 4
        counts = {"max_iter": max_iter, "max_eval": max_eval, "history_size": history_size}
        tolerances = {"tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
        super().__init__(params, {"lr": lr, **counts, **tolerances, "line_search_fn": line_search_fn})

    def check(self, context: str, options: dict[str, Any]) -> None:
        """Refuse an unknown line search."""
        if (name := options["line_search_fn"]) not in (None, "strong_wolfe"):
            expected = "line_search_fn must be None or 'strong_wolfe'"
            raise ValueError(f"{context}: {expected}, got {name!r}; give it one of these")

    def _add(self, groups: list[Any]) -> None:
        if (count := len(self.param_groups) + len(groups)) > 1:
            why = "as it moves all parameters together"
            raise ValueError(f"{self._name}: takes one group, {why}, got {count}; give all in one list")
        super()._add(groups)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make up to `max_iter` iterations; returns the loss before them, which the closure returned first.

        The closure clears the gradients, computes the loss and its gradients, and returns the loss. It is
        called many times, with gradients enabled. A TypeError without one, and for one that does not return a
        number. Other errors, and the warning, as for Adamax. After any error, also the closure's, parameters
        and state are as before."""
        after = begin(STEP, self, closure) if STEP else ()
        (options,) = (each.checked for each in self._read_groups())
        if not callable(closure):
            why = "as it evaluates the loss many times"
            fix = "write def closure(): with zero_grad(), loss.backward() and return loss in it"
            raise TypeError(f"{self._name}.step: needs a closure, {why}; {fix}, and call step(closure)")
        with enable_grad():
            result = closure()
        loss, params = self._number(result), self._params_to_move()
        if not params:
            warn_of_no_gradient(self)
            return result
        for p in params:
            if not is_writable(p._array):  # a broadcast view, or memory that was only lent
                p._array = p._array.copy()
        before, known = [p._array.copy() for p in params], dict(self.state)
        try:
            if state := self._iterate(params, closure, loss, options):
                self.state.clear()
                self.state.update(state)
        except BaseException:  # Ctrl-C too
            write(params, before)
            self.state.clear()
            self.state.update(known)
            raise
        for function in after:
            function(result)
        return result

    def _params_to_move(self) -> list[Any]:
        """The parameters that have a gradient; it and their state are checked."""
        params = [(j, p) for j, p in enumerate(self.param_groups[0]["params"]) if p._grad is not None]
        for j, p in params:
            context = f"{self._name}, group 0: parameter {j}"
            check_gradient_and_state(context, p, self.state.get(p, {}), ("g", "move"))
        return [p for _, p in params]

    def _iterate(
        self, params: Sequence[Any], closure: Callable[[], Any], loss: float, options: dict[str, Any]
    ) -> dict[Any, dict[str, Any]]:
        """Move the parameters, of which this is the loss, and whose gradients are computed; returns their state."""
        smallest, max_eval, base = options["tolerance_change"], options["max_eval"], widened(params)
        g, evaluations = gradients(params), 1
        if max_abs(g) <= options["tolerance_grad"]:
            return {}

        def move_to(t: float, d: Vector) -> None:
            write(params, [theta + t * v for theta, v in zip(base, d, strict=True)])

        def at(d: Vector, t: float) -> Point:
            move_to(t, d)
            with enable_grad():
                loss = self._number(closure())
            g = gradients(params)
            slope = dot(g, d) if isfinite(loss) and isfinite(max_abs(g)) else nan
            return Point(t, loss if isfinite(slope) else inf, g, slope)  # inf: too far, see line_search.py

        k, g_before, move, pairs = self._history(params)
        for iteration in range(1, options["max_iter"] + 1):
            k += 1
            t, d = self._direction(k, g, g_before, move, pairs, options)
            g_before, loss_before, move = g, loss, scaled(0, d)
            slope = dot(g, d)
            if slope > -smallest:
                break
            if options["line_search_fn"]:
                start, limit = Point(0.0, loss, g, slope), max_eval - evaluations
                (t, loss, g, _), count = strong_wolfe(partial(at, d), start, t, max_abs(d), smallest, limit)
                evaluations += count
                move_to(t, d)
            elif iteration < options["max_iter"]:
                _, loss, g, _ = at(d, t)
                evaluations += 1
            else:
                move_to(t, d)  # the next step evaluates here
            base = widened(params)
            move = scaled(t, d)
            converged = max_abs(move) <= smallest or abs(loss - loss_before) < smallest
            if evaluations >= max_eval or max_abs(g) <= options["tolerance_grad"] or converged:
                break
        histories = [([pair.s[i] for pair in pairs], [pair.y[i] for pair in pairs]) for i in range(len(params))]
        vectors = zip(params, g_before, move, histories, strict=True)
        return {p: {"t": k, "g": g, "move": move, "s": s, "y": y} for p, g, move, (s, y) in vectors}

    def _direction(
        self, k: int, g: Vector, g_before: Vector, move: Vector, pairs: list[Pair], options: dict[str, Any]
    ) -> tuple[float, Vector]:
        """The first t to try in the k-th iteration, and d; the new pair is appended to `pairs`."""
        if k > 1:
            y = [namespace(a).asarray(a - b) for a, b in zip(g, g_before, strict=True)]
            if (sy := dot(move, y)) > 1e-10:
                pairs.append(Pair(move, y, sy))
            del pairs[: -options["history_size"]]
        t = options["lr"] if k > 1 else min(1.0, 1 / sum(float(abs(v).sum()) for v in g)) * options["lr"]
        return t, two_loop_recursion(g, pairs)

    def _history(self, params: Sequence[Any]) -> tuple[int, Vector, Vector, list[Pair]]:
        """Iterations so far, the gradient before the last move, that move, and the pairs; 0 and [] to begin anew."""
        entries = [self.state.get(p, {}) for p in params]
        counts = {(entry.get("t"), *(len(entry.get(name, ())) for name in self.histories)) for entry in entries}
        if len(counts) > 1 or self.state.keys() != set(params):
            return 0, [], [], []
        g_before, move = ([as_state(p._array, self.state[p][name]) for p in params] for name in ("g", "move"))
        s, y = ([[as_state(p._array, v) for v in self.state[p][k]] for p in params] for k in self.histories)
        pairs = zip(zip(*s, strict=True), zip(*y, strict=True), strict=True)
        return entries[0]["t"], g_before, move, [Pair(list(a), list(b), dot(a, b)) for a, b in pairs]

    def _number(self, loss: Any) -> float:
        """What a closure returned, as a Python float."""
        number = loss.item() if isinstance(loss, Tensor) and loss.numel() == 1 else loss
        if not isinstance(number, Real):
            got = f"a Tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
            expected = f"{self._name}.step: the closure must return the loss, one number"
            raise TypeError(f"{expected}, got {got}; end it with return loss")
        return float(number)

    def _preview(self, p: Any) -> Preview:
        """The first iteration of the next step, if the closure computes the gradients of now: what explain.py asks."""
        options = self._group_options(f"{self._name}, group 0", self.param_groups[0]).checked
        params = self._params_to_move()
        g, index = gradients(params), next(index for index, q in enumerate(params) if q is p)
        k, g_before, move, pairs = self._history(params)
        theta, numbers, about, table = widened([p])[0].reshape(-1), {}, "", {}
        first = "this is the first, from all gradients as they are now."
        notes = [f"One step makes up to {options['max_iter']} iterations; {first}"]
        if max_abs(g) <= options["tolerance_grad"]:
            tolerance = f"tolerance_grad={options['tolerance_grad']:g}"
            notes += [f"No gradient is above {tolerance}, so it would stay where it is."]
        else:
            t, d = self._direction(k + 1, g, g_before, move, pairs, options)
            numbers, table["d"] = {"t": t, "slope": dot(g, d), "pairs": len(pairs)}, d[index].reshape(-1)
            about = "How many times d it goes, what the loss loses along d at first, and how many s, y there are."
            if numbers["slope"] > -options["tolerance_change"]:
                notes += ["Along d it hardly goes downhill any more, so it would stay where it is."]
            else:
                theta = theta + t * table["d"]
                if options["line_search_fn"]:
                    notes += ["The line search begins with this t; where it ends depends on the closure."]
        return k + 1, numbers, about, notes, table | {"theta after": theta.astype(p.dtype)}

    def _mismatches(self, context: str, p: Any, entry: Any) -> list[str]:
        single = {k: v for k, v in entry.items() if k not in self.histories} if isinstance(entry, Mapping) else entry
        problems = mismatches(context, p, single, ("g", "move"), needed=("g", "move"))
        for name in self.histories if isinstance(single, dict) and p is not None else ():
            shapes = [getattr(v, "shape", None) for v in entry.get(name, [None])]
            if any(shape != p.shape for shape in shapes):
                expected = f"a list of {tuple(p.shape)}, as its parameter"
                problems.append(f"{context}: {name} has shapes {shapes}, expected {expected}")
        return problems

    def _with_own_names(self, state: Mapping[Any, Any], params: Mapping[Any, Any]) -> dict[Any, Any]:
        """PyTorch's holds all parameters end to end, as the state of the first; here each has its own."""
        first = next(iter(state.values()), None)
        if not isinstance(first, Mapping) or "n_iter" not in first:
            return dict(state)
        if first.get("prev_flat_grad") is None:
            return {}

        def split(flat: Any) -> list[Any]:
            ends = accumulate(p.numel() for p in params.values())
            return [flat[end - p.numel() : end].reshape(p.shape) for end, p in zip(ends, params.values(), strict=True)]

        t, g, move = int(first["n_iter"]), split(first["prev_flat_grad"]), split(first["d"] * scalar(first["t"]))
        s, y = ([split(flat) for flat in first[name]] for name in ("old_stps", "old_dirs"))
        return {
            index: {"t": t, "g": g[i], "move": move[i], "s": [v[i] for v in s], "y": [v[i] for v in y]}
            for i, index in enumerate(params)
        }


class Pair(NamedTuple):
    """A move s, the change y of the gradient along it, and their product, which measures the curvature."""

    s: Vector
    y: Vector
    sy: float


def two_loop_recursion(g: Vector, pairs: Sequence[Pair]) -> Vector:
    """-H g: Algorithm 7.4, for the H that begins as the last s y / y y times the identity."""
    q, alphas = scaled(-1, g), []
    for s, y, sy in reversed(pairs):
        alphas.append(dot(s, q) / sy)
        add_scaled(q, -alphas[-1], y)
    if pairs:
        s, y, sy = pairs[-1]
        q = scaled(sy / dot(y, y), q)
    for (s, y, sy), alpha in zip(pairs, reversed(alphas), strict=True):
        add_scaled(q, alpha - dot(y, q) / sy, s)
    return q


def widened(params: Sequence[Any]) -> Vector:
    """The parameters, copied, in float32 at least, which the arithmetic is done in."""
    return [p._array.astype(compute_dtype(p._array.dtype)) for p in params]


def write(params: Sequence[Any], vector: Vector) -> None:
    """Put the parameters at `vector`."""
    for p, array in zip(params, vector, strict=True):
        p._array[...] = array
        bump_version(p._array)


def gradients(params: Sequence[Any]) -> Vector:
    """The gradients, copied; zero for a parameter that has none any more."""
    arrays = [namespace(p._array).zeros_like(p._array) if p._grad is None else p._grad._array for p in params]
    return [array.astype(compute_dtype(p._array.dtype)) for array, p in zip(arrays, params, strict=True)]


def dot(a: Sequence[Array], b: Sequence[Array]) -> float:
    """The inner product."""
    return sum(float(namespace(x).matmul(x.reshape(-1), y.reshape(-1))) for x, y in zip(a, b, strict=True))


def scaled(factor: float, a: Vector) -> Vector:
    """factor * a. Arrays stay arrays, also 0-d ones, which NumPy's arithmetic turns into scalars."""
    return [namespace(x).asarray(factor * x) for x in a]


def add_scaled(a: Vector, factor: float, b: Vector) -> None:
    """Add factor * b to a, in place."""
    for x, y in zip(a, b, strict=True):
        x += factor * y


def max_abs(a: Vector) -> float:
    """The largest magnitude among all elements."""
    return max((float(abs(x).max()) for x in a if x.size), default=0.0)

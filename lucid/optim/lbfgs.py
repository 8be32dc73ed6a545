"""LBFGS: steps that know how the slope has changed along the steps before.

The one optimizer here that is not elementwise, so no runner moves it: a step evaluates the loss many times, where it
sees fit, and must be given the function that does it. How far it goes each time is the question of wolfe.py. A vector
is a list of arrays, one for each parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from numbers import Real
from typing import Any, NamedTuple

from lucid.backend import Array, device_of, namespace
from lucid.graph import written
from lucid.optim import saved
from lucid.optim.buckets import check_gradient_and_state, compute_dtype, is_writable, new_state
from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import NON_NEGATIVE, WHOLE, check_hyperparameter
from lucid.optim.wolfe import Point, strong_wolfe
from lucid.recording import enable_grad
from lucid.tensor import Parameter, Tensor

Vector = list[Array]


class LBFGS(Optimizer):
    """L-BFGS (Nocedal and Wright 2006, Numerical Optimization, Algorithms 7.4 and 7.5), with a line search.

    One `step` makes up to `max_iter` iterations of

        s_k = theta_k - theta_{k-1},  y_k = g_k - g_{k-1}               kept for the last `history_size` k
        d_k = -H_k g_k
        theta_{k+1} = theta_k + t_k * d_k

    H stands for the inverse of the matrix of second derivatives. It is never there as a matrix: what it does to
    g is computed from the s and y by two loops over them, and it is the nearest one to (s_k y_k / y_k y_k) times
    the identity that explains all the ys. t_k is `lr`, or, with `line_search_fn="strong_wolfe"`, what a line
    search finds from there. The very first move is lr * min(1, 1 / sum |g|) times -g. A pair with s y of 1e-10
    or less is not kept, for H would not go downhill.

    It is made for smooth losses of all the data, where it needs far fewer steps than any other optimizer here;
    noise, as of batches, misleads it. In what the book leaves open it does as PyTorch's, and takes the same steps.

    Args:
        params: an iterable of Parameters, or of one dict: there can be only one group.
        lr: t, or the t that a line search begins with.
        max_iter: how many iterations a step makes at most.
        max_eval: how many evaluations of the closure it begins no further iteration after; 5/4 of max_iter
            unless given.
        tolerance_grad: stop where no element of the gradient is larger.
        tolerance_change: stop where no element of theta, nor the loss, changes by more.
        history_size: how many pairs s, y are kept, each as large as all parameters.
        line_search_fn: None or "strong_wolfe".

    Attributes:
        param_groups, defaults: as Adamax has them, with these hyperparameters.
        state: parameter -> `{"t": iterations so far, "g": the gradient before the last move, "move": that move,
            "s": list of arrays, "y": list of arrays}`. When other parameters have gradients than before, all
            begin anew.

    Raises:
        TypeError, ValueError: as Adamax does; also for more than one group.

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
    domains = dict.fromkeys(("lr", "tolerance_grad", "tolerance_change"), NON_NEGATIVE) | dict.fromkeys(
        ("max_iter", "max_eval", "history_size"), WHOLE
    )

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, object]],
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if max_eval is None:
            max_eval = int(check_hyperparameter(self._name, "max_iter", max_iter, WHOLE)) * 5 // 4
        counts = {"max_iter": max_iter, "max_eval": max_eval, "history_size": history_size}
        tolerances = {"tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
        super().__init__(params, {"lr": lr, **counts, **tolerances, "line_search_fn": line_search_fn})

    def check(self, where: str, options: dict[str, Any]) -> None:
        """Refuse a line search that there is not."""
        found = options["line_search_fn"]
        if found not in (None, "strong_wolfe"):
            raise ValueError(
                f"{where}: line_search_fn must be None or 'strong_wolfe', got {found!r}; give it one of these"
            )

    def _add(self, groups: list[Any]) -> None:
        count = len(self.param_groups) + len(groups)
        if count > 1:
            raise ValueError(
                f"{self._name}: takes one group, as it moves all parameters together, got {count}; give all in one list"
            )
        super()._add(groups)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Go up to `max_iter` iterations downhill.

        Args:
            closure: forgets the gradients, computes the loss and its gradients, and returns the loss. It is
                called many times, with gradients enabled.

        Returns:
            What the closure returned first: the loss before the step.

        Raises:
            TypeError: without a closure, and for one that does not return a number.
            TypeError, ValueError: as Adamax does. Whatever is raised, by the closure too, the parameters and
                the state are then as they were.

        Warns:
            UserWarning: once, if no parameter has a gradient.
        """
        (options,) = (each.checked for each in self._read_groups())
        if closure is None:
            raise TypeError(
                f"{self._name}.step: needs a closure, as it evaluates the loss many times; write def closure(): with "
                "zero_grad(), loss.backward() and return loss in it, and call step(closure)"
            )
        with enable_grad():
            result = closure()
        loss = self._number(result)
        params = [p for p in self.param_groups[0]["params"] if p._grad is not None]
        if not params:
            self._warn_of_no_gradient()
            return result
        for j, p in enumerate(self.param_groups[0]["params"]):
            if p._grad is not None:
                context = f"{self._name}, group 0: parameter {j}"
                check_gradient_and_state(context, p, self.state.get(p, {}), ("g", "move"))
        for p in params:
            if not is_writable(p._array):  # a broadcast view, or memory that was only lent
                p._array = p._array.copy()
        place = Place(params)
        try:
            state = self._descend(Place(params), closure, loss, options)
        except BaseException:  # Ctrl-C too
            place.back()
            raise
        if state:
            self.state.clear()
            self.state.update(state)
        return result

    def _descend(
        self, place: Place, closure: Callable[[], Any], loss: float, options: dict[str, Any]
    ) -> dict[Any, dict[str, Any]]:
        """Move the parameters, where the loss is `loss` and its gradients are there; gives their new state."""
        smallest, most = options["tolerance_change"], options["max_eval"]
        g, evaluations = gradient(place.params), 1
        if largest(g) <= options["tolerance_grad"]:
            return {}

        def evaluate() -> tuple[float, Vector]:
            with enable_grad():
                loss = self._number(closure())
            return loss, gradient(place.params)

        def along(d: Vector) -> Callable[[float], Point]:
            def at(t: float) -> Point:
                place.go(t, d)
                loss, g = evaluate()
                return Point(t, loss, g, dot(g, d))

            return at

        k, g_before, move, pairs = self._remembered(place.params)
        for iteration in range(1, int(options["max_iter"]) + 1):
            k += 1
            t, d = self._heading(k, g, g_before, move, pairs, options)
            g_before, loss_before, move = g, loss, times(0, d)
            slope = dot(g, d)
            if slope > -smallest:
                break
            if options["line_search_fn"]:
                start, limit = Point(0.0, loss, g, slope), int(most) - evaluations
                (t, loss, g, _), count = strong_wolfe(along(d), start, t, largest(d), smallest, limit)
                evaluations += count
            place.go(t, d)
            if not options["line_search_fn"] and iteration < options["max_iter"]:  # else the next step evaluates here
                loss, g = evaluate()
                evaluations += 1
            place.stay()
            move = times(t, d)
            still = largest(move) <= smallest or abs(loss - loss_before) < smallest
            if evaluations >= most or largest(g) <= options["tolerance_grad"] or still:
                break
        vectors = {"g": g_before, "move": move}
        return {
            p: {
                "t": k,
                **{name: vector[i] for name, vector in vectors.items()},
                **{name: [getattr(pair, name)[i] for pair in pairs] for name in self.histories},
            }
            for i, p in enumerate(place.params)
        }

    def _heading(
        self, k: int, g: Vector, g_before: Vector, move: Vector, pairs: list[Pair], options: dict[str, Any]
    ) -> tuple[float, Vector]:
        """How far the k-th iteration goes at first, and in which direction; its new pair is put into `pairs`."""
        if k > 1:
            pair = Pair.of(move, minus(g, g_before))
            pairs += [pair] if pair.sy > 1e-10 else []
            del pairs[: -int(options["history_size"])]
        t = options["lr"] if k > 1 else min(1.0, 1 / sum(float(abs(v).sum()) for v in g)) * options["lr"]
        return t, downhill(g, pairs)

    def _remembered(self, params: Sequence[Any]) -> tuple[int, Vector, Vector, list[Pair]]:
        """Iterations so far, the gradient before the last move, that move, and the pairs; nothing, to begin anew."""
        entries = [self.state.get(p, {}) for p in params]
        counts = {(entry.get("t"), *(len(entry.get(name, ())) for name in self.histories)) for entry in entries}
        if len(counts) > 1 or self.state.keys() != set(params):
            return 0, [], [], []
        past, move = ([settled(p, self.state[p][name]) for p in params] for name in ("g", "move"))
        s, y = ([[settled(p, v) for v in self.state[p][name]] for p in params] for name in self.histories)
        pairs = zip(zip(*s, strict=True), zip(*y, strict=True), strict=True)
        return entries[0]["t"], past, move, [Pair.of(list(a), list(b)) for a, b in pairs]

    def _number(self, loss: Any) -> float:
        """What a closure returned, as a Python float."""
        number = loss.item() if isinstance(loss, Tensor) and loss.numel() == 1 else loss
        if not isinstance(number, Real):
            found = f"a Tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
            raise TypeError(
                f"{self._name}.step: the closure must return the loss, one number, got {found}; end it with return loss"
            )
        return float(number)

    def _misfits(self, where: str, p: Any, entry: Any) -> list[str]:
        single = {k: v for k, v in entry.items() if k not in self.histories} if isinstance(entry, Mapping) else entry
        found = saved.misfits(where, p, single, arrays=("g", "move"), needed=("g", "move"))
        for name in self.histories if isinstance(single, dict) and p is not None else ():
            shapes = [getattr(v, "shape", None) for v in entry.get(name, [None])]
            if any(shape != p.shape for shape in shapes):
                expected = f"a list of {tuple(p.shape)}, as its parameter"
                found.append(f"{where}: {name} has shapes {shapes}, expected {expected}")
        return found

    def _translated(self, state: Mapping[Any, Any], places: Mapping[Any, Any]) -> dict[Any, Any]:
        """PyTorch's holds all parameters end to end, as the state of the first; here each has its own."""
        first = next(iter(state.values()), None)
        if not isinstance(first, Mapping) or "n_iter" not in first:
            return dict(state)
        if first.get("prev_flat_grad") is None:
            return {}

        def parts(flat: Any) -> list[Any]:
            ends = accumulate(p.numel() for p in places.values())
            return [flat[end - p.numel() : end].reshape(p.shape) for end, p in zip(ends, places.values(), strict=True)]

        g, move = parts(first["prev_flat_grad"]), parts(first["d"] * saved.scalar(first["t"]))
        s, y = ([parts(flat) for flat in first[name]] for name in ("old_stps", "old_dirs"))
        t = int(first["n_iter"])
        return {
            index: {"t": t, "g": g[i], "move": move[i], "s": [v[i] for v in s], "y": [v[i] for v in y]}
            for i, index in enumerate(places)
        }


class Pair(NamedTuple):
    """A move, how the gradient changed along it, and the product of the two, which says how the ground curves."""

    s: Vector
    y: Vector
    sy: float

    @classmethod
    def of(cls, s: Vector, y: Vector) -> Pair:
        """The pair of `s` and `y`."""
        return cls(s, y, dot(s, y))


def downhill(g: Vector, pairs: Sequence[Pair]) -> Vector:
    """-H g: Algorithm 7.4, for the H that begins as the last s y / y y times the identity."""
    q, shares = times(-1, g), []
    for s, y, sy in reversed(pairs):
        shares.append(dot(s, q) / sy)
        add(q, -shares[-1], y)
    if pairs:
        s, y, sy = pairs[-1]
        scale = sy / dot(y, y)
        q = times(scale, q)
    for (s, y, sy), share in zip(pairs, reversed(shares), strict=True):
        add(q, share - dot(y, q) / sy, s)
    return q


class Place:
    """Where the parameters are: they can go along a direction from there, and back.

    The arithmetic is done in float32 at least; what is added up in `stay` has been rounded to the parameters' dtype.
    """

    def __init__(self, params: Sequence[Any]) -> None:
        self.params = params
        self.stay()

    def stay(self) -> None:
        """Make the point where they are now the one to go from."""
        self.arrays = [p._array.astype(compute_dtype(p._array.dtype)) for p in self.params]

    def go(self, t: float, d: Vector) -> None:
        """Go to that point, and t * d further."""
        self._put([array + t * v for array, v in zip(self.arrays, d, strict=True)])

    def back(self) -> None:
        """Go to that point."""
        self._put(self.arrays)

    def _put(self, vector: Vector) -> None:
        for p, array in zip(self.params, vector, strict=True):
            p._array[...] = array
            written(p._array)


def gradient(params: Sequence[Any]) -> Vector:
    """The gradients, copied; zero for what has none any more."""
    arrays = [p._array if p._grad is None else p._grad._array for p in params]
    wide = [array.astype(compute_dtype(p._array.dtype)) for array, p in zip(arrays, params, strict=True)]
    return [times(0, [array])[0] if p._grad is None else array for array, p in zip(wide, params, strict=True)]


def settled(p: Any, array: Array) -> Array:
    """`array` in the dtype and on the device that the state of `p` has by now."""
    theta = p._array
    fitting = (compute_dtype(theta.dtype), device_of(theta))
    fits = type(array) is type(theta) and (array.dtype, device_of(array)) == fitting
    return array if fits else new_state(theta, array)


def dot(a: Vector, b: Vector) -> float:
    """The sum of all products."""
    return sum(float(namespace(x).matmul(x.reshape(-1), y.reshape(-1))) for x, y in zip(a, b, strict=True))


def minus(a: Vector, b: Vector) -> Vector:
    """a - b."""
    return [namespace(x).asarray(x - y) for x, y in zip(a, b, strict=True)]


def times(factor: float, a: Vector) -> Vector:
    """factor * a. Arrays stay arrays, also 0-d ones, of which NumPy's arithmetic makes numbers."""
    return [namespace(x).asarray(factor * x) for x in a]


def add(a: Vector, factor: float, b: Vector) -> None:
    """Add factor * b to a, in place."""
    for x, y in zip(a, b, strict=True):
        x += factor * y


def largest(a: Vector) -> float:
    """The largest magnitude among all elements."""
    return max((float(abs(x).max()) for x in a if x.size), default=0.0)

"""How likely is a value, and how is one drawn? The families of probability distributions.

Parameters are Tensors or numbers that broadcast to the `batch_shape`; a value has that shape, and behind it the
`event_shape`, which is () but for `Multinomial` and what `Independent` makes. `rsample` draws so that gradients reach
the parameters (Kingma and Welling 2013, arXiv 1312.6114); `log_prob` is differentiable in value and parameters.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from lucid.autograd.grad_mode import no_grad
from lucid.core.array import cpu
from lucid.core.node import Tensor
from lucid.core.shapes import sizes
from lucid.ops.activations import softplus
from lucid.ops.checks import check_count
from lucid.ops.create import arange, from_host, tensor
from lucid.ops.elementwise import clamp, sigmoid, where
from lucid.ops.losses import binary_cross_entropy_with_logits as bce_with_logits
from lucid.ops.random import generator, multinomial, rand, randn
from lucid.ops.reductions import log_softmax, softmax
from lucid.ops.shapes import cat, joint_shape

Shape = tuple[int, ...]
Domain = tuple[Callable[[Any], Any], str]  # what must hold, in code and in words
NUMBER: Domain = (lambda x: x == x, "a number, not NaN")
POSITIVE: Domain = (lambda x: x > 0, "above 0")
NOT_NEGATIVE: Domain = (lambda x: x >= 0, "0 or more")
UNIT: Domain = (lambda x: (x >= 0) & (x <= 1), "from 0 to 1")
BINARY: Domain = (lambda x: (x == 0) | (x == 1), "0 or 1")


class Distribution:
    """Base of all: a subclass says which parameters it has, how it draws, and how likely values are; where there is a
    formula also `mean`, `variance`, `mode` and `entropy()`. A ValueError for parameters out of their domain and values
    that cannot be drawn, on the CPU, and unless `validate_args=False`."""

    domains: ClassVar[Mapping[str, Domain]] = {}  # the parameters, in order
    support: ClassVar[Domain] = NUMBER
    has_rsample: bool = False
    batch_shape: Shape
    event_shape: Shape = ()
    if TYPE_CHECKING:  # parameters and moments, `_draw` of a shape, `_log_prob`

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, *values: Any, validate_args: bool | None = None, **named: Any) -> None:
        self.validates, given = validate_args is not False, dict(zip(self.domains, values, strict=False)) | named
        if given.keys() != self.domains.keys() or len(values) + len(named) != len(given):
            got = f"got {len(values)} values and {list(named)}"
            raise TypeError(f"{type(self).__name__}: expected {' and '.join(self.domains)}, {got}")
        self._set(given)

    def _set(self, given: dict[str, Any], event_dims: int = 0) -> None:
        """Make attributes of the parameters, broadcast together."""
        like = next((p for p in given.values() if isinstance(p, Tensor)), None)
        made = {n: p if isinstance(p, Tensor) else tensor(float(p)) if like is None else like.new_tensor(float(p))
                for n, p in given.items()}  # fmt: skip
        shape = joint_shape(type(self).__name__, *[p.shape for p in made.values()])
        self.names, self.batch_shape = tuple(made), shape[: len(shape) - event_dims]
        for name, value in made.items():
            self._check(name, value, self.domains[name])
            setattr(self, name, value if value.shape == shape else value.expand(shape))

    def _check(self, name: str, value: Tensor, domain: Domain) -> None:
        """Refuse what is not in a domain; values on a GPU are not looked at."""
        if self.validates and value.device == "cpu" and not domain[0](value.detach().numpy()).all():
            raise ValueError(f"{type(self).__name__}: {name} must be {domain[1]}, got {value.detach()}")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """A value, or a `sample_shape` of them, without a history: (*sample_shape, *batch_shape, *event_shape)."""
        with no_grad():
            return self._draw((*sizes("sample", (sample_shape,)), *self.batch_shape, *self.event_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """As `sample`, with gradients to the parameters; a NotImplementedError unless it `has_rsample`."""
        if not self.has_rsample:
            no = "no gradient goes through a draw; use sample() and log_prob()"
            raise NotImplementedError(f"{type(self).__name__}: {no}")
        return self._draw((*sizes("rsample", (sample_shape,)), *self.batch_shape, *self.event_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability, or density, of a value: of the batch's shape."""
        self._check("value", value, self.support)
        return self._log_prob(value)

    stddev: Any = property(lambda self: self.variance.sqrt())

    def __repr__(self) -> str:
        shown = [f"{n}: {p.shape if p.ndim else p.item()}" for n, p in ((n, getattr(self, n)) for n in self.names)]
        return f"{type(self).__name__}({', '.join(shown)})"


class Normal(Distribution):
    """The normal distribution of mean `loc` and standard deviation `scale`.

    >>> from lucid.distributions import Normal
    >>> Normal(0.0, 1.0).log_prob(tensor(0.0))
    tensor(-0.9189)
    """

    has_rsample, domains = True, {"loc": NUMBER, "scale": POSITIVE}
    mean = mode = property(lambda self: self.loc)
    stddev = property(lambda self: self.scale)
    variance = property(lambda self: self.scale.square())
    entropy = lambda self: self.scale.log() + 0.5 * math.log(2 * math.pi * math.e)
    _draw = lambda self, shape: self.loc + self.scale * randn(shape, dtype=self.loc.dtype, device=self.loc.device)
    _log_prob = lambda self, value: 0.5 - self.entropy() - 0.5 * ((value - self.loc) / self.scale).square()


class Uniform(Distribution):
    """All numbers from `low` up to, but without, `high`, alike; the log_prob of `high` is -inf."""

    has_rsample, domains = True, {"low": NUMBER, "high": NUMBER}
    mean = property(lambda self: (self.low + self.high) / 2)
    variance = property(lambda self: self.width.square() / 12)
    width = property(lambda self: self.high - self.low)
    entropy = lambda self: self.width.log()
    _draw = lambda self, shape: self.low + self.width * rand(shape, dtype=self.low.dtype, device=self.low.device)

    def _set(self, given: dict[str, Any], event_dims: int = 0) -> None:
        super()._set(given, event_dims)
        self._check("high - low", self.width, POSITIVE)

    def _log_prob(self, value: Tensor) -> Tensor:
        self._check("value, where 0 stands for low and 1 for high,", (value - self.low) / self.width, UNIT)
        return where((self.low <= value) & (value < self.high), -self.width.log(), -math.inf)


class Exponential(Distribution):
    """How long to wait for what happens `rate` times in a unit of time: of density rate * exp(-rate * x)."""

    has_rsample, domains, support = True, {"rate": POSITIVE}, NOT_NEGATIVE
    mean = stddev = property(lambda self: 1 / self.rate)
    mode = property(lambda self: self.rate * 0)
    variance = property(lambda self: self.rate**-2)
    entropy = lambda self: 1 - self.rate.log()
    _log_prob = lambda self, value: self.rate.log() - self.rate * value

    def _draw(self, shape: Shape) -> Tensor:
        drawn = cpu.asarray(generator().standard_exponential(shape))
        return from_host(drawn, self.rate.dtype, self.rate.device, False) / self.rate


class Choice(Distribution):
    """What `Bernoulli` and `Categorical` have in common: they are given either probabilities or logits."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError(f"{type(self).__name__}: expected probs or logits, and not both; got two, or none")
        self.validates = validate_args is not False
        self._set({"probs": probs} if logits is None else {"logits": logits})

    binary = False
    probs = cached_property(lambda self: sigmoid(self.logits) if self.binary else softmax(self.logits, -1))
    mean: Any = property(lambda self: self.probs)
    variance: Any = property(lambda self: self.probs * (1 - self.probs))

    @cached_property
    def logits(self) -> Tensor:
        """log(p / (1 - p)), or log(p) of more than two; p is kept off 0 and 1 by the dtype's precision."""
        p, eps = self.probs, float(cpu.finfo(self.probs.dtype).eps)
        p = clamp(p, eps, 1 - eps)
        return p.log() - (-p).log1p() if self.binary else p.log()


class Bernoulli(Choice):
    """1 with probability `probs`, the sigmoid of `logits`, and else 0."""

    binary, domains, support = True, {"probs": UNIT, "logits": NUMBER}, BINARY
    mode = property(lambda self: where(self.probs == 0.5, math.nan, (self.probs > 0.5).to(self.probs.dtype)))
    entropy = lambda self: bce_with_logits(self.logits, self.probs, reduction="none")

    def _draw(self, shape: Shape) -> Tensor:
        return (rand(shape, dtype=self.probs.dtype, device=self.probs.device) < self.probs).to(self.probs.dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        shape = joint_shape("Bernoulli", self.logits.shape, value.shape)
        logits = self.logits.expand(shape)
        return -bce_with_logits(logits, value.to(logits.dtype).expand(shape), reduction="none")


class Categorical(Choice):
    """One of the numbers 0 to n - 1, by `probs` (..., n), which need not add up to 1, or their `logits` (..., n)."""

    domains, support = {"probs": NOT_NEGATIVE, "logits": NUMBER}, NOT_NEGATIVE
    mode = property(lambda self: self.probs.argmax(-1))
    mean = variance = property(lambda self: self.probs[..., 0] * math.nan)
    entropy = lambda self: -(self.probs * clamp(self.logits, min=float(cpu.finfo(self.logits.dtype).min))).sum(-1)

    def _set(self, given: dict[str, Any], event_dims: int = 1) -> None:
        ((name, p),) = given.items()
        if not isinstance(p, Tensor) or not p.ndim:
            raise ValueError(f"{type(self).__name__}: {name} must be a Tensor (..., categories), got {p}")
        super()._set(given, event_dims)
        setattr(self, name, log_softmax(p, -1) if name == "logits" else p / p.sum(-1, keepdim=True))

    def _draw(self, shape: Shape) -> Tensor:
        if not math.prod(shape):
            return self.probs.new_zeros(shape).long()
        rows = self.probs.reshape(-1, self.probs.shape[-1])
        return multinomial(rows, math.prod(shape) // len(rows), True).t().reshape(shape)

    def _log_prob(self, value: Tensor) -> Tensor:
        shape = joint_shape("Categorical", value.shape, self.batch_shape)
        logits = self.logits.expand(*shape, self.logits.shape[-1])
        return logits.gather(-1, value.long().expand(shape).unsqueeze(-1)).squeeze(-1)


class Multinomial(Distribution):
    """How often each of n categories comes up in `total_count` draws: (..., n). The rest is as in `Categorical`."""

    support = NOT_NEGATIVE

    def __init__(self, total_count: int = 1, *probs: Any, **options: Any) -> None:
        self.total_count = check_count("Multinomial", "total_count", total_count)
        self._each, self.names = Categorical(*probs, **options), ()
        self.validates = self._each.validates
        self.batch_shape, self.event_shape = self._each.batch_shape, self.probs.shape[-1:]

    probs, logits = property(lambda self: self._each.probs), property(lambda self: self._each.logits)
    mean = property(lambda self: self.total_count * self.probs)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def _draw(self, shape: Shape) -> Tensor:
        drawn = self._each._draw((self.total_count, *shape[:-1])).unsqueeze(-1)
        return (drawn == arange(shape[-1], device=drawn.device)).sum(0).to(self.probs.dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        missing = self.total_count - value.sum(-1)
        self._check(f"total_count={self.total_count}, less the sum of value,", missing, (lambda x: x == 0, "0"))
        steps = arange(1, self.total_count + 1, dtype=self.probs.dtype, device=self.probs.device).log().cumsum(0)
        factorials = cat([steps.new_zeros(1), steps])  # log(0!), log(1!), ...
        logits = where((value == 0) & (self.logits == -math.inf), 0.0, self.logits)
        return factorials[-1] - factorials[value.long()].sum(-1) + (value * logits).sum(-1)


class Independent(Distribution):
    """Another distribution, the last `reinterpreted_batch_ndims` dims of whose batch count as dims of the event, over
    which log_prob and entropy are added up."""

    validates = False  # the base checks

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        self.base_dist, batch = base_distribution, base_distribution.batch_shape
        check_count("Independent", "reinterpreted_batch_ndims", reinterpreted_batch_ndims)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        if (split := len(batch) - reinterpreted_batch_ndims) < 0:
            raise ValueError(f"Independent: reinterpreted_batch_ndims must be at most {len(batch)}")
        self.batch_shape, self.event_shape = batch[:split], batch[split:] + base_distribution.event_shape

    has_rsample: Any = property(lambda self: self.base_dist.has_rsample)
    mean, mode = property(lambda self: self.base_dist.mean), property(lambda self: self.base_dist.mode)
    variance = property(lambda self: self.base_dist.variance)
    entropy = lambda self: self._sum(self.base_dist.entropy())
    _draw = lambda self, shape: self.base_dist._draw(shape)
    _log_prob = lambda self, value: self._sum(self.base_dist.log_prob(value))
    __repr__: Any = lambda self: f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"
    _sum = lambda self, x: x.sum(tuple(range(-n, 0))) if (n := self.reinterpreted_batch_ndims) else x


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence of p from q, the mean under p of log(p(x) / q(x)), for two of one kind; a
    NotImplementedError for others."""
    for kind, formula in KL.items():
        if isinstance(p, kind) and isinstance(q, kind):
            return formula(p, q)
    raise NotImplementedError(f"kl_divergence: there is no formula for {type(p).__name__} and {type(q).__name__}")


def _kl_independent(p: Any, q: Any) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: two Independent must have as many reinterpreted_batch_ndims")
    return p._sum(kl_divergence(p.base_dist, q.base_dist))


# p * log(p / q): 0 where p is 0, and elsewhere infinite where q is 0
_term = lambda x, p, q: where(p == 0, 0.0, where(q == 0, math.inf, x))
KL: dict[type[Distribution], Callable[[Any, Any], Tensor]] = {
    Independent: _kl_independent,
    Normal: lambda p, q: 0.5 * (
        (r := (p.scale / q.scale).square()) - r.log() - 1 + ((p.loc - q.loc) / q.scale).square()
    ),
    Exponential: lambda p, q: (r := q.rate / p.rate) - r.log() - 1,
    Uniform: lambda p, q: where((q.low > p.low) | (q.high < p.high), math.inf, (q.width / p.width).log()),
    Bernoulli: lambda p, q: (
        _term(p.probs * (softplus(-q.logits) - softplus(-p.logits)), p.probs, q.probs)
        + _term((1 - p.probs) * (softplus(q.logits) - softplus(p.logits)), 1 - p.probs, 1 - q.probs)
    ),
    Categorical: lambda p, q: _term(p.probs * (p.logits - q.logits), p.probs, q.probs).sum(-1),
}  # fmt: skip

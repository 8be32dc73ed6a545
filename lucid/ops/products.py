"""Products of tensors: einsum, which is sums of products over named dims, and tensordot, the same without names; dot,
mm, bmm and outer, which are `matmul` for a given number of dims; and the linear layer's product.

A product of several tensors is taken two at a time, and each of these is one matrix product: of the labels that both
have, those that are needed later are the batch and the others are summed; those that only one has are its rows or its
columns. So BLAS does the work, and as everything is made of operations, there are derivatives of every order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_letters
from typing import Any

from lucid.core.array import is_array
from lucid.core.elementwise import multiply, positive
from lucid.core.matmul import matmul
from lucid.core.node import Tensor, method
from lucid.core.op import on_tensors, op
from lucid.core.promotion import as_int, ndim_of, result_type
from lucid.core.reductions import sum
from lucid.core.shapes import _broadcast_to, _reshape, axis_of, sizes
from lucid.ops.reductions import norm
from lucid.ops.shapes import _diagonal, _roll, _transpose, joint_shape

Shape = tuple[int, ...]
Labels = tuple[str | int, ...]  # of the dims of a tensor: letters, and ints for those that "..." stands for
Term = tuple[int, Labels]  # the number of a value (first the operands, then each step's result), and its labels

__all__ = [
    "addmm", "baddbmm", "bmm", "cdist", "cross", "dot", "einsum", "kron", "mm", "mv", "outer", "tensordot",
]  # fmt: skip


def einsum(equation: str | Tensor, *operands: Any) -> Tensor:
    """The sum of products that `equation` spells, in the notation of Einstein: "ij,jk->ik" is the matrix product.

    Each operand's dims are named by letters. What is named twice is multiplied element by element, and what the output
    (after "->") does not name is summed over; a letter twice in one operand takes its diagonal. Without "->" the
    output has the letters that occur once, in alphabetical order. "..." stands for any number of dims, which broadcast;
    they come first in an output that is not spelled out. A dim of length 1 goes with any length.

    The operands are passed one by one, or as one list; or each followed by a list of numbers from 0 to 51 (and ...) in
    the place of letters, and at the end that of the output. Raises ValueError for an equation that is not one, or that
    the operands do not fit.

    >>> import lucid
    >>> a, b = lucid.ones(2, 3), lucid.ones(3, 4)
    >>> lucid.einsum("ij,jk->ik", a, b).shape, lucid.einsum("ij->", a), lucid.einsum("...i,...i->...", a, a)
    ((2, 4), tensor(6.), tensor([3., 3.]))
    """
    if isinstance(equation, Tensor) and operands and isinstance(operands[0], (list, tuple)):
        given = (equation, *operands)
        terms = ["".join(map(_letter, labels)) for labels in given[1::2]]
        output = f"->{''.join(map(_letter, given[-1]))}" if len(given) % 2 else ""
        equation, operands = ",".join(terms) + output, given[: 2 * len(terms) : 2]
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    operands = tuple([Tensor(x) if is_array(x) else x for x in operands])
    return _contract(operands, *_parse(equation, tuple([x._array.shape for x in operands])))


def _letter(label: Any) -> str:
    if label is ...:
        return "..."
    if not 0 <= (number := as_int("einsum", "a letter", label)) < 52:
        raise ValueError(f"einsum: expected numbers from 0 to 51, or ..., in the place of letters, got {number}")
    return ascii_letters[(number + 26) % 52]  # capitals come first, as they do in an alphabetical output


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of the products of a and b over `dims`: the last so many of a with the first of b, or two lists that
    say which of a goes with which of b. The result has the other dims of a, then those of b. Raises ValueError if
    there are not so many dims, or two that go together differ in length.

    >>> import lucid
    >>> lucid.tensordot(lucid.ones(2, 3, 4), lucid.ones(4, 3, 5), dims=([1, 2], [1, 0])).shape
    (2, 5)
    """
    least = min(ndim_of("tensordot", a), ndim_of("tensordot", b))
    if hasattr(dims, "__index__") and not getattr(dims, "ndim", 0):
        if not 0 <= (dims := as_int("tensordot", "dims", dims)) <= least:
            has = f"is more than one of the shapes {a.shape} and {b.shape} has, or less than 0"
            raise ValueError(f"tensordot: dims {dims} {has}")
        dims = range(a.ndim - dims, a.ndim), range(dims)
    both = zip((a, b), _two_lists(dims), strict=True)
    of_a, of_b = ([axis_of("tensordot", d, x.ndim) for d in ds] for x, ds in both)
    pairs = list(zip(of_a, of_b, strict=False))
    if len(of_a) != len(of_b) or len(set(of_a)) != len(of_a) or len(set(of_b)) != len(of_b):
        raise ValueError(f"tensordot: expected as many different dims of a as of b, got {of_a} and {of_b}")
    if any(a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]) for i, j in pairs):
        raise ValueError(f"tensordot: dims {of_a} of shape {a.shape} and {of_b} of shape {b.shape} differ in length")
    labels_a, labels_b = list(range(a.ndim)), list(range(a.ndim, a.ndim + b.ndim))
    for i, j in pairs:
        labels_b[j] = i
    output = [i for i in labels_a if i not in of_a] + [i for i in labels_b if i >= a.ndim]
    return _contract((a, b), (tuple(labels_a), tuple(labels_b)), tuple(output))


def _two_lists(dims: Any) -> tuple[Sequence[int], Sequence[int]]:
    try:
        of_a, of_b = (sizes("tensordot", (ds,)) for ds in dims)
    except (TypeError, ValueError):
        raise TypeError(f"tensordot: expected dims to be an int or two lists of ints, got {dims!r}") from None
    return of_a, of_b


@lru_cache(maxsize=256)
def _parse(equation: str, operands: tuple[Shape, ...]) -> tuple[tuple[Labels, ...], Labels]:
    """The labels of each operand's dims, and those of the output, for operands of these shapes."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        about = f"{len(terms)} operand{'s' * (len(terms) != 1)}"
        raise ValueError(f"einsum: {equation!r} is about {about}, but got {len(operands)}")
    for term in [*terms, output]:
        if odd := [c for c in term.replace("...", "", 1) if not (c.isascii() and c.isalpha())]:
            expected = "expected letters, one '...' for each tensor, ',' and '->'"
            raise ValueError(f"einsum: {odd[0]!r} in {equation!r}; {expected}")
    labels: list[Labels] = []
    sizes: dict[str | int, int] = {}
    for i, (term, shape) in enumerate(zip(terms, operands, strict=True)):
        before, dots, after = term.partition("...")
        hidden = len(shape) - len(before) - len(after)
        if hidden < 0 or (hidden and not dots):
            dims = f"{len(before + after)} dim{'s' * (len(before + after) != 1)}"
            raise ValueError(f"einsum: {term!r} names {dims}, but operand {i} has shape {shape}")
        labels.append((*before, *range(hidden, 0, -1), *after))  # counted from the last, as broadcasting does
        own: dict[str | int, int] = {}
        for label, n in zip(labels[-1], shape, strict=True):
            known = sizes.get(label, 1) if own.setdefault(label, n) == n else own[label]
            if n != known and (1 not in (n, known) or n != own[label]):
                what = f"a dim of '...', the last but {label - 1} of them," if isinstance(label, int) else repr(label)
                raise ValueError(f"einsum: {what} is {known} long, but {n} in operand {i} of shape {shape}")
            sizes[label] = n if known == 1 else known
    all_hidden = range(max((n for n in sizes if isinstance(n, int)), default=0), 0, -1)
    if not arrow:
        letters = "".join(terms).replace(".", "")
        return tuple(labels), (*all_hidden, *sorted(c for c in letters if letters.count(c) == 1))
    before, dots, after = output.partition("...")
    named = (*before, *(all_hidden if dots else ()), *after)
    for c in before + after:
        if c not in sizes or named.count(c) > 1:
            why = " more than once" if c in sizes else ", but no operand does"
            raise ValueError(f"einsum: the output of {equation!r} has {c!r}{why}")
    return tuple(labels), named


def _contract(operands: Sequence[Any], labels: tuple[Labels, ...], output: Labels) -> Tensor:
    """The sum of the products of `operands` over every label that is not in `output`."""
    values = list(operands)
    for operation, inputs, options in _plan(tuple([x._array.shape for x in operands]), labels, output).steps:
        values.append(operation(*[values[i] for i in inputs], **options))
    keep = len(operands) == 1 or values[-1]._array.dtype.kind == "f"  # a product has its operands' dtype, a sum int64
    return values[-1] if keep else values[-1].to(result_type([x._array for x in operands]))


def _needed(output: Labels, terms: list[Term], but: Term | None = None) -> set[str | int]:
    """The labels that the output has, or one of the terms other than `but`."""
    return {*output}.union(*(term[1] for term in terms if term is not but))


class _Plan:
    """A list of operations, each on operands or on results of those before it, by their numbers: `steps`, of
    (operation, the numbers of its inputs, its options). `sizes` has the length of each label's dims."""

    def __init__(self, operands: tuple[Shape, ...], labels: tuple[Labels, ...], output: Labels) -> None:
        self.steps: list[tuple[Any, tuple[int, ...], dict[str, Any]]] = []
        self.count, self.sizes = len(operands), {}  # type: ignore[var-annotated]
        for shape, names in zip(operands, labels, strict=True):
            self.sizes |= {label: n for label, n in zip(names, shape, strict=True) if n != 1 or label not in self.sizes}
        terms = [self.without_repeats(i, operands[i], names) for i, names in enumerate(labels)]
        terms = [self.sum_out(term, _needed(output, terms, term)) for term in terms]
        while len(terms) > 1:
            x, y = self.cheapest_pair(terms)
            terms = [term for term in terms if term is not x and term is not y]
            terms.append(self.product(x, y, _needed(output, terms)))
        self.arrange(terms[0], output, None)
        if not self.steps:
            self.add(positive, 0)  # the result is never the operand itself

    def add(self, operation: Any, *inputs: int, **options: Any) -> int:
        """Add a step; the number of its result."""
        self.steps.append((operation, inputs, options))
        self.count += 1
        return self.count - 1

    def shape(self, names: Labels) -> Shape:
        """The shape of a term with these labels."""
        return tuple([self.sizes[label] for label in names])

    def without_repeats(self, x: int, shape: Shape, names: Labels) -> Term:
        """An operand without labels that stand twice, and without dims of length 1 that stand for greater ones."""
        while len(set(names)) < len(names):
            label = next(label for label in names if names.count(label) > 1)
            first = names.index(label)
            second = names.index(label, first + 1)
            x = self.add(_diagonal, x, axis1=first, axis2=second)
            rest = [i for i in range(len(names)) if i not in (first, second)]
            shape = (*(shape[i] for i in rest), shape[first])
            names = (*(names[i] for i in rest), label)
        names, full = tuple([label for label, n in zip(names, shape, strict=True) if n == self.sizes[label]]), names
        if len(names) < len(full):
            x = self.add(_reshape, x, shape=self.shape(names))
        return x, names

    def sum_out(self, term: Term, needed: set[str | int]) -> Term:
        """The term summed over the labels that are not needed."""
        x, names = term
        gone = tuple([i for i, label in enumerate(names) if label not in needed])
        x = self.add(sum, x, dim=gone) if gone else x
        return x, tuple([label for label in names if label in needed])

    def cheapest_pair(self, terms: list[Term]) -> tuple[Term, Term]:
        """The two terms whose product takes the fewest multiplications; the first of equals."""
        pairs = [(x, y) for i, y in enumerate(terms) for x in terms[:i]]
        return min(pairs, key=lambda pair: math.prod(self.shape(tuple({*pair[0][1], *pair[1][1]}))))

    def product(self, x: Term, y: Term, needed: set[str | int]) -> Term:
        """The product of two terms, summed over the labels that both have and that are not needed."""
        both = [label for label in x[1] if label in y[1]]
        batch = tuple([label for label in both if label in needed])
        inner = tuple([label for label in both if label not in needed])
        rows = tuple([label for label in x[1] if label not in both])
        columns = tuple([label for label in y[1] if label not in both])
        names = (*batch, *rows, *columns)
        b, r, i, c = (self.shape(group) for group in (batch, rows, inner, columns))
        if inner and (rows or columns or not batch):
            n, k, m = math.prod(r), math.prod(i), math.prod(c)
            left = self.arrange(x, (*batch, *rows, *inner), (*b, n, k))
            right = self.arrange(y, (*batch, *inner, *columns), (*b, k, m))
            out = self.add(matmul, left, right)  # (*b, n, m)
            return (out if (n, m) == (*r, *c) else self.add(_reshape, out, shape=(*b, *r, *c))), names
        # Element by element. That is for batches of dot products as well: BLAS would be called for each of them.
        left = self.arrange(x, (*batch, *rows, *inner), (*b, *r, *(1,) * len(c), *i))
        right = self.arrange(y, (*batch, *columns, *inner), (*b, *(1,) * len(r), *c, *i))
        out = self.add(multiply, left, right)  # (*b, *r, *c, *i)
        return (self.add(sum, out, dim=tuple(range(-len(inner), 0))) if inner else out), names

    def arrange(self, term: Term, order: Labels, shape: Shape | None) -> int:
        """The number of a term with its labels in another order, and then in another shape."""
        x, names = term
        if names != order:
            x = self.add(_transpose, x, axes=tuple([names.index(label) for label in order]))
        return x if shape is None or shape == self.shape(order) else self.add(_reshape, x, shape=shape)


_plan = lru_cache(maxsize=256)(_Plan)  # making a plan takes longer than a small product


@method()
def dot(x: Tensor, other: Tensor) -> Tensor:
    """sum(x * other), for two 1-D tensors of one length. Raises ValueError for other shapes."""
    if ndim_of("dot", x) != 1 or ndim_of("dot", other) != 1 or x.shape != other.shape:
        raise ValueError(f"dot: expected two 1-D tensors of one length, got shapes {x.shape} and {other.shape}")
    return matmul(x, other)


@method()
def mm(x: Tensor, other: Tensor) -> Tensor:
    """The product of two matrices, out[i, j] = sum over l of x[i, l] * other[l, j]: (n, k) and (k, m) give (n, m).
    Raises ValueError if one is not 2-D."""
    return _product("mm", 2, x, other)


@method()
def bmm(x: Tensor, other: Tensor) -> Tensor:
    """The products of the matrices in two batches, pair by pair: (b, n, k) and (b, k, m) give (b, n, m). Raises
    ValueError if one is not 3-D, or the batches differ in length."""
    return _product("bmm", 3, x, other)


def _product(name: str, ndim: int, x: Tensor, other: Tensor) -> Tensor:
    ndims = ndim_of(name, x), ndim_of(name, other)
    if ndims != (ndim, ndim) or x.shape[: ndim - 2] != other.shape[: ndim - 2]:
        got = f"got shapes {x.shape} and {other.shape}; matmul broadcasts"
        raise ValueError(f"{name}: expected two {ndim}-D tensors, {got}")
    return matmul(x, other)


@method()
def mv(x: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector: (n, k) and (k,) give (n,). Raises ValueError for other shapes."""
    if ndim_of("mv", x) != 2 or ndim_of("mv", vec) != 1 or x.shape[1:] != vec.shape:
        raise ValueError(f"mv: expected shapes (n, k) and (k,), got {x.shape} and {vec.shape}")
    return matmul(x, vec)


@method()
def addmm(x: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * x + alpha * mm(mat1, mat2), to which x broadcasts; with beta=0 what is in x does not count, NaN either."""
    return _added("addmm", 2, x, mat1, mat2, beta, alpha)


@method()
def baddbmm(x: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * x + alpha * bmm(batch1, batch2); see `addmm`."""
    return _added("baddbmm", 3, x, batch1, batch2, beta, alpha)


def _added(name: str, ndim: int, x: Tensor, a: Tensor, b: Tensor, beta: float, alpha: float) -> Tensor:
    product = _product(name, ndim, a, b)
    product = product if alpha == 1 else multiply(product, alpha)
    return product if beta == 0 else product + (x if beta == 1 else multiply(x, beta))


@method()
def kron(x: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: each element of x times all of `other`, as blocks; (n, m) and (k, l) give (n k, m l)."""
    ndim = max(ndim_of("kron", x), ndim_of("kron", other))
    a, b = ((1,) * (ndim - t.ndim) + tuple(t.shape) for t in (x, other))
    blocks = x.reshape([k for n in a for k in (n, 1)]) * other.reshape([k for n in b for k in (1, n)])
    return blocks.reshape([n * k for n, k in zip(a, b, strict=True)])


@method()
def cross(x: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross products of vectors of 3 elements along `dim` (without one, the first dim that is 3 long); x and
    `other` broadcast. Raises ValueError if there is no such dim."""
    shape = joint_shape("cross", x.shape, other.shape) if ndim_of("cross", x) + ndim_of("cross", other) else ()
    axis = axis_of("cross", dim, len(shape)) if dim is not None else shape.index(3) if 3 in shape else None
    if axis is None or shape[axis] != 3:
        raise ValueError(f"cross: expected 3 elements along dim {dim}, got shapes {x.shape} and {other.shape}")
    x, other = (_broadcast_to(t, shape=shape) for t in (x, other))
    (x1, x2), (y1, y2) = ([_roll(t, shift=-k, axis=axis) for k in (1, 2)] for t in (x, other))
    return x1 * y2 - x2 * y1


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The distances between the rows of x1 and those of x2, the `norm` of order `p` of their differences: (..., n, k)
    and (..., m, k) give (..., n, m). Whatever the `compute_mode`, it is the differences that are taken: small distances
    keep their digits. Raises ValueError for other shapes."""
    if min(ndim_of("cdist", x1), ndim_of("cdist", x2)) < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"cdist: expected shapes (..., n, k) and (..., m, k), got {x1.shape} and {x2.shape}")
    return norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


@method()
def outer(x: Tensor, other: Tensor) -> Tensor:
    """out[i, j] = x[i] * other[j], for 1-D tensors: (n,) and (m,) give (n, m). Raises ValueError if one is not 1-D."""
    if ndim_of("outer", x) != 1 or ndim_of("outer", other) != 1:
        raise ValueError(f"outer: expected two 1-D tensors, got shapes {x.shape} and {other.shape}")
    return x.unsqueeze(1) * other


on_tensors.dot = matmul  # of matrices; NumPy's dot takes 0.3 us less to call than its matmul


@op(
    x=lambda xp, g, weight: xp.dot(g, weight) if g.ndim == 2 else _by_rows(xp, g, weight),
    weight=lambda xp, g, x: xp.dot(g.T, x) if g.ndim == 2 else xp.dot(_rows(xp, g).T, _rows(xp, x)),
    bias=lambda xp, g: xp.sum(g if g.ndim == 2 else _rows(xp, g), axis=0),
)
def linear(xp, x, weight, bias=None):
    """x @ weight.T + bias: x is (..., in), weight (out, in), bias (out,) or None, the result (..., out)."""
    out = xp.dot(x, weight.T) if x.ndim == 2 else _by_rows(xp, x, weight.T)
    if bias is not None:
        out += bias
    return out


def _by_rows(xp, x, weight):
    """x @ weight as one product; NumPy makes one for each matrix in x, at twice the time where they are small."""
    return xp.reshape(xp.dot(_rows(xp, x), weight), shape=(*x.shape[:-1], weight.shape[1]))


def _rows(xp, x):
    """x as a matrix, its leading axes made one."""
    return x if x.ndim == 2 else xp.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


def _linear_rule(shapes):
    if not shapes[0]:
        return "the input is a single number; expected (..., features)"
    got, (out, expected) = shapes[0][-1], shapes[1] if len(shapes[1]) == 2 else ("?", "?")
    return f"the input has {got} features, the weight of {out} outputs takes {expected}"


linear.op.shape_rule = _linear_rule  # type: ignore[attr-defined]

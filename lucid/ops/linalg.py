"""Chapter 3m. Linear algebra: inverses, determinants and factors of square matrices, one or a batch of them.

The last two axes are the matrix. The formulas are those of Giles (2008, "An extended collection of matrix derivative
results for forward and reverse mode algorithmic differentiation") unless one says otherwise. They are made of products
and of the operations of this file, and so there are derivatives of every order.
"""

from lucid.op import op


def _t(xp, x):
    return xp.swapaxes(x, a=-1, b=-2)


def _scale(xp, x):
    """One number for each matrix, in a shape that multiplies it."""
    return xp.reshape(x, shape=(*x.shape, 1, 1))


def _lapack(xp, name, why, routine, *arrays):
    """What a LAPACK routine gives; where it cannot, an error that says which matrix it stopped at, and why."""
    try:
        with xp.strict():
            return routine(*arrays)
    except xp.linalg.LinAlgError:
        raise ValueError(f"{name}: {_culprit(xp, routine, arrays)} {why}") from None


def _culprit(xp, routine, arrays):
    batch = arrays[0].shape[:-2]
    for i, parts in enumerate(zip(*(x.reshape((-1, *x.shape[-2:])) for x in arrays), strict=True)):
        try:
            with xp.strict():
                routine(*parts)
        except xp.linalg.LinAlgError:
            place: list[int] = []
            for n in reversed(batch):
                i, at = divmod(i, n)
                place.insert(0, at)
            return f"matrix [{', '.join(map(str, place))}] of the batch" if batch else "the matrix"
    return "a matrix"


_SINGULAR = "is singular: its rows are linearly dependent; x + 1e-6 * eye(n), say, is a matrix near it that is not"
_INFINITE = "has no such factors in floating point; are there NaN or infinite elements in it?"


@op(floats=True, x=lambda xp, g, out: -xp.matmul(xp.matmul(_t(xp, out), g), _t(xp, out)))
def inv(xp, x):
    """The inverse."""
    return _lapack(xp, "inv", _SINGULAR, xp.linalg.inv, x)


@op(
    floats=True,
    once={"d": lambda xp, g, a: xp.solve(_t(xp, a), g)},
    a=lambda xp, g, d, out: -xp.matmul(d, _t(xp, out)),
    b=lambda xp, g, d: d,
)
def solve(xp, a, b):
    """The matrix x for which a x = b; a and b have the same leading axes."""
    return _lapack(xp, "solve", _SINGULAR, xp.linalg.solve, a, b)


@op(floats=True, x=lambda xp, g, out: _cholesky_slope(xp, g, out))
def cholesky(xp, x):
    """The lower triangular matrix l with l l' = x. Of x the lower triangle is read; the gradient is symmetric."""
    why = "is not positive definite; if only rounding has made it so, x + 1e-6 * eye(n), say, mends that"
    return _lapack(xp, "cholesky", why, xp.linalg.cholesky, x)


def _cholesky_slope(xp, g, out):
    """l'^-1 s l^-1 / 2, where s is the lower triangle of l' g mirrored (Murray 2016, arXiv 1602.07527)."""
    up = _t(xp, out)
    lower = xp.tril(xp.matmul(up, g))
    mirrored = lower + _t(xp, xp.tril(lower, k=-1))
    return xp.solve(up, _t(xp, xp.solve(up, mirrored))) / 2


# -- determinants ----------------------------------------------------------------------------------------------------

# The gradient of the determinant is the matrix of cofactors. For an invertible x that is det(x) inv(x)', but it exists
# for every x, and at a singular one (where a loss may well start) it need not be 0. With x = u diag(s) v' it is
# det(u) det(v) u diag(c) v', where c[i] is the product of all s but s[i]. Its own derivative is that of diag(s), turned
# likewise. For the third order and beyond x must be invertible.


@op(floats=True, x=lambda xp, g, x: _scale(xp, g) * xp.cofactor(x))
def det(xp, x):
    """The determinant."""
    return xp.linalg.det(x)


@op(x=lambda xp, g, x: xp.cofactor_along(x, g))
def cofactor(xp, x):
    """The matrix of cofactors, the gradient of the determinant."""
    u, s, v, sign = _svd(xp, x)
    others = xp.where(xp.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]).prod(axis=-1)
    return sign * xp.matmul(u * others[..., None, :], v)


@op(x=lambda xp, g, x, h: _third_slope(xp, g, x, h), h=lambda xp, g, x: xp.cofactor_along(x, g))
def cofactor_along(xp, x, h):
    """How the matrix of cofactors of x + t h changes with t, at t = 0."""
    u, s, v, sign = _svd(xp, x)
    turned = xp.matmul(xp.matmul(_t(xp, u), h), _t(xp, v))
    one = xp.eye(s.shape[-1], dtype=bool)
    others = xp.where(one[:, None] | one, 1, s[..., None, None, :]).prod(axis=-1)  # all but two: (..., i, j)
    others = xp.where(one, 0, others)
    diagonal = xp.matmul(others, turned.diagonal(0, -2, -1)[..., None])
    slope = xp.where(one, diagonal, -others * _t(xp, turned))
    return sign * xp.matmul(xp.matmul(u, slope), v)


def _svd(xp, x):
    """x = u diag(s) v, and the determinant of u v, which is 1 or -1."""
    u, s, v = _lapack(xp, "det", _INFINITE, xp.linalg.svd, x)
    return u, s, v, xp.sign(xp.linalg.det(u) * xp.linalg.det(v))[..., None, None]


def _third_slope(xp, g, x, h):
    """det(x) (b <b, h> - b h' b), the slope of the cofactors for b = inv(x)', differentiated once more along g."""
    b = _t(xp, xp.inv(x))
    g_b, h_b = xp.matmul(_t(xp, g), b), xp.matmul(_t(xp, h), b)
    b_g_b, b_h_b = xp.matmul(b, g_b), xp.matmul(b, h_b)
    along_g, along_h = _product(xp, b, g), _product(xp, b, h)
    slope = along_g * (along_h * b - b_h_b) - _product(xp, b_g_b, h) * b - along_h * b_g_b
    return _scale(xp, xp.det(x)) * (slope + xp.matmul(b_g_b, h_b) + xp.matmul(b_h_b, g_b))


def _product(xp, a, b):
    """The sum of the products of the elements of two matrices, in a shape that multiplies a matrix."""
    return xp.sum(a * b, axis=(-2, -1), keepdims=True)


@op(floats=True, x=lambda xp, g, x: _scale(xp, xp.getitem(g, index=(1, Ellipsis))) * _t(xp, xp.inv(x)))
def slogdet(xp, x):
    """Two numbers for each matrix, along a new first axis: the sign of the determinant, and log |determinant|."""
    sign, size = xp.linalg.slogdet(x)
    out = xp.empty((2, *x.shape[:-2]), dtype=x.dtype)
    out[0], out[1] = sign, size
    return out


# -- eigenvalues -----------------------------------------------------------------------------------------------------


@op(floats=True, x=lambda xp, g, out: _eigh_slope(xp, *_unpacked(xp, g), *_unpacked(xp, out)))
def eigh(xp, x):
    """The eigenvalues of a symmetric matrix, in ascending order, as the first row; below each its eigenvector.

    Of x the lower triangle is read; the gradient is symmetric. Eigenvectors have a slope only where eigenvalues differ.
    """
    values, vectors = _lapack(xp, "eigh", _INFINITE, xp.linalg.eigh, x)
    return xp.concatenate([values[..., None, :], vectors], axis=-2)


def _unpacked(xp, out):
    return xp.getitem(out, index=(Ellipsis, slice(0, 1), slice(None))), xp.getitem(
        out, index=(Ellipsis, slice(1, None), slice(None))
    )


def _eigh_slope(xp, g_values, g_vectors, values, vectors):
    """v (diag(g_values) + (v' g_vectors) / (w[j] - w[i])) v'; only the skew part of v' g_vectors turns eigenvectors."""
    turn = xp.matmul(_t(xp, vectors), g_vectors)
    turn = (turn - _t(xp, turn)) / 2
    gaps = values - _t(xp, values)
    none = (gaps == 0) & (turn == 0)  # on the diagonal, and between equal eigenvalues whose vectors nobody asks about
    turn = turn / xp.where(none, 1, gaps)
    return xp.matmul(xp.matmul(vectors, turn) + vectors * g_values, _t(xp, vectors))

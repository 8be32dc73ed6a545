"""Exercise 8: a solution.

out[i, j] = sum over k of a[i, k] b[k, j]. The element a[i, k] reaches row i of the output, each
out[i, j] with the slope b[k, j], so its gradient is the sum over j of g[i, j] b[k, j]: g @ b.T. For
b[k, j] it is the sum over i of a[i, k] g[i, j]: a.T @ g.

A layer x @ weight.T therefore costs three products a step: one forwards and two backwards. lucid's
vjps are these, and what else stands in the file is for operands of one dim and for batches.
"""

import lucid


@lucid.op(
    a=lambda xp, g, b: xp.matmul(g, xp.swapaxes(b, a=-1, b=-2)),
    b=lambda xp, g, a: xp.matmul(xp.swapaxes(a, a=-1, b=-2), g),
)
def my_matmul(xp, a, b):
    """a @ b, for a of shape (n, k) and b of shape (k, m)."""
    return xp.matmul(a, b)

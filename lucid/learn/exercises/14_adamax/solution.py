"""Exercise 14: a solution.

Five lines of the paper, three of Python. m is a running mean of the gradients; u is how large they
have been, where a large one counts at once and is forgotten slowly. Their quotient lies near -1 to
1, whatever the scale of the gradients: so `lr` says how far an element moves in one step.

Adam has v = beta2 * v + (1 - beta2) * g² and its root in place of u. lucid's rule has one more
`if`, for weight decay. From this pure function lucid makes a list of NumPy calls that work in
place, and on a GPU one kernel: see docs/kernels.md.
"""


def rule(xp, theta, g, m, u, step, *, beta1, beta2, eps):
    """The update, and the new m and u."""
    m = beta1 * m + (1 - beta1) * g
    u = xp.maximum(beta2 * u, xp.abs(g))
    return step * m / (u + eps), m, u

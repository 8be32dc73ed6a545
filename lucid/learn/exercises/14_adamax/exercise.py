"""Exercise 14: Adamax from its equation."""


def rule(xp, theta, g, m, u, step, *, beta1, beta2, eps):
    """The update, and the new m and u."""

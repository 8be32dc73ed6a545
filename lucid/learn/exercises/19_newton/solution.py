"""Exercise 19: a solution.

With create_graph the same vjps run on tensors instead of arrays, so each of them is recorded in its
turn; there are no second formulas for second derivatives. For a parabola the slope is a straight
line, and one step arrives; near any lowest point the number of right digits doubles with each step.

For n numbers the curvature is the Hessian, n by n (`lucid.autograd.functional.hessian`), and the
step solves a system of equations: too much for a network, where `hvp` gives a product with it for
the price of a gradient.
"""

import lucid


def newton(f, x, steps):
    """Where `steps` steps of Newton's method lead from x, towards a place where the slope of f is 0."""
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (slope,) = lucid.autograd.grad(f(x), x, create_graph=True)
        (curvature,) = lucid.autograd.grad(slope, x)
        x = x - slope / curvature
    return x.detach()

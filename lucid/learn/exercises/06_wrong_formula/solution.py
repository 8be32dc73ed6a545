"""Exercise 6: a solution.

The slope of x - tanh(x) is 1 - (1 - tanh(x)²) = tanh(x)². The wrong formula had out * out, the
square of the whole output in place of that of tanh(x) = x - out: near 0 both are nearly 0, and far
out both are large, so a loss still falls.

A wrong vjp raises nothing. That is why each of lucid's is compared with central differences, and
why its tests put such mistakes into the vjps on purpose, to see that a test notices.
"""

wrong = "my_tanhshrink"
right = lambda xp, g, x, out: g * (x - out) * (x - out)

"""Exercise 10: backpropagation in ten lines."""

from lucid.core.array import cpu as xp


def backward(nodes):
    """The gradient of each leaf, by its node; nodes[0] computed the loss, a single number."""
    gradients = {nodes[0]: xp.ones(())}
    for node in nodes:
        ...
    return gradients

"""Exercise 10: a solution.

This is backpropagation. In reverse topological order every user of a value had its turn before the
value has, so `pop` gives a complete gradient, and the sum of parts is the chain rule for several
paths.

lucid's loop does the same with a heap for the order. Its other lines are for hooks, several
devices, gradients of gradients, memory (saved values are freed as soon as they have been used), and
for refusing a graph whose saved values were changed.
"""

from lucid.core.array import cpu as xp


def backward(nodes):
    """The gradient of each leaf, by its node; nodes[0] computed the loss, a single number."""
    gradients = {nodes[0]: xp.ones(())}
    for node in nodes:
        g = gradients.pop(node)
        for source, part in zip(node.inputs, node.op.vjp(xp, g, node.saved, node.inputs)):
            if source is not None:
                gradients[source] = gradients.get(source, 0) + part
    return gradients

"""Exercise 9: topological order."""

import itertools


class Node:
    """One operation: the nodes of its inputs, and its number in the order of creation."""

    count = itertools.count()

    def __init__(self, name, *inputs):
        self.name, self.inputs, self.number = name, inputs, next(Node.count)

    def __repr__(self):
        return self.name


def order(root):
    """root and all nodes that it was computed from: each once, and before the nodes of its inputs."""
    return ...

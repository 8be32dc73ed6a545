"""Each vjp's shape, then its numbers, then all slopes by gradcheck."""

import numpy as np

import lucid
from lucid.learn import expect, slopes


def check(learner):
    a, b = lucid.randn(2, 3, dtype=lucid.float64), lucid.randn(3, 4, dtype=lucid.float64)
    for x, other, name in [(a, b, "a"), (b, a, "b")]:
        leaf = x.clone().requires_grad_()
        out = learner.my_matmul(leaf, b) if name == "a" else learner.my_matmul(a, leaf)
        node = out.grad_fn
        expect(node is not None, f"my_matmul has no vjp for {name}")
        parts = node.op.vjp(lucid.core.array.cpu, np.ones((2, 4)), node.saved, node.inputs)
        got = parts["ab".index(name)]
        expect(got is not ..., f"the vjp of {name} is still the hole")
        shape = getattr(got, "shape", None)
        expect(shape == x.shape, f"the vjp of {name} gives a gradient of shape {shape}; {name} has shape {x.shape}")
    slopes("my_matmul", learner.my_matmul, a, b)
    square = lucid.randn(2, 2), lucid.randn(2, 2)
    slopes("my_matmul of two square matrices", learner.my_matmul, *square)

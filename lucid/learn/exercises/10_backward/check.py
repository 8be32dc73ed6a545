"""Graphs with one path, with two, and with a gradient that must be the node's own, beside lucid's backward."""

import lucid
from lucid.core.backward import reachable
from lucid.learn import expect, same


def check(learner):
    def look_at(what, f, *values):
        leaves = [lucid.tensor(v, dtype=lucid.float64, requires_grad=True) for v in values]
        loss = f(*leaves)
        got = learner.backward(reachable([loss.grad_fn]))
        expect(isinstance(got, dict), f"backward should give the dict of gradients, got {type(got).__name__}")
        left = [node.op.name for node in got if node.op is not None]
        expect(not left, f"in {what} the gradient of {', '.join(left)} is still there: pop each as you use it")
        loss.backward()
        for name, leaf in zip("xyz", leaves):
            expect(leaf._node in got, f"in {what} {name} has received no gradient")
            same(f"in {what} the gradient of {name}", lucid.tensor(got[leaf._node]), leaf.grad)

    look_at("(x * 3).exp()", lambda x: (x * 3).exp(), 0.5)
    look_at("x * y", lambda x, y: x * y, 2.0, 5.0)
    look_at("x * x + x.exp()", lambda x: x * x + x.exp(), 2.0)
    look_at("(x * y + x).tanh() * x", lambda x, y: (x * y + x).tanh() * x, 0.3, -0.7)

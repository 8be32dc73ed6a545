"""One step on a parabola is enough; five on something else; and the steps do not hang together."""

import lucid
from lucid.learn import expect, same


def check(learner):
    start = lambda value: lucid.tensor(value, dtype=lucid.float64)
    x = learner.newton(lambda x: 3 * (x - 2) ** 2, start(7.0), 1)
    expect(isinstance(x, lucid.Tensor), f"newton should give a Tensor, got {type(x).__name__}")
    expect(abs(x.item() - 12) > 1e-6, "from 7, one step for 3 * (x - 2) ** 2 leads to 12: that is uphill")
    same("from 7, one step for 3 * (x - 2) ** 2", x.detach(), start(2.0))
    x = learner.newton(lambda x: x.exp() - 2 * x, start(1.5), 6)
    same("from 1.5, six steps for exp(x) - 2 * x", x.detach(), start(2.0).log())
    nodes = []

    def counted(x):
        nodes.append(len(lucid.core.backward.reachable([x._node])))
        return x**4 - x

    learner.newton(counted, start(2.0), 5)
    expect(max(nodes) == 0, f"at the last step x drags {max(nodes)} operations of earlier steps along: detach it")

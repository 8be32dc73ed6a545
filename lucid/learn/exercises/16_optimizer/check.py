"""Steps with given gradients, beside the equation in plain NumPy."""

import numpy as np

import lucid
from lucid.learn import expect, same


def check(learner):
    expect(issubclass(learner.Lion, lucid.optim.Optimizer), "Lion should be an optim.Optimizer")
    theta = np.array([1.0, -2.0, 0.5])
    p = lucid.nn.Parameter(lucid.tensor(theta))
    optimizer, m = learner.Lion([p], lr=0.25), np.zeros(3)
    for t, g in enumerate([[1.0, -0.5, 0.2], [-0.05, 0.3, -4.0], [-3.0, 0.01, 0.0]], 1):
        p.grad = lucid.tensor(np.array(g))
        optimizer.step()
        theta = theta - 0.25 * np.sign(0.9 * m + 0.1 * np.array(g))
        m = 0.99 * m + 0.01 * np.array(g)
        expect(np.isclose(np.abs(p.numpy() - theta), 0).any() or t > 1 or
               not np.allclose(p.numpy(), [1.0, -2.0, 0.5]), "nothing has moved: the update is 0")  # fmt: skip
        same(f"after step {t} theta", p.data, lucid.tensor(theta))
        same(f"after step {t} the slot m", optimizer.state[p]["m"], m)

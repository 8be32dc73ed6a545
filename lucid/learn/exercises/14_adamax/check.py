"""Two steps beside lucid's Adamax, with a gradient of 0, a large one, and an eps that shows where it stands."""

import numpy as np

import lucid
from lucid.learn import expect, same


def check(learner):
    options = {"beta1": 0.9, "beta2": 0.999, "eps": 0.01}
    theta = np.array([1.0, -2.0, 0.5, 3.0])
    m, u = np.zeros(4), np.zeros(4)
    for t, g in enumerate([np.array([0.5, -0.02, 0.0, 3.0]), np.array([-0.25, 0.04, 0.0, 0.01])], 1):
        step = 0.1 / (1 - 0.9**t)
        right = lucid.optim.Adamax.rule(np, theta, g, m, u, step, **options, weight_decay=0)
        got = learner.rule(np, theta.copy(), g.copy(), m.copy(), u.copy(), step, **options)
        expect(got is not None, "the rule returns nothing: return update, m, u")
        expect(isinstance(got, tuple) and len(got) == 3, f"the rule should return update, m and u, got {got!r}")
        if isinstance(got[0], np.ndarray) and np.allclose(got[0], theta - right[0]):
            expect(False, "the first result is the new theta; return the update, what is to be subtracted from theta")
        if isinstance(got[2], np.ndarray) and np.allclose(got[2], np.maximum(0.999 * u, np.abs(g) + 0.01)):
            expect(False, "eps stands inside the max, where PyTorch has it; the equation adds it to u at the division")
        for i, name in [(1, "new m"), (2, "new u"), (0, "update")]:
            same(f"at update {t} the {name}", got[i], right[i])
        _, m, u = right

"""The three demands, one by one."""

import numpy as np

from lucid.learn import expect, same


def check(learner):
    eps, kinds = 1e-8, ("an element that never had a gradient", "one whose gradient is 3", "one whose gradient is eps")
    g = np.array([0.0, 3.0, eps])
    with np.errstate(all="ignore"):
        got = learner.rule(np, g.copy(), np.zeros(3), eps=eps)
    expect(isinstance(got, tuple) and len(got) == 2, f"the rule should return the update and u, got {got!r}")
    update, u = got
    for name, value in (("update", update), ("u", u)):
        same(f"the {name}", value, value if isinstance(value, np.ndarray) and value.shape == (3,) else g, atol=np.inf)
    for kind, mine, right in zip(kinds, update, (0.0, 1.0, 0.5)):
        expect(not np.isnan(mine), f"{kind} moves by NaN: 0 / 0")
        if not right:
            expect(mine == 0, f"{kind} moves by {mine:.3g} of a step; it should stay where it is")
    for kind, mine, right in zip(kinds, u, g):
        expect(mine == right, f"u of {kind} is {mine:.3g}, and should be {right:.3g}, the largest |g| so far")
    for kind, mine, right in zip(kinds, update, (0.0, 1.0, 0.5)):
        expect(abs(mine - right) < 1e-6, f"{kind} moves by {mine:.3g} of a step; it should be {right:g}")
    _, u = learner.rule(np, np.zeros(3), g.copy(), eps=eps)
    expect(np.array_equal(u, 0.999 * g), "without a gradient u should fall by beta2, and by nothing else")

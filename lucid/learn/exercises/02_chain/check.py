"""The two slopes beside lucid's own, and the usual omissions by name."""

import lucid
from lucid.learn import expect, same


def check(learner):
    for w, x, b, target in [(0.5, 2.0, -0.3, 1.0), (-1.0, 0.25, 0.5, 0.0)]:
        got = learner.gradient(w, x, b, target)
        leaves = [lucid.tensor(v, dtype=lucid.float64, requires_grad=True) for v in (w, b)]
        out = (leaves[0] * x + leaves[1]).tanh()
        ((out - target) ** 2).backward()
        right = tuple(t.grad.item() for t in leaves)
        if isinstance(got, tuple) and len(got) == 2 and all(isinstance(v, float) for v in got):
            close = lambda factor: all(abs(mine * factor - v) < 1e-6 for mine, v in zip(got, right))
            slope = 1 - out.item() ** 2
            expect(not close(2), "both slopes are half of what they should be: the square gives a factor 2")
            expect(not close(slope), "both slopes lack a factor: between out and z stands tanh, with its own slope")
            expect(not close(-1), "both slopes have the wrong sign: which way round is out - target?")
        at = f"w = {w:g}, x = {x:g}, b = {b:g}, target = {target:g}"
        same("what gradient gives", got, got if isinstance(got, tuple) and len(got) == 2 else right)
        for name, mine, value in zip("wb", got, right):
            same(f"the slope along {name}, at {at}", mine, value)

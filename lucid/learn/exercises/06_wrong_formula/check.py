"""The wrong one is named, and the new formula passes gradcheck."""

import lucid
from lucid.learn import expect, slopes


def check(learner):
    names = "my_softplus my_gaussian my_rsqrt my_tanhshrink my_asinh".split()
    wrong, x = learner.wrong, lucid.tensor([0.3, 0.7, 2.0], dtype=lucid.float64)
    expect(wrong in names, f"wrong should be one of the texts {', '.join(map(repr, names))}, got {wrong!r}")
    if wrong != "my_tanhshrink":
        slopes(wrong, getattr(learner, wrong), x)
        expect(False, f"{wrong} passes gradcheck, so its formula is right; try the others")
    expect(callable(learner.right), f"right should be a vjp, lambda xp, g, ...: ..., got {learner.right!r}")

    @lucid.op(x=learner.right)
    def my_repaired_tanhshrink(xp, x):
        return x - xp.tanh(x)

    slopes("with your formula, x - tanh(x)", my_repaired_tanhshrink, x)

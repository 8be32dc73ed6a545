"""Slopes that are known, and how far off the measured ones are; f may be called twice."""

import math

from lucid.learn import expect, same


def check(learner):
    for name, f, x, right in [("exp", math.exp, 1.0, math.e), ("sin", math.sin, 0.3, math.cos(0.3))]:
        calls = []
        got = learner.slope(lambda at, f=f: calls.append(at) or f(at), x)
        same(f"slope({name}, {x:g})", got, right, atol=1e-3, rtol=0)
        off = abs(got - right)
        expect(
            off < 1e-8,
            f"slope({name}, {x:g}) is {got:.9f} and should be {right:.9f}: it is off by {off:.0e}, as one-sided "
            "differences are; central ones are off by 1e-10",
        )
        expect(len(calls) == 2, f"f was called {len(calls)} times; two are enough")

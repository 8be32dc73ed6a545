"""Shapes of every kind, against sums written out."""

import numpy as np

from lucid.learn import expect, same


def check(learner):
    shapes = [((4, 3), (3,)), ((4, 3), (4, 1)), ((2, 4, 3), (4, 1)), ((4, 3), (1, 1)), ((4, 3), ()), ((5, 1), (1,))]
    for big, small in shapes:
        g = np.arange(float(np.prod(big))).reshape(big)
        right = np.zeros(small)
        for index in np.ndindex(big):
            tail = index[len(big) - len(small) :]
            right[tuple(0 if n == 1 else i for i, n in zip(tail, small))] += g[index]
        got = learner.unbroadcast(g.copy(), small)
        if isinstance(got, (np.ndarray, np.generic)) and got.shape == small and right.any():
            share = np.asarray(got).sum() * g.size / max(right.size, 1)
            mean = not np.allclose(got, right) and np.isclose(share, right.sum())
            expect(not mean, f"from {big} to {small} you take the mean; every path counts in full, so it is the sum")
        same(f"unbroadcast of a g of shape {big} to {small}", got, right)

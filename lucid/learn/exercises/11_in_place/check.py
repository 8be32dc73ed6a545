"""Values and slopes."""

import lucid
from lucid.learn import same, slopes


def check(learner):
    x = lucid.tensor([0.5, -1.0, 2.0], dtype=lucid.float64)
    same("softmax", learner.softmax(x.clone()), lucid.softmax(x, 0))
    slopes("softmax", learner.softmax, x)

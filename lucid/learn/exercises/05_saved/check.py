"""What is saved, and the slopes."""

import lucid
from lucid.learn import expect, same, slopes


def check(learner):
    x = lucid.tensor([-2.0, 0.0, 0.5, 3.0], dtype=lucid.float64)
    same("my_sigmoid", learner.my_sigmoid(x), lucid.sigmoid(x))
    saved = learner.my_sigmoid.op.saved_names
    expect(saved == ["out"], f"the vjp names {', '.join(saved) or 'nothing'}, so that is saved; it should be out alone")
    slopes("my_sigmoid", learner.my_sigmoid, x)

"""gradcheck, and beforehand what it would say less clearly: the hole, and a vjp that does not use g."""

import lucid
from lucid.learn import expect, same, slopes


def check(learner):
    op = learner.my_softsign.op
    x = lucid.tensor([-3.0, -0.5, 0.25, 4.0], dtype=lucid.float64)
    same("my_softsign", learner.my_softsign(x), lucid.nn.functional.softsign(x))
    expect("x" in op.vjps, "my_softsign has no vjp: lucid.op(x=lambda xp, g, x: ...) gives it one")
    node = learner.my_softsign(x.clone().requires_grad_()).grad_fn
    (zero,) = op.vjp(lucid.core.array.cpu, lucid.zeros_like(x).numpy(), node.saved, node.inputs)
    same("the vjp", zero, x.numpy(), atol=float("inf"))  # its kind and shape
    expect((zero == 0).all(), f"where g is 0 your vjp gives {zero[0]:g}: it does not use g, what comes from the loss")
    slopes("my_softsign", learner.my_softsign, x)

"""Values, slopes, slopes of slopes; then the layer, and that it learns."""

import lucid
from lucid import nn, optim
from lucid.learn import expect, same, slopes


def check(learner):
    x, beta = lucid.tensor([-2.0, 0.0, 0.7, 3.0], dtype=lucid.float64), lucid.tensor(1.5, dtype=lucid.float64)
    same("my_swish", learner.my_swish(x, beta), x * lucid.sigmoid(beta * x))
    for name in ("x", "beta"):
        expect(name in learner.my_swish.op.vjps, f"my_swish has no vjp for {name}")
    a, b = x.clone().requires_grad_(), beta.clone().requires_grad_()
    node = learner.my_swish(a, b).grad_fn
    for name, part in zip(("x", "beta"), node.op.vjp(lucid.core.array.cpu, x.numpy(), node.saved, node.inputs)):
        expect(part is not ..., f"the vjp of {name} is still the hole")
    slopes("my_swish, along input 0 = x and input 1 = beta", learner.my_swish, x, beta, order=2)
    layer = learner.Swish()
    found = dict(layer.named_parameters())
    expect(layer.beta is not ..., "Swish.beta is still the hole")
    expect("beta" in found, f"parameters() does not find beta, a {type(layer.beta).__name__} and no nn.Parameter")
    same("Swish().beta", layer.beta.data, lucid.tensor(1.0))
    same("Swish()(x)", layer(x.float()), x.float() * lucid.sigmoid(x.float()))
    optimizer = optim.Adamax(layer.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        loss = (layer(x.float()) - x.float() * lucid.sigmoid(2 * x.float())).square().mean()
        loss.backward()
        optimizer.step()
    expect(abs(layer.beta.item() - 2) < 0.1, f"taught a swish with beta = 2, it has {layer.beta.item():.3g}")

"""The parameters and their shapes, the output, and that it learns."""

import lucid
from lucid import nn, optim
from lucid.learn import expect, same


def check(learner):
    layer = learner.MyLinear(3, 2)
    expect(isinstance(layer, nn.Module), "MyLinear should be an nn.Module")
    named = dict(layer.named_parameters())
    for name, shape in [("weight", (2, 3)), ("bias", (2,))]:
        value = getattr(layer, name, None)
        expect(value is not ..., f"{name} is still the hole")
        kind = type(value).__name__
        expect(name in named, f"parameters() does not find {name}, a {kind}: an nn.Parameter is what it looks for")
        expect(value.shape == shape, f"MyLinear(3, 2).{name} has shape {value.shape}, expected {shape}")
    expect((layer.weight != 0).any(), "all weights are 0: every output would learn the same; begin with random ones")
    x = lucid.randn(5, 3)
    nn.init.constant_(layer.bias, 0.5)
    same("MyLinear(3, 2) of 5 rows", layer(x), nn.functional.linear(x, layer.weight, layer.bias))
    wanted = x @ lucid.randn(3, 2) + 1
    optimizer = optim.Adamax(layer.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (layer(x) - wanted).square().mean()
        loss.backward()
        optimizer.step()
    expect(loss.item() < 0.05, f"after 150 steps of Adamax on a straight line the loss is still {loss.item():.3g}")

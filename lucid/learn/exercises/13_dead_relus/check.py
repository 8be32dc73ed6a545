"""How many rows each unit lives for, and then a training."""

import lucid
from lucid import nn, optim
from lucid.learn import expect


def check(learner):
    x = lucid.randn(256, 2)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    nn.init.constant_(model[0].bias, -10.0)
    learner.revive(model)
    live = (model[0](x) > 0).float().mean(0)
    dead, always = int((live == 0).sum()), int((live == 1).sum())
    expect(not dead, f"{dead} of 16 units are still 0 for every one of the 256 rows of x")
    expect(not always, f"{always} of 16 units are above 0 for every row: there relu bends nothing")
    narrow = int(((live < 0.02) | (live > 0.98)).sum())
    expect(not narrow, f"{narrow} of 16 units split off fewer than 2 of 100 rows")
    weight = model[0].weight
    twins = all((weight[0] == row).all() for row in weight)
    expect(not twins, "all units have the same weights, so they learn the same: one unit in 16 copies")
    wanted = x[:, :1].abs() - x[:, 1:].abs()
    optimizer = optim.Adamax(model.parameters(), lr=0.05)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = (model(x) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    expect(losses[-1] < losses[0] / 5, f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g} in 150 steps")

"""Exercise 13: make dead relus live."""

from lucid import nn


def make():
    """A model whose hidden units are dead."""
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    nn.init.constant_(model[0].bias, -10.0)
    return model


def revive(model):
    """Change the first layer so that each unit is above 0 for some rows, and below for others."""

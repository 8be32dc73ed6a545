"""Exercise 12: a solution.

lucid's Linear differs in three things: it checks its arguments, spreads its weights evenly over
[-b, b] with b = 1 / sqrt(inputs), and `F.linear` is one operation in place of three.

No `super().__init__()` is needed: parameters are found by walking over the attributes whenever
somebody asks.
"""

import lucid
from lucid import nn


class MyLinear(nn.Module):
    """x @ weight.T + bias: (..., inputs) -> (..., outputs)."""

    def __init__(self, inputs, outputs):
        self.weight = nn.Parameter(lucid.randn(outputs, inputs) * 0.1)
        self.bias = nn.Parameter(lucid.zeros(outputs))

    def forward(self, x):
        return x @ self.weight.T + self.bias

"""A program as a user writes it, with the types that a user writes: the breadth of what programs use. It is run, and
mypy and pyright read it (tests/project/test_types.py)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import lucid
import lucid.nn as nn
import lucid.nn.functional as F
import lucid.optim as optim
from lucid import Tensor, linalg
from lucid.autograd import Function, grad
from lucid.distributions import Categorical, Normal
from lucid.utils.data import DataLoader, Dataset, TensorDataset, random_split


class Points(Dataset):
    """Points in the plane and whether they lie in the unit circle."""

    def __init__(self, count: int) -> None:
        self.x = lucid.randn(count, 2)
        self.y = ((self.x**2).sum(dim=1) < 1).long()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.x[i], self.y[i]


class Block(nn.Module):
    """A residual layer."""

    def __init__(self, width: int, drop: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.act: Callable[[Tensor], Tensor] = nn.GELU()
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop(self.act(self.linear(self.norm(x))))


class Net(nn.Module):
    """Two layers, a few blocks between them."""

    def __init__(self, width: int = 16, depth: int = 2) -> None:
        super().__init__()
        self.inputs = nn.Sequential(nn.Linear(2, width), nn.LeakyReLU(0.1))
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.output = nn.Linear(width, 2, bias=False)
        self.scale = nn.Parameter(lucid.ones(1))
        self.register_buffer("seen", lucid.zeros(1))
        self.seen: Tensor

    def forward(self, x: Tensor) -> Tensor:
        x = self.inputs(x)
        for block in self.blocks:
            x = block(x)
        return self.output(x) * self.scale


class Encoder(nn.Module):
    """A forward that returns two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(2, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.body(x).chunk(2, dim=-1)
        return mean, log_var


class Reader(nn.Module):
    """Words, an LSTM, attention."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 8)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        out, (h, c) = self.lstm(self.words(tokens))
        attended, weights = self.attention(out, out, out)
        assert weights is not None and c.shape == h.shape
        last: Tensor = attended[:, -1] + h[-1]
        return last


class Images(nn.Module):
    """Convolutions, pooling, norms."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, kernel_size=3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.net(x), dim=1)


class Square(Function):
    """A function with a backward of its own."""

    @staticmethod
    def forward(ctx: lucid.autograd.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: lucid.autograd.FunctionCtx, g: Tensor) -> Tensor:
        x: Tensor
        (x,) = ctx.saved_tensors
        return 2 * x * g


@lucid.op(x=lambda xp, g, x, out: g * (1 - out * out))
def my_tanh(xp: Any, x: Any) -> Any:
    """tanh, once more."""
    return xp.tanh(x)


def batches(loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    yield from loader


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    model.eval()
    with lucid.no_grad():
        predicted: Tensor = model(x).argmax(dim=1)
    model.train()
    return (predicted == y).float().mean().item()


def train(model: Net, loader: DataLoader, epochs: int) -> list[float]:
    optimizer = optim.Adamax(model.named_parameters(), lr=0.02, betas=(0.9, 0.99))
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.01)
    losses: list[float] = []
    for _ in range(epochs):
        for x, y in batches(loader):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item() + 0.0 * norm.item())
        scheduler.step()
    return losses


def tensors() -> Tensor:
    x = lucid.arange(6.0).reshape(2, 3)
    y = (1 - x) / 2 + x.T.mT ** 2 - (-x) @ lucid.eye(3)
    values, indices = x.max(dim=1)
    top = x.topk(2, dim=1)
    order: Tensor = x.argsort(dim=-1)
    y = lucid.where(x > 1, y, lucid.zeros_like(y)) + values.unsqueeze(1) + indices[:, None] + top.values[:, :1]
    y[0] = 0.0
    y[:, 1] += 1
    joined = lucid.cat([y, y], dim=0).sum(dim=0, keepdim=True)
    stacked = lucid.stack([x, y]).permute(0, 2, 1).contiguous().view(-1)
    rows, columns = y.shape
    inside: bool = bool((y > 0).any()) and y.requires_grad
    parts = y.split(1, dim=0)
    traced = lucid.einsum("ij,kj->ik", x, x).trace() + linalg.norm(x) + linalg.inv(lucid.eye(2)).sum()
    small = y.clamp(min=0.0).sqrt().masked_fill(x > 2, 0.0).gather(1, order).flatten()
    total = joined.sum() + stacked.mean() + parts[0].std() + small.max() + my_tanh(x).sum()
    total += Square.apply(x).sum()
    return total + traced + rows * columns + int(inside) + math.pi + len(y) + float(x.numpy().mean())


def derivatives() -> Tensor:
    x = lucid.linspace(-1, 1, 5, requires_grad=True)
    (slope,) = grad((x**3).sum(), x, create_graph=True)
    slope.sum().backward()
    assert x.grad is not None
    curve: Tensor = lucid.autograd.functional.jacobian(lambda v: v.sin(), x)
    return x.grad + curve.sum()


def densities() -> Tensor:
    encoder = Encoder()
    mean, log_var = encoder(lucid.randn(3, 2))
    normal = Normal(mean, (0.5 * log_var).exp())
    z = normal.rsample()
    choice = Categorical(logits=z).sample()
    return normal.log_prob(z).mean() + choice.float().mean()


def main() -> dict[str, float]:
    lucid.manual_seed(0)
    training, held_out = random_split(Points(120), [100, 20])
    model = Net()
    losses = train(model, DataLoader(training, batch_size=20, shuffle=True), epochs=10)
    x, y = (lucid.stack(list(column)) for column in zip(*[held_out[i] for i in range(20)], strict=True))
    state = model.state_dict()
    Net().load_state_dict(state)
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    nn.init.xavier_uniform_(model.output.weight)
    images, words = Images()(lucid.rand(2, 1, 8, 8)), Reader()(lucid.randint(0, 10, (2, 5)))
    pairs = TensorDataset(x, y)
    assert isinstance(pairs[0][0], Tensor)
    return {
        "first": losses[0], "last": losses[-1], "accuracy": accuracy(model, x, y), "parameters": float(count),
        "others": (images.mean() + words.mean() + tensors() + derivatives().mean() + densities()).item(),
    }  # fmt: skip


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name:12} {value:.4f}")

"""What users write themselves, as tutorials and papers' repositories write it for PyTorch: modules, functions, data
sets, samplers, schedules and optimizers that subclass lucid's, in programs whose only change is the import."""

import inspect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import lucid
import lucid as torch
from lucid import nn, optim
from lucid.nn import functional as F
from lucid.utils.data import DataLoader, Dataset, Sampler


class HyperParameters:
    """A course's base class: it keeps all arguments in a dict and as attributes."""

    def save_hyperparameters(self) -> None:
        frame = inspect.currentframe()
        assert frame is not None and frame.f_back is not None
        arguments = inspect.getargvalues(frame.f_back).locals
        self.hparams = {k: v for k, v in arguments.items() if k not in ("self", "__class__")}
        for k, v in self.hparams.items():
            setattr(self, k, v)


class Net(nn.Module, HyperParameters):
    encoder: nn.Module
    head: nn.Module

    def __init__(self, encoder: nn.Module, head: nn.Module, width: int = 4) -> None:
        super(Net, self).__init__()  # noqa: UP008
        self.save_hyperparameters()
        self.scale = nn.Parameter(torch.ones(1))
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self.cache = {"scale": self.scale, "first": self.layers[0].weight}
        self.register_buffer("mask", torch.ones(width))

    def forward(self, x: Any) -> Any:
        h = F.relu(self.encoder(x)) * self.mask
        for layer in self.layers:
            h = h + layer(h)
        return self.head(h) * self.scale


def net() -> Net:
    torch.manual_seed(0)
    return Net(nn.Linear(3, 4), nn.Linear(4, 2))


def test_a_parameter_has_the_name_of_its_attribute_whatever_dicts_hold_it_too() -> None:
    model = net()
    own = ["scale", *(f"{m}.{p}" for m in ("encoder", "head", "layers.0", "layers.1") for p in ("weight", "bias"))]
    assert [name for name, _ in model.named_parameters()] == own
    assert list(model.state_dict()) == [own[0], "mask", *own[1:]]
    assert [name for name, _ in model.named_children()] == ["encoder", "head", "layers"]
    other = Net(nn.Linear(3, 4), nn.Linear(4, 2))
    other.load_state_dict(model.state_dict())
    x = torch.randn(5, 3)
    assert (other(x) == model(x)).all()


class LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Any, weight: Any, bias: Any = None) -> Any:  # type: ignore[override]
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:  # type: ignore[override]
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class MyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Any) -> Any:  # type: ignore[override]
        ctx.save_for_backward(input)
        return input.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:  # type: ignore[override]
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input < 0] = 0
        return grad_input


def test_functions() -> None:
    torch.manual_seed(0)
    x, w, b = (torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in ((5, 3), (2, 3), (2,)))
    assert torch.autograd.gradcheck(LinearFunction.apply, (x, w, b))
    assert torch.autograd.gradcheck(MyReLU.apply, (x,), eps=1e-6, atol=1e-4)


class Points(Dataset):
    def __init__(self, n: int, transform: Any = None) -> None:
        super().__init__()
        self.x = torch.randn(n, 3, generator=torch.Generator().manual_seed(0))
        self.y, self.transform = (self.x.sum(1) > 0).long(), transform

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, idx: Any) -> Any:
        if torch.is_tensor(idx):
            idx = idx.tolist()
        sample = self.x[idx]
        return (self.transform(sample) if self.transform else sample), self.y[idx]


class EvenFirst(Sampler):
    def __init__(self, data_source: Any) -> None:
        super().__init__(data_source)
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        return iter([*range(0, n, 2), *range(1, n, 2)])

    def __len__(self) -> int:
        return len(self.data_source)


class InBatches(Sampler):
    def __init__(self, labels: Any, size: int) -> None:
        self.labels, self.size = labels, size

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(len(self.labels)).tolist()
        for i in range(0, len(order), self.size):
            yield order[i : i + self.size]

    def __len__(self) -> int:
        return -(-len(self.labels) // self.size)


def collate(batch: Any) -> Any:
    xs, ys = zip(*batch, strict=True)
    return torch.stack(xs), torch.tensor([int(y) for y in ys])


def test_datasets_and_samplers() -> None:
    data = Points(21, transform=lambda t: t * 2)
    loaders = [
        DataLoader(data, 4, sampler=EvenFirst(data), num_workers=2),
        DataLoader(data, batch_sampler=InBatches(data.y, 5)),
        DataLoader(data, 4, shuffle=True, collate_fn=collate, num_workers=1, pin_memory=True, persistent_workers=True),
    ]  # fmt: skip
    for loader in loaders:
        batches = list(loader)
        assert sum(len(x) for x, _ in batches) == sum(len(y) for _, y in batches) == 21 and len(batches) == len(loader)
    assert (next(iter(loaders[0]))[0] == data.x[[0, 2, 4, 6]] * 2).all()


class WarmUp(optim.lr_scheduler.LRScheduler):
    def __init__(self, optimizer: Any, warmup: int, total: int, min_lr: float = 0.0, last_epoch: int = -1) -> None:
        self.warmup, self.total, self.min_lr = warmup, total, min_lr
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch < self.warmup:
            return [base * (self.last_epoch + 1) / self.warmup for base in self.base_lrs]
        t = (self.last_epoch - self.warmup) / (self.total - self.warmup)
        return [self.min_lr + (base - self.min_lr) * 0.5 * (1 + math.cos(math.pi * t)) for base in self.base_lrs]


class LARS(optim.Optimizer):
    def __init__(self, params: Any, lr: float, weight_decay: float = 0, momentum: float = 0.9, eta: float = 0.001):
        defaults = dict(lr=lr, weight_decay=weight_decay, momentum=momentum, eta=eta)  # noqa: C408
        super().__init__(params, defaults)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("eta", 0.001)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                dp = p.grad
                if p.ndim > 1:
                    dp = dp.add(p, alpha=group["weight_decay"])
                    param_norm, update_norm = torch.norm(p), torch.norm(dp)
                    one = torch.ones_like(param_norm)
                    q = torch.where(update_norm > 0, group["eta"] * param_norm / update_norm.clamp(min=1e-12), one)
                    dp = dp.mul(torch.where(param_norm > 0, q, one))
                state = self.state[p]
                if "mu" not in state:
                    state["mu"] = torch.zeros_like(p)
                state["mu"].mul_(group["momentum"]).add_(dp)
                p.add_(state["mu"], alpha=-group["lr"])


class SAM(optim.Optimizer):
    def __init__(self, params: Any, base_optimizer: Any, rho: float = 0.05, **kwargs: Any) -> None:
        super().__init__(params, dict(rho=rho, **kwargs))
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups
        self.defaults.update(self.base_optimizer.defaults)

    @torch.no_grad()
    def first_step(self) -> None:
        norms = [p.grad.norm(p=2) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.state[p]["old_p"] = p.data.clone()
                    p.add_(p.grad * (group["rho"] / (torch.norm(torch.stack(norms), p=2) + 1e-12)))
        self.zero_grad()

    @torch.no_grad()
    def second_step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.data = self.state[p]["old_p"]
        self.base_optimizer.step()
        self.zero_grad()


def train(make: Any) -> float:
    model = net()
    optimizer = make(model)
    schedule = WarmUp(getattr(optimizer, "base_optimizer", optimizer), 3, 30)
    for epoch in range(8):
        generator = torch.Generator().manual_seed(epoch)
        for x, y in DataLoader(Points(60), 6, shuffle=True, num_workers=2, generator=generator):
            F.cross_entropy(model(x), y).backward()
            if isinstance(optimizer, SAM):
                optimizer.first_step()
                F.cross_entropy(model(x), y).backward()
                optimizer.second_step()
            else:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        schedule.step()
    data = Points(60)
    return F.cross_entropy(model(data.x), data.y).item()


def test_schedules_and_optimizers() -> None:
    options = {"foreach": False, "fused": None, "capturable": False}
    adam = train(lambda m: optim.AdamW(m.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1, **options))
    sam = train(lambda m: SAM(m.parameters(), optim.SGD, lr=0.1, momentum=0.9))
    lars = train(lambda m: LARS(m.parameters(), lr=0.1, eta=0.02))
    assert max(adam, sam, lars) < 0.4 < math.log(2), (adam, sam, lars)
    assert np.isfinite([adam, sam, lars]).all() and lucid.is_grad_enabled()

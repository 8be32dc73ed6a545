"""Thirty-three ways to train a network in vain, each found by the doctor, and each mended.

    python examples/07_broken_training.py
    python examples/07_broken_training.py softmax-twice zero-grad-forgotten     # only these

Hardly any of them raises an error, and the loss may even fall. Every function below makes one mistake, as it is
made, unless it is `mended`. The program trains both ways with `lucid.see.watch` looking on, and prints what that says.
"""

import warnings
from collections.abc import Callable
from contextlib import suppress

import numpy
from common import Options, run

import lucid
import lucid.nn as nn
import lucid.nn.functional as F
import lucid.optim as optim

SAMPLES, STEPS, QUICK_STEPS = 96, 60, 15
Training = tuple[nn.Module, optim.Optimizer, Callable[[], float]]
BUGS: dict[str, Callable[[bool], Training]] = {}


def bug(name: str):
    """Enter a function under the name that the doctor has for its mistake."""
    return lambda function: BUGS.setdefault(name, function)




def data() -> tuple[lucid.Tensor, lucid.Tensor]:
    """Points (n, 4), and which of three classes each belongs to."""
    x = lucid.randn(SAMPLES, 4)
    return x, (x @ lucid.randn(4, 3)).argmax(dim=1)


def network(*last: nn.Module, outputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, outputs), *last)


def training(model: nn.Module, loss_of: Callable[[], lucid.Tensor], optimizer=None) -> Training:
    """The loop as it should be."""
    optimizer = optimizer or optim.Adamax(model.parameters(), lr=0.01)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, optimizer, step


# -- what the loss is given --------------------------------------------------------------------------------------------


@bug("softmax-twice")
def softmax_twice(mended: bool) -> Training:
    x, y = data()
    model = network() if mended else network(nn.Softmax(dim=1))
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("sigmoid-twice")
def sigmoid_twice(mended: bool) -> Training:
    x, y = data()
    model = network(outputs=1) if mended else network(nn.Sigmoid(), outputs=1)
    yes = (y == 0).float().unsqueeze(1)
    return training(model, lambda: F.binary_cross_entropy_with_logits(model(x), yes))


@bug("relu-before-loss")
def relu_before_loss(mended: bool) -> Training:
    x, y = data()
    model = network() if mended else network(nn.ReLU())
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("nll-without-log")
def nll_without_log(mended: bool) -> Training:
    x, y = data()
    model = network(nn.LogSoftmax(dim=1)) if mended else network(nn.Softmax(dim=1))
    return training(model, lambda: F.nll_loss(model(x), y))


@bug("broadcast-loss")
def broadcast_loss(mended: bool) -> Training:
    x, _ = data()
    target = x.sum(dim=1)  # (n,)
    model = network(outputs=1)  # (n, 1)
    return training(model, lambda: ((model(x).squeeze(1) if mended else model(x)) - target).square().mean())


@bug("target-out-of-range")
def target_out_of_range(mended: bool) -> Training:
    x, y = data()
    model = network(outputs=1)
    yes = (y == 0).float().unsqueeze(1)
    target = yes if mended else yes * 2 - 1  # 1 and -1
    return training(model, lambda: F.binary_cross_entropy_with_logits(model(x), target))


@bug("loss-not-finite")
def loss_not_finite(mended: bool) -> Training:
    x, y = data()
    model, right = network(), F.one_hot(y, 3).float()

    def loss_of() -> lucid.Tensor:
        scores = model(x) * 500  # sure of itself: some probabilities are 0
        each = F.log_softmax(scores, dim=1) if mended else F.softmax(scores, dim=1).log()
        return -(each * right).sum(dim=1).mean()

    return training(model, loss_of)


@bug("labels-off-by-one")
def labels_off_by_one(mended: bool) -> Training:
    x, y = data()
    model, labels = (network(), y) if mended else (network(outputs=4), y + 1)
    return training(model, lambda: F.cross_entropy(model(x), labels))


@bug("loss-without-graph")
def loss_without_graph(mended: bool) -> Training:
    x, y = data()
    model = network()

    def loss_of() -> lucid.Tensor:
        with lucid.set_grad_enabled(mended):
            scores = model(x)
        return F.cross_entropy(scores, y)

    return forgiving(training(model, loss_of))


@bug("graph-of-an-earlier-step")
def graph_of_an_earlier_step(mended: bool) -> Training:
    x, _ = data()
    cell, state = nn.RNNCell(4, 8), [lucid.zeros(SAMPLES, 8)]

    def loss_of() -> lucid.Tensor:
        state[0] = cell(x, state[0].detach() if mended else state[0])
        return (state[0] - 0.5).square().mean()

    return forgiving(training(cell, loss_of))


def forgiving(made: Training) -> Training:
    """The same, going on where backward() raises."""
    model, optimizer, step = made

    def without_complaint() -> float:
        with suppress(RuntimeError):
            return step()
        return float("nan")

    return model, optimizer, without_complaint


# -- who knows the parameters ------------------------------------------------------------------------------------------


@bug("optimizer-of-another-model")
def optimizer_of_another_model(mended: bool) -> Training:
    x, y = data()
    model = network()
    optimizer = optim.Adamax(model.parameters(), lr=0.01)
    model = model if mended else network()  # "start afresh"
    step = training(model, lambda: F.cross_entropy(model(x), y), optimizer)
    return step if mended else quiet(step)


def quiet(made: Training) -> Training:
    """The same without the optimizer's warning that no parameter has a gradient."""
    model, optimizer, step = made

    def quietly() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return step()

    return model, optimizer, quietly


@bug("parameter-without-optimizer")
def parameter_without_optimizer(mended: bool) -> Training:
    x, y = data()
    model = network()
    if mended:
        model[2] = nn.Linear(16, 3)
    optimizer = optim.Adamax(model[:2].parameters() if not mended else model.parameters(), lr=0.01)
    return training(model, lambda: F.cross_entropy(model(x), y), optimizer)


@bug("parameter-not-in-loss")
def parameter_not_in_loss(mended: bool) -> Training:
    class Net(nn.Module):
        def __init__(self):
            self.first, self.middle, self.last = nn.Linear(4, 16), nn.Linear(16, 16), nn.Linear(16, 3)

        def forward(self, x):
            h = self.first(x).relu()
            if mended:
                h = self.middle(h).relu()
            return self.last(h)

    x, y = data()
    model = Net()
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("cut-graph")
def cut_graph(mended: bool) -> Training:
    class Net(nn.Module):
        def __init__(self):
            self.first, self.last = nn.Linear(4, 16), nn.Linear(16, 3)

        def forward(self, x):
            h = self.first(x)
            return self.last(h.relu() if mended else h.data.relu())

    x, y = data()
    model = Net()
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("unrecorded-forward")
def unrecorded_forward(mended: bool) -> Training:
    class Net(nn.Module):
        def __init__(self):
            self.first, self.last = nn.Linear(4, 16), nn.Linear(16, 3)

        def forward(self, x):
            with lucid.set_grad_enabled(mended):
                h = self.first(x).relu()
            return self.last(h)

    x, y = data()
    model = Net()
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("equal-weights")
def equal_weights(mended: bool) -> Training:
    x, y = data()
    model = network()
    if not mended:
        for p in model.parameters():
            nn.init.constant_(p, 0.1)
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("hidden-module")
def hidden_module(mended: bool) -> Training:
    class Net(nn.Module):
        def __init__(self):
            branches = [nn.Linear(4, 16), nn.Linear(4, 16)]
            self.branches = branches if mended else set(branches)
            self.last = nn.Linear(16, 3)

        def forward(self, x):
            return self.last(sum(branch(x).relu() for branch in self.branches))

    x, y = data()
    model = Net()
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("tensor-not-parameter")
def tensor_not_parameter(mended: bool) -> Training:
    class Net(nn.Module):
        def __init__(self):
            self.inner = network()
            scale = lucid.ones(3, requires_grad=True)
            self.scale = nn.Parameter(scale) if mended else scale

        def forward(self, x):
            return self.inner(x) * self.scale

    x, y = data()
    model = Net()
    return training(model, lambda: F.cross_entropy(model(x), y))


# -- what flows --------------------------------------------------------------------------------------------------------


@bug("data-not-normalised")
def data_not_normalised(mended: bool) -> Training:
    x, y = data()
    pixels = (x - x.min()) / (x.max() - x.min()) * 255
    model = network()
    return training(model, lambda: F.cross_entropy(model((pixels - 128) / 64 if mended else pixels), y))


@bug("dead-relu")
def dead_relu(mended: bool) -> Training:
    x, y = data()
    model = network()
    if not mended:
        nn.init.constant_(model[0].bias, -10.0)
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("saturated")
def saturated(mended: bool) -> Training:
    x, y = data()
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    if not mended:
        nn.init.normal_(model[0].weight, std=300.0)
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("no-activation")
def no_activation(mended: bool) -> Training:
    x, y = data()
    model = network() if mended else nn.Sequential(nn.Linear(4, 16), nn.Linear(16, 3))
    return training(model, lambda: F.cross_entropy(model(x), y))


def deep(layer: Callable[[], nn.Module], depth: int, width: int = 64) -> nn.Sequential:
    body = [part for _ in range(depth) for part in (nn.Linear(width, width), layer())]
    return nn.Sequential(nn.Linear(4, width), layer(), *body, nn.Linear(width, 3))


@bug("exploding")
def exploding(mended: bool) -> Training:
    x, y = data()
    model = deep(nn.ReLU, depth=6)
    if not mended:
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight)  # of size 1, whatever the number of inputs
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("vanishing")
def vanishing(mended: bool) -> Training:
    x, y = data()
    model = deep(nn.ReLU if mended else nn.Sigmoid, depth=4 if mended else 14)
    return training(model, lambda: F.cross_entropy(model(x), y))


# -- steps -------------------------------------------------------------------------------------------------------------


@bug("learning-rate-too-large")
def learning_rate_too_large(mended: bool) -> Training:
    x, y = data()
    model = deep(nn.Tanh, depth=2)
    optimizer = optim.Adamax(model.parameters(), lr=0.01 if mended else 10)
    return training(model, lambda: F.cross_entropy(model(x), y), optimizer)


@bug("learning-rate-too-small")
def learning_rate_too_small(mended: bool) -> Training:
    x, y = data()
    model = network()
    optimizer = optim.Adamax(model.parameters(), lr=0.01 if mended else 1e-8)
    return training(model, lambda: F.cross_entropy(model(x), y), optimizer)


@bug("learning-rate-zero")
def learning_rate_zero(mended: bool) -> Training:
    x, y = data()
    model = network()
    model, optimizer, step = training(model, lambda: F.cross_entropy(model(x), y))
    epochs = optim.CosineAnnealingLR(optimizer, T_max=1000 if mended else 5, eta_min=0.0)

    def and_schedule() -> float:
        loss = step()
        if epochs.last_epoch < epochs.T_max:
            epochs.step()
        return loss

    return model, optimizer, and_schedule


@bug("zero-grad-forgotten")
def zero_grad_forgotten(mended: bool) -> Training:
    x, y = data()
    model = network()
    optimizer = optim.Adamax(model.parameters(), lr=0.01)

    def step() -> float:
        if mended:
            optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, optimizer, step


@bug("step-without-backward")
def step_without_backward(mended: bool) -> Training:
    x, y = data()
    model = network()
    optimizer = optim.Adamax(model.parameters(), lr=0.01)

    def step() -> float:
        loss = F.cross_entropy(model(x), y)
        if mended:
            optimizer.zero_grad()
        loss.backward()
        if not mended:
            optimizer.zero_grad()
        optimizer.step()
        return loss.item()

    made = model, optimizer, step
    return made if mended else quiet(made)


@bug("backward-twice")
def backward_twice(mended: bool) -> Training:
    x, y = data()
    model = network()
    optimizer = optim.Adamax(model.parameters(), lr=0.01)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        if not mended:
            loss.backward(retain_graph=True)  # "to print a gradient"
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, optimizer, step


@bug("graphs-kept-alive")
def graphs_kept_alive(mended: bool) -> Training:
    x, y = data()
    model, total = network(), [0.0]
    optimizer = optim.Adamax(model.parameters(), lr=0.01)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total[0] += loss.item() if mended else loss
        return loss.item()

    return model, optimizer, step


@bug("eval-mode")
def eval_mode(mended: bool) -> Training:
    x, y = data()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    model, optimizer, step = training(model, lambda: F.cross_entropy(model(x), y))

    def and_validate() -> float:
        if mended:
            model.train()
        loss = step()
        model.eval()
        with lucid.no_grad():
            model(x)
        return loss

    return model, optimizer, and_validate


@bug("train-mode")
def train_mode(mended: bool) -> Training:
    x, y = data()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    model, optimizer, step = training(model, lambda: F.cross_entropy(model(x), y))

    def and_validate() -> float:
        model.train()
        loss = step()
        if mended:
            model.eval()
        with lucid.no_grad():
            model(x)
        return loss

    return model, optimizer, and_validate


# -- and the doctor ----------------------------------------------------------------------------------------------------


def examined(name: str, mended: bool, steps: int, seed: int = 0) -> tuple[lucid.see.Report, float]:
    """Train, the doctor looking on: what it found, and the last loss."""
    lucid.manual_seed(seed)
    model, optimizer, step = BUGS[name](mended)
    with numpy.errstate(all="ignore"), lucid.see.watch(model, optimizer) as watched:  # NumPy would warn of log 0
        losses = [step() for _ in range(steps)]
    return watched.report, losses[-1]


def main(argv: list[str] | None = None) -> int:
    """Train all of them both ways; returns how many mistakes were not found, or found where there are none."""
    parser = Options(__doc__, quick=f"{QUICK_STEPS} steps each instead of {STEPS}")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(BUGS)}")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.names if name not in BUGS]:
        parser.error(f"there is no {unknown[0]!r}; there are: {', '.join(BUGS)}")
    steps = QUICK_STEPS if options.quick else STEPS
    usual = lucid.get_default_device()
    lucid.set_default_device(options.device)  # all that is made from here on goes there

    wrong = 0
    for name in options.names or BUGS:
        broken, lost = examined(name, False, steps, options.seed)
        healthy, reached = examined(name, True, steps, options.seed)
        found = name in broken.names
        print(f"\n{broken[name] if found else f'NOT FOUND: {name}'}")
        print(f"  loss after {steps} steps: {lost:.4f}, mended {reached:.4f}")
        for finding in healthy:
            print(f"  and mended it still says {finding.name}: {finding.message}")
        wrong += (not found) + len(healthy)
    lucid.set_default_device(usual)
    count = len(options.names or BUGS)
    print(f"\n{count} broken trainings; {wrong} mistakes of the doctor's")
    return wrong


if __name__ == "__main__":
    run(main)

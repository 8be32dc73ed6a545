"""Forty-five ways to train a network in vain, each found by the doctor, and each mended.

    python examples/07_broken_training.py
    python examples/07_broken_training.py softmax-twice zero-grad-forgotten     # only these

Hardly any of them raises an error, and the loss may even fall. Every function below makes one mistake, as it is
made, unless it is `mended`. The program trains both ways with `lucid.see.watch` looking on, and prints what that says;
and, where the loss hides the harm, what else shows it: accuracy on held-out data, memory, the size of a step.
"""

import gc
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy
from common import Options, run

import lucid
import lucid.nn as nn
import lucid.nn.functional as F
import lucid.optim as optim

SAMPLES, STEPS, QUICK_STEPS = 96, 60, 15
Training = tuple[nn.Module, optim.Optimizer, Callable[[], float]]
HELD_OUT: list[lucid.Tensor] = []
BUGS: dict[str, Callable[[bool], Training]] = {}


def bug(name: str):
    """Enter a function under the name that the doctor has for its mistake."""
    return lambda function: BUGS.setdefault(name, function)




def data() -> tuple[lucid.Tensor, lucid.Tensor]:
    """Points (n, 4), and which of three classes each belongs to; as many others are held out."""
    x, rule = lucid.randn(SAMPLES, 4), lucid.randn(4, 3)
    unseen = lucid.tensor(numpy.random.default_rng(0).standard_normal((SAMPLES, 4)), dtype=lucid.float32)
    HELD_OUT[:] = unseen, (unseen @ rule).argmax(dim=1)
    return x, (x @ rule).argmax(dim=1)


def network(*last: nn.Module, outputs: int = 3) -> nn.Sequential:
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


@bug("target-not-probabilities")
def target_not_probabilities(mended: bool) -> Training:
    x, y = data()
    model, target = network(), F.one_hot(y, 3).float()
    target = target if mended else (target - target.mean()) / target.std()  # "everything is to be standardised"
    return training(model, lambda: F.cross_entropy(model(x), target))


@bug("target-not-normalised")
def target_not_normalised(mended: bool) -> Training:
    x, _ = data()
    prices = x.sum(dim=1, keepdim=True) * 50_000 + 250_000
    target = (prices - prices.mean()) / prices.std() if mended else prices
    model = network(outputs=1)
    return training(model, lambda: F.mse_loss(model(x), target))


@bug("softmax-over-batch")
def softmax_over_batch(mended: bool) -> Training:
    x, y = data()
    model = network(nn.LogSoftmax(dim=1 if mended else 0))
    return training(model, lambda: -(model(x) * F.one_hot(y, 3).float()).sum(dim=1).mean())


@bug("labels-sorted")
def labels_sorted(mended: bool) -> Training:
    x, y = data()
    order = lucid.randperm(SAMPLES) if mended else y.argsort()
    x, y, model, at = x[order], y[order], network(), [0]

    def loss_of() -> lucid.Tensor:
        batch = slice(at[0], at[0] + 12)
        at[0] = (at[0] + 12) % SAMPLES
        return F.cross_entropy(model(x[batch]), y[batch])

    return training(model, loss_of)


@bug("sees-the-future")
def sees_the_future(mended: bool) -> Training:
    class Writer(nn.Module):
        def __init__(self):
            self.words, self.places = nn.Embedding(8, 16), nn.Embedding(11, 16)
            self.block, self.last = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), nn.Linear(16, 8)

        def forward(self, ids):
            n = ids.shape[1]
            mask = lucid.ones(n, n).triu(1) > 0 if mended else None
            return self.last(self.block(self.words(ids) + self.places(lucid.arange(n)), mask))

    model, text = Writer(), lucid.randint(0, 8, (16, 12))
    return training(model, lambda: F.cross_entropy(model(text[:, :-1]).reshape(-1, 8), text[:, 1:].reshape(-1)))


@bug("reshape-for-transpose")
def reshape_for_transpose(mended: bool) -> Training:
    x, y = lucid.randn(SAMPLES, 5, 4), lucid.randint(0, 3, (SAMPLES,))
    first, last = nn.Linear(4, 8), nn.Linear(5, 3)
    model = nn.ModuleList([first, last])

    def loss_of() -> lucid.Tensor:
        h = first(x).relu()  # (n, 5, 8); the next layer is to mix the 5
        h = h.transpose(1, 2) if mended else h.reshape(SAMPLES, 8, 5)
        return F.cross_entropy(last(h).mean(dim=1), y)

    return training(model, loss_of)


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


@bug("module-in-two-places")
def module_in_two_places(mended: bool) -> Training:
    x, y = data()
    layers = [nn.Linear(16, 16), nn.ReLU()]
    again = [nn.Linear(16, 16), nn.ReLU()] if mended else layers
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), *layers, *again, nn.Linear(16, 3))
    return training(model, lambda: F.cross_entropy(model(x), y))


@bug("zero-input")
def zero_input(mended: bool) -> Training:
    x, y = data()
    model = network()
    pixels = x if mended else (x.clamp(0, 1) * 255).long() // 256  # an integer division: 0 throughout
    return training(model, lambda: F.cross_entropy(model(pixels.float()), y))


@bug("zero-gradients")
def zero_gradients(mended: bool) -> Training:
    x, y = data()
    model, epoch = network(), 0
    share = 1.0 if mended else epoch / 10  # "warm the loss up", and epoch never moves
    return training(model, lambda: share * F.cross_entropy(model(x), y))


@bug("rounding-in-path")
def rounding_in_path(mended: bool) -> Training:
    x, y = data()
    model = network()

    def loss_of() -> lucid.Tensor:
        h = model[0](x)
        return F.cross_entropy(model[2](h.relu() if mended else h.round()), y)

    return training(model, loss_of)


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


@bug("weight-decay-too-large")
def weight_decay_too_large(mended: bool) -> Training:
    x, y = data()
    model = network()
    optimizer = optim.Adamax(model.parameters(), lr=0.01, weight_decay=1e-3 if mended else 10.0)
    return training(model, lambda: F.cross_entropy(model(x), y), optimizer)


@bug("clipped-away")
def clipped_away(mended: bool) -> Training:
    x, y = data()
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0 if mended else 1e-5)
        optimizer.step()
        return loss.item()

    return model, optimizer, step


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
    _, optimizer, step = training(model, lambda: F.cross_entropy(model(x), y))
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
    optimizer = optim.SGD(model.parameters(), lr=0.1)  # Adamax takes no notice of a gradient's size

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
    total: list[Any] = [0.0]
    model = network()
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
    _, optimizer, step = training(model, lambda: F.cross_entropy(model(x), y))

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
    _, optimizer, step = training(model, lambda: F.cross_entropy(model(x), y))

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


def examined(name: str, mended: bool, steps: int, seed: int = 0) -> tuple[lucid.see.Report, float, dict[str, float]]:
    """Train, the doctor looking on: what it found, the last loss, and the harm that this does not show."""
    lucid.manual_seed(seed)
    gc.collect()  # nobody answers for another's memory
    made = model, optimizer, step = BUGS[name](mended)
    with numpy.errstate(all="ignore"):  # NumPy would warn of log 0
        with lucid.see.watch(model, optimizer) as watched:
            losses = [step() for _ in range(steps)]
        return watched.report, losses[-1], harm(made)


def harm(made: Training) -> dict[str, float]:
    """What a training leaves behind beside its loss: accuracy on held-out data, memory, the size of a step."""
    model, _, step = made
    found = {"operations in memory": float(sum(type(each).__name__ == "Node" for each in gc.get_objects()))}
    before = [p.numpy().copy() for p in model.parameters()]
    step()
    changes = [p.numpy() - old for p, old in zip(model.parameters(), before, strict=True)]
    found["weights that a step moves"] = float(sum((change != 0).sum() for change in changes))
    found["size of a step, by that of the weights"] = max(
        float(abs(change).max() / (abs(old).max() or 1)) for change, old in zip(changes, before, strict=True)
    )
    with suppress(Exception), lucid.no_grad():  # models that take something else have no accuracy here
        scores = model.eval()(HELD_OUT[0])
        if scores.shape[1] in (3, 4):
            found["accuracy on held-out data"] = (scores.argmax(dim=1) == HELD_OUT[1]).float().mean().item()
    return found


def compared(lost: dict[str, float], mended: dict[str, float]) -> str:
    """The harm, where it shows."""
    worse = {name: (value, mended[name]) for name, value in lost.items() if name in mended}
    shown = [f"{name} {a:.3g}, mended {b:.3g}" for name, (a, b) in worse.items()
             if (b - a > 0.05 if "accuracy" in name else not 0.65 <= (a + 1e-9) / (b + 1e-9) <= 1.5)]  # fmt: skip
    return "; ".join(shown)


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
    gc.freeze()  # what is there already need not be looked through each time

    wrong = 0
    for name in options.names or BUGS:
        broken, lost, harmed = examined(name, False, steps, options.seed)
        healthy, reached, unharmed = examined(name, True, steps, options.seed)
        found = name in broken.names
        print(f"\n{broken[name] if found else f'NOT FOUND: {name}'}")
        print(f"  loss after {steps} steps: {lost:.4f}, mended {reached:.4f}")
        if differs := compared(harmed, unharmed):
            print(f"  {differs}")
        for finding in healthy:
            print(f"  and mended it still says {finding.name}: {finding.message}")
        wrong += (not found) + len(healthy)
    gc.unfreeze()
    lucid.set_default_device(usual)
    count = len(options.names or BUGS)
    print(f"\n{count} broken trainings; {wrong} mistakes of the doctor's")
    return wrong


if __name__ == "__main__":
    run(main)

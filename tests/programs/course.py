"""A course's chapter: its base classes save every argument as an attribute, and a trainer runs any module of theirs."""

import inspect

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils import data


def add_to_class(Class):
    def wrapper(obj):
        setattr(Class, obj.__name__, obj)

    return wrapper


class HyperParameters:
    def save_hyperparameters(self, ignore=()):
        frame = inspect.currentframe().f_back
        _, _, _, local_vars = inspect.getargvalues(frame)
        self.hparams = {k: v for k, v in local_vars.items() if k not in set([*ignore, "self"]) and not k.startswith("_")}
        for k, v in self.hparams.items():
            setattr(self, k, v)


class Module(nn.Module, HyperParameters):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters()

    def loss(self, y_hat, y):
        raise NotImplementedError

    def forward(self, X):
        assert hasattr(self, "net"), "Neural network is not defined"
        return self.net(X)

    def training_step(self, batch):
        return self.loss(self(*batch[:-1]), batch[-1])

    def validation_step(self, batch):
        return self.loss(self(*batch[:-1]), batch[-1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class DataModule(HyperParameters):
    def get_tensorloader(self, tensors, train, indices=slice(0, None)):
        tensors = tuple(a[indices] for a in tensors)
        dataset = data.TensorDataset(*tensors)
        return data.DataLoader(dataset, self.batch_size, shuffle=False)


class Trainer(HyperParameters):
    def __init__(self, max_epochs, gradient_clip_val=0):
        self.save_hyperparameters()

    def fit(self, model, data):
        self.train_dataloader, self.val_dataloader = data.dataloader(True), data.dataloader(False)
        self.model, self.optim = model, model.configure_optimizers()
        self.history = []
        for self.epoch in range(self.max_epochs):
            self.fit_epoch()
        return self.history

    def clip_gradients(self, grad_clip_val, model):
        params = [p for p in model.parameters() if p.requires_grad]
        norm = torch.sqrt(sum(torch.sum((p.grad**2)) for p in params))
        if norm > grad_clip_val:
            for param in params:
                param.grad[:] *= grad_clip_val / norm


class RegressionData(DataModule):
    def __init__(self, X, w, b, noise, num_train, batch_size=16):
        self.save_hyperparameters()
        self.y = torch.matmul(self.X, w.reshape((-1, 1))) + b + noise

    def dataloader(self, train):
        i = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader((self.X, self.y), train, i)


class MLP(Module):
    def __init__(self, num_hiddens, lr, wd=0.0):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.LazyLinear(num_hiddens), nn.ReLU(), nn.LazyLinear(1))

    def loss(self, y_hat, y):
        return F.mse_loss(y_hat, y)

    def apply_init(self, inputs, init=None):
        self.forward(*inputs)
        if init is not None:
            self.net.apply(init)

    def configure_optimizers(self):
        return torch.optim.SGD([{"params": self.net[0].weight, "weight_decay": self.wd},
                                {"params": [self.net[0].bias, *self.net[2].parameters()]}], lr=self.lr)


@add_to_class(Trainer)
def prepare_batch(self, batch):
    return batch


@add_to_class(Trainer)
def fit_epoch(self):
    self.model.train()
    total = 0.0
    for batch in self.train_dataloader:
        loss = self.model.training_step(self.prepare_batch(batch))
        self.optim.zero_grad()
        with torch.no_grad():
            loss.backward()
            if self.gradient_clip_val > 0:
                self.clip_gradients(self.gradient_clip_val, self.model)
            self.optim.step()
        total += loss.item()
    self.history.append(total)
    self.model.eval()
    for batch in self.val_dataloader:
        with torch.no_grad():
            self.history[-1] += float(self.model.validation_step(self.prepare_batch(batch)))


def main(rng, begin):
    X = torch.tensor(rng.normal(size=(96, 3)), dtype=torch.float32)
    noise = torch.tensor(rng.normal(size=(96, 1)), dtype=torch.float32) * 0.01
    synthetic = RegressionData(X, w=torch.tensor([2.0, -3.4, 1.0]), b=4.2, noise=noise, num_train=64)
    model = MLP(num_hiddens=16, lr=0.03, wd=1e-3)
    model.apply_init([next(iter(synthetic.dataloader(True)))[0]])
    begin(model)
    assert sorted(name for name, _ in model.named_parameters()) == ["net.0.bias", "net.0.weight", "net.2.bias", "net.2.weight"]
    return Trainer(max_epochs=8, gradient_clip_val=5).fit(model, synthetic)

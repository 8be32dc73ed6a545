"""Modules: what the walk finds, and what is done to all of it."""

import copy
import gc
import io
import pickle
import random
import time
import weakref
from dataclasses import dataclass

import pytest

import lucid
from lucid import nn, optim


class Net(nn.Module):
    """Parameters, modules and buffers in every place where they can stand; no super().__init__()."""

    def __init__(self):
        self.scale = nn.Parameter([2.0])
        self.layers = [nn.Linear(2, 3), (nn.Linear(3, 3, bias=False), nn.ReLU())]
        self.heads = {"left": nn.Linear(3, 1), 7: [nn.Parameter([1.0])]}
        self.pair = (nn.Parameter([0.0]), "and", {})
        self.register_buffer("mean", lucid.tensor([0.5]))
        self.register_buffer("scratch", lucid.tensor([1]), persistent=False)
        self.note, self.plain = "text", lucid.ones(2)


NAMES = [  # its own, then those of its modules
    "scale",
    "heads.7.0",
    "pair.0",
    "layers.0.weight",
    "layers.0.bias",
    "layers.1.0.weight",
    "heads.left.weight",
    "heads.left.bias",
]


def test_parameters_are_found_where_they_stand_and_in_order():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [id(p) for p in net.parameters()] == [id(p) for _, p in net.named_parameters()]
    assert net.get_parameter("layers.1.0.weight") is net.layers[1][0].weight


def mixed(seed, depth=2):
    """A class made of parameters, buffers and modules that are assigned in any order, in lucid and in PyTorch."""
    rng = random.Random(seed)
    kinds = [rng.choice(["parameter", "buffer", "scratch", "linear", "norm", "mixed", "none"]) for _ in range(6)]

    def make(nn, tensor, base):
        class Mixed(base):
            def __init__(self):
                super().__init__()
                inner = make_inner(nn, tensor, base)
                made = {"linear": lambda: nn.Linear(2, 2), "norm": lambda: nn.BatchNorm1d(2), "mixed": inner,
                        "parameter": lambda: nn.Parameter(tensor([1.0]))}  # fmt: skip
                for i, kind in enumerate(kinds):
                    if kind == "none":
                        self.register_parameter(f"x{i}", None)
                    elif kind in ("buffer", "scratch"):
                        self.register_buffer(f"x{i}", tensor([1.0]), persistent=kind == "buffer")
                    else:
                        setattr(self, f"x{i}", made[kind]())
                for i, kind in enumerate(kinds):  # what is given anew, or later, keeps its place
                    if kind in ("none", "parameter") and i % 2:
                        setattr(self, f"x{i}", nn.Parameter(tensor([2.0])))

        return Mixed

    make_inner = mixed(seed + 1, depth - 1) if depth else lambda nn, tensor, base: lambda: nn.Linear(1, 1)
    return make


def test_own_parameters_come_before_those_of_modules():
    class Two(nn.Module):
        def __init__(self):
            self.layer, self.norm = nn.Linear(2, 2), nn.BatchNorm1d(2)
            self.register_buffer("count", lucid.tensor(0))
            self.scale, self.more = nn.Parameter([1.0]), [nn.Linear(1, 1), nn.Parameter([2.0])]

    layers = ["layer.weight", "layer.bias", "norm.weight", "norm.bias", "more.0.weight", "more.0.bias"]
    names = ["scale", "more.1", *layers]
    assert [name for name, _ in Two().named_parameters()] == names
    norms = ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]
    assert [name for name, _ in Two().named_buffers()] == ["count", *norms]
    assert list(Two().state_dict()) == [*names[:2], "count", *names[2:6], *norms, *names[6:]]
    tied = Two()
    tied.layer.weight = tied.late = nn.Parameter(lucid.ones(2, 2))  # the first name is that of the first place
    assert [name for name, p in tied.named_parameters() if p is tied.late] == ["late"]


@pytest.mark.parity
def test_every_order_is_pytorchs():
    import torch

    for seed in range(60):
        make = mixed(seed)
        ours, theirs = make(nn, lucid.tensor, nn.Module)(), make(torch.nn, torch.tensor, torch.nn.Module)()
        assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
        assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]
        assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
        assert list(ours.state_dict()) == list(theirs.state_dict())


def test_parameters_of_a_module_alone_and_under_a_prefix():
    net = nn.Sequential(Net())
    net.own, net.listed = nn.Parameter([1.0]), [nn.Parameter([2.0])]
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["own", "listed.0"]
    assert list(net.parameters(recurse=False)) == [net.own, net.listed[0]]
    assert not list(net.buffers(recurse=False)) and len(list(net[0].buffers(recurse=False))) == 2
    assert next(net[0].named_parameters("net"))[0] == "net.scale"
    assert [name for name, _ in nn.Sequential(nn.ReLU()).named_modules(prefix="a.b")] == ["a.b", "a.b.0"]


def test_only_registered_tensors_are_buffers():
    net = Net()
    assert [name for name, _ in net.named_buffers()] == ["mean", "scratch"]
    assert [id(b) for b in net.buffers()] == [id(net.mean), id(net.scratch)]
    net.mean = net.mean * 2  # the name is what counts
    assert next(net.buffers()) is net.mean
    net.mean = None
    assert [name for name, _ in net.named_buffers()] == ["scratch"]


def test_modules_and_children_by_name():
    net = Net()
    below = ["layers.0", "layers.1.0", "layers.1.1", "heads.left"]
    assert [name for name, _ in net.named_modules()] == ["", *below]
    assert [name for name, _ in net.named_children()] == below
    assert list(net.children()) == list(net.modules())[1:]
    assert net.get_submodule("layers.1.1") is net.layers[1][1]
    assert net.get_submodule("") is net
    outer = nn.Sequential(net)
    assert list(outer.children()) == [net]


def test_tied_weights_come_once_unless_asked_for():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    assert [name for name, _ in net.named_parameters()] == ["0.weight"]
    assert [name for name, _ in net.named_parameters(remove_duplicate=False)] == ["0.weight", "1.weight"]
    twice = nn.Sequential(net[0], net[0])
    assert len(list(twice.modules())) == 2 and len(list(twice.children())) == 1
    assert [name for name, _ in twice.named_modules(remove_duplicate=False)] == ["", "0", "1"]


def test_modules_in_a_circle_are_walked_once():
    parent, child = nn.Module(), nn.Module()
    parent.w, parent.child = nn.Parameter([1.0]), child
    child.v, child.parent, child.itself = nn.Parameter([2.0]), parent, [child]
    assert [name for name, _ in parent.named_parameters()] == ["w", "child.v"]
    assert [name for name, _ in child.named_parameters()] == ["v", "parent.w"]
    assert list(parent.state_dict()) == ["w", "child.v"]
    assert parent.eval().child.training is False
    assert "(child): Module(" in repr(parent) and "(...)" in repr(parent)
    order = []
    parent.apply(order.append)
    assert order == [child, parent]
    loop = [nn.Parameter([3.0])]
    loop.append(loop)
    parent.loop = loop
    assert [name for name, _ in parent.named_parameters()] == ["w", "loop.0", "child.v"]


def test_whatever_comes_and_goes_later_is_seen():
    net = nn.Module()
    assert not list(net.parameters())
    net.layers = []
    net.layers.append(nn.Linear(1, 1))
    assert len(list(net.parameters())) == 2
    del net.layers
    assert not list(net.parameters())


def test_a_dataclass_can_be_a_module():
    @dataclass
    class Affine(nn.Module):
        a: nn.Parameter
        b: nn.Parameter

        def forward(self, x):
            return self.a * x + self.b

    line = Affine(nn.Parameter(2.0), nn.Parameter(1.0))
    assert [name for name, _ in line.named_parameters()] == ["a", "b"]
    assert line(lucid.tensor(3.0)).item() == 7


def test_register_by_name():
    net = nn.Module()
    p, module = nn.Parameter([1.0]), nn.ReLU()
    net.register_parameter("p", p)
    net.register_parameter("none", None)
    net.add_module("act", module)
    net.register_buffer("b", None)
    net.register_buffer("b", lucid.ones(1))
    assert net.p is p and net.act is module and net.none is None
    net.register_parameter("p", nn.Parameter([2.0]))  # again is not a clash
    assert net.p.item() == 2


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda m: m.register_parameter("x", lucid.ones(1)),
            TypeError,
            "'x' must be a Parameter, got Tensor; use nn.P",
        ),
        (lambda m: m.register_parameter("a.b", nn.Parameter([1.0])), ValueError, "without dots, got 'a.b'"),
        (
            lambda m: m.register_parameter("", nn.Parameter([1.0])),
            ValueError,
            "non-empty str without dots, got ''",
        ),
        (
            lambda m: m.register_parameter("forward", nn.Parameter([1.0])),
            KeyError,
            "already has an attribute 'forward'",
        ),
        (
            lambda m: m.register_buffer("x", nn.Parameter([1.0])),
            TypeError,
            "plain Tensor or None, got Parameter",
        ),
        (lambda m: m.register_buffer("x", [1.0]), TypeError, "plain Tensor or None, got list"),
        (lambda m: m.register_buffer("train", lucid.ones(1)), KeyError, "already has an attribute 'train'"),
        (lambda m: m.register_buffer("weight", lucid.ones(1)), KeyError, "already has an attribute 'weight'"),
        (lambda m: m.add_module("x", lucid.ones(1)), TypeError, "'x' must be a Module, got Tensor"),
        (lambda m: m.add_module("weight", nn.ReLU()), KeyError, "Linear already has an attribute 'weight'"),
        (lambda m: m.get_submodule("x"), AttributeError, "Linear has no submodule 'x'; there are: none"),
        (
            lambda m: m.get_parameter("x"),
            AttributeError,
            "Linear has no parameter 'x'; there are: weight, bias",
        ),
        (lambda m: m.train("yes"), TypeError, "mode must be True or False, got 'yes'"),
        (lambda m: m.to("int64"), TypeError, "floating point dtype, got 'int64'"),
        (lambda m: m.to("float31"), ValueError, "unknown device 'float31'"),
        (lambda m: m.register_forward_hook(3), TypeError, "a hook must be callable, got 3"),
        (lambda m: nn.Module()(1), NotImplementedError, "Module has no forward"),
    ],
)
def test_refusals(call, error, words):
    module = nn.Linear(2, 2)
    before = dict(vars(module))
    with pytest.raises(error) as raised:
        call(module)
    assert words in str(raised.value)
    assert vars(module) == before


def test_modes_reach_everything_below():
    net = Net()
    assert all(module.training for module in net.modules())
    assert net.eval() is net and not any(module.training for module in net.modules())
    net.layers[0].train()
    assert net.layers[0].training and not net.training
    assert net.train() is net and all(module.training for module in net.modules())


def test_apply_goes_bottom_up_and_once():
    net = nn.Sequential(nn.Sequential(nn.ReLU(), nn.Tanh()), nn.GELU())
    net.append(net[1])
    seen = []
    assert net.apply(seen.append) is net
    assert seen == [net[0][0], net[0][1], net[0], net[1], net]


def test_zero_grad_and_requires_grad():
    net = nn.Linear(2, 1)
    net(lucid.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.weight.grad.tolist() == [[0.0, 0.0]]
    net.zero_grad()
    assert net.weight.grad is None and net.bias.grad is None
    net.requires_grad_(False)
    assert not net(lucid.ones(1, 2)).requires_grad
    assert net.requires_grad_().weight.requires_grad


def test_moving_to_a_dtype_keeps_the_parameters_themselves():
    net = Net()
    before = list(net.parameters())
    (net.layers[0](lucid.ones(1, 2)).sum() * net.scale).backward()
    assert net.double() is net
    assert [id(p) for p in net.parameters()] == [id(p) for p in before]
    assert {str(p.dtype) for p in net.parameters()} == {"float64"}
    assert net.scale.grad.dtype == lucid.float64 and net.scale.requires_grad and net.scale.is_leaf
    assert net.mean.dtype == lucid.float64
    assert net.scratch.dtype == lucid.int64  # integers stay
    assert net.plain.dtype == lucid.float32  # not state
    assert net.to(lucid.ones(1, dtype=lucid.float32)).scale.dtype == lucid.float32
    assert net.half().scale.dtype == lucid.float16 and net.type("float64").scale.dtype == lucid.float64
    assert net.to("cpu", lucid.float32).float().cpu().scale.dtype == lucid.float32


def test_copies_and_pickles_are_of_their_own():
    net = nn.Sequential(Net(), nn.Linear(2, 2))
    net[1].weight.grad = lucid.ones(2, 2)
    net[1].bias = net[1].weight
    net.eval()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(twin) == repr(net) and not twin[0].training
        assert [name for name, _ in twin.named_parameters()] == [name for name, _ in net.named_parameters()]
        assert [name for name, _ in twin.named_buffers()] == ["0.mean", "0.scratch"]
        assert twin[1].bias is twin[1].weight  # still tied
        assert twin[1].weight.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]
        with lucid.no_grad():
            twin[1].weight.fill_(5.0)
        assert 5.0 not in net[1].weight.tolist()[0]


def test_repr_reads_as_pytorchs():
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Dropout(0.1), nn.Flatten()))
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): Dropout(p=0.1)\n"
        "    (1): Flatten(start_dim=1, end_dim=-1)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.ReLU()) == "ReLU()"
    assert "(layers.1.0): Linear(in_features=3, out_features=3, bias=False)" in repr(Net())

    class Sized(nn.Module):
        def __init__(self):
            self.inner = nn.Tanh()

        def extra_repr(self):
            return "size=3"

    assert repr(Sized()) == "Sized(\n  size=3\n  (inner): Tanh()\n)"


# -- containers ------------------------------------------------------------------------------------------------------


def test_sequential_is_a_list_that_computes():
    a, b, c = nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)
    net = nn.Sequential(a, b, c)
    x = lucid.randn(4, 2)
    assert net(x).tolist() == c(b(a(x))).tolist()
    assert len(net) == 3 and list(net) == [a, b, c] and net[-1] is c and b in net and nn.Tanh() not in net
    assert isinstance(net[:2], nn.Sequential) and list(net[:2]) == [a, b]
    assert [name for name, _ in net[1:].named_parameters()] == ["1.weight", "1.bias"]
    assert net.append(b) is net and list(net) == [a, b, c, b]
    net[1] = c
    del net[0]
    net.insert(0, b)
    net += [a]
    assert list(net) == [b, c, c, b, a]
    assert [name for name, _ in net.named_modules(remove_duplicate=False)] == ["", "0", "1", "2", "3", "4"]
    assert nn.Sequential()(x) is x


def test_sequential_with_names():
    a, b = nn.Linear(2, 3), nn.Tanh()
    net = nn.Sequential({"first": a, "act": b})
    assert net.first is a and net[1] is b and list(net.state_dict()) == ["first.weight", "first.bias"]
    net.append(nn.Linear(3, 1))
    assert list(net.state_dict())[-1] == "2.bias"
    assert net[:1].first is a
    del net[0]
    assert [name for name, _ in net.named_children()] == ["act", "1"]
    taken = nn.Sequential({"1": a}).append(b)
    assert list(taken) == [a, b] and taken[0] is a


def test_module_list_dict_and_parameter_list():
    a, b = nn.Linear(1, 1), nn.Linear(1, 2)
    some = nn.ModuleList([a]).extend([b])
    assert list(some) == [a, b] and isinstance(some[:1], nn.ModuleList) and some[-1] is b
    assert list(some.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    by_name = nn.ModuleDict({"x": a})
    by_name["y"] = b
    assert list(by_name) == ["x", "y"] == list(by_name.keys()) and list(by_name.values()) == [a, b]
    assert "y" in by_name and len(by_name) == 2 and dict(by_name.items())["x"] is a
    assert next(iter(by_name.state_dict())) == "x.weight"
    del by_name["x"]
    assert list(by_name) == ["y"]
    ps = nn.ParameterList([nn.Parameter([1.0]), lucid.ones(2)])
    assert all(isinstance(p, nn.Parameter) for p in ps) and [name for name, _ in ps.named_parameters()] == [
        "0",
        "1",
    ]
    assert repr(ps) == "ParameterList((0): (1,) float32, (1): (2,) float32)"


# -- hooks -----------------------------------------------------------------------------------------------------------


def test_forward_hooks_see_and_replace():
    layer, log = nn.Linear(2, 2), []
    x = lucid.ones(1, 2)
    plain = layer(x)
    first = layer.register_forward_pre_hook(lambda m, args: log.append(("before", m, args[0].tolist())))
    second = layer.register_forward_hook(lambda m, args, out: log.append(("after", m, out.tolist())))
    layer(x)
    assert log == [("before", layer, x.tolist()), ("after", layer, plain.tolist())]
    first.remove()
    first.remove()  # harmless
    second.remove()
    layer(x)
    assert len(log) == 2

    with (
        layer.register_forward_pre_hook(lambda m, args: args[0] * 0),
        layer.register_forward_hook(lambda m, a, out: out + 1),
    ):
        assert layer(x).tolist() == [(layer.bias + 1).tolist()]
    assert layer(x).tolist() == plain.tolist()


def test_forward_hooks_with_keywords_and_in_order():
    class Scale(nn.Module):
        def forward(self, x, *, by=1.0):
            return x * by

    module, order = Scale(), []
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"by": kwargs["by"] * 2}), with_kwargs=True)
    module.register_forward_hook(lambda m, args, kwargs, out: order.append(kwargs["by"]), with_kwargs=True)
    module.register_forward_hook(lambda m, args, out: order.append("first"), prepend=True)
    module.register_forward_hook(lambda m, args, out: order.append("last"))
    assert module(lucid.ones(1), by=3.0).item() == 6
    assert order == ["first", 6.0, "last"]


def test_backward_hook_sees_this_call_alone_and_can_replace():
    layer, seen = nn.Linear(2, 1, bias=False), []
    with lucid.no_grad():
        layer.weight.fill_(3.0)
    x = lucid.ones(1, 2, requires_grad=True)

    def hook(module, grad_input, grad_output):
        seen.append((grad_input[0].tolist(), grad_output[0].tolist()))
        return (grad_input[0] * 10,)

    handle = layer.register_full_backward_hook(hook)
    (2 * layer(x) + x.sum()).sum().backward()
    assert seen == [([[6.0, 6.0]], [[2.0]])]  # not what x was used for beside
    assert x.grad.tolist() == [[61.0, 61.0]]
    assert layer.weight.grad.tolist() == [[2.0, 2.0]]  # parameters are not inputs
    handle.remove()
    layer(x).backward()
    assert len(seen) == 1


def test_backward_hook_with_several_inputs_and_outputs():
    class Mix(nn.Module):
        def forward(self, x, n, y):
            return x * y.sum(), n, y * n

    module, seen = Mix(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = lucid.tensor([1.0, 2.0], requires_grad=True)
    y = lucid.tensor([[3.0], [4.0]], dtype=lucid.float64, requires_grad=True)
    a, n, b = module(x, 5, y)
    assert n == 5 and b.dtype == lucid.float64 and a.tolist() == [7.0, 14.0]
    (a.sum() + 2 * b.sum()).backward()
    (((gx, gn, gy), (ga, gnone, gb)),) = seen
    assert gx.tolist() == [7.0, 7.0] == x.grad.tolist() and gn is None and gx.dtype == lucid.float32
    assert gy.tolist() == [[13.0], [13.0]] == y.grad.tolist() and gy.dtype == lucid.float64
    assert ga.tolist() == [1.0, 1.0] and gnone is None and gb.tolist() == [[2.0], [2.0]]


def test_backward_hook_where_no_input_needs_a_gradient():
    layer, seen = nn.Linear(2, 1), []
    handle = layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    layer(lucid.ones(1, 2)).backward()
    assert seen == [((None,), [[1.0]])]
    with lucid.no_grad():
        layer(lucid.ones(1, 2))
    assert len(seen) == 1
    handle.remove()
    layer.register_full_backward_hook(lambda m, gi, go: (go[0],))
    with pytest.raises(
        RuntimeError, match="hook of Linear returned gradients, but no argument of the module requires one"
    ):
        layer(lucid.ones(1, 2)).backward()


@pytest.mark.parametrize("activation", [nn.Identity, nn.Tanh, nn.ReLU, nn.GELU])
def test_backward_hooks_are_not_called_again_when_a_gradient_is_differentiated(activation):
    calls = []
    model = nn.Sequential(nn.Linear(2, 3), activation(), nn.Linear(3, 1))
    for i, module in enumerate([*model, model]):
        module.register_full_backward_hook(lambda m, gi, go, i=i: calls.append(i))
    x = lucid.ones(4, 2, requires_grad=True)
    y = model(x)

    def called(ask):
        calls.clear()
        ask()
        return sorted(calls)

    (g,) = lucid.autograd.grad(y.sum(), x, create_graph=True)
    assert sorted(calls) == [0, 1, 2, 3]
    assert called(lambda: (g * g).sum().backward(retain_graph=True)) == []
    assert called(lambda: lucid.autograd.grad((g * g).sum(), x, create_graph=True, allow_unused=True)) == []
    assert called(lambda: (y.sum() + (g * g).sum()).backward(retain_graph=True)) == []  # both at once
    assert called(lambda: (y * y).sum().backward(retain_graph=True)) == [0, 1, 2, 3]  # another loss
    assert called(lambda: (model(x) + g.sum()).sum().backward(retain_graph=True)) == [0, 1, 2, 3]  # another call
    assert called(lambda: y.sum().backward()) == [0, 1, 2, 3]


def test_backward_hooks_change_no_derivative_and_keep_nothing_alive():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    expected = lucid.autograd.hessian(lambda x: (model(x) ** 3).sum(), lucid.ones(1, 2)).tolist()
    for module in model:
        module.register_full_backward_hook(lambda m, gi, go: None)
    assert lucid.autograd.hessian(lambda x: (model(x) ** 3).sum(), lucid.ones(1, 2)).tolist() == expected
    x = lucid.ones(1, 2, requires_grad=True)
    gc.disable()
    y = model(x)
    (g,) = lucid.autograd.grad((y * y).sum(), x, create_graph=True)
    nodes = [weakref.ref(t._node) for t in (y, g)]
    del y, g
    assert [node() for node in nodes] == [None, None]
    gc.enable()


def test_backward_hooks_refuse():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="hook of Linear returned 2 gradients; expected 1, one for each argument"):
        layer(lucid.ones(1, 2, requires_grad=True)).backward()

    class Named(nn.Module):
        def forward(self, x):
            return {"x": x}

    module = Named()
    module.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.raises(TypeError, match="a backward hook needs Named to return a Tensor, or a tuple or list"):
        module(lucid.ones(1))


@pytest.mark.parity
def test_backward_hook_as_pytorch():
    import torch

    def run(framework, linear, ones):
        seen = []
        linear.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].tolist(), go[0].tolist())))
        x = ones(3, 2, requires_grad=True)
        (linear(x) ** 2).sum().backward()
        return seen

    theirs = torch.nn.Linear(2, 2).double()
    ours = nn.Linear(2, 2, dtype=lucid.float64)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    a = run(torch, theirs, lambda *s, **k: torch.ones(*s, dtype=torch.float64, **k))
    b = run(lucid, ours, lambda *s, **k: lucid.ones(*s, dtype=lucid.float64, **k))
    assert b[0][0] == [pytest.approx(row) for row in a[0][0]] and b[0][1] == [pytest.approx(row) for row in a[0][1]]


def test_a_parameter_is_not_lost_to_an_assignment() -> None:
    layer = nn.Linear(2, 3)
    for value in (lucid.ones(3, 2), layer.weight * 2, "a"):
        with pytest.raises(
            TypeError, match=r"Linear.weight is a Parameter, got .*nn.Parameter\(...\), or new values to .weight.data"
        ):
            layer.weight = value
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    layer.weight, layer.bias = nn.Parameter(lucid.ones(3, 2)), None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    del layer.weight
    layer.weight = lucid.ones(3, 2)  # meant so


def test_what_an_attribute_leads_to_has_that_name_only():
    class HyperParameters:
        """The base class of a course."""

        def save(self, **given):
            self.hparams = given
            for name, value in given.items():
                setattr(self, name, value)

    class Course(nn.Module, HyperParameters):
        def __init__(self, encoder, scale):
            self.save(encoder=encoder, scale=scale, lr=0.1)
            self.every = [*encoder.parameters(), encoder[0], (scale, {"deep": encoder[1]})]
            self.own = [nn.Linear(1, 1), encoder]

    net = Course(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Parameter([1.0]))
    names = {"encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias", "scale", "own.0.weight",
             "own.0.bias"}  # fmt: skip
    assert {name for name, _ in net.named_parameters(remove_duplicate=False)} == names
    assert set(net.state_dict()) == names | {f"encoder.1.{n}" for n, _ in nn.BatchNorm1d(3).named_buffers()}
    assert [name for name, _ in net.named_children()] == ["encoder", "own.0"]
    assert "hparams" not in repr(net) and "every" not in repr(net)
    other = Course(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Parameter([5.0]))
    other.load_state_dict(net.state_dict())
    assert other.scale.item() == 1
    outer = nn.Module()
    outer.listed, outer.net = [net.scale], net
    assert [name for name, _ in outer.named_parameters() if "scale" in name] == ["net.scale"]
    both = nn.Module()  # two lists are two names, and so are two attributes
    both.first, both.second = [net.scale], {"x": net.scale}
    assert list(both.state_dict()) == ["first.0", "second.x"]


def test_a_parameter_is_not_lost_where_modules_point_to_each_other():
    parent, child = nn.Module(), nn.Module()
    shared = nn.Parameter([1.0])
    parent.shared, parent.child = [shared], child
    child.parent, child.shared = parent, [shared]
    for module in (parent, child):
        assert list(module.parameters()) == [shared]


def test_any_str_is_a_key_of_a_dict_of_modules():
    keys = ["keys", "forward", "a.b", "", "training", "0", "items"]
    modules = nn.ModuleDict({key: nn.Linear(1, 1, bias=False) for key in keys})
    assert list(modules) == list(modules.keys()) == keys and len(modules) == len(keys)
    assert len(list(modules.parameters())) == len(keys) and "a.b.weight" in modules.state_dict()
    twin = pickle.loads(pickle.dumps(copy.deepcopy(modules)))
    twin.load_state_dict(modules.state_dict())
    assert list(twin) == keys and twin["keys"].weight.item() == modules["keys"].weight.item()
    assert modules.training and modules.eval() is modules and not modules["keys"].training
    item = modules["keys"]
    assert modules.pop("keys") is item and modules.pop("keys", None) is None and modules.get("keys") is None
    with pytest.raises(KeyError):
        modules.pop("keys")
    modules.one = nn.ReLU()  # an attribute is an entry, as in PyTorch
    modules.note = "text"
    assert modules["one"] is modules.one and "note" not in modules and modules.note == "text"
    modules.add_module("two", nn.Tanh())
    assert modules.get_submodule("two") is modules["two"] and not hasattr(modules, "three")
    modules.clear()
    assert not len(modules) and not list(modules.parameters())


def test_a_dict_of_parameters():
    ps = nn.ParameterDict({"w": nn.Parameter([1.0]), "b": lucid.ones(2)})
    ps["keys"] = lucid.zeros(1)
    assert all(type(p) is nn.Parameter for p in ps.values()) and list(ps.state_dict()) == ["w", "b", "keys"]
    assert ps.w is ps["w"] and repr(ps).startswith("ParameterDict((w): (1,) float32, (b): (2,) float32")
    assert ps.get("w") is ps["w"] and ps.get("x", 3) == 3
    ps.w = lucid.zeros(3)
    assert type(ps["w"]) is nn.Parameter and ps["w"].shape == (3,)
    with pytest.raises(TypeError, match="ParameterDict: an entry must be a Parameter, got float"):
        ps.w = 1.0
    del ps["w"]
    assert "w" not in ps and list(dict(ps.items())) == ["b", "keys"]


def test_lists_of_modules_are_added_cut_and_filled_as_lists_are():
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    for kind in (nn.ModuleList, lambda layers: nn.Sequential(*layers)):
        layers = kind([a, b])
        longer = layers + kind([c])
        assert type(longer) is type(layers) and list(longer) == [a, b, c] and list(layers) == [a, b]
        assert longer.pop() is c and longer.pop(0) is a and list(longer) == [b] and list(vars(longer)) == ["0"]
        layers[1:] = [c, a, b]
        assert list(layers) == [a, c, a, b] and list(layers[::2]) == [a, a]
        layers[-1] = c
        del layers[:2]
        assert list(layers) == [a, c] and [name for name, _ in layers.named_children()] == ["0", "1"]
        with pytest.raises(TypeError, match="an entry must be a Module, got int"):
            layers[:1] = [3]
        with pytest.raises(IndexError, match="has 2 entries, and so no entry 5"):
            layers.pop(5)
        assert list(layers) == [a, c]
    ps = nn.ParameterList([lucid.ones(1)]) + [lucid.zeros(2)]
    assert [tuple(p.shape) for p in ps] == [(1,), (2,)] and type(ps) is nn.ParameterList
    assert ps.pop(0).item() == 1 and len(ps) == 1


def appended(n):
    layers = nn.ModuleList()
    for _ in range(n):
        layers.append(nn.Tanh())
    return layers


def in_groups(n, names=False):
    optimizer = optim.Adamax([("first", nn.Parameter([1.0]))] if names else [nn.Parameter([1.0])])
    for i in range(n):
        p = nn.Parameter([1.0])
        optimizer.add_param_group({"params": [(f"p{i}", p)] if names else [p]})


GROWING = {  # what takes n steps, once it is built of n parts; and how many parts
    "Sequential": (lambda n: n, lambda n: nn.Sequential(*[nn.Tanh()] * n), 8000),
    "ModuleList.append": (lambda n: n, appended, 8000),
    "ModuleList +=": (lambda n: (appended(n), [nn.Tanh()] * n), lambda both: both[0].__iadd__(both[1]), 8000),
    "ModuleList[i]": (lambda n: nn.ModuleList([nn.Tanh()] * n), lambda m: [m[i] for i in range(-len(m), len(m))], 8000),
    "append, len and [-1]": (lambda n: n, lambda n: [(m.append(nn.Tanh()), len(m), m[-1]) for m in [nn.Sequential()]
                                                     for _ in range(n)], 4000),
    "save of names that become one": (lambda n: {f"{i:014b}".translate({48: "?", 49: "!"}): lucid.ones(1)
                                                 for i in range(n)},
                                      lambda state: lucid.save(state, io.BytesIO()), 2000),
    "named_parameters": (lambda n: nn.Sequential(*[nn.PReLU() for _ in range(n)]),
                         lambda model: list(model.named_parameters()), 8000),
    "load_state_dict": (lambda n: nn.Sequential(*[nn.PReLU() for _ in range(n)]),
                        lambda model: model.load_state_dict(model.state_dict()), 4000),
    "add_param_group": (lambda n: n, in_groups, 2000),
    "add_param_group with names": (lambda n: n, lambda n: in_groups(n, names=True), 2000),
    "interpolate": (lambda n: lucid.ones(1, 1, 10), lambda x, n: nn.functional.interpolate(x, n), 2_000_000),
    "interpolate, linear": (lambda n: lucid.ones(1, 1, 10),
                            lambda x, n: nn.functional.interpolate(x, n, mode="linear"), 1_000_000),
    "interpolate, backward": (lambda n: lucid.ones(1, 1, 4, requires_grad=True),
                              lambda x, n: nn.functional.interpolate(x, n, mode="linear").sum().backward(), 300_000),
}  # fmt: skip


def test_a_list_knows_its_entries_however_they_came_and_went():
    a, b, c, d = (nn.Linear(1, i + 1) for i in range(4))
    layers = nn.ModuleList([a, b])
    assert len(layers) == 2 and layers[1] is b
    layers.other = c
    assert layers[2] is layers[-1] is c and len(layers) == 3
    twin = copy.copy(layers)
    twin.append(d)
    assert len(twin) == 4 and twin[3] is d and len(layers) == 3 and layers[-1] is c
    layers.training = layers.note = False
    setattr(layers, "0", d)
    assert list(layers) == [layers[i] for i in range(3)] == [d, b, c]
    layers.other = None
    assert len(layers) == 2 and layers[-1] is b
    layers.other = c
    del layers.note
    delattr(layers, "0")
    layers.append(a)
    assert list(layers) == [layers[i] for i in range(len(layers))] and len(layers) == 3
    assert [pickle.loads(pickle.dumps(layers))[i].out_features for i in range(3)] == [m.out_features for m in layers]
    with pytest.raises(IndexError, match="has 3 entries, and so no entry 3"):
        layers[3]


@pytest.mark.parametrize("what", GROWING)
def test_time_grows_with_the_number_of_parts_and_not_with_its_square(what):
    prepare, run, most = GROWING[what]

    def seconds(n):
        prepared = prepare(n)
        gc.disable()  # whose passes over all that there is are not linear
        start = time.process_time()
        run(prepared, n) if what.startswith("interpolate") else run(prepared)
        gc.enable()
        return time.process_time() - start

    few, many = (min(seconds(n + i) for i in range(5)) for n in (most // 8, most))
    assert many < 1  # second
    assert many < 24 * few or what.startswith("interpolate")  # 8 in linear time, 64 in quadratic; the cache ends there


def test_a_name_that_is_free_is_found_after_any_history():
    layers = nn.Sequential({"a": nn.Tanh(), "b": nn.Tanh()})
    layers.append(nn.Tanh())
    assert [name for name, _ in layers.named_children()] == ["a", "b", "2"]
    layers.note = "text"
    layers.train(False)
    layers.append(nn.Tanh())
    setattr(layers, "4", "taken")
    layers.append(nn.Tanh())
    assert [name for name, _ in layers.named_children()] == ["a", "b", "2", "3", "5"]
    plain = nn.ModuleList([nn.Tanh() for _ in range(4)])
    del plain[1]
    plain.append(nn.Tanh()).insert(0, nn.Tanh())
    assert [name for name, _ in plain.named_children()] == ["0", "1", "2", "3", "4"]

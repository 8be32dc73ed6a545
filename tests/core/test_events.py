"""The events that other code observes: what handlers are given, what they may give back, and which are refused."""

import pytest

import lucid
from lucid.core import events


def squared(x):
    return (x * x).sum()


def test_each_event_calls_its_handlers_while_they_are_subscribed():
    x = lucid.tensor([1.0, 2.0], requires_grad=True)
    model = lucid.nn.Linear(2, 1)
    optimizer = lucid.optim.Adamax(model.parameters())
    seen = []
    handlers = {
        "forward": lambda op, forward: seen.append("forward") or forward,
        "node": lambda node, out: seen.append("node"),
        "vjp": lambda node, vjp: seen.append("vjp") or vjp,
        "write": lambda array: seen.append("write"),
        "backward": lambda tensors: seen.append("backward"),
        "step": lambda optimizer, closure: seen.append("step"),
        "module": lambda module, args: seen.append("module"),
    }
    assert set(handlers) == set(events.EVENTS)
    subscriptions = [events.on(event, handler) for event, handler in handlers.items()]
    squared(model(x)).backward()
    optimizer.step()
    assert set(seen) == set(handlers)
    for subscription in subscriptions:
        subscription.remove()
        subscription.remove()  # twice is harmless
    seen.clear()
    squared(model(x)).backward()
    optimizer.step()
    assert not seen and not any(handlers for handlers, _, _ in events.EVENTS.values())


def test_a_handler_may_put_another_function_in_the_place_of_a_forward():
    def doubled(op, forward):
        return lambda xp, *arrays, **options: 2 * forward(xp, *arrays, **options)

    with events.on("forward", doubled):
        assert lucid.exp(lucid.zeros(())).item() == 2
    assert lucid.exp(lucid.zeros(())).item() == 1


def test_what_a_handler_of_a_pass_returns_is_called_at_its_end():
    order = []
    x = lucid.tensor(3.0, requires_grad=True)
    with events.on("backward", lambda tensors: lambda: order.append(x.grad.item())):
        squared(x).backward()
    assert order == [6]


@pytest.mark.parametrize(
    "event, handler, error, text",
    [
        ("nodes", print, ValueError, r"there is no event 'nodes'; there are forward, node, vjp, write, backward"),
        ("node", None, TypeError, r"expected a function as the handler, got None; write on\('node', lambda node, out"),
        ("node", lambda node: None, TypeError, r"a handler of 'node' takes \(node, out\); write on\('node', lambda"),
        ("vjp", lambda: None, TypeError, r"'vjp' takes \(node, vjp\).*which returns the function to call in place"),
        ("step", lambda a, b, c: None, TypeError, r"'step' takes \(optimizer, closure\)"),
    ],
)
def test_a_handler_that_cannot_work_is_refused_where_it_is_subscribed(event, handler, error, text):
    with pytest.raises(error, match=text):
        events.on(event, handler)
    assert not any(handlers for handlers, _, _ in events.EVENTS.values())

"""Graphs where the usual first ideas go wrong: a value that is used early and late, many paths, a long chain."""

from lucid.learn import expect


def check(learner):
    Node = learner.Node

    def look_at(what, root, nodes):
        got = learner.order(root)
        expect(isinstance(got, list), f"order should give a list, got {type(got).__name__}")
        names = ", ".join(map(str, got[:8])) + (", ..." if len(got) > 8 else "")
        twice = [x for i, x in enumerate(got[:5000]) if x in got[:i][-5000:]] if len(got) != len(set(got)) else []
        expect(not twice, f"in {what}: {twice and twice[0]} comes more than once: {names}")
        lost = [x for x in nodes if x not in set(got)]
        expect(not lost, f"in {what}: {lost and lost[0]} is missing: {names}")
        place = {x: i for i, x in enumerate(got)}
        for x in got:
            for source in x.inputs:
                expect(
                    place[x] < place[source],
                    f"in {what}: {source} comes before {x}, which was computed from it; the order was {names}",
                )

    a = Node("a")
    b = Node("b", a)
    c = Node("c", b, a)
    loss = Node("loss", a, c)
    look_at("loss(a, c), c(b, a), b(a)", loss, [a, b, c, loss])
    late = Node("late", loss, b)
    root = Node("root", b, late)
    look_at("root(b, late), late(loss, b)", root, [a, b, c, loss, late, root])

    doubled = [Node("x")]
    for i in range(12):
        doubled.append(Node(f"d{i}", doubled[-1], doubled[-1]))
    look_at("12 doublings", doubled[-1], doubled)

    chain = [Node("start")]
    for i in range(5000):
        chain.append(Node(f"n{i}", chain[-1]))
    look_at("a chain of 5,000", chain[-1], chain)

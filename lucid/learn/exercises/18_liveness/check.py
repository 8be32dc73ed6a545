"""The trace of Adamax's rule, value by value."""

from lucid.learn import expect


def check(learner):
    short = [("multiply", ("a", "b"), "c"), ("add", ("c", "a"), "d"), ("exp", ("d",), "e")]
    adamax = [
        ("multiply", ("beta1", "m"), "%0"), ("multiply", ("beta3", "g"), "%1"), ("add", ("%0", "%1"), "new m"),
        ("multiply", ("beta2", "u"), "%3"), ("abs", ("g",), "%4"), ("maximum", ("%3", "%4"), "new u"),
        ("multiply", ("step", "new m"), "%6"), ("add", ("new u", "eps"), "%7"), ("divide", ("%6", "%7"), "update"),
    ]  # fmt: skip
    for what, instructions, outputs in [("c = a * b; d = c + a; e = exp(d)", short, ["e"]),
                                        ("Adamax's rule", adamax, ["new m", "new u", "update"])]:  # fmt: skip
        got = learner.last_uses(list(instructions), list(outputs))
        expect(isinstance(got, dict), f"last_uses should give a dict, got {type(got).__name__}")
        right = {x: i for i, (_, operands, _) in enumerate(instructions) for x in operands}
        right |= dict.fromkeys(outputs, len(instructions))
        for value, last in right.items():
            expect(value in got, f"in {what} {value} is used, and is not in the dict")
            why = "it is an output" if value in outputs else f"instruction {last} uses it last"
            expect(got[value] == last, f"in {what} the last use of {value} is {got[value]} by you; it is {last}: {why}")
        more = [x for x in got if x not in right]
        expect(not more, f"in {what} {more and more[0]} is in the dict, and nothing uses it")

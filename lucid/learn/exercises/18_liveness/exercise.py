"""Exercise 18: when is a value dead?"""


def last_uses(instructions, outputs):
    """Value -> number of the last instruction that uses it; len(instructions) for outputs."""
    last = {}
    for number, (function, operands, result) in enumerate(instructions):
        ...
    return last

"""Exercise 18: a solution.

Liveness is easy where there are no branches: one walk, in which a later use overwrites an earlier
one. With it `allocate`, in the same file of lucid, gives each result a place: over an operand that
dies in this very instruction, else in an array of workspace whose value is dead, else in a new one.
Adamax needs two arrays of workspace for nine instructions.
"""


def last_uses(instructions, outputs):
    """Value -> number of the last instruction that uses it; len(instructions) for outputs."""
    last = {}
    for number, (_function, operands, _result) in enumerate(instructions):
        for value in operands:
            last[value] = number
    for value in outputs:
        last[value] = len(instructions)
    return last

"""Exercise 17: a solution.

A trace is a program without loops and branches, in which each name is assigned once. So to print it
is to look up each operand's name and fill in a template; no expression needs parentheses, as every
line does one thing. The compiler does the rest: it keeps v0, v1, ... in registers.

lucid prints its optimizers' rules and its elementwise operations so (docs/kernels.md follows one
rule all the way). The array code that runs on the CPU is the only description there is, and nothing
can get out of step with it.
"""

# How each function is written in C. Braces are filled in by .format(first, second).
C = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "abs": "fabs({})",
    "maximum": "fmax({}, {})",
    "exp": "exp({})",
    "negative": "-{}",
}


def kernel(instructions):
    """The lines of C for instructions such as ("multiply", ("%beta1", "%m"), "%0"): a list of texts."""
    lines, names = [], {}
    for function, operands, result in instructions:
        values = [names.get(x, x.lstrip("%")) for x in operands]
        names[result] = f"v{len(lines)}"
        lines.append(f"scalar {names[result]} = {C[function].format(*values)};")
    return lines

"""Exercise 17: a fused kernel by printing."""

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
    lines = []
    for function, operands, result in instructions:
        ...
    return lines

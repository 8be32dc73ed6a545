"""Equations as the docstrings have them, `theta_t = theta_{t-1} - lr * m_t / (u_t + eps)`, as TeX for MathJax.

What stands between runs of spaces is read as Python once `_{t-1}`, `^` and `|g|` are rewritten, and printed from the
tree; a block with a line that is no equation is left as it stands.
"""

from __future__ import annotations

import ast
import re

GREEK = "alpha beta gamma delta epsilon eta theta lambda mu nu pi rho sigma tau phi psi omega Sigma".split()
TEX = {"eps": r"\epsilon", "grad": r"\nabla L", "inf": r"\infty"} | {name: "\\" + name for name in GREEK}
FUNCTIONS = {"cos", "exp", "floor", "log", "max", "min", "sign", "sin", "tanh"}
SIGNS = {ast.Eq: "=", ast.Gt: ">", ast.Lt: "<", ast.GtE: r"\ge", ast.LtE: r"\le"}
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


def typeset(block: str) -> str | None:
    """A block of equations as an aligned display, or None if a line of it is not one."""
    rows = []
    for line in block.strip("\n").split("\n"):
        found = re.fullmatch(r"\s*([\w{}+-]+) *= (.+)", line)
        if not found:
            return None
        right, *notes = re.split(r" {3,}", found[2].strip())
        try:
            rows.append(" & ".join([formula(found[1]), "= " + side(right), *(note(each) for each in notes)]))
        except SyntaxError:
            return None
    return "$$\n\\begin{alignedat}{2}\n" + " \\\\\n".join(f"  {row}" for row in rows) + "\n\\end{alignedat}\n$$"


def side(text: str) -> str:
    """A right-hand side; where words follow on it, or further formulas, they come behind the first one."""
    try:
        return formula(text)
    except SyntaxError:
        first, *rest = re.split(r"(,  ?(?:or )?| where | - (?=\w+'s ))", text)
        return formula(first) + "".join(spoken(part) for part in rest)


def note(text: str) -> str:
    """What is said beside an equation, at a distance."""
    return r"& \qquad " + "".join(map(spoken, re.split(r"(, |(?:^| )where )", text)))


def spoken(text: str) -> str:
    """A formula if it is one, else words with the symbols that occur in them."""
    if re.search(r"[=_>]|^\w$", text) and "`" not in text:
        try:
            return formula(text)
        except SyntaxError:
            pass
    pieces = re.split(r"(`[^`]*`|\b[A-Za-z]+_(?:\w\b|\{[^}]*\})|\bt\b)", text)
    return "".join(
        rf"\texttt{{{piece[1:-1]}}}" if piece[:1] == "`" else formula(piece) if i % 2 else rf"\text{{{piece}}}"
        for i, piece in enumerate(pieces) if piece
    )  # fmt: skip


def formula(text: str) -> str:
    """One formula. Raises SyntaxError where the text is none."""
    below: list[str] = []

    def subscript(found: re.Match[str]) -> str:
        below.append(found[1] or found[2])
        return f"__{len(below) - 1}"

    text = re.sub(r"\blambda\b", "lambda_", text)
    text = re.sub(r"_\{([^}]*)\}|_([a-z0-9])\b", subscript, text)
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text).replace("^", "**")
    text = re.sub(r"(?<![=<>!])=(?!=)", "==", text)
    return tex(ast.parse(text.strip(), mode="eval").body, below)


def tex(node: ast.expr, below: list[str]) -> str:
    """An expression as TeX; `below` are the subscripts by number."""

    def inside(operand: ast.expr, *looser: type) -> str:
        """An operand, in brackets where its operator binds less."""
        operator = ast.Sub if isinstance(operand, ast.UnaryOp) else type(getattr(operand, "op", None))
        return rf"\left({tex(operand, below)}\right)" if operator in looser else tex(operand, below)

    match node:
        case ast.Name(name):
            return symbol(name, below)
        case ast.Constant(number):
            return r"\cdots" if number is ... else str(number)
        case ast.UnaryOp(ast.USub(), operand):
            return "-" + inside(operand, ast.Add, ast.Sub)
        case ast.Compare(left, [sign], [right]) if type(sign) in SIGNS:
            return f"{tex(left, below)} {SIGNS[type(sign)]} {tex(right, below)}"
        case ast.Call(ast.Name("sqrt"), [given]):
            return rf"\sqrt{{{tex(given, below)}}}"
        case ast.Call(ast.Name("abs"), [given]):
            return f"|{tex(given, below)}|"
        case ast.Call(ast.Name(name), given) if name in FUNCTIONS or len(name) == 1:
            called = rf"\operatorname{{{name}}}" if len(name) > 1 else name
            return rf"{called}\left({', '.join(tex(each, below) for each in given)}\right)"
        case ast.BinOp(left, ast.Add(), right):
            return f"{tex(left, below)} + {tex(right, below)}"
        case ast.BinOp(left, ast.Sub(), right):
            return f"{tex(left, below)} - {inside(right, ast.Add, ast.Sub)}"
        case ast.BinOp(left, ast.Pow(), right):
            return f"{inside(left, *OPERATORS)}^{{{tex(right, below)}}}"
        case ast.BinOp(_, ast.Mult() | ast.Div(), _):
            return r" \, ".join(
                rf"\frac{{{tex(above, below)}}}{{{tex(under, below)}}}" if under else inside(above, ast.Add, ast.Sub)
                for above, under in factors(node)
            )
    raise SyntaxError(f"no equation: {ast.unparse(node)}")


def symbol(name: str, below: list[str]) -> str:
    """A name: Greek where it is a letter's, with its hat, its number and its subscript."""
    stem, _, index = name.partition("__")
    stem, number = re.fullmatch(r"(.*?)(\d*)", stem).groups()
    letter = stem.rstrip("_").removesuffix("hat")
    drawn = TEX.get(letter) or (letter if len(letter) == 1 else rf"\text{{{letter}}}")
    under = ",".join([*[number] * bool(number), *[formula(below[int(i)]) for i in [index] if i]])
    return (rf"\hat{{{drawn}}}" if stem.endswith("hat") else drawn) + (f"_{{{under}}}" if under else "")


def factors(node: ast.expr) -> list[tuple[ast.expr, ast.expr | None]]:
    """The factors of a product, each with its denominator or None: a denominator is that of the factor before it."""
    match node:
        case ast.BinOp(left, ast.Mult(), ast.BinOp(_, ast.Div(), _) as right):
            return [*factors(left), *factors(right)]
        case ast.BinOp(left, ast.Mult(), right):
            return [*factors(left), (right, None)]
        case ast.BinOp(left, ast.Div(), right):
            *before, (above, under) = factors(left)
            return [(left, right)] if under else [*before, (above, right)]
    return [(node, None)]

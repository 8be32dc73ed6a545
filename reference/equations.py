"""Equations as the docstrings have them, `theta_t = theta_{t-1} - lr * m_t / (u_t + eps)`, as TeX for MathJax.

What stands between the runs of spaces is read as Python once `_{t-1}`, `^` and `|g|` are rewritten, and printed from the tree;
a block with a line that is no equation is left as it stands.
"""

from __future__ import annotations

import ast
import re

GREEK = "alpha beta gamma delta epsilon eta theta lambda mu nu pi rho sigma tau phi psi omega Sigma".split()
TEX = {"eps": r"\epsilon", "grad": r"\nabla L", "inf": r"\infty"} | {name: "\\" + name for name in GREEK}
FUNCTIONS = {"cos", "exp", "floor", "log", "max", "min", "sign", "sin", "tanh"}
LOOSE = {ast.Add, ast.Sub}


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
    return Printer(below).visit(ast.parse(text.strip(), mode="eval").body)


class Printer(ast.NodeVisitor):
    """TeX from an expression. Denominators belong to the factor before them, as the eye has it."""

    def __init__(self, below: list[str]) -> None:
        self.below = below

    def generic_visit(self, node: ast.AST) -> str:
        raise SyntaxError(f"no equation: {ast.dump(node)}")

    def visit_Name(self, node: ast.Name) -> str:
        name, _, index = node.id.partition("__")
        hat = name.endswith("hat") and name != "hat"
        name = name.removesuffix("hat").rstrip("_")
        stem, number = re.fullmatch(r"(.*?)(\d*)", name).groups()
        tex = TEX.get(stem) or (stem if len(stem) == 1 else rf"\text{{{stem}}}")
        below = ",".join([*[number] * bool(number), *[formula(self.below[int(i)]) for i in [index] if i]])
        return (rf"\hat{{{tex}}}" if hat else tex) + (f"_{{{below}}}" if below else "")

    def visit_Constant(self, node: ast.Constant) -> str:
        return r"\cdots" if node.value is ... else str(node.value)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> str:
        return "-" + self.inside(node.operand, LOOSE)

    def visit_Compare(self, node: ast.Compare) -> str:
        signs = {ast.Eq: "=", ast.Gt: ">", ast.Lt: "<", ast.GtE: r"\ge", ast.LtE: r"\le"}
        pairs = zip(node.ops, node.comparators, strict=True)
        return " ".join([self.visit(node.left), *(f"{signs[type(op)]} {self.visit(right)}" for op, right in pairs)])

    def visit_Call(self, node: ast.Call) -> str:
        name, given = getattr(node.func, "id", ""), ", ".join(map(self.visit, node.args))
        if name == "sqrt":
            return rf"\sqrt{{{given}}}"
        if name == "abs":
            return rf"|{given}|"
        if name in FUNCTIONS or len(name) == 1:
            name = rf"\operatorname{{{name}}}" if len(name) > 1 else name
            return rf"{name}\left({given}\right)"
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> str:
        left, right = node.left, node.right
        if isinstance(node.op, ast.Add | ast.Sub):
            minus = isinstance(node.op, ast.Sub)
            return f"{self.visit(left)} {'-' if minus else '+'} {self.inside(right, LOOSE if minus else set())}"
        if isinstance(node.op, ast.Pow):
            return f"{self.inside(left, LOOSE | {ast.Mult, ast.Div, ast.Pow})}^{{{self.visit(right)}}}"
        if isinstance(node.op, ast.Mult | ast.Div):
            return r" \, ".join(
                rf"\frac{{{self.visit(above)}}}{{{self.visit(below)}}}" if below else self.inside(above, LOOSE)
                for above, below in self.factors(node)
            )
        return self.generic_visit(node)

    def factors(self, node: ast.expr) -> list[tuple[ast.expr, ast.expr | None]]:
        """The factors of a product, each with its denominator or None."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            divides = isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Div)
            return [*self.factors(node.left), *(self.factors(node.right) if divides else [(node.right, None)])]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            *before, (above, below) = self.factors(node.left)
            return [(node.left, node.right)] if below else [*before, (above, node.right)]
        return [(node, None)]

    def inside(self, node: ast.expr, looser: set[type]) -> str:
        """An operand, in brackets where its operator binds less."""
        tex = self.visit(node)
        return rf"\left({tex}\right)" if isinstance(node, ast.BinOp) and type(node.op) in looser else tex

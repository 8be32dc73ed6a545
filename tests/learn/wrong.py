"""Wrong answers as learners give them, and what the check must say: exercise -> [(the answer, a pattern)].

An answer is the solution with one text in the place of another, or all of it, where the solution looks quite different.
"""

from __future__ import annotations

Answer = tuple[str, str] | tuple[str]

EPS = "def rule(xp, g, u, *, beta2=0.999, eps=1e-8):\n    u = xp.maximum(beta2 * u, xp.abs(g){})\n    return {}, u\n"
SOFTMAX = "def softmax(x):\n    y = x.exp()\n    {}\n"

WRONG: dict[str, list[tuple[Answer, str]]] = {
    "01_product": [
        (
            ("return y, x", "return x, y"),
            r"the slope of x \* y along x, at x = 3 and y = 5, is 3 by of_product and 5 by central differences",
        ),
        (
            ("return y + 2 * x, x", "return y, x"),
            r"the slope of x \* y \+ x \* x along x, .* is 5 by of_two_paths and 11 by central differences",
        ),
        (("return y, x", "print(y, x)"), r"of_product\(3, 5\) gives None: is a `return` missing\?"),
    ],
    "02_chain": [
        (("2 * (out", "(out"), "both slopes are half of what they should be"),
        (("along_z = along_out * (1 - out * out)", "along_z = along_out"), "lack a factor: .* stands tanh"),
        (("along_b = along_z", "along_b = along_z * x"), "the slope along b, at w = 0.5, .* expected -.*, got -"),
    ],
    "03_differences": [
        (("(f(x + h) - f(x - h)) / (2 * h)", "(f(x + h) - f(x)) / h"), "it is off by 1e-05, as one-sided differences"),
        (("/ (2 * h)", "/ h"), r"slope\(exp, 1\): expected 2.71828, got 5.4"),
        (("return (f(x + h)", "f(0)\n    return (f(x + h)"), "f was called 3 times; two are enough"),
    ],
    "04_softsign": [
        (
            ("g / (1 + xp.abs(x)) / (1 + xp.abs(x))", "g / (1 + xp.abs(x))"),
            "the slope of output 0, element 0, along input 0, element 0, is 0.25 by backward and 0.0625 by central",
        ),
        (("g / (1 +", "1 / (1 +"), "where g is 0 your vjp gives 0.0625: it does not use g"),
        (("g / (1 + xp.abs(x)) / (1 + xp.abs(x))", "..."), "the vjp is still the hole"),
    ],
    "05_saved": [
        (
            ("g, out: g * out * (1 - out)", "g, x, out: g * out * out * xp.exp(-x)"),
            "the vjp names x, out, so that is saved",
        ),
        (("g * out * (1 - out)", "g * out"), "is 0.119.* by backward and 0.104.* by central differences"),
        (("g * out * (1 - out)", "g * (1 - out * out)"), "my_sigmoid: the slope of output 0, element 0"),
    ],
    "06_wrong_formula": [
        (
            (
                'wrong = "my_tanhshrink"',
                'wrong = "my_rsqrt"\nimport lucid\n\n@lucid.op(x=lambda xp, g, out: -g * out**3 / 2)\n'
                "def my_rsqrt(xp, x):\n    return 1 / xp.sqrt(x)\n",
            ),
            "my_rsqrt passes gradcheck, so its formula is right",
        ),
        (
            ("g * (x - out) * (x - out)", "g * out * out"),
            r"with your formula, x - tanh\(x\): the slope of output 0, element 0",
        ),
        (('"my_tanhshrink"', '"tanhshrink"'), "wrong should be one of the texts 'my_softplus', .* got 'tanhshrink'"),
    ],
    "07_unbroadcast": [
        (("g.sum(axis=stretched, keepdims=True)", "g"), r"to \(4, 1\): expected shape \(4, 1\), got shape \(4, 3\)"),
        (("keepdims=True", "keepdims=False"), r"to \(4, 1\): expected shape \(4, 1\), got shape \(4,\)"),
        (("g = g.sum(", "g = g.mean("), r"from \(4, 3\) to \(3,\) you take the mean; .* so it is the sum"),
    ],
    "08_matmul": [
        (
            ("xp.matmul(g, xp.swapaxes(b, a=-1, b=-2))", "xp.matmul(g, b)"),
            r"line \d+, `a=lambda xp, g, b: xp.matmul\(g, b\),`, raises ValueError: matmul",
        ),
        (
            ("xp.matmul(xp.swapaxes(a, a=-1, b=-2), g)", "xp.matmul(xp.swapaxes(g, a=-1, b=-2), a)"),
            r"the vjp of b gives a gradient of shape \(4, 3\); b has shape \(3, 4\)",
        ),
        (
            ("xp.matmul(g, xp.swapaxes(b, a=-1, b=-2))", "xp.matmul(g, xp.swapaxes(b, a=-1, b=-2)) / 2"),
            "my_matmul: the slope of output 0, element 0, along input 0, element 0, is .* by backward",
        ),
    ],
    "09_order": [
        (
            (
                "    seen, waiting = {root}, [root]\n",
                "    return [root, *(x for i in root.inputs for x in order(i))]\n    seen, waiting = {root}, [root]\n",
            ),
            r"in loss\(a, c\), .*: a comes more than once: loss, a, c, b, a, a",
        ),
        (
            (
                "    return sorted(seen, key=lambda node: node.number, reverse=True)",
                "    return sorted(seen, key=lambda node: node.number)",
            ),
            "a comes before b, which was computed from it; the order was a, b, c, loss",
        ),
        (
            (
                "    seen, waiting = {root}, [root]\n",
                "    found = []\n    def visit(node):\n        if node not in found:\n"
                "            for x in node.inputs:\n                visit(x)\n            found.append(node)\n"
                "    visit(root)\n    return found[::-1]\n",
            ),
            r"line \d+, `visit\(x\)`, raises RecursionError",
        ),
    ],
    "10_backward": [
        (
            ("gradients.get(source, 0) + part", "part"),
            r"in x \* x \+ x.exp\(\) the gradient of x: expected 11.3891, got",
        ),
        (("gradients.pop(node)", "gradients[node]"), "the gradient of exp, multiply.* is still there: pop each"),
        (("if source is not None:", "if True:"), "raises TypeError: unsupported operand .*'NoneType'"),
    ],
    "11_in_place": [
        ((SOFTMAX.format("y /= y.sum()\n    return y.clone()"),), "RuntimeError: .*exp needs its own output"),
        ((SOFTMAX.format("return y / y.sum().detach()"),), "softmax: the slope of output 0, element 0, along input 0"),
        ((SOFTMAX.format("return y.numpy() / y.numpy().sum()"),), "softmax: expected a Tensor, got a NumPy array"),
    ],
    "12_linear": [
        (
            ("nn.Parameter(lucid.randn(outputs, inputs) * 0.1)", "lucid.randn(outputs, inputs) * 0.1"),
            "does not find weight, a Tensor: an nn.Parameter is what it looks for",
        ),
        (
            ("(lucid.randn(outputs, inputs)", "(lucid.randn(inputs, outputs)"),
            r"weight has shape \(3, 2\), expected \(2, 3\)",
        ),
        ((" + self.bias", ""), r"MyLinear\(3, 2\) of 5 rows, element \[0, 0\]: expected"),
    ],
    "13_dead_relus": [
        (
            ("nn.init.zeros_(model[0].bias)", "nn.init.constant_(model[0].bias, 10.0)"),
            "16 of 16 units are above 0 for every row: there relu bends nothing",
        ),
        (("    nn.init.zeros_(model[0].bias)\n", ""), "16 of 16 units are still 0 for every one of the 256 rows"),
        (
            ('kaiming_uniform_(model[0].weight, nonlinearity="relu")', "constant_(model[0].weight, 1.0)"),
            "all units have the same weights, so they learn the same",
        ),
    ],
    "14_adamax": [
        (
            ("xp.abs(g))\n    return step * m / (u + eps)", "xp.abs(g) + eps)\n    return step * m / u"),
            "eps stands inside the max",
        ),
        (
            ("xp.maximum(beta2 * u, xp.abs(g))", "beta2 * u + (1 - beta2) * g * g"),
            r"the new u, element \[0\]: expected 0.5, got",
        ),
        (("return step * m", "return theta - step * m"), "the first result is the new theta; return the update"),
    ],
    "15_eps": [
        ((EPS.format(" + eps", "g / u"),), "u of an element that never had a gradient is 1e-08, and should be 0"),
        ((EPS.format("", "(g + eps) / (u + eps)"),), "an element that never had a gradient moves by 1 of a step"),
        (
            (EPS.format("", "g / xp.maximum(u, eps)"),),
            "one whose gradient is eps moves by 1 of a step; it should be 0.5",
        ),
    ],
    "16_optimizer": [
        (
            ("update = lr * xp.sign(beta1", "m = beta2 * m + (1 - beta2) * g\n        update = lr * xp.sign(beta1"),
            r"after step 1 the slot m, element \[0\]: expected 0.01, got 0.0199",
        ),
        (
            ("lr * xp.sign(beta1 * m + (1 - beta1) * g)", "lr * (beta1 * m + (1 - beta1) * g)"),
            r"after step 1 theta, element \[0\]",
        ),
        (
            ("return update, beta2 * m + (1 - beta2) * g", "return update"),
            "raises TypeError: Lion.rule: expected a tuple",
        ),
    ],
    "17_kernel": [
        (('x.lstrip("%")', "x"), "has a % in it: no name in C has one"),
        (("format(*values)", "format(*values[::-1])"), "for a - b your last line, .* computes: expected 2, got -2"),
        (('names[result] = f"v{len(lines)}"', 'names[result] = "v0"'), "computes v0 for a second time"),
    ],
    "18_liveness": [
        (
            ("last[value] = number", "last.setdefault(value, number)"),
            "the last use of a is 0 by you; it is 1: instruction 1 uses it",
        ),
        (
            ("last[value] = len(instructions)", "last.setdefault(value, len(instructions))"),
            "new m is 6 by you; it is 9: it is an output",
        ),
        (
            ("    for value in outputs:\n        last[value] = len(instructions)\n", ""),
            "e is used, and is not in the dict",
        ),
    ],
    "19_newton": [
        ((", create_graph=True", ""), r"line \d+, `\(curvature,\) = lucid.autograd.grad\(slope, x\)`, raises"),
        (("x - slope / curvature", "x + slope / curvature"), "leads to 12: that is uphill"),
        (
            ("x = x.detach().requires_grad_()", "x = x if x.requires_grad else x.requires_grad_()"),
            r"at the last step x drags \d+ operations of earlier steps along",
        ),
    ],
    "20_own_layer": [
        (("g * x * x * _slope", "g * x * _slope"), "my_swish, .* the slope of output 0, element 0, along input 1"),
        (
            ("s = xp.sigmoid(z)", "import numpy\n    s = 1 / (1 + numpy.exp(-numpy.asarray(z)))"),
            "my_swish, .*: differentiated a second time, the slope of output 0, element 0, along input 0",
        ),
        (
            ("nn.Parameter(lucid.ones(()))", "lucid.ones(())"),
            r"parameters\(\) does not find beta, a Tensor and no nn.Parameter",
        ),
    ],
}

"""The printed lines are run, in Python, for some elements, beside the functions themselves."""

import math
import re

import lucid
from lucid.core.array import cpu
from lucid.core.trace import Trace, TracedNamespace, Tracer
from lucid.learn import expect, same


def traced(function, names):
    trace = Trace(cpu)
    function(TracedNamespace(trace), *[Tracer(trace, name) for name in names])
    return [(f, tuple(map(str, operands)), str(out)) for f, operands, out in trace.instructions]


def look_at(learner, what, function, values):
    instructions = traced(function, values)
    lines = learner.kernel(list(instructions))
    expect(isinstance(lines, list), f"kernel should give a list of lines, got {type(lines).__name__}")
    expect(len(lines) == len(instructions), f"{what} has {len(instructions)} instructions, and you print {len(lines)}")
    known = {**values, "fabs": abs, "fmax": max, "exp": math.exp}
    for line, instruction in zip(lines, instructions):
        parts = re.fullmatch(r"scalar (v\d+) = (.*);", str(line).strip())
        expect(parts, f"{line!r} is not of the form `scalar v0 = beta1 * m;`")
        expect("%" not in line, f"{line!r} has a % in it: no name in C has one")
        used = set(re.findall(r"(?<![\w.])[a-z_]\w*", parts[2])) - set(known)
        expect(not used, f"{line!r} uses {', '.join(sorted(used))}, which is no input and was not computed before")
        expect(parts[1] not in known, f"{line!r} computes {parts[1]} for a second time")
        known[parts[1]] = eval(parts[2], {}, known)
        shown = instruction[0] + " " + " ".join(instruction[1])
    namespace = type("xp", (), {"maximum": staticmethod(max), "abs": abs, "exp": staticmethod(math.exp)})
    same(f"for {what} your last line, {lines[-1]!r} for `{shown}`, computes", known[parts[1]],
         function(namespace, *values.values()))  # fmt: skip


def check(learner):
    look_at(learner, "a - b", lambda xp, a, b: a - b, {"a": 5.0, "b": 3.0})
    look_at(learner, "m / (u + 2)", lambda xp, m, u: m / (u + 2), {"m": 3.0, "u": 4.0})
    sigmoid = lambda xp, x: 1 / (1 + xp.exp(-x))
    look_at(learner, "1 / (1 + exp(-x))", sigmoid, {"x": 0.3})
    adamax = lambda xp, m, u, g: (0.9 * m + 0.1 * g) / (xp.maximum(0.999 * u, xp.abs(g)) + 1e-8)
    look_at(learner, "Adamax", adamax, {"m": 0.2, "u": 0.7, "g": -0.4})

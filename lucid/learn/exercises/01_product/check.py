"""Each slope beside the one that central differences measure."""

from lucid.learn import expect, same


def check(learner):
    functions = {
        "of_product": ("x * y", lambda x, y: x * y),
        "of_two_paths": ("x * y + x * x", lambda x, y: x * y + x * x),
    }
    for name, (formula, f) in functions.items():
        for x, y in [(3.0, 5.0), (-2.0, 0.5)]:
            got, h = getattr(learner, name)(x, y), 1e-5
            measured = (f(x + h, y) - f(x - h, y)) / (2 * h), (f(x, y + h) - f(x, y - h)) / (2 * h)
            same(f"{name}({x:g}, {y:g})", got, got if isinstance(got, tuple) and len(got) == 2 else measured)
            for along, mine, right in zip("xy", got, measured):
                same(f"{name}: the slope along {along}", mine, right, atol=float("inf"))  # its kind
                expect(
                    abs(mine - right) < 1e-6,
                    f"the slope of {formula} along {along}, at x = {x:g} and y = {y:g}, is {mine:g} by {name} and "
                    f"{right:g} by central differences",
                )

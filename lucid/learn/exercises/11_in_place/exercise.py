"""Exercise 11: changed in place."""

import lucid


def softmax(x):
    """exp(x) / sum of exp(x), of a 1-D tensor."""
    y = x.exp()
    y /= y.sum()
    return y


if __name__ == "__main__":
    softmax(lucid.tensor([1.0, 2.0, 3.0], requires_grad=True))[0].backward()

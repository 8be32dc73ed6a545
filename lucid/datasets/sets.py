"""Small data sets that come with lucid: digits, the text of a book, and toy sets that are drawn anew each time.

The two that are files are the same bytes wherever lucid is installed: `DATA.md`, beside them, has their sources and
licences, and their checksums are verified when they are read. Points and noise of the toy sets come from lucid's own
generator, so `lucid.manual_seed` repeats them.
"""

import math
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from lucid.core.array import float32, int64
from lucid.core.node import Tensor
from lucid.io.npz import load
from lucid.ops.checks import as_float, check_count
from lucid.ops.create import arange, linspace, tensor
from lucid.ops.random import randn
from lucid.ops.shapes import cat, stack

__all__ = ["digits", "moons", "sine", "spiral", "text"]
_SHA256 = {
    "digits.npz": "599abe1b88b20ea1e8257ef613d9dc66e47b9cc36bfce2de78567834e93edf63",
    "alice.txt": "f00f760a5bca9a7b7f2394d4d2a53f7f045d38f75d0d364ab9657ba0ff6d83f1",
}


def digits() -> tuple[Tensor, Tensor]:
    """1,797 handwritten digits: images (1797, 8, 8), float32, ink from 0 to 1 in steps of 1/16, and labels (1797,),
    int64, the digit meant.

    The test part of *Optical Recognition of Handwritten Digits* (E. Alpaydin and C. Kaynak, 1998), CC BY 4.0.
    A RuntimeError if the file is not the one that came with lucid.

    >>> images, labels = digits()
    >>> images.shape, labels[:5]
    ((1797, 8, 8), tensor([0, 1, 2, 3, 4]))
    """
    arrays = load(BytesIO(_read("digits", "digits.npz")))
    return tensor(arrays["images"] / 16, dtype=float32), tensor(arrays["labels"], dtype=int64)


def text() -> str:
    """*Alice's Adventures in Wonderland* by Lewis Carroll (1865): 148,430 characters, 72 of them different, in ASCII.

    In the public domain. A RuntimeError if the file is not the one that came with lucid.

    >>> text()[227:271]
    'Alice was beginning to get very tired of sit'
    """
    return _read("text", "alice.txt").decode("ascii")


def spiral(points: int = 150, arms: int = 3, turns: float = 1.25, noise: float = 0.2) -> tuple[Tensor, Tensor]:
    """Arms of a spiral around 0, which no straight line can part: points (arms * points, 2), and the arm of each,
    int64. The arms make `turns` turns out to radius 1; `noise` is the standard deviation of the angle, in radians.

    >>> at, arm = spiral(points=100)
    >>> at.shape, arm.unique()
    ((300, 2), tensor([0, 1, 2]))
    """
    _check("spiral", noise, points=points, arms=arms)
    arm = arange(arms).unsqueeze(1).expand(arms, points)
    radius = linspace(0.05, 1, points).expand(arms, points)
    angle = 2 * math.pi * (turns * radius + arm / arms) + noise * randn(arms, points)
    at = stack([radius * angle.cos(), radius * angle.sin()], dim=2)
    return at.reshape(-1, 2), arm.reshape(-1)


def moons(points: int = 100, noise: float = 0.1) -> tuple[Tensor, Tensor]:
    """Two half circles of radius 1, each with an end inside the other: points (2 * points, 2), and the moon of each,
    0 for the upper one, int64. `noise` is the standard deviation of both coordinates.

    >>> at, moon = moons()
    >>> at.shape, moon.sum()
    ((200, 2), tensor(100))
    """
    _check("moons", noise, points=points)
    angle = linspace(0, math.pi, points)
    upper, lower = [angle.cos(), angle.sin()], [1 - angle.cos(), 0.5 - angle.sin()]
    at = cat([stack(upper, dim=1), stack(lower, dim=1)])
    return at + noise * randn(2 * points, 2), arange(2 * points) // points


def sine(points: int = 100, periods: float = 1.0, noise: float = 0.1) -> tuple[Tensor, Tensor]:
    """A sine wave with noise: x (points, 1), evenly from 0 to 2 pi `periods`, and y (points, 1), sin x and noise of
    this standard deviation.

    >>> x, y = sine(points=5, noise=0)
    >>> (y * 2).round().flatten()
    tensor([ 0.,  2., -0., -2.,  0.])
    """
    _check("sine", noise, points=points)
    x = linspace(0, 2 * math.pi * periods, points).unsqueeze(1)
    return x, x.sin() + noise * randn(points, 1)


def _check(function: str, noise: float, **counts: int) -> None:
    for name, count in counts.items():
        check_count(function, name, count, 1)
    if not as_float(function, "noise", noise) >= 0:
        raise ValueError(f"{function}: noise must be 0 or more, got {noise!r}; it is a standard deviation")


def _read(function: str, name: str) -> bytes:
    """The bytes of a file that came with lucid."""
    path = Path(__file__).with_name(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RuntimeError(f"{function}: {path} cannot be read ({error.strerror}); install lucid anew") from error
    if sha256(content).hexdigest() != _SHA256[name]:
        raise RuntimeError(f"{function}: {path} has been changed since it came with lucid; install lucid anew")
    return content


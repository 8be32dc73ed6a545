"""The data that come with lucid: what is in them, that they are unchanged, that toy sets are what they are called."""

import hashlib
import math
from pathlib import Path

import numpy
import pytest

import lucid
from lucid import datasets
from lucid.datasets import sets

FOLDER = Path(sets.__file__).parent
PAGE = (FOLDER / "DATA.md").read_text()


def test_the_digits_are_those_of_the_source():
    images, labels = datasets.digits()
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == ((1797, 8, 8), "float32", (1797,), "int64")
    ink = (images * 16).numpy()
    assert ink.min() == 0 and ink.max() == 16
    stored = ink.astype("uint8").tobytes() + labels.numpy().astype("uint8").tobytes()  # exact: sixteenths
    assert f"{hashlib.sha256(stored).hexdigest()}  the bytes of images" in PAGE
    counts = " | ".join(map(str, numpy.bincount(labels.numpy())))
    assert f"| images | {counts} |" in PAGE


def test_the_text_is_the_book():
    text = datasets.text()
    assert text.isascii() and len(text) == 148_430 and len(set(text)) == 72
    assert text.split()[:3] == ["ALICE'S", "ADVENTURES", "IN"] and text.rstrip().endswith("THE END")
    assert text.count("CHAPTER") == 12 and "\r" not in text


@pytest.mark.parametrize("name", sorted(sets._SHA256))
def test_a_changed_or_missing_file_is_refused(name, tmp_path, monkeypatch):
    assert f"{sets._SHA256[name]}  {name}" in PAGE
    read = {"digits.npz": datasets.digits, "alice.txt": datasets.text}[name]
    content = bytearray((FOLDER / name).read_bytes())
    content[-1] ^= 1
    monkeypatch.setattr(sets, "__file__", str(tmp_path / "sets.py"))
    with pytest.raises(RuntimeError, match=rf"{read.__name__}: .*{name} cannot be read .*; install lucid anew"):
        read()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RuntimeError, match=rf"{read.__name__}: .*{name} has been changed since it came with lucid"):
        read()


def test_a_spiral_has_its_arms_at_equal_angles():
    at, arm = datasets.spiral(points=50, arms=4, turns=0.5, noise=0)
    assert at.shape == (200, 2) and arm.tolist() == [i for i in range(4) for _ in range(50)]
    angle = numpy.arctan2(at[:, 1].numpy(), at[:, 0].numpy()).reshape(4, 50)
    between = numpy.mod(numpy.diff(angle, axis=0), 2 * math.pi)
    assert numpy.allclose(between, math.pi / 2, atol=1e-4)
    radius = at.norm(dim=1).reshape(4, 50)
    assert numpy.allclose(radius[:, 0], 0.05) and numpy.allclose(radius[:, -1], 1)


def test_moons_are_two_half_circles():
    at, moon = datasets.moons(points=40, noise=0)
    centre = lucid.tensor([[0.0, 0.0], [1.0, 0.5]])[moon]
    assert numpy.allclose((at - centre).norm(dim=1).numpy(), 1, atol=1e-6)
    assert (at[moon == 0][:, 1] >= -1e-6).all() and (at[moon == 1][:, 1] <= 0.5 + 1e-6).all()


def test_the_noise_has_the_deviation_that_it_is_given():
    x, y = datasets.sine(points=20_000, periods=3, noise=0.3)
    assert x[0].item() == 0 and math.isclose(x[-1].item(), 6 * math.pi, rel_tol=1e-6)
    assert math.isclose((y - x.sin()).std().item(), 0.3, rel_tol=0.03)
    smooth, rough = datasets.moons(points=20_000, noise=0)[0], datasets.moons(points=20_000, noise=0.2)[0]
    assert math.isclose((rough - smooth).std().item(), 0.2, rel_tol=0.03)


@pytest.mark.parametrize("draw", [datasets.spiral, datasets.moons, datasets.sine])
def test_toy_sets_are_drawn_anew_and_repeated_by_the_seed(draw):
    lucid.manual_seed(5)
    one, other = draw()[1 if draw is datasets.sine else 0], draw()[1 if draw is datasets.sine else 0]
    lucid.manual_seed(5)
    assert (draw()[1 if draw is datasets.sine else 0] == one).all() and not (one == other).all()
    for wrong in (0, -3, 2.5, True, "x"):
        with pytest.raises((TypeError, ValueError), match=rf"^{draw.__name__}: .*points.*, got {wrong!r}"):
            draw(points=wrong)
    for wrong in (-0.1, math.nan, "x", None):
        with pytest.raises((TypeError, ValueError), match=rf"^{draw.__name__}: .*noise.*, got {wrong!r}"):
            draw(noise=wrong)


def test_a_name_that_is_not_there_is_asked_after():
    with pytest.raises(AttributeError, match=r"lucid.datasets has no 'digit'; there is 'digits'"):
        datasets.digit  # noqa: B018

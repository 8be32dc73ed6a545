"""einsum and tensordot beyond the table's rows: random equations beside NumPy, and the sentence for each wrong one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.autograd import gradcheck


def random_equation(rng: np.random.Generator) -> tuple[str, list[tuple[int, ...]]]:
    """An equation about one to four operands, with letters repeated and summed, and dims of length 1 and 0."""
    sizes = {
        letter: int(n)
        for letter, n in zip(
            "abcdeX", rng.choice([1, 2, 3, 3, 4, 0], 6, p=[0.1, 0.3, 0.3, 0.2, 0.05, 0.05]), strict=True
        )
    }
    inputs = ["".join(rng.choice(list(sizes), int(rng.integers(4)))) for _ in range(int(rng.integers(1, 5)))]
    present = sorted(set("".join(inputs)))
    output = "".join(rng.permutation([c for c in present if rng.random() < 0.5]))
    return ",".join(inputs) + (f"->{output}" if rng.random() < 0.8 else ""), [
        tuple(sizes[c] for c in names) for names in inputs
    ]


@pytest.mark.parametrize("seed", range(150))
def test_random_equations_are_numpys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    equation, shapes = random_equation(rng)
    arrays = [rng.uniform(-1, 1, shape) for shape in shapes]
    tensors = [lucid.tensor(a, requires_grad=True) for a in arrays]
    out = lucid.einsum(equation, *tensors)
    np.testing.assert_allclose(
        out.detach().numpy(), np.einsum(equation, *arrays), rtol=1e-10, atol=1e-12, err_msg=equation
    )
    # The result is linear in each operand, so an operand times its own gradient is the result again.
    out.sum().backward()
    for t in tensors:
        np.testing.assert_allclose((t.detach() * t.grad).sum().item(), out.sum().item(), rtol=1e-9, atol=1e-9)


def test_the_same_tensor_may_come_twice() -> None:
    x = lucid.tensor([[1.0, 2.0], [3.0, 4.0]], dtype="float64", requires_grad=True)
    assert gradcheck(lambda t: lucid.einsum("ij,jk,kl->il", t, t, t), x)


def test_the_result_is_never_the_operand() -> None:
    x = lucid.ones(2, 3)
    for equation in ("ij->ij", "ij", "..."):
        lucid.einsum(equation, x).zero_()
    assert x.sum().item() == 6


def test_the_product_that_takes_the_fewest_multiplications_comes_first() -> None:
    from lucid.ops.products import _plan

    names = (("i", "j"), ("j", "k"), ("k", "l"))
    for shapes, first in ((((2, 100), (100, 100), (100, 3)), (0, 1)), (((3, 100), (100, 100), (100, 2)), (1, 2))):
        plan = _plan(shapes, names, ("i", "l"))
        assert next(step[1] for step in plan.steps if step[0] is lucid.matmul) == first


def test_integers_and_mixed_dtypes() -> None:
    i = lucid.tensor([[1, 2], [3, 4]])
    assert (
        lucid.einsum("ij,jk", i, i).tolist() == [[7, 10], [15, 22]] and lucid.einsum("ij,jk", i, i).dtype == lucid.int64
    )
    assert lucid.einsum("ij,j->i", i, lucid.ones(2)).dtype == lucid.float32
    assert lucid.tensordot(i, i).item() == 30


def test_operands_of_one_list() -> None:
    a, b = lucid.ones(2, 3), lucid.ones(3, 4)
    assert (
        lucid.einsum("ij,jk->ik", [a, b]).tolist() == lucid.einsum("ij , jk -> ik", a, b).tolist() == (a @ b).tolist()
    )


x, y = lucid.ones(2, 3), lucid.ones(3, 4)
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "no equation": (lambda: lucid.einsum([x, y], "ij,jk"), TypeError,
                    "einsum: expected a text for 'equation', got ["),
    "no tensor": (lambda: lucid.einsum("i", [[1.0]]), TypeError,
                  "einsum: 'list' object has no attribute '_array' (given equation='i', operands=("),
    "too few": (lambda: lucid.einsum("ij,jk->ik", x), ValueError, "einsum: 'ij,jk->ik' is about 2 operands, but got 1"),
    "too many": (lambda: lucid.einsum("ij", x, y), ValueError, "einsum: 'ij' is about 1 operand, but got 2"),
    "a digit": (lambda: lucid.einsum("i1->i", x), ValueError,
                "einsum: '1' in 'i1->i'; expected letters, one '...' for each tensor, ',' and '->'"),
    "two dots": (lambda: lucid.einsum("i..->i", x), ValueError, "einsum: '.' in 'i..->i'; expected letters"),
    "two arrows": (lambda: lucid.einsum("ij->i->j", x), ValueError, "einsum: '-' in 'ij->i->j'; expected letters"),
    "dots twice": (lambda: lucid.einsum("...i...", x), ValueError,
                   "einsum: '.' in '...i...'; expected letters, one '...' for each tensor"),
    "more letters than dims": (lambda: lucid.einsum("ijk->i", x), ValueError,
                               "einsum: 'ijk' names 3 dims, but operand 0 has shape (2, 3)"),
    "fewer letters than dims": (lambda: lucid.einsum("ij,j->i", x, y), ValueError,
                                "einsum: 'j' names 1 dim, but operand 1 has shape (3, 4)"),
    "more with dots": (lambda: lucid.einsum("...ijk->i", x), ValueError,
                       "einsum: '...ijk' names 3 dims, but operand 0 has shape (2, 3)"),
    "lengths": (lambda: lucid.einsum("ij,jk->ik", x, x), ValueError,
                "einsum: 'j' is 3 long, but 2 in operand 1 of shape (2, 3)"),
    "lengths in one": (lambda: lucid.einsum("ii->i", x), ValueError,
                       "einsum: 'i' is 2 long, but 3 in operand 0 of shape (2, 3)"),
    "a diagonal does not stretch": (lambda: lucid.einsum("ii->i", lucid.ones(1, 3)), ValueError,
                                    "einsum: 'i' is 1 long, but 3 in operand 0 of shape (1, 3)"),
    "lengths of hidden dims": (lambda: lucid.einsum("...i,...j->...ij", x, y), ValueError,
                               "einsum: a dim of '...', the last but 0 of them, is 2 long, but 3 in operand 1 of shape "
                               "(3, 4)"),
    "output twice": (lambda: lucid.einsum("ij->iij", x), ValueError,
                     "einsum: the output of 'ij->iij' has 'i' more than once"),
    "output from nowhere": (lambda: lucid.einsum("ij->ik", x), ValueError,
                            "einsum: the output of 'ij->ik' has 'k', but no operand does"),
    "tensordot count": (lambda: lucid.tensordot(x, y, 3), ValueError,
                        "tensordot: dims 3 is more than one of the shapes (2, 3) and (3, 4) has, or less than 0"),
    "tensordot negative": (lambda: lucid.tensordot(x, y, -1), ValueError, "tensordot: dims -1 is more"),
    "tensordot lengths": (lambda: lucid.tensordot(x, y, ([0], [1])), ValueError,
                          "tensordot: dims [0] of shape (2, 3) and [1] of shape (3, 4) differ in length"),
    "tensordot lists": (lambda: lucid.tensordot(x, y, ([0, 1], [0])), ValueError,
                        "tensordot: expected as many different dims of a as of b, got [0, 1] and [0]"),
    "tensordot twice": (lambda: lucid.tensordot(x, x, ([1, 1], [1, 1])), ValueError,
                        "tensordot: expected as many different dims"),
    "tensordot dim": (lambda: lucid.tensordot(x, y, ([2], [0])), IndexError,
                      "tensordot: dim 2 is out of range for a 2-D tensor"),
    "tensordot of what": (lambda: lucid.tensordot(x, y, "ab"), TypeError,
                          "tensordot: expected dims to be an int or two lists of ints, got 'ab'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_use_gets_a_sentence(name: str) -> None:
    use, error, message = REFUSED[name]
    with pytest.raises(error, match="^" + re.escape(message)) as caught:
        use()
    assert type(caught.value) is error

"""What type checkers and editors are told of Tensor's methods, and of names that are gathered, is what there is."""

import pytest

from reference import stub


@pytest.mark.parametrize("file", stub.STUBS)
def test_the_stubs_are_up_to_date(file: str) -> None:
    assert (stub.ROOT / "lucid" / file).read_text() == stub.STUBS[file](), "run python -m reference.stub"

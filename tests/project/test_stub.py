"""What type checkers and editors are told of Tensor's methods is what Tensor has."""

from reference import stub


def test_the_stub_of_node_py_is_up_to_date():
    assert stub.STUB.read_text() == stub.written(), "run python -m reference.stub"

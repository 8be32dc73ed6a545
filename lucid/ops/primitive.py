"""How a primitive and the public function around it share one name in one file."""

from collections.abc import Callable
from typing import Any


def primitive(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward `_solve` as that of the operation `solve`: in its file that name is the public function's, which
    takes PyTorch's arguments and checks them."""
    forward.__name__ = forward.__name__.removeprefix("_")
    return forward

"""Every operation that is not in core/. Each file has one subject: its primitives with their vjps, pure over `xp`, and
beside them the public functions, which have PyTorch's names and check their arguments.
"""

# For their effect: NumPy where it is slow, and methods of Tensor, of which the last has second names.
from lucid.ops import numpy_speed, tensor_methods, linalg, products, random, special, statistics, spellings  # noqa: I001

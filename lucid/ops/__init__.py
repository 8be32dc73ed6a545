"""Every operation that is not in core/. Each file has one subject: its primitives with their vjps, pure over `xp`, and
beside them the public functions, which have PyTorch's names and check their arguments.
"""

from lucid.ops import numpy_speed, tensor_methods  # for their effect: NumPy where it is slow, methods of Tensor

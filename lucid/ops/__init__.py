"""Every operation that is not in core/. Each file has one subject: its primitives with their vjps, pure over `xp`, and
beside them the public functions, which have PyTorch's names and check their arguments.
"""

from lucid.ops import (  # imported for their effect: methods of Tensor, and NumPy's functions where they are slow
    create,
    elementwise,
    inplace,
    numpy_speed,
    products,
    random,
    reductions,
    shapes,
    sort_index,
    special,
    tensor_methods,
)

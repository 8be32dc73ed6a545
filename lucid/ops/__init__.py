"""The operations. Each file has one subject: its primitives, which are pure over `xp`, with their vjps above them, and
beside them the public functions, which have PyTorch's names and check their arguments.

Only what the engine needs is imported here; the other subjects build on the Tensor.
"""

from lucid.ops import arithmetic as arithmetic
from lucid.ops import functions as functions
from lucid.ops import fused as fused
from lucid.ops import indexing as indexing
from lucid.ops import linear as linear
from lucid.ops import reductions as reductions
from lucid.ops import shapes as shapes
from lucid.ops import special as special

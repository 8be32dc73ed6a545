"""Chapter 3. The operations, pure over `xp`: no Tensor, no device, no graph in here."""

from lucid.ops import arithmetic as arithmetic
from lucid.ops import functions as functions
from lucid.ops import fused as fused
from lucid.ops import indexing as indexing
from lucid.ops import linalg as linalg
from lucid.ops import linear as linear
from lucid.ops import losses as losses
from lucid.ops import recurrent as recurrent
from lucid.ops import reductions as reductions
from lucid.ops import shapes as shapes
from lucid.ops import special as special

"""What the functions of this package refuse, with what was wrong and what to do."""

from lucid.ops.checks import UNSIGNED as UNSIGNED
from lucid.ops.checks import check_integers as check_integers
from lucid.ops.checks import check_probability as check_probability
from lucid.ops.checks import check_range as check_range
from lucid.ops.checks import check_tensor as check_tensor

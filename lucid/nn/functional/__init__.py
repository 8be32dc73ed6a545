"""Functions of neural networks that have no memory: `import lucid.nn.functional as F`.

The mathematics is in `lucid.ops`. Here arguments get PyTorch's names and are checked: what an operation would
broadcast, wrap around or turn into NaN without a word is refused, with what was wrong and what to do.
"""

from lucid.functions import log_softmax as log_softmax
from lucid.functions import softmax as softmax
from lucid.nn.functional.activations import elu as elu
from lucid.nn.functional.activations import gelu as gelu
from lucid.nn.functional.activations import leaky_relu as leaky_relu
from lucid.nn.functional.activations import softplus as softplus
from lucid.nn.functional.layers import dropout as dropout
from lucid.nn.functional.layers import embedding as embedding
from lucid.nn.functional.layers import one_hot as one_hot
from lucid.nn.functional.losses import binary_cross_entropy as binary_cross_entropy
from lucid.nn.functional.losses import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from lucid.nn.functional.losses import cross_entropy as cross_entropy
from lucid.nn.functional.losses import huber_loss as huber_loss
from lucid.nn.functional.losses import l1_loss as l1_loss
from lucid.nn.functional.losses import mse_loss as mse_loss
from lucid.nn.functional.losses import nll_loss as nll_loss
from lucid.nn.functional.losses import smooth_l1_loss as smooth_l1_loss
from lucid.ops.functions import relu as relu
from lucid.ops.functions import sigmoid as sigmoid
from lucid.ops.functions import silu as silu
from lucid.ops.functions import tanh as tanh
from lucid.ops.fused import linear as linear
from lucid.shaping import pad as pad

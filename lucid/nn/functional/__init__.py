"""Functions of neural networks that have no memory: `import lucid.nn.functional as F`.

The mathematics is in `lucid.ops`. Here arguments get PyTorch's names and are checked: what an operation would
broadcast, wrap around or turn into NaN without a word is refused, with what was wrong and what to do.
"""

from lucid.functions import log_softmax as log_softmax
from lucid.functions import softmax as softmax
from lucid.nn.functional.activations import elu as elu
from lucid.nn.functional.activations import gelu as gelu
from lucid.nn.functional.activations import glu as glu
from lucid.nn.functional.activations import hardsigmoid as hardsigmoid
from lucid.nn.functional.activations import hardswish as hardswish
from lucid.nn.functional.activations import hardtanh as hardtanh
from lucid.nn.functional.activations import leaky_relu as leaky_relu
from lucid.nn.functional.activations import mish as mish
from lucid.nn.functional.activations import prelu as prelu
from lucid.nn.functional.activations import relu6 as relu6
from lucid.nn.functional.activations import selu as selu
from lucid.nn.functional.activations import softplus as softplus
from lucid.nn.functional.activations import softsign as softsign
from lucid.nn.functional.activations import tanhshrink as tanhshrink
from lucid.nn.functional.attention import scaled_dot_product_attention as scaled_dot_product_attention
from lucid.nn.functional.images import conv1d as conv1d
from lucid.nn.functional.images import conv2d as conv2d
from lucid.nn.functional.images import conv_transpose1d as conv_transpose1d
from lucid.nn.functional.images import conv_transpose2d as conv_transpose2d
from lucid.nn.functional.images import fold as fold
from lucid.nn.functional.images import unfold as unfold
from lucid.nn.functional.layers import dropout as dropout
from lucid.nn.functional.layers import dropout1d as dropout1d
from lucid.nn.functional.layers import dropout2d as dropout2d
from lucid.nn.functional.layers import embedding as embedding
from lucid.nn.functional.layers import one_hot as one_hot
from lucid.nn.functional.losses import binary_cross_entropy as binary_cross_entropy
from lucid.nn.functional.losses import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from lucid.nn.functional.losses import cross_entropy as cross_entropy
from lucid.nn.functional.losses import huber_loss as huber_loss
from lucid.nn.functional.losses import kl_div as kl_div
from lucid.nn.functional.losses import l1_loss as l1_loss
from lucid.nn.functional.losses import mse_loss as mse_loss
from lucid.nn.functional.losses import nll_loss as nll_loss
from lucid.nn.functional.losses import smooth_l1_loss as smooth_l1_loss
from lucid.nn.functional.norms import batch_norm as batch_norm
from lucid.nn.functional.norms import cosine_similarity as cosine_similarity
from lucid.nn.functional.norms import group_norm as group_norm
from lucid.nn.functional.norms import layer_norm as layer_norm
from lucid.nn.functional.norms import normalize as normalize
from lucid.nn.functional.norms import pairwise_distance as pairwise_distance
from lucid.nn.functional.norms import rms_norm as rms_norm
from lucid.nn.functional.pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from lucid.nn.functional.pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from lucid.nn.functional.pooling import avg_pool1d as avg_pool1d
from lucid.nn.functional.pooling import avg_pool2d as avg_pool2d
from lucid.nn.functional.pooling import interpolate as interpolate
from lucid.nn.functional.pooling import max_pool1d as max_pool1d
from lucid.nn.functional.pooling import max_pool2d as max_pool2d
from lucid.ops.functions import logsigmoid as logsigmoid
from lucid.ops.functions import relu as relu
from lucid.ops.functions import sigmoid as sigmoid
from lucid.ops.functions import silu as silu
from lucid.ops.functions import tanh as tanh
from lucid.ops.fused import linear as linear
from lucid.padding import pad as pad


def __getattr__(name: str) -> object:  # only reached when the name is not there
    from lucid._suggest import missing

    raise missing("lucid.nn.functional", name, globals())

"""Functions of neural networks that have no state: `import lucid.nn.functional as F`.

They stand in `lucid.ops`, one file a subject, beside their gradients. What an operation would broadcast, wrap around or
turn into NaN silently they refuse, with what was wrong and what to do.
"""
# ruff: noqa: I001 (a line for each file, not for each name)

from lucid._suggest import suggesting as _suggesting
from lucid.core.elementwise import tanh
from lucid.ops.products import linear
from lucid.ops.elementwise import relu, sigmoid
from lucid.ops.reductions import log_softmax, softmax
from lucid.ops.activations import (
    elu, gelu, glu, hardsigmoid, hardswish, hardtanh, leaky_relu, logsigmoid, mish, prelu, relu6, selu, silu,
    softplus, softsign, tanhshrink,
)  # fmt: skip
from lucid.ops.attention import scaled_dot_product_attention
from lucid.ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from lucid.ops.embedding import dropout, dropout1d, dropout2d, embedding, one_hot
from lucid.ops.images import fold, interpolate, unfold
from lucid.ops.losses import (
    binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, huber_loss, kl_div, l1_loss,
    mse_loss, nll_loss, smooth_l1_loss,
)  # fmt: skip
from lucid.ops.norms import (
    batch_norm, cosine_similarity, group_norm, layer_norm, normalize, pairwise_distance, rms_norm,
)  # fmt: skip
from lucid.ops.pad import pad
from lucid.ops.pool import (
    adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d,
)  # fmt: skip

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d", "batch_norm",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "conv1d", "conv2d", "conv_transpose1d",
    "conv_transpose2d", "cosine_similarity", "cross_entropy", "dropout", "dropout1d", "dropout2d", "elu",
    "embedding", "fold", "gelu", "glu", "group_norm", "hardsigmoid", "hardswish", "hardtanh", "huber_loss",
    "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid",
    "max_pool1d", "max_pool2d", "mish", "mse_loss", "nll_loss", "normalize", "one_hot", "pad",
    "pairwise_distance", "prelu", "relu", "relu6", "rms_norm", "scaled_dot_product_attention", "selu",
    "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus", "softsign", "tanh", "tanhshrink", "unfold",
]  # fmt: skip
__getattr__ = _suggesting(__name__, globals())

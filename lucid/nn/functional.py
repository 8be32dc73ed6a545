"""Functions of neural networks that have no state: `import lucid.nn.functional as F`.

They stand in `lucid.ops`, one file a subject, beside their gradients. What an operation would broadcast, wrap around or
turn into NaN silently they refuse, with what was wrong and what to do.
"""
# ruff: noqa: I001 (a line for each file, not for each name)

from lucid.core.elementwise import tanh
from lucid.nn.spellings import with_implicit_dim as _dim, with_inplace as _inplace, with_size_average as _legacy
from lucid.ops import activations as _activations, elementwise as _elementwise, embedding as _embedding
from lucid.ops import losses as _losses, reductions as _reductions
from lucid.ops.products import linear
from lucid.ops.elementwise import sigmoid
from lucid.ops.activations import (
    gelu, glu, gumbel_softmax, hardshrink, logsigmoid, prelu, softplus, softshrink, softsign, tanhshrink,
)  # fmt: skip
from lucid.ops.attention import scaled_dot_product_attention
from lucid.ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from lucid.ops.embedding import embedding, one_hot
from lucid.ops.images import fold, interpolate, pixel_shuffle, unfold
from lucid.ops.losses import gaussian_nll_loss, huber_loss
from lucid.ops.norms import (
    batch_norm, cosine_similarity, group_norm, instance_norm, layer_norm, normalize, pairwise_distance, rms_norm,
)  # fmt: skip
from lucid.ops.pad import pad
from lucid.ops.pool import (
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_max_pool1d, adaptive_max_pool2d, avg_pool1d, avg_pool2d,
    max_pool1d, max_pool2d,
)  # fmt: skip

relu, relu6, celu = _inplace(_elementwise.relu), _inplace(_activations.relu6), _inplace(_activations.celu)
elu, selu, mish = _inplace(_activations.elu), _inplace(_activations.selu), _inplace(_activations.mish)
silu, hardtanh = _inplace(_activations.silu), _inplace(_activations.hardtanh)
leaky_relu, threshold = _inplace(_activations.leaky_relu), _inplace(_activations.threshold)
hardsigmoid, hardswish = _inplace(_activations.hardsigmoid), _inplace(_activations.hardswish)
dropout, dropout1d = _inplace(_embedding.dropout), _inplace(_embedding.dropout1d)
dropout2d = _inplace(_embedding.dropout2d)
softmax, log_softmax = _dim(_reductions.softmax), _dim(_reductions.log_softmax)
softmin = _dim(_activations.softmin)
mse_loss, l1_loss, kl_div = _legacy(_losses.mse_loss), _legacy(_losses.l1_loss), _legacy(_losses.kl_div)
smooth_l1_loss = _legacy(_losses.smooth_l1_loss)
cross_entropy, nll_loss = _legacy(_losses.cross_entropy), _legacy(_losses.nll_loss)
binary_cross_entropy = _legacy(_losses.binary_cross_entropy)
binary_cross_entropy_with_logits = _legacy(_losses.binary_cross_entropy_with_logits)
cosine_embedding_loss = _legacy(_losses.cosine_embedding_loss)
hinge_embedding_loss, poisson_nll_loss = _legacy(_losses.hinge_embedding_loss), _legacy(_losses.poisson_nll_loss)
margin_ranking_loss, triplet_margin_loss = _legacy(_losses.margin_ranking_loss), _legacy(_losses.triplet_margin_loss)

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "avg_pool1d",
    "avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu", "conv1d",
    "conv2d", "conv_transpose1d", "conv_transpose2d", "cosine_embedding_loss", "cosine_similarity", "cross_entropy",
    "dropout", "dropout1d", "dropout2d", "elu", "embedding", "fold", "gaussian_nll_loss", "gelu", "glu",
    "group_norm", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hinge_embedding_loss",
    "huber_loss", "instance_norm", "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear",
    "log_softmax", "logsigmoid", "margin_ranking_loss", "max_pool1d", "max_pool2d", "mish", "mse_loss", "nll_loss",
    "normalize", "one_hot", "pad", "pairwise_distance", "pixel_shuffle", "poisson_nll_loss", "prelu", "relu",
    "relu6", "rms_norm", "scaled_dot_product_attention", "selu", "sigmoid", "silu", "smooth_l1_loss", "softmax",
    "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "triplet_margin_loss",
    "unfold",
]  # fmt: skip

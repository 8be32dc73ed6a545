"""Functions with parameters: modules, layers, losses, and how their weights begin.

Reading order: `module` (what a Module is) and `layers` (Linear and Sequential); then `hooks`, `containers`, `init`, and
whichever layer one wants to see; `functional` has the functions that the layers call.
"""
# ruff: noqa: I001  (several names a line)

from lucid.autograd.hooks import RemovableHandle
from lucid.nn import functional, init, utils
from lucid.nn.activations import (
    CELU, ELU, GELU, GLU, SELU, Dropout, Dropout1d, Dropout2d, Flatten, Hardshrink, Hardsigmoid, Hardswish, Hardtanh,
    Identity, LeakyReLU, LogSigmoid, LogSoftmax, Mish, PReLU, ReLU, ReLU6, Sigmoid, SiLU, Softmax, Softmin, Softplus,
    Softshrink, Softsign, Tanh, Tanhshrink, Threshold, Unflatten,
)  # fmt: skip
from lucid.nn.attention import (
    MultiheadAttention, Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer,
)  # fmt: skip
from lucid.nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList
from lucid.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from lucid.nn.embedding import Embedding
from lucid.nn.layers import Linear, Sequential
from lucid.nn.lazy import LazyBatchNorm1d, LazyBatchNorm2d, LazyConv1d, LazyConv2d, LazyLinear
from lucid.nn.losses import (
    BCELoss, BCEWithLogitsLoss, CosineEmbeddingLoss, CrossEntropyLoss, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss,
    KLDivLoss, L1Loss, MarginRankingLoss, MSELoss, NLLLoss, PoissonNLLLoss, SmoothL1Loss, TripletMarginLoss,
)  # fmt: skip
from lucid.nn.module import Module
from lucid.nn.norms import (
    BatchNorm1d, BatchNorm2d, CosineSimilarity, GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm, PairwiseDistance,
    RMSNorm,
)  # fmt: skip
from lucid.nn.pool import (
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d, AvgPool2d, ConstantPad1d,
    ConstantPad2d, Fold, MaxPool1d, MaxPool2d, PixelShuffle, ReflectionPad1d, ReflectionPad2d, ReplicationPad1d,
    ReplicationPad2d, Unfold, Upsample, ZeroPad1d, ZeroPad2d,
)  # fmt: skip
from lucid.nn.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from lucid.core.tensor import Parameter

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "GRU", "LSTM", "RNN", "SELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AvgPool1d", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss",
    "BatchNorm1d", "BatchNorm2d", "ConstantPad1d", "ConstantPad2d", "Conv1d", "Conv2d", "ConvTranspose1d",
    "ConvTranspose2d", "CosineEmbeddingLoss", "CosineSimilarity", "CrossEntropyLoss", "Dropout", "Dropout1d",
    "Dropout2d", "Embedding", "Flatten", "Fold", "GRUCell", "GaussianNLLLoss", "GroupNorm", "Hardshrink",
    "Hardsigmoid", "Hardswish", "Hardtanh", "HingeEmbeddingLoss", "HuberLoss", "Identity", "InstanceNorm1d",
    "InstanceNorm2d", "KLDivLoss", "L1Loss", "LSTMCell", "LayerNorm", "LazyBatchNorm1d", "LazyBatchNorm2d",
    "LazyConv1d", "LazyConv2d", "LazyLinear", "LeakyReLU", "Linear", "LogSigmoid", "LogSoftmax", "MSELoss",
    "MarginRankingLoss", "MaxPool1d", "MaxPool2d", "Mish", "Module", "ModuleDict", "ModuleList",
    "MultiheadAttention", "NLLLoss", "PReLU", "PairwiseDistance", "Parameter", "ParameterDict", "ParameterList",
    "PixelShuffle", "PoissonNLLLoss", "RMSNorm", "RNNCell", "ReLU", "ReLU6", "ReflectionPad1d", "ReflectionPad2d",
    "RemovableHandle", "ReplicationPad1d", "ReplicationPad2d", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss",
    "Softmax", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold", "Transformer",
    "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
    "TripletMarginLoss", "Unflatten", "Unfold", "Upsample", "ZeroPad1d", "ZeroPad2d", "functional", "init", "utils",
]  # fmt: skip

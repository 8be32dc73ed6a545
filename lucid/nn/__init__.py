"""Functions with parameters: modules, layers, losses, and how their weights begin.

Reading order: `module` (what a Module is) and `layers` (Linear and Sequential); then `hooks`, `containers`, `init`, and
whichever layer one wants to see; `functional` has the functions that the layers call.
"""
# ruff: noqa: I001  (several names a line)

from lucid._suggest import suggesting as _suggesting
from lucid.autograd.hooks import RemovableHandle
from lucid.nn import functional, init, utils
from lucid.nn.activations import (
    ELU, GELU, GLU, SELU, Dropout, Dropout1d, Dropout2d, Flatten, Hardsigmoid, Hardswish, Hardtanh, Identity,
    LeakyReLU, LogSigmoid, LogSoftmax, Mish, PReLU, ReLU, ReLU6, Sigmoid, SiLU, Softmax, Softplus, Softsign,
    Tanh, Tanhshrink, Unflatten,
)  # fmt: skip
from lucid.nn.attention import MultiheadAttention, TransformerEncoder, TransformerEncoderLayer
from lucid.nn.containers import ModuleDict, ModuleList, ParameterList
from lucid.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from lucid.nn.embedding import Embedding
from lucid.nn.layers import Linear, Sequential
from lucid.nn.losses import (
    BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss,
)  # fmt: skip
from lucid.nn.module import Module
from lucid.nn.norms import BatchNorm1d, BatchNorm2d, CosineSimilarity, GroupNorm, LayerNorm, PairwiseDistance, RMSNorm
from lucid.nn.pool import (
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, Fold, MaxPool1d, MaxPool2d, Unfold, Upsample,
)  # fmt: skip
from lucid.nn.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from lucid.core.tensor import Parameter

__all__ = [
    "ELU", "GELU", "GLU", "GRU", "LSTM", "RNN", "SELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d",
    "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Conv1d", "Conv2d", "ConvTranspose1d",
    "ConvTranspose2d", "CosineSimilarity", "CrossEntropyLoss", "Dropout", "Dropout1d", "Dropout2d", "Embedding",
    "Flatten", "Fold", "GRUCell", "GroupNorm", "Hardsigmoid", "Hardswish", "Hardtanh", "HuberLoss", "Identity",
    "KLDivLoss", "L1Loss", "LSTMCell", "LayerNorm", "LeakyReLU", "Linear", "LogSigmoid", "LogSoftmax", "MSELoss",
    "MaxPool1d", "MaxPool2d", "Mish", "Module", "ModuleDict", "ModuleList", "MultiheadAttention", "NLLLoss", "PReLU",
    "PairwiseDistance", "Parameter", "ParameterList", "RMSNorm", "RNNCell", "ReLU", "ReLU6", "RemovableHandle",
    "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus", "Softsign", "Tanh", "Tanhshrink",
    "TransformerEncoder", "TransformerEncoderLayer", "Unflatten", "Unfold", "Upsample", "functional", "init", "utils",
]  # fmt: skip
__getattr__ = _suggesting(__name__, globals())

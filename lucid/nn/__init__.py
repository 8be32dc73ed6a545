"""Chapter 7. Functions with memory: modules, layers, losses, and how their weights begin.

Reading order: `hooks` (calling a module), `module` (finding its parameters), `state` (saving them), `init`,
    `functional`,
`layers`, `norms`, `attention`, `activations`, `losses`, `containers`, `utils`.
"""

from lucid.nn import functional as functional
from lucid.nn import init as init
from lucid.nn import utils as utils
from lucid.nn.activations import ELU as ELU
from lucid.nn.activations import GELU as GELU
from lucid.nn.activations import GLU as GLU
from lucid.nn.activations import SELU as SELU
from lucid.nn.activations import Hardsigmoid as Hardsigmoid
from lucid.nn.activations import Hardswish as Hardswish
from lucid.nn.activations import Hardtanh as Hardtanh
from lucid.nn.activations import LeakyReLU as LeakyReLU
from lucid.nn.activations import LogSigmoid as LogSigmoid
from lucid.nn.activations import LogSoftmax as LogSoftmax
from lucid.nn.activations import Mish as Mish
from lucid.nn.activations import PReLU as PReLU
from lucid.nn.activations import ReLU as ReLU
from lucid.nn.activations import ReLU6 as ReLU6
from lucid.nn.activations import Sigmoid as Sigmoid
from lucid.nn.activations import SiLU as SiLU
from lucid.nn.activations import Softmax as Softmax
from lucid.nn.activations import Softplus as Softplus
from lucid.nn.activations import Softsign as Softsign
from lucid.nn.activations import Tanh as Tanh
from lucid.nn.activations import Tanhshrink as Tanhshrink
from lucid.nn.attention import MultiheadAttention as MultiheadAttention
from lucid.nn.attention import TransformerEncoder as TransformerEncoder
from lucid.nn.attention import TransformerEncoderLayer as TransformerEncoderLayer
from lucid.nn.containers import ModuleDict as ModuleDict
from lucid.nn.containers import ModuleList as ModuleList
from lucid.nn.containers import ParameterList as ParameterList
from lucid.nn.containers import Sequential as Sequential
from lucid.nn.hooks import RemovableHandle as RemovableHandle
from lucid.nn.images import Conv1d as Conv1d
from lucid.nn.images import Conv2d as Conv2d
from lucid.nn.images import ConvTranspose1d as ConvTranspose1d
from lucid.nn.images import ConvTranspose2d as ConvTranspose2d
from lucid.nn.layers import Dropout as Dropout
from lucid.nn.layers import Dropout1d as Dropout1d
from lucid.nn.layers import Dropout2d as Dropout2d
from lucid.nn.layers import Embedding as Embedding
from lucid.nn.layers import Flatten as Flatten
from lucid.nn.layers import Identity as Identity
from lucid.nn.layers import Linear as Linear
from lucid.nn.layers import Unflatten as Unflatten
from lucid.nn.losses import BCELoss as BCELoss
from lucid.nn.losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from lucid.nn.losses import CrossEntropyLoss as CrossEntropyLoss
from lucid.nn.losses import HuberLoss as HuberLoss
from lucid.nn.losses import KLDivLoss as KLDivLoss
from lucid.nn.losses import L1Loss as L1Loss
from lucid.nn.losses import MSELoss as MSELoss
from lucid.nn.losses import NLLLoss as NLLLoss
from lucid.nn.losses import SmoothL1Loss as SmoothL1Loss
from lucid.nn.module import Module as Module
from lucid.nn.norms import BatchNorm1d as BatchNorm1d
from lucid.nn.norms import BatchNorm2d as BatchNorm2d
from lucid.nn.norms import CosineSimilarity as CosineSimilarity
from lucid.nn.norms import GroupNorm as GroupNorm
from lucid.nn.norms import LayerNorm as LayerNorm
from lucid.nn.norms import PairwiseDistance as PairwiseDistance
from lucid.nn.norms import RMSNorm as RMSNorm
from lucid.nn.pooling import AdaptiveAvgPool1d as AdaptiveAvgPool1d
from lucid.nn.pooling import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from lucid.nn.pooling import AvgPool1d as AvgPool1d
from lucid.nn.pooling import AvgPool2d as AvgPool2d
from lucid.nn.pooling import Fold as Fold
from lucid.nn.pooling import MaxPool1d as MaxPool1d
from lucid.nn.pooling import MaxPool2d as MaxPool2d
from lucid.nn.pooling import Unfold as Unfold
from lucid.nn.pooling import Upsample as Upsample
from lucid.nn.recurrent import GRU as GRU
from lucid.nn.recurrent import LSTM as LSTM
from lucid.nn.recurrent import RNN as RNN
from lucid.nn.recurrent import GRUCell as GRUCell
from lucid.nn.recurrent import LSTMCell as LSTMCell
from lucid.nn.recurrent import RNNCell as RNNCell
from lucid.tensor import Parameter as Parameter


def __getattr__(name: str) -> object:  # only reached when the name is not there
    from lucid._suggest import missing

    raise missing("lucid.nn", name, globals())

"""Chapter 7. Functions with memory: modules, layers, losses, and how their weights begin.

Reading order: `hooks` (calling a module), `module` (finding its parameters), `state` (saving them), `init`,
    `functional`,
`layers`, `activations`, `losses`, `containers`, `utils`.
"""

from lucid.nn import functional as functional
from lucid.nn import init as init
from lucid.nn import utils as utils
from lucid.nn.activations import ELU as ELU
from lucid.nn.activations import GELU as GELU
from lucid.nn.activations import LeakyReLU as LeakyReLU
from lucid.nn.activations import LogSoftmax as LogSoftmax
from lucid.nn.activations import ReLU as ReLU
from lucid.nn.activations import Sigmoid as Sigmoid
from lucid.nn.activations import SiLU as SiLU
from lucid.nn.activations import Softmax as Softmax
from lucid.nn.activations import Softplus as Softplus
from lucid.nn.activations import Tanh as Tanh
from lucid.nn.containers import ModuleDict as ModuleDict
from lucid.nn.containers import ModuleList as ModuleList
from lucid.nn.containers import ParameterList as ParameterList
from lucid.nn.containers import Sequential as Sequential
from lucid.nn.hooks import RemovableHandle as RemovableHandle
from lucid.nn.layers import Dropout as Dropout
from lucid.nn.layers import Embedding as Embedding
from lucid.nn.layers import Flatten as Flatten
from lucid.nn.layers import Identity as Identity
from lucid.nn.layers import Linear as Linear
from lucid.nn.layers import Unflatten as Unflatten
from lucid.nn.losses import BCELoss as BCELoss
from lucid.nn.losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from lucid.nn.losses import CrossEntropyLoss as CrossEntropyLoss
from lucid.nn.losses import HuberLoss as HuberLoss
from lucid.nn.losses import L1Loss as L1Loss
from lucid.nn.losses import MSELoss as MSELoss
from lucid.nn.losses import NLLLoss as NLLLoss
from lucid.nn.losses import SmoothL1Loss as SmoothL1Loss
from lucid.nn.module import Module as Module
from lucid.tensor import Parameter as Parameter

"""Written by `python -m reference.stub`: what is public in lucid.nn."""
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload
from numpy import ndarray
from lucid.ops.indexing import ValuesIndices
from lucid.autograd.hooks import RemovableHandle as RemovableHandle
from lucid.core.array import Device, DType
from lucid.core.node import Tensor
from lucid.core.tensor import Parameter as Parameter
from lucid.distributed.parallel import SyncBatchNorm as SyncBatchNorm
from lucid.nn import functional as functional
from lucid.nn import init as init
from lucid.nn import utils as utils
from lucid.nn.activations import CELU as _CELU
from lucid.nn.activations import Dropout as Dropout
from lucid.nn.activations import Dropout1d as Dropout1d
from lucid.nn.activations import Dropout2d as Dropout2d
from lucid.nn.activations import ELU as _ELU
from lucid.nn.activations import Flatten as Flatten
from lucid.nn.activations import GELU as _GELU
from lucid.nn.activations import GLU as _GLU
from lucid.nn.activations import Hardshrink as _Hardshrink
from lucid.nn.activations import Hardsigmoid as _Hardsigmoid
from lucid.nn.activations import Hardswish as _Hardswish
from lucid.nn.activations import Hardtanh as _Hardtanh
from lucid.nn.activations import Identity as Identity
from lucid.nn.activations import LeakyReLU as _LeakyReLU
from lucid.nn.activations import LogSigmoid as _LogSigmoid
from lucid.nn.activations import LogSoftmax as _LogSoftmax
from lucid.nn.activations import Mish as _Mish
from lucid.nn.activations import PReLU as PReLU
from lucid.nn.activations import ReLU as _ReLU
from lucid.nn.activations import ReLU6 as _ReLU6
from lucid.nn.activations import SELU as _SELU
from lucid.nn.activations import SiLU as _SiLU
from lucid.nn.activations import Sigmoid as _Sigmoid
from lucid.nn.activations import Softmax as _Softmax
from lucid.nn.activations import Softmin as _Softmin
from lucid.nn.activations import Softplus as _Softplus
from lucid.nn.activations import Softshrink as _Softshrink
from lucid.nn.activations import Softsign as _Softsign
from lucid.nn.activations import Tanh as _Tanh
from lucid.nn.activations import Tanhshrink as _Tanhshrink
from lucid.nn.activations import Threshold as _Threshold
from lucid.nn.activations import Unflatten as Unflatten
from lucid.nn.attention import MultiheadAttention as MultiheadAttention
from lucid.nn.attention import Transformer as Transformer
from lucid.nn.attention import TransformerDecoder as TransformerDecoder
from lucid.nn.attention import TransformerDecoderLayer as TransformerDecoderLayer
from lucid.nn.attention import TransformerEncoder as TransformerEncoder
from lucid.nn.attention import TransformerEncoderLayer as TransformerEncoderLayer
from lucid.nn.containers import ModuleDict as ModuleDict
from lucid.nn.containers import ModuleList as ModuleList
from lucid.nn.containers import ParameterDict as ParameterDict
from lucid.nn.containers import ParameterList as ParameterList
from lucid.nn.conv import Conv1d as Conv1d
from lucid.nn.conv import Conv2d as Conv2d
from lucid.nn.conv import ConvTranspose1d as ConvTranspose1d
from lucid.nn.conv import ConvTranspose2d as ConvTranspose2d
from lucid.nn.embedding import Embedding as Embedding
from lucid.nn.layers import Linear as Linear
from lucid.nn.layers import Sequential as Sequential
from lucid.nn.lazy import LazyBatchNorm1d as _LazyBatchNorm1d
from lucid.nn.lazy import LazyBatchNorm2d as _LazyBatchNorm2d
from lucid.nn.lazy import LazyConv1d as _LazyConv1d
from lucid.nn.lazy import LazyConv2d as _LazyConv2d
from lucid.nn.lazy import LazyLinear as _LazyLinear
from lucid.nn.losses import BCELoss as _BCELoss
from lucid.nn.losses import BCEWithLogitsLoss as _BCEWithLogitsLoss
from lucid.nn.losses import CosineEmbeddingLoss as _CosineEmbeddingLoss
from lucid.nn.losses import CrossEntropyLoss as _CrossEntropyLoss
from lucid.nn.losses import GaussianNLLLoss as _GaussianNLLLoss
from lucid.nn.losses import HingeEmbeddingLoss as _HingeEmbeddingLoss
from lucid.nn.losses import HuberLoss as _HuberLoss
from lucid.nn.losses import KLDivLoss as _KLDivLoss
from lucid.nn.losses import L1Loss as _L1Loss
from lucid.nn.losses import MSELoss as _MSELoss
from lucid.nn.losses import MarginRankingLoss as _MarginRankingLoss
from lucid.nn.losses import NLLLoss as _NLLLoss
from lucid.nn.losses import PoissonNLLLoss as _PoissonNLLLoss
from lucid.nn.losses import SmoothL1Loss as _SmoothL1Loss
from lucid.nn.losses import TripletMarginLoss as _TripletMarginLoss
from lucid.nn.module import Module as Module
from lucid.nn.norms import BatchNorm1d as BatchNorm1d
from lucid.nn.norms import BatchNorm2d as BatchNorm2d
from lucid.nn.norms import CosineSimilarity as _CosineSimilarity
from lucid.nn.norms import GroupNorm as GroupNorm
from lucid.nn.norms import InstanceNorm1d as InstanceNorm1d
from lucid.nn.norms import InstanceNorm2d as InstanceNorm2d
from lucid.nn.norms import LayerNorm as LayerNorm
from lucid.nn.norms import PairwiseDistance as _PairwiseDistance
from lucid.nn.norms import RMSNorm as RMSNorm
from lucid.nn.pool import AdaptiveAvgPool1d as _AdaptiveAvgPool1d
from lucid.nn.pool import AdaptiveAvgPool2d as _AdaptiveAvgPool2d
from lucid.nn.pool import AdaptiveMaxPool1d as _AdaptiveMaxPool1d
from lucid.nn.pool import AdaptiveMaxPool2d as _AdaptiveMaxPool2d
from lucid.nn.pool import AvgPool1d as _AvgPool1d
from lucid.nn.pool import AvgPool2d as _AvgPool2d
from lucid.nn.pool import ConstantPad1d as ConstantPad1d
from lucid.nn.pool import ConstantPad2d as ConstantPad2d
from lucid.nn.pool import Fold as _Fold
from lucid.nn.pool import MaxPool1d as MaxPool1d
from lucid.nn.pool import MaxPool2d as MaxPool2d
from lucid.nn.pool import PixelShuffle as _PixelShuffle
from lucid.nn.pool import ReflectionPad1d as ReflectionPad1d
from lucid.nn.pool import ReflectionPad2d as ReflectionPad2d
from lucid.nn.pool import ReplicationPad1d as ReplicationPad1d
from lucid.nn.pool import ReplicationPad2d as ReplicationPad2d
from lucid.nn.pool import Unfold as _Unfold
from lucid.nn.pool import Upsample as _Upsample
from lucid.nn.pool import ZeroPad1d as ZeroPad1d
from lucid.nn.pool import ZeroPad2d as ZeroPad2d
from lucid.nn.recurrent import GRU as GRU
from lucid.nn.recurrent import GRUCell as GRUCell
from lucid.nn.recurrent import LSTM as LSTM
from lucid.nn.recurrent import LSTMCell as LSTMCell
from lucid.nn.recurrent import RNN as RNN
from lucid.nn.recurrent import RNNCell as RNNCell
class CELU(_CELU):
    def __init__(self, alpha: builtins.float = ..., inplace: Any = ...) -> None: ...
class ELU(_ELU):
    def __init__(self, alpha: builtins.float = ..., inplace: Any = ...) -> None: ...
class GELU(_GELU):
    def __init__(self, approximate: builtins.str = ...) -> None: ...
class GLU(_GLU):
    def __init__(self, dim: builtins.int = ...) -> None: ...
class SELU(_SELU):
    def __init__(self, inplace: Any = ...) -> None: ...
class AdaptiveAvgPool1d(_AdaptiveAvgPool1d):
    def __init__(self, output_size: Any) -> None: ...
class AdaptiveAvgPool2d(_AdaptiveAvgPool2d):
    def __init__(self, output_size: Any) -> None: ...
class AdaptiveMaxPool1d(_AdaptiveMaxPool1d):
    def __init__(self, output_size: Any, return_indices: builtins.bool = ...) -> None: ...
class AdaptiveMaxPool2d(_AdaptiveMaxPool2d):
    def __init__(self, output_size: Any, return_indices: builtins.bool = ...) -> None: ...
class AvgPool1d(_AvgPool1d):
    def __init__(self, kernel_size: Any, stride: Any = ..., padding: Any = ..., ceil_mode: builtins.bool = ..., count_include_pad: builtins.bool = ...) -> None: ...
class AvgPool2d(_AvgPool2d):
    def __init__(self, kernel_size: Any, stride: Any = ..., padding: Any = ..., ceil_mode: builtins.bool = ..., count_include_pad: builtins.bool = ..., divisor_override: builtins.int | None = ...) -> None: ...
class BCELoss(_BCELoss):
    def __init__(self, weight: Tensor | None = ..., *, reduction: builtins.str = ...) -> None: ...
class BCEWithLogitsLoss(_BCEWithLogitsLoss):
    def __init__(self, weight: Tensor | None = ..., *, reduction: builtins.str = ..., pos_weight: Tensor | None = ...) -> None: ...
class CosineEmbeddingLoss(_CosineEmbeddingLoss):
    def __init__(self, margin: builtins.float = ..., *, reduction: builtins.str = ...) -> None: ...
class CosineSimilarity(_CosineSimilarity):
    def __init__(self, dim: builtins.int = ..., eps: builtins.float = ...) -> None: ...
class CrossEntropyLoss(_CrossEntropyLoss):
    def __init__(self, weight: Tensor | None = ..., *, ignore_index: builtins.int = ..., reduction: builtins.str = ..., label_smoothing: builtins.float = ...) -> None: ...
class Fold(_Fold):
    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = ..., padding: Any = ..., stride: Any = ...) -> None: ...
class GaussianNLLLoss(_GaussianNLLLoss):
    def __init__(self, full: builtins.bool = ..., eps: builtins.float = ..., *, reduction: builtins.str = ...) -> None: ...
class Hardshrink(_Hardshrink):
    def __init__(self, lambd: builtins.float = ...) -> None: ...
class Hardsigmoid(_Hardsigmoid):
    def __init__(self, inplace: Any = ...) -> None: ...
class Hardswish(_Hardswish):
    def __init__(self, inplace: Any = ...) -> None: ...
class Hardtanh(_Hardtanh):
    def __init__(self, min_val: builtins.float = ..., max_val: builtins.float = ..., inplace: Any = ...) -> None: ...
class HingeEmbeddingLoss(_HingeEmbeddingLoss):
    def __init__(self, margin: builtins.float = ..., *, reduction: builtins.str = ...) -> None: ...
class HuberLoss(_HuberLoss):
    def __init__(self, reduction: builtins.str = ..., delta: builtins.float = ...) -> None: ...
class KLDivLoss(_KLDivLoss):
    def __init__(self, *, reduction: builtins.str = ..., log_target: builtins.bool = ...) -> None: ...
class L1Loss(_L1Loss):
    def __init__(self, *, reduction: builtins.str = ...) -> None: ...
class LazyBatchNorm1d(_LazyBatchNorm1d):
    def __init__(self, eps: builtins.float = ..., momentum: builtins.float | None = ..., affine: builtins.bool = ..., track_running_stats: builtins.bool = ..., device: Any = ..., dtype: Any = ..., *, bias: builtins.bool = ...) -> None: ...
class LazyBatchNorm2d(_LazyBatchNorm2d):
    def __init__(self, eps: builtins.float = ..., momentum: builtins.float | None = ..., affine: builtins.bool = ..., track_running_stats: builtins.bool = ..., device: Any = ..., dtype: Any = ..., *, bias: builtins.bool = ...) -> None: ...
class LazyConv1d(_LazyConv1d):
    def __init__(self, out_channels: builtins.int, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., groups: builtins.int = ..., bias: builtins.bool = ..., padding_mode: builtins.str = ..., device: Any = ..., dtype: Any = ...) -> None: ...
class LazyConv2d(_LazyConv2d):
    def __init__(self, out_channels: builtins.int, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., groups: builtins.int = ..., bias: builtins.bool = ..., padding_mode: builtins.str = ..., device: Any = ..., dtype: Any = ...) -> None: ...
class LazyLinear(_LazyLinear):
    def __init__(self, out_features: builtins.int, bias: builtins.bool = ..., device: Any = ..., dtype: Any = ...) -> None: ...
class LeakyReLU(_LeakyReLU):
    def __init__(self, negative_slope: builtins.float = ..., inplace: Any = ...) -> None: ...
class LogSigmoid(_LogSigmoid):
    def __init__(self) -> None: ...
class LogSoftmax(_LogSoftmax):
    def __init__(self, dim: builtins.int | None = ..., dtype: Any = ...) -> None: ...
class MSELoss(_MSELoss):
    def __init__(self, *, reduction: builtins.str = ...) -> None: ...
class MarginRankingLoss(_MarginRankingLoss):
    def __init__(self, margin: builtins.float = ..., *, reduction: builtins.str = ...) -> None: ...
class Mish(_Mish):
    def __init__(self, inplace: Any = ...) -> None: ...
class NLLLoss(_NLLLoss):
    def __init__(self, weight: Tensor | None = ..., *, ignore_index: builtins.int = ..., reduction: builtins.str = ...) -> None: ...
class PairwiseDistance(_PairwiseDistance):
    def __init__(self, p: builtins.float = ..., eps: builtins.float = ..., keepdim: builtins.bool = ...) -> None: ...
class PixelShuffle(_PixelShuffle):
    def __init__(self, upscale_factor: builtins.int) -> None: ...
class PoissonNLLLoss(_PoissonNLLLoss):
    def __init__(self, log_input: builtins.bool = ..., full: builtins.bool = ..., eps: builtins.float = ..., *, reduction: builtins.str = ...) -> None: ...
class ReLU(_ReLU):
    def __init__(self, inplace: Any = ...) -> None: ...
class ReLU6(_ReLU6):
    def __init__(self, inplace: Any = ...) -> None: ...
class SiLU(_SiLU):
    def __init__(self, inplace: Any = ...) -> None: ...
class Sigmoid(_Sigmoid):
    def __init__(self) -> None: ...
class SmoothL1Loss(_SmoothL1Loss):
    def __init__(self, *, reduction: builtins.str = ..., beta: builtins.float = ...) -> None: ...
class Softmax(_Softmax):
    def __init__(self, dim: builtins.int | None = ..., dtype: Any = ...) -> None: ...
class Softmin(_Softmin):
    def __init__(self, dim: builtins.int | None = ...) -> None: ...
class Softplus(_Softplus):
    def __init__(self, beta: builtins.float = ..., threshold: builtins.float = ...) -> None: ...
class Softshrink(_Softshrink):
    def __init__(self, lambd: builtins.float = ...) -> None: ...
class Softsign(_Softsign):
    def __init__(self) -> None: ...
class Tanh(_Tanh):
    def __init__(self) -> None: ...
class Tanhshrink(_Tanhshrink):
    def __init__(self) -> None: ...
class Threshold(_Threshold):
    def __init__(self, threshold: builtins.float, value: builtins.float, inplace: Any = ...) -> None: ...
class TripletMarginLoss(_TripletMarginLoss):
    def __init__(self, margin: builtins.float = ..., p: builtins.float = ..., eps: builtins.float = ..., swap: builtins.bool = ..., *, reduction: builtins.str = ...) -> None: ...
class Unfold(_Unfold):
    def __init__(self, kernel_size: Any, dilation: Any = ..., padding: Any = ..., stride: Any = ...) -> None: ...
class Upsample(_Upsample):
    def __init__(self, size: Any = ..., scale_factor: builtins.float | builtins.tuple[builtins.float, ...] | None = ..., mode: builtins.str = ..., align_corners: builtins.bool | None = ..., recompute_scale_factor: builtins.bool | None = ...) -> None: ...
modules: Any
parallel: Any
parameter: Any
__all__ = ['CELU', 'ELU', 'GELU', 'GLU', 'GRU', 'LSTM', 'RNN', 'SELU', 'AdaptiveAvgPool1d', 'AdaptiveAvgPool2d', 'AdaptiveMaxPool1d', 'AdaptiveMaxPool2d', 'AvgPool1d', 'AvgPool2d', 'BCELoss', 'BCEWithLogitsLoss', 'BatchNorm1d', 'BatchNorm2d', 'ConstantPad1d', 'ConstantPad2d', 'Conv1d', 'Conv2d', 'ConvTranspose1d', 'ConvTranspose2d', 'CosineEmbeddingLoss', 'CosineSimilarity', 'CrossEntropyLoss', 'Dropout', 'Dropout1d', 'Dropout2d', 'Embedding', 'Flatten', 'Fold', 'GRUCell', 'GaussianNLLLoss', 'GroupNorm', 'Hardshrink', 'Hardsigmoid', 'Hardswish', 'Hardtanh', 'HingeEmbeddingLoss', 'HuberLoss', 'Identity', 'InstanceNorm1d', 'InstanceNorm2d', 'KLDivLoss', 'L1Loss', 'LSTMCell', 'LayerNorm', 'LazyBatchNorm1d', 'LazyBatchNorm2d', 'LazyConv1d', 'LazyConv2d', 'LazyLinear', 'LeakyReLU', 'Linear', 'LogSigmoid', 'LogSoftmax', 'MSELoss', 'MarginRankingLoss', 'MaxPool1d', 'MaxPool2d', 'Mish', 'Module', 'ModuleDict', 'ModuleList', 'MultiheadAttention', 'NLLLoss', 'PReLU', 'PairwiseDistance', 'Parameter', 'ParameterDict', 'ParameterList', 'PixelShuffle', 'PoissonNLLLoss', 'RMSNorm', 'RNNCell', 'ReLU', 'ReLU6', 'ReflectionPad1d', 'ReflectionPad2d', 'RemovableHandle', 'ReplicationPad1d', 'ReplicationPad2d', 'Sequential', 'SiLU', 'Sigmoid', 'SmoothL1Loss', 'Softmax', 'Softmin', 'Softplus', 'Softshrink', 'Softsign', 'Tanh', 'Tanhshrink', 'Threshold', 'Transformer', 'TransformerDecoder', 'TransformerDecoderLayer', 'TransformerEncoder', 'TransformerEncoderLayer', 'TripletMarginLoss', 'Unflatten', 'Unfold', 'Upsample', 'ZeroPad1d', 'ZeroPad2d', 'functional', 'init', 'utils']

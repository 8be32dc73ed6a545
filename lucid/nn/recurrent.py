"""Recurrent layers: networks that read a sequence step by step, and keep a state from step to step.

Each kind comes twice: as layers that read a whole sequence (`RNN`, `LSTM`, `GRU`), and as a cell that takes one step
(`RNNCell`, `LSTMCell`, `GRUCell`). Both run one operation of `lucid.ops.recurrent`, a cell on a sequence of length 1.

Names of parameters, their shapes and the order of the gates are PyTorch's, so weights move between the two as they are.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from lucid.core.node import Tensor
from lucid.core.promotion import type_name
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn import init
from lucid.nn.module import Module
from lucid.ops import recurrent
from lucid.ops.checks import check_absent, check_count
from lucid.ops.create import empty
from lucid.ops.shapes import cat, stack

Initial = list[Tensor | None]  # of each state (h, or h and c) the initial one, (batch, hidden_size), or None for zeros
Result = tuple[Tensor, tuple[Tensor, ...]]  # every h, (time, batch, hidden_size), and the last one of each state


class Recurrent(Module):
    """What layers and cells have in common: sizes, weights, and what they refuse.

    All weights and biases start evenly spread over [-b, b] with b = 1 / sqrt(hidden_size), as in PyTorch."""

    operation = staticmethod(recurrent.rnn)
    nonlinearity = "tanh"  # RNN and RNNCell have others
    options: tuple[str, ...] = ()  # attributes that the operation takes by name
    gates = 1  # blocks of hidden_size rows in each weight
    states: tuple[str, ...] = ("hx",)  # what is passed from step to step
    defaults: ClassVar = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False}

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        caller = type(self).__name__
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"{caller}: nonlinearity must be 'tanh' or 'relu', got {self.nonlinearity!r}")
        self.input_size = check_count(caller, "input_size", input_size, 1)
        self.hidden_size = check_count(caller, "hidden_size", hidden_size, 1)
        self.bias = bias

    def _add_weights(self, suffix: str, input_size: int, device: Any, dtype: Any) -> None:
        shapes = {"weight_ih": (input_size,), "weight_hh": (self.hidden_size,)}
        for name, columns in (shapes | ({"bias_ih": (), "bias_hh": ()} if self.bias else {})).items():
            values = empty(self.gates * self.hidden_size, *columns, device=device, dtype=dtype)
            setattr(self, name + suffix, Parameter(values))

    def reset_parameters(self) -> None:
        """Draw all weights and biases anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _run_layer(self, x: Tensor, suffix: str, initial: Initial) -> Result:
        """One layer in one direction on x, (time, batch, features)."""
        weights = [getattr(self, name + suffix, None) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        options = {name: getattr(self, name) for name in self.options}
        out = self.operation(x, *weights, *initial, **options)
        return (out, (out[-1],)) if len(self.states) == 1 else (out[:-1], (out[-2], out[-1]))  # c comes after every h

    def _check_input(self, input: Tensor, shapes: dict[int, str]) -> None:
        caller = type(self).__name__
        if input.ndim not in shapes:
            raise ValueError(f"{caller}: input has shape {input.shape}; expected {' or '.join(shapes.values())}")
        if input.shape[-1] != self.input_size:
            got = f"input has {input.shape[-1]} features, its shape being {input.shape}"
            raise ValueError(f"{caller}: {got}; expected input_size={self.input_size} of them in the last dim")

    def _initial_states(self, hx: Any, shape: tuple[int, ...], meaning: str) -> Initial:
        """The states that a caller gave, each of `shape`."""
        if hx is None:
            return [None] * len(self.states)
        caller = type(self).__name__
        states = (hx,) if len(self.states) == 1 else hx
        if not isinstance(states, (tuple, list)) or len(states) != len(self.states):
            got = f"{len(states)} of them" if isinstance(states, (tuple, list)) else type(states).__name__
            raise TypeError(f"{caller}: hx must be a pair of Tensors, ({', '.join(self.states)}), got {got}")
        for name, state in zip(self.states, states, strict=True):
            if (found := getattr(state, "shape", f"none ({type_name(state)})")) != shape:
                raise ValueError(f"{caller}: {name} has shape {found}; expected {shape}, which is {meaning}")
        return list(states)

    def _returned(self, states: list[Tensor]) -> Any:
        """States as a caller gets them: h, or from an LSTM the pair of h and c."""
        return states[0] if len(states) == 1 else tuple(states)

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the defaults."""
        options = {name: getattr(self, name) for name, usual in self.defaults.items() if getattr(self, name) != usual}
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *(f"{name}={v}" for name, v in options.items())])


class Layers(Recurrent):
    """What `RNN`, `LSTM` and `GRU` have in common."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        caller = type(self).__name__
        check_absent(caller, proj_size=proj_size)
        super().__init__(input_size, hidden_size, bias)
        self.num_layers = check_count(caller, "num_layers", num_layers, 1)
        self.batch_first, self.dropout, self.bidirectional = batch_first, dropout, bidirectional
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"{caller}: dropout is a probability and must be in [0, 1], got {dropout}")
        if dropout and num_layers == 1:
            text = f"{caller}: dropout={dropout} drops between layers, and num_layers=1 has nothing between"
            warnings.warn(text, stacklevel=2)
        self.directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            features = input_size if layer == 0 else hidden_size * len(self.directions)
            for direction in self.directions:
                self._add_weights(f"_l{layer}{direction}", features, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor, hx: Tensor | tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Any]:
        """Every h of the last layer, and the last state of every layer; see the class for the shapes.

        Errors are those of `Cell.forward`, and a ValueError if a sequence has no steps."""
        order = "batch, time" if self.batch_first else "time, batch"
        self._check_input(input, {2: "(time, features)", 3: f"({order}, features)"})
        unbatched = input.ndim == 2
        x = input.unsqueeze(1) if unbatched else input.transpose(0, 1) if self.batch_first else input
        if not x.shape[0]:  # (time, batch, features)
            caller = type(self).__name__
            raise ValueError(f"{caller}: input has shape {input.shape}; expected a sequence of at least one step")
        shape = (self.num_layers * len(self.directions), *([] if unbatched else [x.shape[1]]), self.hidden_size)
        meaning = f"(num_layers * directions, {'' if unbatched else 'batch, '}hidden_size)"
        states = self._initial_states(hx, shape, meaning)
        if unbatched:
            states = [None if state is None else state.unsqueeze(1) for state in states]
        last: list[tuple[Tensor, ...]] = []  # of each layer and direction, its states (batch, hidden_size)
        for layer in range(self.num_layers):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            outputs = []
            for direction in self.directions:
                initial = [None if state is None else state[len(last)] for state in states]
                out, end = self._run_layer(x.flip(0) if direction else x, f"_l{layer}{direction}", initial)
                outputs.append(out.flip(0) if direction else out)  # (time, batch, hidden_size)
                last.append(end)
            x = cat(outputs, dim=2) if len(outputs) > 1 else outputs[0]  # (time, batch, directions * hidden_size)
        final = [stack(ends) for ends in zip(*last, strict=True)]  # copies, which do not keep the whole output alive
        if unbatched:
            return x.squeeze(1), self._returned([state.squeeze(1) for state in final])
        return x.transpose(0, 1) if self.batch_first else x, self._returned(final)

    def flatten_parameters(self) -> None:
        """Nothing: PyTorch lays its weights out for cuDNN with it."""


class Cell(Recurrent):
    """What `RNNCell`, `LSTMCell` and `GRUCell` have in common."""

    defaults: ClassVar[dict[str, Any]] = {"bias": True}

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias)
        self._add_weights("", input_size, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor, hx: Tensor | tuple[Tensor, Tensor] | None = None) -> Any:
        """The next state; see the class for the shapes. A TypeError if `input` or a state is not a Tensor, or an LSTM's
        `hx` not a pair; a ValueError if `input` or a state has a wrong shape."""
        self._check_input(input, {1: "(features,)", 2: "(batch, features)"})
        unbatched, meaning = input.ndim == 1, "(hidden_size,)" if input.ndim == 1 else "(batch, hidden_size)"
        initial = self._initial_states(hx, (*input.shape[:-1], self.hidden_size), meaning)
        if unbatched:
            initial = [None if state is None else state.unsqueeze(0) for state in initial]
        x = input.reshape(1, -1, self.input_size)  # (time, batch, features)
        _, states = self._run_layer(x, "", initial)
        return self._returned([state[0] if unbatched else state for state in states])


class RNN(Layers):
    """h[t] = tanh(x[t] @ W_ih.T + b_ih + h[t-1] @ W_hh.T + b_hh), layer upon layer (Elman 1990).

    `rnn(input, hx=None)` gives `(output, h_n)`. With D = 2 directions if `bidirectional`, else 1:

    - input: (time, batch, input_size); (batch, time, input_size) if `batch_first`; or (time, input_size).
    - hx, the initial states, or None for zeros: (D * num_layers, batch, hidden_size), or without the batch.
    - output, every state of the last layer: as the input, with D * hidden_size features.
    - h_n, the last state of every layer and direction: as hx.

    There is no PackedSequence. Pad sequences of different lengths at their ends, and let a mask choose what
    counts: of the losses of all steps `(losses * mask).sum() / mask.sum()`, of the outputs
    `output[lengths - 1, arange(batch)]`. So the padding comes after what it could spoil; the reverse direction
    reads it first, and there sequences of different lengths are run one by one.

    Args:
        input_size, hidden_size: features of the input, and numbers in a state.
        num_layers: layers, each of which reads the states of the one below.
        nonlinearity: "tanh" or "relu".
        bias: whether there are biases.
        batch_first: whether input and output are (batch, time, features); hx and h_n stay as they are.
        dropout: the probability with which, in training, what a layer but the first reads is set to 0.
        bidirectional: whether each layer also reads the sequence from its end, with weights of its own.
        device, dtype: of the parameters; float32 by default.

    Attributes:
        weight_ih_l0: Parameter (hidden_size, input_size); of further layers (hidden_size, D * hidden_size). The names
            of layer k end in `_lk`, and those of its reverse direction in `_lk_reverse`.
        weight_hh_l0: Parameter (hidden_size, hidden_size).
        bias_ih_l0, bias_hh_l0: Parameters (hidden_size,), if there are biases.

    A TypeError if a size or `num_layers` is not an int; a ValueError if one of them is less than 1, `dropout`
    is not in [0, 1] or `nonlinearity` unknown.

    >>> from lucid import nn, randn
    >>> output, h_n = nn.RNN(3, 8, num_layers=2)(randn(5, 4, 3))
    >>> output.shape, h_n.shape
    ((5, 4, 8), (2, 4, 8))
    """

    options = ("nonlinearity",)

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        self.nonlinearity = nonlinearity
        options = bias, batch_first, dropout, bidirectional
        super().__init__(input_size, hidden_size, num_layers, *options, device=device, dtype=dtype)


class LSTM(Layers):
    """c[t] = sigmoid(f) * c[t-1] + sigmoid(i) * tanh(g) and h[t] = sigmoid(o) * tanh(c[t]), layer upon layer.

    i, f, g and o are the four parts of x[t] @ W_ih.T + b_ih + h[t-1] @ W_hh.T + b_hh: what to let in, what to keep,
    what is new, and what to show. Source: Hochreiter and Schmidhuber 1997; the part f is of Gers et al. 2000.

    `lstm(input, hx=None)` gives `(output, (h_n, c_n))`, and takes `hx=(h_0, c_0)`. Shapes, arguments, names, errors
    and what to do about sequences of different lengths are those of `RNN`, without `nonlinearity`; the weights have
    4 * hidden_size rows, for i, f, g and o.

    >>> from lucid import nn, randn
    >>> output, (h_n, c_n) = nn.LSTM(3, 8, batch_first=True)(randn(4, 5, 3))
    >>> output.shape, h_n.shape, c_n.shape
    ((4, 5, 8), (1, 4, 8), (1, 4, 8))
    """

    operation, gates, states = staticmethod(recurrent.lstm), 4, ("h_0", "c_0")


class GRU(Layers):
    """h[t] = (1 - z) * n + z * h[t-1] with n = tanh(y_n + r * s_n), layer upon layer.

    Here y = x[t] @ W_ih.T + b_ih and s = h[t-1] @ W_hh.T + b_hh have three parts each, and
    r = sigmoid(y_r + s_r), z = sigmoid(y_z + s_z). Source: Cho et al. 2014, arXiv 1406.1078, where r multiplies
    h[t-1] and not, as here and in PyTorch, s_n.

    `gru(input, hx=None)` gives `(output, h_n)`. Shapes, arguments, names, errors and what to do about sequences of
    different lengths are those of `RNN`, without `nonlinearity`; the weights have 3 * hidden_size rows, for r, z and n.
    """

    operation, gates = staticmethod(recurrent.gru), 3


class RNNCell(Cell):
    """One step of an `RNN`: tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh), or relu of that.

    `cell(input, hx=None)` takes input (batch, input_size) and hx (batch, hidden_size), both without the batch if
    there is none, or hx=None for zeros; it gives the next state, of hx's shape. Errors are those of `RNN`.

    >>> from lucid import nn, randn
    >>> cell, h = nn.RNNCell(3, 8), None
    >>> for x in randn(5, 4, 3):
    ...     h = cell(x, h)
    >>> h.shape
    (4, 8)
    """

    options = ("nonlinearity",)
    defaults: ClassVar = {"bias": True, "nonlinearity": "tanh"}

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, bias, device=device, dtype=dtype)


class LSTMCell(Cell):
    """One step of an `LSTM`: from (h, c) to the next (h, c).

    `cell(input, hx=None)` takes input (batch, input_size) and hx a pair of (batch, hidden_size), all without the
    batch if there is none, or hx=None for zeros; it gives the next pair. Errors are those of `RNNCell`."""

    operation, gates, states = staticmethod(recurrent.lstm), 4, ("h_0", "c_0")


class GRUCell(Cell):
    """One step of a `GRU`: from h to (1 - z) * n + z * h. Input, state and errors are those of `RNNCell`."""

    operation, gates = staticmethod(recurrent.gru), 3

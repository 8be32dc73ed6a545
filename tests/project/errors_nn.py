"""Wrong uses of lucid.nn.functional and of the layers (see errors.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lucid
from lucid import nn
from lucid.nn import functional as F

Error = tuple[Callable[[], Any], type[Exception], str]

x3, x23, image = lucid.ones(3), lucid.ones(2, 3), lucid.ones(1, 2, 5, 5)
logits, labels = lucid.zeros(4, 3), lucid.tensor([0, 1, 2, 1])
sequence = lucid.ones(5, 2, 3)  # (time, batch, features)


def pair(name: str, f: Callable[..., Any]) -> list[Error]:
    """What a loss says of shapes that differ, of what is no Tensor, and of a reduction that there is not."""
    return [(lambda: f(lucid.full((4, 1), 0.5), lucid.full((4,), 0.5)), ValueError,
             rf"{name}: input has shape \(4, 1\) but target \(4,\); make them equal"),
            (lambda: f(x3, 0.0), TypeError, f"{name}: expected a Tensor for 'target', got float"),
            (lambda: f(x3, x3, reduction="average"), ValueError,
             f"{name}: reduction must be .* got 'average'")]  # fmt: skip


def of_labels(name: str, f: Callable[..., Any]) -> list[Error]:
    """What a loss says of labels that cannot be."""
    return [(lambda: f(logits, lucid.tensor([0, 1, 3, 2])), IndexError,
             f"{name}: target holds 3, but there are 3 classes, numbered from 0; expected 0 to 2"),
            (lambda: f(logits, lucid.tensor([0, -1, 9, 2])), IndexError,
             f"{name}: target holds -1, but there are 3 classes"),
            (lambda: f(logits, lucid.tensor([0, 1, 200, 2], dtype=lucid.uint8)), IndexError,
             f"{name}: target holds 200, but there are 3 classes"),
            (lambda: f(logits, lucid.tensor([0, 1])), ValueError,
             rf"{name}: input of shape \(4, 3\) needs a target of shape \(4,\) \(integer labels\), got shape \(2,\)"),
            (lambda: f(logits, lucid.tensor([[0], [1], [2], [1]])), ValueError,
             rf"{name}: .* needs a target of shape \(4,\) \(integer labels\), got shape \(4, 1\)"),
            (lambda: f(logits, lucid.tensor([True, False, True, True])), TypeError,
             rf"{name}: target must hold integers, got bool; convert it with .long\(\)"),
            (lambda: f(logits, [0, 1, 2, 1]), TypeError, f"{name}: expected a Tensor for 'target', got list"),
            (lambda: f(lucid.tensor(1.0), lucid.tensor(0)), ValueError,
             f"{name}: input needs a class dimension, got a single number"),
            (lambda: f(logits, labels, reduction="average"), ValueError,
             f"{name}: reduction must be 'mean', 'sum' or 'none', got 'average'"),
            (lambda: f(logits, labels, lucid.ones(2)), ValueError,
             rf"{name}: weight must have shape \(3,\), one for each class, got shape \(2,\)")]  # fmt: skip


def kernels(name: str, f: Callable[..., Any], x: lucid.Tensor) -> list[Error]:
    """What a function with a window says of one that is too large, or none."""
    return [(lambda: f(x, 9), ValueError, f"{name}: the kernel of size .*9.* does not fit into the input of size .*5"),
            (lambda: f(x, 0), ValueError, f"{name}: kernel_size must be 1 or more, .*got 0"),
            (lambda: f(x, "a"), TypeError, f"{name}: kernel_size must be an int, or a tuple of ., got 'a'"),
            (lambda: f(x3, 2), ValueError, rf"{name}: input must have the shape .*, got \(3,\)"),
            (lambda: f("a", 2), TypeError, f"{name}: expected a Tensor for 'input', got str")]  # fmt: skip


def convolutions(
    name: str, f: Callable[..., Any], dims: int, weight: tuple[int, ...], other: tuple[int, ...]
) -> list[Error]:
    """What a convolution says of shapes and numbers that do not fit; its input has 2 channels, `weight` takes them."""
    x, w = lucid.ones(1, 2, *(5,) * dims), lucid.ones(*weight)
    return [(lambda: f(x3, w), ValueError, rf"{name}: input must have the shape .*, got \(3,\)"),
            (lambda: f(x, lucid.ones(*other)), ValueError,
             f"{name}: input of shape .* has 2 channels, but weight of shape .* with groups=1 takes"),
            (lambda: f(x, w, groups=3), ValueError, f"{name}: weight has .*channels, which do not divide by groups=3"),
            (lambda: f(x, w, lucid.ones(7)), ValueError,
             rf"{name}: bias must have the shape .* one number for each output channel, got \(7,\)"),
            (lambda: f(x, w, stride=0), ValueError, f"{name}: stride must be 1 or more, .*got 0"),
            (lambda: f(x, w, dilation="a"), TypeError,
             f"{name}: dilation must be an int, or a tuple of {dims}, got 'a'"),
            (lambda: f(x, x3), ValueError, f"{name}: weight must have the shape"),
            (lambda: f("a", w), TypeError, f"{name}: expected a Tensor for 'input', got str")]  # fmt: skip


def recurrent(name: str, make: Callable[..., Any]) -> list[Error]:
    return [(lambda: make(3, 0), ValueError, f"{name}: hidden_size must be 1 or more, got 0"),
            (lambda: make(3, 4)(lucid.ones(5, 2, 7)), ValueError,
             rf"{name}: input has 7 features, .* expected input_size=3"),
            (lambda: make(3, 4)(x3), ValueError, rf"{name}: input has shape \(3,\); expected"),
            (lambda: make(3, 4, dropout=2.0), ValueError,
             rf"{name}: dropout is a probability and must be in \[0, 1\], got 2.0"),
            (lambda: make(3, 4, num_layers=0), ValueError, f"{name}: num_layers must be 1 or more, got 0")]  # fmt: skip


def unit(name: str, make: Callable[..., Any]) -> list[Error]:
    return [(lambda: make(3, 4)(lucid.ones(2, 7)), ValueError,
             rf"{name}: input has 7 features, .* expected input_size=3"),
            (lambda: make(3, 4.0), TypeError, f"{name}: expected an int for hidden_size, got 4.0")]  # fmt: skip


def reduced(name: str, make: Callable[..., Any]) -> Error:
    return (lambda: make(reduction=None), ValueError, f"{name}: reduction must be .* got None")


ERRORS: dict[str, list[Error]] = {
    # activations
    "F.gelu": [(lambda: F.gelu(logits, "fast"), ValueError, "gelu: approximate must be 'none' or 'tanh', got 'fast'")],
    "F.hardtanh": [(lambda: F.hardtanh(x3, 1.0, -1.0), ValueError,
                    "hardtanh: min_val must be below max_val, got 1.0 and -1.0")],
    "F.glu": [(lambda: F.glu(x23), ValueError,
               r"glu: dim -1 must have an even length, to be halved; got shape \(2, 3\)"),
              (lambda: F.glu(x23, 2), IndexError, "glu: dim 2 is out of range")],
    "F.prelu": [(lambda: F.prelu(x23, lucid.ones(2)), ValueError,
                 r"prelu: expected weight of shape \(1,\), or \(3,\) for the channels of an input of shape \(2, 3\), "
                 r"got \(2,\)")],
    "nn.GELU": [(lambda: nn.GELU("fast"), ValueError, "gelu: approximate must be 'none' or 'tanh', got 'fast'")],
    "nn.Hardtanh": [(lambda: nn.Hardtanh(1.0, -1.0)(x3), ValueError,
                     "hardtanh: min_val must be below max_val, got 1.0 and -1.0")],
    "nn.GLU": [(lambda: nn.GLU()(x23), ValueError, "glu: dim -1 must have an even length")],
    "nn.PReLU": [(lambda: nn.PReLU(2)(x23), ValueError, r"prelu: expected weight of shape \(1,\), or \(3,\)")],
    "nn.Softmax": [(lambda: nn.Softmax("a")(logits), TypeError, "softmax: expected an int for dim, got 'a'"),
                   (lambda: nn.Softmax(dim=5)(logits), IndexError, "softmax: dim 5 is out of range")],
    "nn.LogSoftmax": [(lambda: nn.LogSoftmax(dim=5)(logits), IndexError, "log_softmax: dim 5 is out of range")],
    # layers
    "F.linear": [(lambda: F.linear(x23, x23.T), ValueError,
                  r"linear: shapes \(2, 3\) and \(3, 2\) do not fit: the input has 3 features, the weight of 3 outputs "
                  r"takes 2")],
    "nn.Linear": [(lambda: nn.Linear(2, 2)(1), ValueError,
                   r"linear: shapes .* do not fit: the input is a single number; expected \(..., features\)"),
                  (lambda: nn.Linear(2, 2)(lucid.tensor(1.0)), ValueError, "linear: .* the input is a single number"),
                  (lambda: nn.Linear(2, 3)(logits), ValueError, r"linear: shapes \(4, 3\) and \(3, 2\)"),
                  (lambda: nn.Linear(2.0, 3), TypeError, "Linear: expected an int for in_features, got 2.0"),
                  (lambda: nn.Linear(2, True), TypeError, "Linear: expected an int for out_features, got True"),
                  (lambda: nn.Linear(-1, 3), ValueError, "Linear: in_features must be 0 or more, got -1")],
    "F.dropout": [(lambda: F.dropout(logits, 1.5), ValueError,
                   r"dropout: p is a probability and must be in \[0, 1\], got 1.5")],
    "nn.Dropout": [(lambda: nn.Dropout(-0.1), ValueError,
                    r"Dropout: p is a probability and must be in \[0, 1\], got -0.1"),
                   (lambda: nn.Dropout(float("nan")), ValueError, r"Dropout: .* must be in \[0, 1\], got nan")],
    **{f"F.{name}": [(lambda f=f: f(x3), ValueError, rf"{name}: expected .*, got shape \(3,\)"),
                     (lambda f=f, x=x: f(x, 1.5), ValueError, f"{name}: p is a probability")]
       for name, f, x in (("dropout1d", F.dropout1d, image[0]), ("dropout2d", F.dropout2d, image))},
    **{f"nn.{name}": [(lambda make=make: make(2), ValueError, f"{name}: p is a probability")]
       for name, make in (("Dropout1d", nn.Dropout1d), ("Dropout2d", nn.Dropout2d))},
    "F.embedding": [(lambda: F.embedding(lucid.tensor([1, 5]), logits), IndexError,
                     "embedding: input holds 5, but there are 4 rows"),
                    (lambda: F.embedding(lucid.tensor([1.0]), logits), TypeError,
                     "embedding: input must hold integers, got float32"),
                    (lambda: F.embedding(labels, logits, padding_idx=4), IndexError,
                     "embedding: padding_idx 4 is not one of the 4 rows; expected -4 to 3")],
    "nn.Embedding": [(lambda: nn.Embedding(4, 2)(lucid.tensor(-1)), IndexError,
                      "embedding: input holds -1, but there are 4 rows"),
                     (lambda: nn.Embedding(3, "x"), TypeError, "Embedding: expected an int for embedding_dim, got 'x'"),
                     (lambda: nn.Embedding(4, 2, padding_idx=9), IndexError,
                      "Embedding: padding_idx 9 is not one of the 4 rows")],
    "F.one_hot": [(lambda: F.one_hot(lucid.tensor([1, 3]), 3), IndexError,
                   "one_hot: tensor holds 3, but there are 3 classes"),
                  (lambda: F.one_hot(lucid.tensor([-1, 0])), IndexError,
                   "one_hot: tensor holds -1, but there are 1 classes"),
                  (lambda: F.one_hot(lucid.zeros(0, dtype=lucid.int64)), ValueError,
                   "one_hot: no labels, so num_classes must be given"),
                  (lambda: F.one_hot(logits), TypeError, "one_hot: tensor must hold integers, got float32")],
    "nn.Flatten": [(lambda: nn.Flatten(5)(x23), IndexError, "flatten: dim 5 is out of range for a 2-D tensor")],
    "nn.Unflatten": [(lambda: nn.Unflatten(1, (2, 2))(x23), ValueError,
                      r"reshape: 6 elements of shape \(2, 3\) do not fit into shape \(2, 2, 2\)")],
    "nn.Sequential": [(lambda: nn.Sequential(nn.ReLU(), lucid.tanh), TypeError,
                       r"Sequential: an entry must be a Module, got the function tanh; write nn.Tanh\(\)"),
                      (lambda: nn.Sequential(F.log_softmax), TypeError, r"log_softmax; write nn.LogSoftmax\(\)"),
                      (lambda: nn.Sequential(lambda x: x), TypeError,
                       "the function <lambda>; write a Module with it as its forward"),
                      (lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU), TypeError,
                       r"Sequential: an entry must be a Module, got the class ReLU; write ReLU\(\)"),
                      (lambda: nn.Sequential([nn.ReLU()]), TypeError,
                       r"Sequential: expected modules, got a list of them; write Sequential\(\*layers\)"),
                      (lambda: nn.Sequential({"a.b": nn.ReLU()}), ValueError, "without dots, got 'a.b'"),
                      (lambda: nn.Sequential(nn.ReLU())[3], IndexError, "Sequential has 1 entries, and so no entry 3")],
    "nn.ModuleList": [(lambda: nn.ModuleList([1]), TypeError, "ModuleList: an entry must be a Module, got int")],
    "nn.ParameterList": [(lambda: nn.ParameterList([1.0]), TypeError,
                          "ParameterList: an entry must be a Parameter, got float")],
    "nn.ParameterDict": [(lambda: nn.ParameterDict({"a": 1.0}), TypeError,
                          "ParameterDict: an entry must be a Parameter, got float")],
    "nn.ModuleDict": [(lambda: nn.ModuleDict({7: nn.ReLU()}), TypeError, "ModuleDict: a key must be a str, got 7; w"),
                      (lambda: nn.ModuleDict({"a": 1}), TypeError, "ModuleDict: an entry must be a Module, got int"),
                      (lambda: nn.ModuleDict()["nothing"], KeyError, "nothing")],
    # convolutions, pooling, resizing
    "F.conv1d": convolutions("conv1d", F.conv1d, 1, (4, 2, 3), (4, 3, 3)),
    "F.conv2d": [*convolutions("conv2d", F.conv2d, 2, (4, 2, 3, 3), (4, 3, 3, 3)),
                 (lambda: F.conv2d(image, lucid.ones(4, 2, 9, 9)), ValueError,
                  r"conv2d: the kernel of size \(9, 9\) does not fit into the input of size \(5, 5\)"),
                 (lambda: F.conv2d(image, lucid.ones(4, 2, 3, 3), stride=2, padding="same"), ValueError,
                  "conv2d: padding='same' needs a stride of 1"),
                 (lambda: F.conv2d(image, lucid.ones(4, 2, 3, 3), padding="full"), ValueError,
                  "conv2d: padding must be 'same', 'valid' or numbers, got 'full'")],
    "F.conv_transpose1d": convolutions("conv_transpose1d", F.conv_transpose1d, 1, (2, 4, 3), (3, 4, 3)),
    "F.conv_transpose2d": [*convolutions("conv_transpose2d", F.conv_transpose2d, 2, (2, 4, 3, 3), (3, 4, 3, 3)),
                           (lambda: F.conv_transpose2d(image, lucid.ones(2, 4, 3, 3), output_padding=1), ValueError,
                            "conv_transpose2d: output_padding must be smaller than stride or dilation")],
    **{f"nn.{name}": [(lambda make=make, dims=dims: make(2, 4, 3)(lucid.ones(1, 3, *(5,) * dims)), ValueError,
                       f"{f}: input of shape .* has 3 channels, but weight of shape .* takes 2"),
                      (lambda make=make: make(2, 4, 3, groups=3), ValueError,
                       f"{name}: in_channels=2 does not divide by groups=3"),
                      (lambda make=make: make(2, 4, 0), ValueError, f"{name}: kernel_size must be 1 or more, .*got 0"),
                      (lambda make=make: make(2.0, 4, 3), TypeError,
                       f"{name}: expected an int for in_channels, got 2.0")]
       for name, f, dims, make in (("Conv1d", "conv1d", 1, nn.Conv1d), ("Conv2d", "conv2d", 2, nn.Conv2d),
                                   ("ConvTranspose1d", "conv_transpose1d", 1, nn.ConvTranspose1d),
                                   ("ConvTranspose2d", "conv_transpose2d", 2, nn.ConvTranspose2d))},
    **{f"F.{name}": kernels(name, f, x)
       for name, f, x in (("max_pool1d", F.max_pool1d, lucid.ones(1, 2, 5)), ("max_pool2d", F.max_pool2d, image),
                          ("avg_pool1d", F.avg_pool1d, lucid.ones(1, 2, 5)), ("avg_pool2d", F.avg_pool2d, image),
                          ("unfold", F.unfold, image))},
    **{f"nn.{name}": [(lambda make=make, x=x: make(9)(x), ValueError,
                       f"{f}: the kernel of size .* does not fit into the input")] for name, f, make, x in (
        ("MaxPool1d", "max_pool1d", nn.MaxPool1d, lucid.ones(1, 2, 5)),
        ("MaxPool2d", "max_pool2d", nn.MaxPool2d, image),
        ("AvgPool1d", "avg_pool1d", nn.AvgPool1d, lucid.ones(1, 2, 5)),
        ("AvgPool2d", "avg_pool2d", nn.AvgPool2d, image), ("Unfold", "unfold", nn.Unfold, image))},
    **{f"F.{name}": [(lambda f=f, x=x: f(x, -1), ValueError, f"{name}: output_size must be "),
                     (lambda f=f: f(x3, 2), ValueError, f"{name}: input must have the shape"),
                     (lambda f=f, x=x: f(x.long(), 2), TypeError,
                      f"{name}: input must hold floats to be averaged, got int64")]
       for name, f, x in (("adaptive_avg_pool1d", F.adaptive_avg_pool1d, lucid.ones(1, 2, 5)),
                          ("adaptive_avg_pool2d", F.adaptive_avg_pool2d, image))},
    **{f"nn.{name}": [(lambda make=make: make(2)(x3), ValueError, f"{f}: input must have the shape")]
       for name, f, make in (("AdaptiveAvgPool1d", "adaptive_avg_pool1d", nn.AdaptiveAvgPool1d),
                             ("AdaptiveAvgPool2d", "adaptive_avg_pool2d", nn.AdaptiveAvgPool2d))},
    "F.fold": [(lambda: F.fold(lucid.ones(1, 7, 4), 4, 2), ValueError,
                r"fold: input of shape \(1, 7, 4\) has 7 rows, which do not divide by the 4"),
               (lambda: F.fold(lucid.ones(1, 8, 4), 5, 2), ValueError,
                r"fold: input of shape \(1, 8, 4\) has 4 columns, but")],
    "nn.Fold": [(lambda: nn.Fold(4, 2)(lucid.ones(1, 7, 4)), ValueError, "fold: input of shape .* has 7 rows")],
    "F.interpolate": [(lambda: F.interpolate(image), ValueError,
                       "interpolate: expected size or scale_factor, and not both; got None and None"),
                      (lambda: F.interpolate(image, 4, mode="cubic"), ValueError,
                       "interpolate: mode must be 'nearest', .* got 'cubic'"),
                      (lambda: F.interpolate(image, scale_factor=-1.0), ValueError,
                       "interpolate: scale_factor must be .* got -1.0"),
                      (lambda: F.interpolate(x3, 4), ValueError, r"interpolate: .* got shape \(3,\)")],
    "nn.Upsample": [(lambda: nn.Upsample(4, mode="cubic")(image), ValueError,
                     "mode must be 'nearest', .* got 'cubic'")],
    # norms
    "F.layer_norm": [(lambda: F.layer_norm(x23, 2), ValueError,
                      r"layer_norm: normalized_shape \(2,\) is not how the input's shape \(2, 3\) ends"),
                     (lambda: F.layer_norm(x23, 3, lucid.ones(2)), ValueError,
                      r"layer_norm: weight has shape \(2,\), expected normalized_shape, \(3,\)"),
                     (lambda: F.layer_norm(x23, 0), ValueError,
                      "layer_norm: normalized_shape must be a positive int, or several, got 0")],
    "F.rms_norm": [(lambda: F.rms_norm(x23, (2, 4)), ValueError,
                    r"rms_norm: normalized_shape \(2, 4\) is not how the input's shape \(2, 3\) ends")],
    "F.group_norm": [(lambda: F.group_norm(image, 3), ValueError,
                      "group_norm: num_groups must divide the 2 channels, got 3"),
                     (lambda: F.group_norm(image, 1, x3), ValueError,
                      r"group_norm: weight has shape \(3,\), expected \(2,\)")],
    "F.batch_norm": [(lambda: F.batch_norm(x23, None, None), ValueError,
                      "batch_norm: with training=False it needs running_mean and running_var, got None"),
                     (lambda: F.batch_norm(lucid.ones(1, 3), None, None, training=True), ValueError,
                      r"batch_norm: input of shape \(1, 3\) has one value for each channel"),
                     (lambda: F.batch_norm(x23, lucid.ones(2), lucid.ones(2)), ValueError,
                      r"batch_norm: running_mean has shape \(2,\), expected \(3,\)"),
                     (lambda: F.batch_norm(x3, None, None, training=True), ValueError,
                      r"batch_norm: input must be \(n, channels, ...\), got shape \(3,\)")],
    "nn.LayerNorm": [(lambda: nn.LayerNorm(0), ValueError,
                      "LayerNorm: normalized_shape must be a positive int, or several, got 0"),
                     (lambda: nn.LayerNorm(4)(x23), ValueError, "layer_norm: normalized_shape .* is not how")],
    "nn.RMSNorm": [(lambda: nn.RMSNorm(0), ValueError,
                    "RMSNorm: normalized_shape must be a positive int, or several, got 0")],
    "nn.GroupNorm": [(lambda: nn.GroupNorm(3, 2), ValueError,
                      "GroupNorm: num_groups must divide the 2 channels, got 3"),
                     (lambda: nn.GroupNorm(1, 4)(image), ValueError,
                      r"GroupNorm: expected \(n, 4, ...\), got shape \(1, 2, 5, 5\)")],
    "nn.BatchNorm1d": [(lambda: nn.BatchNorm1d(3)(image), ValueError,
                        r"BatchNorm1d: expected .*, got shape \(1, 2, 5, 5\)")],
    "nn.BatchNorm2d": [(lambda: nn.BatchNorm2d(3)(image), ValueError,
                        r"BatchNorm2d: expected .*, got shape \(1, 2, 5, 5\)")],
    "F.normalize": [(lambda: F.normalize(x3), IndexError, "dim 1 is out of range"),
                    (lambda: F.normalize(x23, "a"), TypeError, "normalize: expected a number for 'p', got 'a'")],
    "F.cosine_similarity": [(lambda: F.cosine_similarity(x23, lucid.ones(4)), ValueError,
                             r"shapes \(2, 3\) and \(4,\) do not broadcast"),
                            (lambda: F.cosine_similarity(x3, x3), IndexError,
                             "cosine_similarity: dim 1 is out of range")],
    "F.pairwise_distance": [(lambda: F.pairwise_distance(x23, lucid.ones(4)), ValueError,
                             r"shapes \(2, 3\) and \(4,\) do not broadcast"),
                            (lambda: F.pairwise_distance(x23, x23, "a"), TypeError,
                             "pairwise_distance: expected a number for 'p', got 'a'")],
    "nn.CosineSimilarity": [(lambda: nn.CosineSimilarity()(x3, x3), IndexError, "dim 1 is out of range")],
    "nn.PairwiseDistance": [(lambda: nn.PairwiseDistance()(x23, lucid.ones(4)), ValueError, "do not broadcast")],
    # attention
    "F.scaled_dot_product_attention": [(lambda: F.scaled_dot_product_attention(x23, lucid.ones(4, 5), lucid.ones(4, 5)),
                                        ValueError,
                                        r"scaled_dot_product_attention: expected query .* got shapes \(2, 3\) and \(4, "
                                        r"5\)"),
                                       (lambda: F.scaled_dot_product_attention(x23, lucid.ones(4, 3), lucid.ones(5, 3)),
                                        ValueError,
                                        r"scaled_dot_product_attention: key of shape \(4, 3\) has 4 keys, but value of "
                                        r"shape \(5, 3\) not as many"),
                                       (lambda: F.scaled_dot_product_attention(x23, x23, x23, lucid.ones(7, 7) > 0),
                                        ValueError,
                                        r"scaled_dot_product_attention: attn_mask of shape \(7, 7\) does not "
                                        r"broadcast"),
                                       (lambda: F.scaled_dot_product_attention(x23, x23, x23, lucid.ones(2, 2).long()),
                                        TypeError,
                                        "scaled_dot_product_attention: attn_mask must hold bools or floats, got "
                                        "int64")],
    "nn.MultiheadAttention": [(lambda: nn.MultiheadAttention(4, 3), ValueError,
                               "MultiheadAttention: num_heads must divide embed_dim, got embed_dim=4, num_heads=3"),
                              (lambda: nn.MultiheadAttention(4, 2)(x3, x3, x3), ValueError,
                               r"MultiheadAttention: .* 3 dims, .*; got shapes \(\(3,\), \(3,\), \(3,\)\)"),
                              (lambda: nn.MultiheadAttention(4, 2)(sequence, sequence, sequence), ValueError,
                               "MultiheadAttention: query has 3 features, expected 4")],
    "nn.TransformerEncoderLayer": [(lambda: nn.TransformerEncoderLayer(4, 2, activation="swish"), ValueError,
                                    "TransformerEncoderLayer: activation must be 'relu', 'gelu' or a function, got "
                                    "'swish'"),
                                   (lambda: nn.TransformerEncoderLayer(4, 3), ValueError,
                                    "num_heads must divide embed_dim")],
    "nn.TransformerEncoder": [(lambda: nn.TransformerEncoder(3, 2), TypeError,
                               "TransformerEncoder: encoder_layer must be a Module, got int"),
                              (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 0), ValueError,
                               "TransformerEncoder: num_layers must be 1 or more, got 0")],
    # recurrent networks
    **{f"nn.{name}": recurrent(name, make) for name, make in (("RNN", nn.RNN), ("LSTM", nn.LSTM), ("GRU", nn.GRU))},
    **{f"nn.{name}": unit(name, make)
       for name, make in (("RNNCell", nn.RNNCell), ("LSTMCell", nn.LSTMCell), ("GRUCell", nn.GRUCell))},
    # losses
    **{f"F.{name}": pair(name, getattr(F, name))
       for name in ("mse_loss", "l1_loss", "kl_div", "binary_cross_entropy_with_logits")},
    "F.huber_loss": [*pair("huber_loss", F.huber_loss),
                     (lambda: F.huber_loss(x3, x3, delta=0), ValueError, "huber_loss: delta must be positive, got 0")],
    "F.smooth_l1_loss": [*pair("smooth_l1_loss", F.smooth_l1_loss),
                         (lambda: F.smooth_l1_loss(x3, x3, beta=-1), ValueError,
                          "smooth_l1_loss: beta must be 0 or more, got -1")],
    "F.binary_cross_entropy": [*pair("binary_cross_entropy", F.binary_cross_entropy),
                               (lambda: F.binary_cross_entropy(x3 + 0.5, x3), ValueError,
                                "binary_cross_entropy: input must hold probabilities, 0 to 1, got 1.5; apply a "
                                "sigmoid"),
                               (lambda: F.binary_cross_entropy(x3 - 2, x3), ValueError,
                                "0 to 1, got -1.0; apply a sigmoid")],
    "F.cross_entropy": [*of_labels("cross_entropy", F.cross_entropy),
                        (lambda: F.cross_entropy(logits, labels.float()), TypeError,
                         r"cross_entropy: target has the shape of labels, \(4,\), and labels must be integers, got "
                         r"float32; convert it with .long\(\)"),
                        (lambda: F.cross_entropy(logits, logits.long()), ValueError,
                         r"got shape \(4, 3\); probabilities of all classes must be floats: convert them with "
                         r".float\(\)"),
                        (lambda: F.cross_entropy(lucid.ones(2, 7, 4), lucid.zeros(2, 7).long()), ValueError,
                         r"got shape \(2, 7\); the classes are dim 1 of the input: .*input.transpose\(1, 2\)"),
                        (lambda: F.cross_entropy(lucid.ones(2, 5, 7, 4), lucid.zeros(2, 5, 7).long()), ValueError,
                         r"the classes are dim 1 of the input: .*input.movedim\(-1, 1\)"),
                        (lambda: F.cross_entropy(logits, lucid.zeros(4, 2)), ValueError,
                         r"cross_entropy: input has shape \(4, 3\) but target \(4, 2\)"),
                        (lambda: F.cross_entropy(logits, labels, label_smoothing=2), ValueError,
                         r"cross_entropy: label_smoothing is a share and must be in \[0, 1\], got 2")],
    "F.nll_loss": [*of_labels("nll_loss", F.nll_loss),
                   (lambda: F.nll_loss(logits, logits), TypeError, "nll_loss: target must hold integers, got float32")],
    **{f"nn.{name}": [reduced(name, getattr(nn, name)),
                      (lambda name=name: getattr(nn, name)(logits, logits), TypeError,
                       rf"{name}: got a Tensor in place of an option; .* call it: nn.{name}\(\)\(input, target\)")]
       for name in ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "KLDivLoss", "BCELoss", "BCEWithLogitsLoss",
                    "NLLLoss")},
    "nn.CrossEntropyLoss": [reduced("CrossEntropyLoss", nn.CrossEntropyLoss),
                            (lambda: nn.CrossEntropyLoss(logits, logits), TypeError,
                             r"CrossEntropyLoss: got a Tensor .*: nn.CrossEntropyLoss\(\)\(input, target\)"),
                            (lambda: nn.CrossEntropyLoss(label_smoothing=2), ValueError,
                             r"CrossEntropyLoss: label_smoothing is a share and must be in \[0, 1\], got 2")],
}  # fmt: skip

signs, signal, words = lucid.tensor([1.0, -1.0, 1.0]), lucid.ones(1, 2, 5), lucid.ones(5, 2, 8)
ERRORS |= {
    "F.celu": [(lambda: F.celu(x3, 0), ValueError, "celu: alpha must not be 0")],
    "F.hardshrink": [(lambda: F.hardshrink("a"), TypeError, "hardshrink: expected a Tensor for .input., got str")],
    "F.softshrink": [(lambda: F.softshrink(x3, -1), ValueError, "softshrink: lambd must be 0 or more, got -1")],
    "F.threshold": [(lambda: F.threshold("a", 1, 2), TypeError, "threshold: expected a Tensor for .input., got str")],
    **{f"F.{name}": [(lambda f=f: f(x23, "a"), TypeError, f"{name}: expected an int for dim, got 'a'"),
                     (lambda f=f: f(x23, 5), IndexError, f"{name}: dim 5 is out of range")]
       for name, f in (("softmax", F.softmax), ("log_softmax", F.log_softmax))},
    "F.softmin": [(lambda: F.softmin(x23, 5), IndexError, "softmax: dim 5 is out of range")],
    "F.gumbel_softmax": [(lambda: F.gumbel_softmax(x23, 0.0), ValueError, "gumbel_softmax: tau must be positive"),
                         (lambda: F.gumbel_softmax(x23, dim=5), IndexError, "gumbel_softmax: dim 5 is out of range")],
    "nn.CELU": [(lambda: nn.CELU(0)(x3), ValueError, "celu: alpha must not be 0"),
                (lambda: nn.CELU(1, False, 2), TypeError, "CELU: too many positional arguments; it takes .*alpha")],
    "nn.Hardshrink": [(lambda: nn.Hardshrink(lambda_=1), TypeError, "Hardshrink: .*'lambda_'; it takes .*lambd")],
    "nn.Softshrink": [(lambda: nn.Softshrink(-1)(x3), ValueError, "softshrink: lambd must be 0 or more, got -1")],
    "nn.Threshold": [(lambda: nn.Threshold(1), TypeError, "Threshold: missing a required argument: 'value'; it takes")],
    "nn.Softmin": [(lambda: nn.Softmin(5)(x23), IndexError, "softmax: dim 5 is out of range")],
    **{f"F.{name}": [(lambda f=f, x=x: f(x, -1), ValueError, f"{name}: output_size must be "),
                     (lambda f=f: f(x3, 2), ValueError, f"{name}: input must have the shape"),
                     (lambda f=f, x=x: f(x[..., :0], 2), ValueError, f"{name}: input of size .* has nothing to pool")]
       for name, f, x in (("adaptive_max_pool1d", F.adaptive_max_pool1d, signal),
                          ("adaptive_max_pool2d", F.adaptive_max_pool2d, image))},
    **{f"nn.{name}": [(lambda make=make: make(2)(x3), ValueError, f"{f}: input must have the shape")]
       for name, f, make in (("AdaptiveMaxPool1d", "adaptive_max_pool1d", nn.AdaptiveMaxPool1d),
                             ("AdaptiveMaxPool2d", "adaptive_max_pool2d", nn.AdaptiveMaxPool2d))},
    "F.pixel_shuffle": [(lambda: F.pixel_shuffle(image, 2), ValueError,
                         r"pixel_shuffle: expected .* channels that 2 \* 2 divides, got shape \(1, 2, 5, 5\)"),
                        (lambda: F.pixel_shuffle(image, 0), ValueError, "upscale_factor must be 1 or more, got 0")],
    "nn.PixelShuffle": [(lambda: nn.PixelShuffle(2)(image), ValueError, "pixel_shuffle: expected")],
    **{f"nn.{name}Pad{d}d": [(lambda make=make, d=d, value=value: make((1,) * (2 * d + 1), *value), ValueError,
                              f"{name}Pad{d}d: padding must be an int, or a tuple of {2 * d}, got")]
       for name, value in (("Zero", ()), ("Constant", (1.0,)), ("Reflection", ()), ("Replication", ()))
       for d, make in ((1, getattr(nn, f"{name}Pad1d")), (2, getattr(nn, f"{name}Pad2d")))},
    "F.instance_norm": [(lambda: F.instance_norm(lucid.ones(2, 3, 1)), ValueError,
                         r"instance_norm: input of shape \(2, 3, 1\) has one value in each channel of a sample"),
                        (lambda: F.instance_norm(x3), ValueError, r"instance_norm: input must be \(n, channels"),
                        (lambda: F.instance_norm(image, use_input_stats=False), ValueError, "needs running_mean")],
    **{f"nn.{name}": [(lambda make=make: make(3)(image), ValueError, rf"{name}: expected .*, got shape \(1, 2")]
       for name, make in (("InstanceNorm1d", nn.InstanceNorm1d), ("InstanceNorm2d", nn.InstanceNorm2d))},
    **{f"nn.Lazy{name}": [(lambda make=make: make()(lucid.tensor(1.0)), ValueError,
                           rf"Lazy{name}: expected a first input of .* dims, got shape \(\)"),
                          (lambda make=make: make()(1), TypeError, f"Lazy{name}: expected a Tensor, got int")]
       for name, make in (("Linear", lambda: nn.LazyLinear(2)), ("Conv1d", lambda: nn.LazyConv1d(2, 3)),
                          ("Conv2d", lambda: nn.LazyConv2d(2, 3)), ("BatchNorm1d", nn.LazyBatchNorm1d),
                          ("BatchNorm2d", nn.LazyBatchNorm2d))},
    "nn.TransformerDecoderLayer": [(lambda: nn.TransformerDecoderLayer(8, 2, activation="sin"), ValueError,
                                    "TransformerDecoderLayer: activation must be 'relu', .* got 'sin'"),
                                   (lambda: nn.TransformerDecoderLayer(8, 2)(words, lucid.ones(5, 2, 7)), ValueError,
                                    "MultiheadAttention: key has 7 features, expected 8")],
    "nn.TransformerDecoder": [(lambda: nn.TransformerDecoder("layer", 2), TypeError,
                               "TransformerDecoder: decoder_layer must be a Module, got str"),
                              (lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2), 0), ValueError,
                               "TransformerDecoder: num_layers must be 1 or more, got 0")],
    "nn.Transformer": [(lambda: nn.Transformer(8, 3), ValueError, "num_heads must divide embed_dim"),
                       (lambda: nn.Transformer(8, 2, 0), ValueError, "num_layers must be 1 or more, got 0")],
    # losses
    "F.hinge_embedding_loss": pair("hinge_embedding_loss", F.hinge_embedding_loss),
    "F.poisson_nll_loss": pair("poisson_nll_loss", F.poisson_nll_loss),
    "F.gaussian_nll_loss": [*pair("gaussian_nll_loss", lambda x, t, **o: F.gaussian_nll_loss(x, t, 1.0, **o)),
                            (lambda: F.gaussian_nll_loss(x3, x3, -1.0), ValueError,
                             "gaussian_nll_loss: var must be 0 or more, got -1.0"),
                            (lambda: F.gaussian_nll_loss(x23, x23, lucid.ones(3, 1)), ValueError,
                             r"var of shape \(3, 1\) does not go with input of \(2, 3\)")],
    "F.margin_ranking_loss": [(lambda: F.margin_ranking_loss(x3, x3, x23), ValueError,
                               r"margin_ranking_loss: expected tensors of as many dims, got input1 of shape \(3,\), "
                               r"input2 of shape \(3,\) and target of shape \(2, 3\)"),
                              (lambda: F.margin_ranking_loss(x3, x3, signs, reduction="average"), ValueError,
                               "margin_ranking_loss: reduction must be .* got 'average'"),
                              (lambda: F.margin_ranking_loss(x3, 1.0, signs), TypeError,
                               "margin_ranking_loss: expected a Tensor, got float")],
    "F.cosine_embedding_loss": [(lambda: F.cosine_embedding_loss(x3, x3, signs), ValueError,
                                 r"cosine_embedding_loss: expected two inputs \(n, features\) and a target \(n")],
    "F.triplet_margin_loss": [(lambda: F.triplet_margin_loss(x23, x23, x23, 0), ValueError,
                               "triplet_margin_loss: margin must be positive, got 0"),
                              (lambda: F.triplet_margin_loss(x23, x3, x23), ValueError,
                               "triplet_margin_loss: expected tensors of as many dims, got anchor of shape")],
    **{f"nn.{name}": [reduced(name, getattr(nn, name))]
       for name in ("HingeEmbeddingLoss", "MarginRankingLoss", "CosineEmbeddingLoss", "TripletMarginLoss",
                    "PoissonNLLLoss", "GaussianNLLLoss")},
}  # fmt: skip
ERRORS["nn.Embedding"] += [
    (lambda: nn.Embedding(4, 2, sparse=True), ValueError, "Embedding: sparse is an option of PyTorch's that"),
    (lambda: nn.Embedding.from_pretrained(x3), ValueError, r"embeddings must be a matrix, got shape \(3,\)"),
    (lambda: nn.Embedding.from_pretrained(x23, padding_idx=2), IndexError, "padding_idx 2 is not one of the 2 rows"),
]
ERRORS["nn.LSTM"] += [(lambda: nn.LSTM(3, 4, proj_size=2), ValueError, "LSTM: proj_size is an option of PyTorch's")]

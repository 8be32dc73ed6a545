"""What becomes of a name that a module does not have: it is another name for what is there, one of PyTorch's second
names, or the path of one of its modules; or an error says what to write in the place of a name that lucid has not.

Each name stands here once. A `__getattr__` of the modules finds it when it is first asked for. One of Tensor would do
the same for methods, but slow down every attribute of every tensor; theirs are attached by ops/spellings.py.
"""

from __future__ import annotations

import sys
from functools import cache, partial, reduce
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import Any


def pairs(text: str) -> dict[str, str]:
    """The new names of a text -> the old ones."""
    return {new: old or new for new, _, old in (word.partition("=") for word in text.split())}


# Of methods and functions alike, new=old; absolute_ is then abs_, too.
METHODS = """
    absolute=abs arccos=acos arccosh=acosh arcsin=asin arcsinh=asinh arctan=atan arctan2=atan2 arctanh=atanh
    divide=div fix=trunc ger=outer greater=gt greater_equal=ge less=lt less_equal=le moveaxis=movedim multiply=mul
    negative=neg not_equal=ne ravel=flatten sgn=sign split_with_sizes=split subtract=sub swapdims=swapaxes
    true_divide=div vdot=dot
"""
DTYPES = "double=float64 float=float32 half=float16 int=int32 long=int64 short=int16"
TYPES = {f"{name.title()}Tensor": dtype for name, dtype in pairs(f"bool byte=uint8 char=int8 {DTYPES}").items()}
# Owner, where from, and the names: those that both have, or new=old. After a colon stands a name of another package.
TABLE = [
    ("lucid", "lucid", METHODS + DTYPES + """
        asarray=as_tensor bool=bool_ concat=cat concatenate=cat dtype=core.array.DType row_stack=vstack"""),
    ("lucid", "", "Size=builtins:tuple finfo=numpy:finfo iinfo=numpy:iinfo"),
    ("lucid", "", """
        datasets=lucid.datasets: distributed=lucid.distributed: distributions=lucid.distributions: learn=lucid.learn:
        see=lucid.see:"""),  # loaded when they are first used
    ("lucid", "lucid.Tensor", """
        bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor clone detach floor_divide
        is_floating_point numel remainder t"""),
    ("lucid", "lucid.linalg", "cholesky det inverse=inv matrix_power pinverse=pinv qr slogdet"),
    ("lucid", "lucid.nn.functional", """
        avg_pool1d batch_norm celu conv1d conv2d conv_transpose1d conv_transpose2d cosine_similarity dropout embedding
        group_norm layer_norm max_pool1d max_pool2d pairwise_distance prelu rms_norm selu threshold"""),
    ("lucid", "lucid.ops.spellings", """
        get_num_threads scalar_tensor set_float32_matmul_precision set_num_threads use_deterministic_algorithms"""),
    ("lucid", "lucid.ops.spellings", " ".join(TYPES)),
    ("lucid.cuda", "lucid.ops.spellings", " ".join(f"{name}={name}.cuda" for name in TYPES)),
    ("lucid.cuda", "lucid", "get_rng_state manual_seed manual_seed_all=manual_seed set_rng_state"),
    ("lucid.autograd", "lucid.ops.spellings", "Variable"),
    ("lucid.nn", "lucid.distributed", "SyncBatchNorm"),
    ("lucid.nn.functional", "lucid.nn.functional", "upsample=interpolate"),
    ("lucid.nn.init", "lucid.nn.init", """
        constant=constant_ kaiming_normal=kaiming_normal_ kaiming_uniform=kaiming_uniform_ normal=normal_
        uniform=uniform_ xavier_normal=xavier_normal_ xavier_uniform=xavier_uniform_"""),
    ("lucid.nn.parameter", "lucid.ops.create", "UninitializedParameter"),
    ("lucid.nn.utils", "lucid.nn.utils", "clip_grad_norm=clip_grad_norm_"),
    ("lucid.optim.lr_scheduler", "lucid.optim.lr_scheduler", "_LRScheduler=LRScheduler"),
    ("lucid.see", "lucid.see", "remember=track_provenance"),  # lucid's own former name
    ("lucid.special", "lucid", """
        erf erfc erfinv exp2 expit=sigmoid expm1 gammaln=lgamma log1p log_softmax logsumexp psi=digamma softmax"""),
    ("lucid.utils.data", "lucid.distributed", "DistributedSampler"),
    ("lucid.utils.tensorboard", "", "SummaryWriter=lucid.interop.tensorboard:SummaryWriter"),
]  # fmt: skip
RECTIFIERS = "celu_ elu_ hardtanh_ leaky_relu_ relu_ selu_ threshold_"  # in place, in nn.functional
# A path of PyTorch's, the module whose public names stand there, and the paths below it that show them, too.
PLACES = [
    ("lucid.accelerator", "lucid.cuda", ""), ("lucid.random", "lucid.ops.random", ""), ("lucid.special", "", ""),
    ("lucid.autograd", "lucid.autograd", "variable"),
    ("lucid.backends", "lucid.ops.spellings", "cuda cuda.matmul cudnn mkl mps openmp"),
    ("lucid.distributions", "lucid.distributions", """
        bernoulli categorical distribution exponential independent kl multinomial normal uniform"""),
    ("lucid.nn.modules", "lucid.nn", """
        activation batchnorm container conv distance dropout flatten fold instancenorm lazy linear loss module
        normalization padding pixelshuffle pooling rnn sparse transformer upsampling"""),
    ("lucid.nn.parallel", "lucid.distributed", ""), ("lucid.utils.data.distributed", "lucid.distributed", ""),
    ("lucid.nn.parameter", "lucid.nn", ""), ("lucid.nn.utils", "lucid.nn.utils", "clip_grad convert_parameters"),
    ("lucid.utils.checkpoint", "lucid.autograd", ""), ("lucid.utils.tensorboard", "", ""),
    ("lucid.utils.data", "lucid.data", "dataloader dataset sampler"),
]  # fmt: skip
PATHS = {path: source for path, source, _ in PLACES if path not in (source, "lucid.utils.data")}
PATHS |= {f"{path}.{child}": source for path, source, children in PLACES for child in children.split()}
NAMES = {owner: dict[str, str]() for owner in [path.rpartition(".")[0] for path in PATHS] + [row[0] for row in TABLE]}
for _owner, _source, _text in TABLE:
    NAMES[_owner] |= {new: f"{_source}.{old}".lstrip(".") for new, old in pairs(_text).items()}
for _path in PATHS:
    NAMES[_path.rpartition(".")[0]][_path.rpartition(".")[2]] = f"{_path}:"


INSTEAD = {name: says for names, says in {
    "compile export fx jit": "operations run as they are called; leave it out", "hub onnx": "save the weights",
    "DataParallel": "write the model itself, or nn.parallel.DistributedDataParallel, in one process for each device",
    "SparseAdam sparse sparse_coo_tensor": "all tensors are dense; write their values with zeros between them",
    "ao qat quantization quantize_per_tensor quantized": "weights are floats; write model.half()",
    "GradScaler amp autocast": "write model.half(), or leave it out and train in float32",
    "complex complex64 complex128 eig eigvals fft istft polar stft view_as_complex view_as_real":
        "there are no complex numbers; write two real tensors, or use numpy.fft on x.numpy()",
    "PackedSequence pack_padded_sequence pack_sequence pad_packed_sequence":
        "write nn.utils.rnn.pad_sequence, and leave out of the loss what was padded",
    "CTCLoss ctc_loss": "there is none; align the targets, and write cross_entropy",
    "func": "write autograd.grad, or jacobian, hessian, jvp or vjp of autograd.functional",
    "vmap": "give operations the whole batch, or write stack([f(x) for x in xs])",
    "init_process_group multiprocessing": "write distributed.init(), and start the program by mpiexec -n 2",
    "get_rank": "write distributed.rank()", "get_world_size": "write distributed.world_size()",
    "Event Stream": "work is done in order; cuda.synchronize() waits for it", "bfloat16": "write float16",
    "EmbeddingBag embedding_bag": "write Embedding(...)(x).sum(1), or mean(1)", "Softmax2d": "write Softmax(dim=-3)",
    "bucketize": "write searchsorted(boundaries, x)", "profiler": "write lucid.see.profile",
    "kthvalue": "write x.sort(dim).values.select(dim, k - 1)",
    "logdet": "write lucid.linalg.slogdet(x).logabsdet", "svd": "write lucid.linalg.svd, whose last matrix is Vh",
}.items() for name in names.split()}  # fmt: skip
VOLUMES = "there are no layers of volumes; fold the depth into the batch, and write its namesake in 2d"


def missing(owner: str, name: str, names: dict[str, Any]) -> AttributeError:
    """The error for a name that `owner` does not have; `names` are those that it has."""
    text = f"{owner} has no {name!r}"
    if says := INSTEAD.get(name) or (VOLUMES if name.lower().endswith("3d") else ""):
        return AttributeError(f"{text}: {says}")
    from difflib import get_close_matches  # only now: most programs never get here

    # Other names of PyTorch's are not taken for typos: sinh is 0.857 like sin, and vstack has another first letter.
    alike = {n.lower(): n for n in names if n[:1].lower() == name[:1].lower() != "_"}
    close = get_close_matches(name.lower(), alike, n=1, cutoff=0.86)
    return AttributeError(text + (f"; there is {alike[close[0]]!r}" if close else ""))


@cache
def found(owner: str, name: str) -> Any:
    """What the module `owner` has under another name; a KeyError if it has no such."""
    lucid: Any = sys.modules[__package__]
    if owner == "lucid" and name.endswith("_") and hasattr(lucid.Tensor, name):
        return getattr(lucid.Tensor, name)
    if owner == "lucid.nn.functional" and name in RECTIFIERS.split():
        return partial(getattr(lucid.nn.functional, name[:-1]), inplace=True)
    if owner in PATHS and name not in NAMES.get(owner, ()):  # as the module that it shows
        return found(PATHS[owner], name)
    module, colon, attribute = NAMES[owner][name].rpartition(":")
    if not colon:  # a path in lucid
        return reduce(getattr, attribute.split(".")[1:], lucid)
    return getattr(import_module(module), attribute) if attribute else import_module(module)


def _look_up(module: Any, name: str) -> Any:
    try:
        return found(module.__name__, name)
    except KeyError:
        raise missing(module.__name__, name, vars(module)) from None
    except ModuleNotFoundError as error:
        absent = f"{error.name}, which is not installed; pip install {error.name}"
        raise ImportError(f"{module.__name__}: {name} comes from {absent}") from None


def suggest(*modules: Any) -> None:
    """Give modules a `__getattr__` and a `__dir__` that know other names; and a `__path__`, so that Python asks `Paths`
    for what is imported from them and not there."""
    for module in modules:
        module.__getattr__ = partial(_look_up, module)
        module.__dir__ = lambda module=module: sorted({*vars(module), *NAMES.get(module.__name__, ())})
        vars(module).setdefault("__path__", [])


class Paths:
    """Makes the modules of PyTorch's paths, such as lucid.nn.modules, for an import that has found no file."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """What Python asks: how to make a module; None if there is none of that name."""
        owner, _, last = name.rpartition(".")
        there = vars(sys.modules.get(owner, sys))
        says = str(missing(owner, last, there)) if owner.partition(".")[0] == "lucid" else ""
        if name not in PATHS and (": " in says or "; " in says):
            raise ModuleNotFoundError(says)  # with no `name`, as `from lucid import vmap` would not pass it on
        return ModuleSpec(name, Paths, is_package=True) if name in PATHS else None  # type: ignore[arg-type]

    @staticmethod
    def exec_module(module: Any) -> None:
        """Give the module the public names of the one that it shows, and its other names."""
        shown = import_module(PATHS[module.__name__]) if PATHS[module.__name__] else None
        public = {name: getattr(shown, name) for name in getattr(shown, "__all__", ())}
        vars(module).update(public, __all__=sorted({*public, *NAMES.get(module.__name__, ())}))
        suggest(module)

    create_module = staticmethod(lambda spec: None)


sys.meta_path.append(Paths)

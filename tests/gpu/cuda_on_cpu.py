"""CuPy's two classes for kernels of one's own, on a machine without a GPU: the system's C++ compiler takes the text.

They are called as CuPy's are, and take arrays that have `data.ptr`, `shape`, `strides`, `size` and `dtype`, in memory
of
the host. Threads run one after the other, so a kernel that waits for other threads is refused.
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

COMPILER = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
MISSING = "no C++ compiler on this machine (c++, g++ or clang++), so kernels were not run"
OPTIONS = ["-std=c++17", "-O0", "-shared", "-fPIC", "-ffp-contract=off", "-fno-strict-aliasing", "-x", "c++", "-"]
TYPES = {
    "float16": "__half", "float32": "float", "float64": "double", "int8": "signed char", "uint8": "unsigned char",
    "int32": "int", "uint32": "unsigned", "int64": "long long", "uint64": "unsigned long long", "bool": "bool",
}  # fmt: skip

# What CUDA offers without a header, as far as kernels here use it. No header is read: that would take ten times as
# long.
PRELUDE = """
typedef __SIZE_TYPE__ size_t;
struct dim3 { unsigned x, y, z; };
static dim3 threadIdx, blockIdx, blockDim, gridDim;
#define __global__ static
#define __device__
#define __forceinline__ inline
#define REAL(name) \\
    static inline float name(float x) { return __builtin_##name##f(x); } \\
    static inline double name(double x) { return __builtin_##name(x); }
#define REAL2(name) \\
    static inline float name(float x, float y) { return __builtin_##name##f(x, y); } \\
    static inline double name(double x, double y) { return __builtin_##name(x, y); }
namespace cuda {
REAL(fabs) REAL(sqrt) REAL(exp) REAL(log) REAL2(pow) REAL2(fmax) REAL2(fmin) REAL2(copysign) REAL2(fmod) REAL(expm1)
REAL(log1p) REAL(log2) REAL(log10) REAL(sin) REAL(cos) REAL(tan) REAL(tanh) REAL(floor) REAL(ceil) REAL(trunc)
REAL(rint) REAL(erf) REAL(erfc) REAL(cosh) REAL(sinh) REAL2(hypot)
}
using namespace cuda;
"""
# IEEE 754 half precision, as cuda_fp16.h has it: to float exactly, from float to the nearest, ties to even.
HALF = """
struct __half {
    unsigned short bits;
    __half() = default;
    __half(float value) {
        unsigned x, sign, kept;
        __builtin_memcpy(&x, &value, 4);
        sign = x >> 16 & 0x8000; x &= 0x7fffffff;
        if (x > 0x7f800000) { bits = sign | 0x7e00; return; }
        if (x >= 0x477ff000) { bits = sign | 0x7c00; return; }
        if (x < 0x38800000) {  // below the smallest normal one: a multiple of 2**-24
            float whole = __builtin_rintf(__builtin_fabsf(value) * 16777216.0f);
            bits = sign | (unsigned short)whole; return;
        }
        kept = x - 0x38000000;
        bits = sign | (kept + 0xfff + (kept >> 13 & 1)) >> 13;
    }
    operator float() const {
        unsigned x = bits & 0x7fff; float value;
        if (x < 0x400) value = x / 16777216.0f;
        else { x = x >= 0x7c00 ? x << 13 | 0x7f800000 : (x << 13) + 0x38000000; __builtin_memcpy(&value, &x, 4); }
        return bits & 0x8000 ? -value : value;
    }
};
"""


def folder() -> Path:
    """Where compiled kernels are kept from one run to the next; only this user can write there."""
    path = Path(tempfile.gettempdir()) / f"lucid-kernels-{os.getuid() if hasattr(os, 'getuid') else 'here'}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def compiled(source: str) -> ctypes.CDLL:
    """The library made of this source, by now or before."""
    assert COMPILER is not None, MISSING
    key = hashlib.sha256("\0".join([COMPILER, *OPTIONS, source]).encode()).hexdigest()[:32]
    path = folder() / f"{key}.so"
    if not path.exists():
        own = path.with_suffix(f".{os.getpid()}")  # other test processes may be at the same one
        done = subprocess.run([COMPILER, *OPTIONS, "-o", own], input=source, text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"the kernel does not compile: {done.stderr[:2000]}\n{source}")
        os.replace(own, path)
    return ctypes.CDLL(str(path))


class RawKernel:
    """One kernel by its text: `kernel(grid, block, arguments)`."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
        self.code, self.name, self.run, self.library = code, name, None, None
        assert "__sync" not in code and "__shared__" not in code, "threads run one after the other here"

    def _compile(self) -> Any:
        found = re.search(rf'extern "C" __global__ void {self.name}\(([^)]*)\)', self.code)
        assert found, f'no extern "C" __global__ void {self.name}(...) in the text'
        kinds = [re.sub(r"\w+$", "", argument.strip()).replace("const ", "") for argument in found[1].split(",")]
        self.sizes = len(kinds)
        passed = ", ".join(f"*({kind}*)arguments[{i}]" for i, kind in enumerate(kinds))
        code = self.code.replace('extern "C" ', "").replace("#include <cuda_fp16.h>", "")
        self.library = compiled(f"""{PRELUDE}{HALF if "__half" in code else ""}{code}
            extern "C" void launch(const unsigned* grid, const unsigned* block, void** arguments) {{
                gridDim = {{grid[0], grid[1], grid[2]}}; blockDim = {{block[0], block[1], block[2]}};
                for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
                for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
                for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
                for (threadIdx.z = 0; threadIdx.z < blockDim.z; threadIdx.z++)
                for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
                for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) {self.name}({passed});
            }}""")
        return self.library.launch

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
        self.run = self.run or self._compile()
        assert len(args) == self.sizes, f"{self.name} takes {self.sizes} arguments, got {len(args)}"
        kept, pointers = [], []
        for arg in args:
            if isinstance(arg, np.ndarray):  # by value
                assert arg.flags.c_contiguous and arg.nbytes <= 4096
                pointers.append(arg.ctypes.data)
            else:
                if isinstance(arg, (bool, int, float)):  # as CuPy has it, whatever the kernel declares
                    value = np.array(arg)
                elif isinstance(arg, np.generic):
                    value = np.array(arg)
                else:
                    value = np.array(arg.data.ptr, "u8")
                kept.append(value)
                pointers.append(value.ctypes.data)
        threes = [(ctypes.c_uint * 3)(*(*size, 1, 1)[:3]) for size in (grid, block)]
        assert all(0 < size[0] <= 2**31 - 1 for size in threes) and threes[1][0] <= 1024
        self.run(*threes, (ctypes.c_void_p * len(pointers))(*pointers))


class ElementwiseKernel:
    """One element's text, run for all of them: `kernel(*inputs, *outputs)`; outputs that are not given are made."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        *,
        preamble: str = "",
        options: tuple[str, ...] = (),
    ) -> None:
        params = [[p.split() for p in params.split(",") if p] for params in (in_params, out_params)]
        self.raw = {p[-1] for p in params[0] + params[1] if p[0] == "raw"}  # given whole, not element by element
        self.ins, self.outs = ([p[-2:] for p in some] for some in params)
        self.operation, self.name, self.preamble = operation, name, preamble
        self.made: dict[Any, Any] = {}
        for _, name in self.ins + self.outs:
            assert name not in ("i", "n") and not name.startswith("_"), f"CuPy keeps the name {name!r} for itself"

    def _compile(self, kinds: dict[str, str], arrays: list[bool], ndim: int) -> Any:
        params = self.ins + self.outs
        text = [f"typedef {TYPES[kind]} {letter};" for letter, kind in kinds.items() if len(letter) == 1]
        text += [self.preamble, "struct Array { char* at; long long strides[32]; };"]
        text += ['extern "C" void run(long long size, const long long* shape, const Array* arrays) {']
        text += ["for (long long i = 0; i < size; i++) {", "long long left = i;"]
        text += [f"char* p{k} = arrays[{k}].at;" for k in range(len(params))]
        text += [f"for (int d = {ndim - 1}; d >= 0; d--) {{ long long at = left % shape[d]; left /= shape[d];"]
        text += [f"p{k} += at * arrays[{k}].strides[d];" for k in range(len(params))] + ["}"]
        for k, (letter, name) in enumerate(params):
            const = "const " if k < len(self.ins) else ""
            if name in self.raw:
                text.append(f"{TYPES[kinds[letter]]}* {name} = ({TYPES[kinds[letter]]}*)arrays[{k}].at;")
                continue
            text.append(f"{const}{TYPES[kinds[letter]]}& {name} = *({const}{TYPES[kinds[letter]]}*)p{k};")
        text += [f"{{ {self.operation}; }}", "} }"]
        half = HALF if "float16" in kinds.values() else ""
        return compiled("\n".join([PRELUDE + half, *text])).run

    @staticmethod
    def empty(shape: tuple[int, ...], dtype: str) -> Any:
        """An array for a result."""
        raise NotImplementedError("who launches here must give the outputs")

    def __call__(self, *args: Any) -> Any:
        params = self.ins + self.outs
        if len(args) == len(self.ins) and not self.raw:
            spread = np.broadcast_shapes(*[arg.shape for arg in args if hasattr(arg, "shape")])
            args = (*args, *(self.empty(spread, kind) for kind, _ in self.outs))
        assert len(args) == len(params), f"{self.name} takes {len(params)} arguments here, got {len(args)}"
        whole = [name in self.raw for _, name in params]
        spread = [arg.shape for arg, raw in zip(args, whole, strict=True) if hasattr(arg, "shape") and not raw]
        shape = np.broadcast_shapes(*spread)
        kinds: dict[str, str] = {}
        for (letter, name), arg in zip(params, args, strict=True):
            if hasattr(arg, "data") and hasattr(arg, "strides") and not isinstance(arg, np.generic):
                known = kinds.setdefault(letter, str(arg.dtype) if len(letter) == 1 else letter)
                if known != str(arg.dtype):
                    raise TypeError(f"{self.name}: {name} is declared {known}, got an array of {arg.dtype}")
        kinds |= {letter: letter for letter, _ in params if len(letter) > 1}
        record = np.zeros(len(args), [("at", "u8"), ("strides", "i8", (32,))])
        kept = []
        for k, ((letter, _), arg) in enumerate(zip(params, args, strict=True)):
            if isinstance(arg, (bool, int, float, np.generic)):
                assert k < len(self.ins), f"{self.name}: a number to be written to"
                kept.append(np.array(arg).astype(kinds[letter]))
                record["at"][k] = kept[-1].ctypes.data
                continue
            record["at"][k] = arg.data.ptr
            if whole[k]:
                continue
            assert k < len(self.ins) or arg.shape == shape
            skipped = len(shape) - len(arg.shape)
            strides = [0 if n == 1 else s for n, s in zip(arg.shape, arg.strides, strict=True)]
            record["strides"][k, skipped : len(shape)] = strides
        key = (*kinds.items(), len(shape))
        if key not in self.made:
            self.made[key] = self._compile(kinds, [], len(shape))
        size, lengths = int(np.prod(shape)), np.array([*shape, 1], "i8")
        self.made[key](
            ctypes.c_longlong(size), ctypes.c_void_p(lengths.ctypes.data), ctypes.c_void_p(record.ctypes.data)
        )
        return args[len(self.ins)] if len(self.outs) == 1 else args[len(self.ins) :]

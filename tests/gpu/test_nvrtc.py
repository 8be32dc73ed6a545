"""Every kernel compiled for three generations of GPUs, by CUDA's own compiler, which needs none of them."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.core.op import OPS
from lucid.gpu import recurrent_kernels as recurrent
from lucid.gpu import row_kernels as rows
from lucid.gpu.cuda_expressions import CTYPES, OPTIONS
from lucid.gpu.fuse import FusedTrace
from tests.gpu.gpus import there
from tests.gpu.test_fused import elementwise_operations, run
from tests.gpu.test_kernels import asked, kernel_for

pytestmark = pytest.mark.nvrtc
GENERATIONS = ("sm_75", "sm_90", "sm_100")
# CuPy puts its headers before the text of an ElementwiseKernel, and their names are in the way of ours.
HEADERS = "".join(
    f"#include <cupy/{name}>\n"
    for name in ("complex.cuh", "carray.cuh", "atomics.cuh", "math_constants.h", "float16.cuh")
)


def compiled(source: str, generation: str) -> bytes:
    """The machine code, or an error that shows the source."""
    import cupy
    from cuda.pathfinder import find_nvidia_header_directory
    from cupy.cuda import nvrtc

    own = Path(cupy.__file__).parent / "_core" / "include"
    cccl = own / "cupy" / "_cccl"
    folders = [own, cccl / "libcudacxx", cccl / "thrust", cccl / "cub", find_nvidia_header_directory("cudart")]
    program = nvrtc.createProgram(source, "kernel.cu", [], [])
    try:
        options = [f"-arch={generation}", "-std=c++17", "-ftz=true", "--device-as-default-execution-space", *OPTIONS]
        nvrtc.compileProgram(program, (*options, *(f"-I{folder}" for folder in folders)))
        return nvrtc.getCUBIN(program)
    except nvrtc.NVRTCError:
        pytest.fail(f"{generation}: {nvrtc.getProgramLog(program)}\n{source}")


def elementwise(each: Any, takes: str, scalars: Sequence[str]) -> str:
    """What CuPy would compile for strided arrays of two dimensions; it has no public way to ask."""
    import cupy
    from cupy._core import _carray, _kernel, _scalar

    def info(dtype: Any, scalar: bool) -> Any:
        array = (1, cupy.ndarray, np.dtype(dtype), 2, False, True)
        return _kernel._ArgInfo(*((3, _scalar.CScalar, np.dtype(dtype), 0, True, True) if scalar else array))

    kinds = [parameter.split() for parameter in takes.split(", ")]
    arguments = [info(kind, name in scalars) for kind, name in kinds]
    indexer = _kernel._ArgInfo(2, _carray.Indexer, None, 2, True, True)
    types = _kernel._TypeMap(())
    return HEADERS + _kernel._get_elementwise_kernel_code(
        (*arguments, indexer), types, each.params, each.operation, each.name, each.preamble
    )


PATTERNS = list(asked())
FIRST = [next(group) for _, group in groupby(PATTERNS, key=lambda pattern: pattern[0])]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    "name, t, options, dtype",
    [(*p, "float32") for p in PATTERNS] + [(*p, dtype) for p in FIRST for dtype in ("float16", "float64")],
    ids=str,
)
def test_kernels_compile(name: str, t: int, options: dict[str, Any], dtype: str, generation: str) -> None:
    import cupy

    kernel = kernel_for(cupy, dtype, name, t, options)
    assert kernel is not None
    for source in (kernel.text, elementwise(kernel.each, f"{kernel.takes}, {kernel.gives}", kernel.scalars)):
        assert compiled(source, generation)


def recorded(dtype: str) -> list[tuple[str, Any]]:
    """Every operation's forward and formulas that become a kernel, as recordings."""
    found: list[tuple[str, Any]] = []
    kernel = FusedTrace.kernel

    def noting(trace: FusedTrace, cupy: Any, name: str) -> Any:
        found.append((name, trace))
        return kernel(trace, cupy, name)

    with pytest.MonkeyPatch.context() as patched, there("stand-in"):
        patched.setattr(FusedTrace, "kernel", noting)
        for name, options in elementwise_operations():
            run(name, options, [np.ones(3, dtype)] * len(OPS[name].inputs), np.ones(3, dtype), "cuda")
        x, w = (lucid.ones(*shape, dtype=dtype, requires_grad=True) for shape in ((4, 3, 2), (3,)))
        lucid.nn.functional.batch_norm(x, None, None, w, w, training=True).sum().backward()
    return found


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_kernels_of_operations_compile(dtype: str, generation: str) -> None:
    import cupy

    made = recorded(dtype)
    assert len(made) >= len({name for name, _ in elementwise_operations()})
    for name, trace in made:
        kernel, parameters = trace.kernel(cupy, name), ", ".join(trace.parameters())
        scalars = [f"k{i}" for i in range(len(trace.scalars()))]
        assert compiled(elementwise(kernel, parameters, scalars), generation)
    for name in rows.TEXTS:
        for labels in CTYPES if name in ("cross_entropy", "reduce_losses") and dtype == "float32" else ["int64"]:
            if labels not in ("float16", "float32", "float64"):
                assert compiled(rows.source(name, rows.TEXTS[name], dtype, labels), generation)
    if dtype != "float16":
        for name in recurrent.TEXTS:
            assert compiled(rows.source(name, recurrent.TEXTS[name], dtype), generation)


def test_what_does_not_compile_is_told() -> None:
    with pytest.raises(pytest.fail.Exception, match="nonsense"):
        compiled("nonsense", "sm_90")

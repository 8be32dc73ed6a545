"""Every kernel compiled for three generations of GPUs, by CUDA's own compiler, which needs none of them."""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_kernels import asked, setting

from lucid.optim.kernel import OPTIONS, Kernel, kernel_of

pytestmark = pytest.mark.nvrtc
GENERATIONS = ("sm_75", "sm_90", "sm_100")
# CuPy puts its headers before the text of an ElementwiseKernel, and their names are in the way of ours.
HEADERS = "".join(
    f"#include <cupy/{name}>\n" for name in ("complex.cuh", "carray.cuh", "atomics.cuh", "math_constants.h", "float16.cuh")
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


def elementwise(kernel: Kernel) -> str:
    """What CuPy would compile for strided arrays of two dimensions; it has no public way to ask."""
    import cupy
    from cupy._core import _carray, _kernel, _scalar

    def info(dtype: Any, scalar: bool) -> Any:
        array = (1, cupy.ndarray, np.dtype(dtype), 2, False, True)
        return _kernel._ArgInfo(*((3, _scalar.CScalar, np.dtype(dtype), 0, True, True) if scalar else array))

    each, kinds = kernel.each, [parameter.split() for parameter in (kernel.takes + ", " + kernel.gives).split(", ")]
    arguments = [info(kind, name in kernel.scalars) for kind, name in kinds]
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

    kernel = kernel_of(cupy, np.dtype(dtype), *setting(name, t, options))
    assert kernel is not None
    for source in (kernel.text, elementwise(kernel)):
        assert compiled(source, generation)


def test_what_does_not_compile_is_told() -> None:
    with pytest.raises(pytest.fail.Exception, match="nonsense"):
        compiled("nonsense", "sm_90")

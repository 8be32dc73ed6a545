"""All that is measured on a GPU, into results/<gpu>-<date>.md: training steps, and steps of the optimizers.

    make gpu                       # the tests that need a GPU, then this
    python benchmarks/gpu.py       # this alone

It needs CuPy and a GPU, and is beside PyTorch where that is installed and finds the GPU too; without it there are the
times of lucid's optimizers and the device's copy. Some two minutes.
"""

import datetime
import re
import sys
from types import ModuleType

import gpu_optimizers
import numpy as np
import report

import lucid
from lucid.gpu.namespace import gpu


def torch_there() -> ModuleType | None:
    """PyTorch, where it is installed and finds a GPU."""
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def main() -> None:
    """Measure; print and keep the tables."""
    try:
        cupy = gpu().module
    except RuntimeError as error:
        sys.exit(f"gpu.py: {error}")
    torch, name = torch_there(), lucid.cuda.get_device_name()
    sections = []
    if torch is not None:
        import gpu_models

        sections.append(gpu_models.section(cupy, torch))
    sections.append(gpu_optimizers.section(cupy, torch))
    versions = report.surroundings(*filter(None, (lucid, np, cupy, torch)))
    runtime, driver = cupy.cuda.runtime.runtimeGetVersion(), cupy.cuda.runtime.driverGetVersion()
    file = f"{re.sub('[^a-z0-9]+', '-', name.lower().replace('nvidia', '')).strip('-')}-{datetime.date.today()}"
    report.publish(
        file, f"# On a GPU: {name}\n\n{versions}; CUDA runtime {runtime}, driver {driver}.\n\n" + "\n\n".join(sections)
    )


if __name__ == "__main__":
    main()

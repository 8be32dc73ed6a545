"""Chapter 6. Derivatives as functions.

Reading order: `gradients` (the gradient of anything with respect to anything), `function` (a forward and backward of
one's own), `functional` (Jacobians, Hessians and products with them), `checkpointing` (memory for time), `check` (what
"correct" means) and `anomaly` (where a NaN came from).
"""

from lucid.autograd import functional as functional
from lucid.autograd.anomaly import detect_anomaly as detect_anomaly
from lucid.autograd.anomaly import set_detect_anomaly as set_detect_anomaly
from lucid.autograd.check import gradcheck as gradcheck
from lucid.autograd.check import gradgradcheck as gradgradcheck
from lucid.autograd.checkpointing import checkpoint as checkpoint
from lucid.autograd.function import Function as Function
from lucid.autograd.function import FunctionCtx as FunctionCtx
from lucid.autograd.functional import hessian as hessian
from lucid.autograd.functional import hvp as hvp
from lucid.autograd.functional import jacobian as jacobian
from lucid.autograd.functional import jvp as jvp
from lucid.autograd.functional import vhp as vhp
from lucid.autograd.functional import vjp as vjp
from lucid.autograd.gradients import backward as backward
from lucid.autograd.gradients import grad as grad
from lucid.recording import enable_grad as enable_grad
from lucid.recording import inference_mode as inference_mode
from lucid.recording import is_grad_enabled as is_grad_enabled
from lucid.recording import no_grad as no_grad
from lucid.recording import set_grad_enabled as set_grad_enabled


def __getattr__(name: str) -> object:  # only reached when the name is not there
    from lucid._suggest import missing

    raise missing("lucid.autograd", name, globals())

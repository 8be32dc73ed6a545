"""Derivatives as functions.

Reading order: `grad` (the gradient of anything with respect to anything), `function` (an operation with a backward of
one's own), `functional` (Jacobians, Hessians and products with them), `recompute` (memory for time), `gradcheck` (what
"correct" means) and `anomaly` (which operation made a NaN).
"""

from lucid.autograd import functional, hooks
from lucid.autograd.anomaly import detect_anomaly, set_detect_anomaly
from lucid.autograd.function import Function, FunctionCtx
from lucid.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from lucid.autograd.grad import backward, grad
from lucid.autograd.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from lucid.autograd.gradcheck import gradcheck, gradgradcheck
from lucid.autograd.recompute import checkpoint

__all__ = [
    "Function", "FunctionCtx", "backward", "checkpoint", "detect_anomaly", "enable_grad", "functional", "grad",
    "gradcheck", "gradgradcheck", "hessian", "hvp", "inference_mode", "is_grad_enabled", "jacobian", "jvp", "no_grad",
    "set_detect_anomaly", "set_grad_enabled", "vhp", "vjp",
]  # fmt: skip

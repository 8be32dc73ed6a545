"""Files: `lucid.save` and `lucid.load` (npz.py), and weights for other libraries (safetensors.py)."""

from lucid.io.npz import load, save
from lucid.io.safetensors import load_safetensors, save_safetensors

__all__ = ["load", "load_safetensors", "save", "save_safetensors"]

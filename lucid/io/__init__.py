"""Files: `lucid.save` and `lucid.load` (npz.py), and weights for other libraries (safetensors.py)."""

"""All that is CuPy's: its namespace, its fused kernels, and the launches of optimizers."""

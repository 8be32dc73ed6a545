"""The operations. Each file has one subject: its primitives, which are pure over `xp`, with their vjps above them, and
beside them the public functions, which have PyTorch's names and check their arguments.

Only what the engine needs is imported here; the other subjects build on the Tensor.
"""


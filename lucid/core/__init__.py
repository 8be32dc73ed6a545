"""The engine and the Tensor: the part of lucid to read first. It imports nothing else of lucid.

The files, in the order in which they are read and may import each other, are listed in docs/reading.md.
"""

"""The engine: arrays, the graph, the backward pass, and the Tensor that users hold."""

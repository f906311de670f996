"""StreamTensor: PyTorch models as streaming dataflow accelerators."""

__version__ = "0.1.0"

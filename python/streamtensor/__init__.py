"""StreamTensor: PyTorch models as streaming dataflow accelerators."""

from .session import Error, Session, Step, compile

__all__ = ["Error", "Session", "Step", "compile"]
__version__ = "0.1.0"

"""StreamTensor: PyTorch models as streaming dataflow accelerators."""

from .errors import Error
from .sampling import Sampler
from .session import Session, Step, compile

__all__ = ["Error", "Sampler", "Session", "Step", "compile"]
__version__ = "0.1.0"

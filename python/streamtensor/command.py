"""The command of an installed package."""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> None:
    """Becomes the compiled command, which starts this Python where needed."""
    os.environ["STREAMTENSOR_PYTHON"] = sys.executable
    command = os.path.join(_HERE, "bin", "streamtensor")
    os.execv(command, ["streamtensor", *sys.argv[1:]])

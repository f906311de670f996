"""Packages of tiny models: each is exported once, by the test that needs it
first.

They lie in the directory ST_TEST_PACKAGES, which ctest empties before the first
test that may use it; without that variable every run of pytest has its own.
Tests read them and change copies.
"""

import fcntl
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "python")]
CHUNK, CTX = 8, 64  # of the tiny models


def tiny(name, own):
    """Paths of checkpoint and package of a family of tiny_models.py. Others who
    want it at the same time wait."""
    directory = os.environ.get("ST_TEST_PACKAGES", str(own))
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path + ".pkg"):
            import tiny_models
            from streamtensor import export as exporter
            tiny_models.save(name, directory)
            exporter.export_causal_lm(path, path + ".pkg", CHUNK, CTX)
    return path, path + ".pkg"

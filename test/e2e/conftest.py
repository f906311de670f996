"""Shared by the end-to-end tests: the command, builds made once a session."""

import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "python"),
                os.path.join(ROOT, "test", "python")]
COMMAND = os.environ.get("STREAMTENSOR",
                         os.path.join(ROOT, "build", "streamtensor"))
os.environ.setdefault(
    "STREAMTENSOR_LIBRARY",
    os.path.join(os.path.dirname(COMMAND), "libstreamtensor.so"))
os.environ["HF_HUB_OFFLINE"] = "1"


def run(*args, status=0, **kwargs):
    """Run the command; its output and messages."""
    p = subprocess.run([COMMAND, *map(str, args)], capture_output=True,
                       text=True, **kwargs)
    assert p.returncode == status, p.stdout + p.stderr
    return p


@pytest.fixture(scope="session")
def command():
    return run


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def stories(work):
    """The trained stories260K: checkpoint, package and build."""
    checkpoint, package, build = (work / n for n in ("hf", "pkg", "build"))
    subprocess.run([sys.executable, os.path.join(
        ROOT, "examples", "stories260K", "convert.py"), checkpoint],
        check=True)
    run("export", checkpoint, "-o", package)
    run("compile", package, "-o", build)
    return checkpoint, package, build

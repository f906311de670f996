"""Shared by the end-to-end tests: the command, builds made once a session."""

import os
import subprocess
import sys

import pytest

from stories import COMMAND, ROOT, provide

sys.path[:0] = [os.path.join(ROOT, "python"),
                os.path.join(ROOT, "test", "python")]
os.environ.setdefault(
    "STREAMTENSOR_LIBRARY",
    os.path.join(os.path.dirname(COMMAND), "libstreamtensor.so"))
os.environ["HF_HUB_OFFLINE"] = "1"

import shared  # noqa: E402


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
    folder = work / "stories"
    provide(folder)
    checkpoint, package, build = (folder / n for n in ("hf", "pkg", "build"))
    run("compile", package, "-o", build)
    return checkpoint, package, build


@pytest.fixture(scope="session")
def tiny(work):
    """Checkpoint and package of a family."""
    return lambda name: shared.tiny(name, work / "tiny")

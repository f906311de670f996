"""The installed package, laid out as pip does it: all that it needs is in it."""

import os
import shutil
import subprocess
import sys
import tomllib

import highsbox
import pytest

from conftest import COMMAND, ROOT

MODEL = """
import torch

def make():
    return torch.nn.Linear(8, 8), (torch.randn(4, 8),)
"""

BACKEND = """
import torch
model = torch.nn.Linear(8, 8)
x = torch.randn(4, 8)
with torch.no_grad():
    built = torch.compile(model, backend="streamtensor")
    built(x)
    assert torch.allclose(built(x), model(x), atol=1e-5)
import streamtensor
print(streamtensor.__file__)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = tmp_path_factory.mktemp("site")
    subprocess.run(["cmake", "--install", os.path.dirname(COMMAND),
                    "--prefix", site], check=True, capture_output=True)
    shutil.copytree(os.path.join(ROOT, "python", "streamtensor"),
                    site / "streamtensor", dirs_exist_ok=True)
    (site / "highsbox").symlink_to(highsbox.__path__[0])
    info = site / "streamtensor-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: streamtensor\nVersion: 0\n")
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as f:
        points = tomllib.load(f)["project"]["entry-points"]
    (info / "entry_points.txt").write_text("".join(
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items())
        for group, named in points.items()))
    return site


@pytest.fixture(scope="module")
def python(site):
    environment = {k: v for k, v in os.environ.items()
                   if not k.startswith("STREAMTENSOR")}

    def run(code, *args):
        p = subprocess.run(
            [sys.executable, "-c", code, *map(str, args)], cwd=site,
            env={**environment, "PYTHONPATH": str(site)},
            capture_output=True, text=True)
        assert p.returncode == 0, p.stdout + p.stderr
        return p
    return run


def test_the_command(python, site):
    def command(*args):
        return python("from streamtensor.command import main; main()", *args)

    assert command("--help").stdout.startswith("usage: streamtensor COMMAND")
    (site / "m.py").write_text(MODEL)
    command("export", "m.py:make", "-o", "m.st")
    command("compile", "m.st", "-o", "m.build", "-t", "kv260")
    assert command("check", "m.build").stdout.splitlines()[-1][:3] == "ok:"


def test_the_backend_has_a_name(python, site):
    assert python(BACKEND).stdout.startswith(str(site))


def test_what_it_is_linked_with(site):
    """Nothing of this checkout."""
    for name in ("libstreamtensor.so", "bin/streamtensor"):
        p = subprocess.run(["readelf", "-d", site / "streamtensor" / name],
                           capture_output=True, text=True, check=True)
        assert "$ORIGIN" in p.stdout and ROOT not in p.stdout

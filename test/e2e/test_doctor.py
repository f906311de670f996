"""doctor, completion and the manual page."""

import json
import os
import re
import subprocess
import sys

import highsbox

from stories import COMMAND, ROOT
from test_cli import COMMANDS


def test_doctor(command):
    p = command("doctor")
    assert "all that is needed" in p.stdout and "MISSING" not in p.stdout
    things = json.loads(command("doctor", "--json").stdout)
    assert {"targets", ".venv", "torch", "verilator"} <= {
        t["name"] for t in things}
    for t in things:
        assert t["found"] and t["what"] and t["for"]


def test_doctor_names_what_is_missing(command):
    env = {**os.environ, "STREAMTENSOR_LIBRARY": "/nowhere.so", "PATH": ""}
    p = command("doctor", status=1, env=env)
    assert re.search(r"MISSING +libstreamtensor.so .*: make build\n", p.stdout)
    assert re.search(r"missing +verilator .*: apt-get install verilator\n",
                     p.stdout)
    assert "something that is needed is missing" in p.stdout
    env = {**os.environ, "PATH": "", "STREAMTENSOR_TARGETS": "/nowhere"}
    things = json.loads(command("doctor", "--json", status=1,
                                env=env).stdout)
    missing = {t["name"]: t["remedy"] for t in things if not t["found"]}
    assert set(missing) == {"targets", "make", "g++", "verilator"}
    assert "STREAMTENSOR_TARGETS" in missing["targets"]


def test_doctor_of_an_installed_package(tmp_path):
    subprocess.run(["cmake", "--install", os.path.dirname(COMMAND), "--prefix",
                    tmp_path], check=True, capture_output=True)
    (tmp_path / "highsbox").symlink_to(highsbox.__path__[0])
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("STREAMTENSOR")}
    env["STREAMTENSOR_PYTHON"] = "/usr/bin/python3"  # it has no torch
    p = subprocess.run([tmp_path / "streamtensor/bin/streamtensor", "doctor"],
                       env=env, capture_output=True, text=True)
    assert p.returncode == 1
    for line in (f"libstreamtensor.so +{tmp_path}/streamtensor/libstream",
                 f"targets +{tmp_path}/streamtensor/targets/u55c.toml",
                 r"MISSING +torch +for export: pip install torch\n"):
        assert re.search(line, p.stdout), p.stdout


def complete(*words):
    script = f"""source {ROOT}/scripts/completion.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_streamtensor
printf '%s\\n' "${{COMPREPLY[@]}}" """
    p = subprocess.run(["bash", "-uc", script, "bash", COMMAND, *words],
                       capture_output=True, text=True, check=True)
    return p.stdout.split()


def test_completion():
    assert set(COMMANDS) <= set(complete(""))
    assert complete("rep") == ["report"]
    assert complete("compile", "--k") == ["--kv"]
    assert set(complete("generate", "--top")) == {"--top-k", "--top-p"}
    assert complete("emit", "") == ["hls", "rtl"]
    assert complete("run", "b", "--device", "i") == ["interp"]
    assert complete("compile", "") == []  # files


def test_manual_page():
    p = subprocess.run([sys.executable, f"{ROOT}/scripts/man.py"],
                       env={**os.environ, "STREAMTENSOR": COMMAND},
                       capture_output=True, text=True, check=True)
    lines = p.stdout.splitlines()
    assert lines[0].startswith(".TH STREAMTENSOR 1 ")
    assert {f".SS {c}" for c in COMMANDS} <= set(lines)
    known = {".TH", ".SH", ".SS", ".B", ".PP", ".nf", ".fi", ".TP"}
    assert {line.split()[0] for line in lines
            if line.startswith((".", "'"))} <= known
    assert not re.search(r"(?<!\\)-", p.stdout)

"""The commands of doc/tutorial.md, as a reader types them."""

import json
import os
import re
import subprocess

from stories import COMMAND, ROOT

LINE = re.compile(r"    \$(?: (.*))?$")


def blocks():
    """Commands of a section, as one script."""
    found = []
    with open(os.path.join(ROOT, "doc", "tutorial.md")) as f:
        for line in f:
            if line.startswith("## "):
                found.append([])
            elif match := LINE.match(line):
                found[-1].append(match[1] or "")
    return ["\n".join(b) for b in found if b]


def test_tutorial(work):
    """In a directory that looks like a checkout."""
    for name in (".venv", "examples", "python"):
        os.symlink(os.path.join(ROOT, name), work / name)
    os.symlink(COMMAND, work / "streamtensor")
    said = {}
    for script in blocks():
        p = subprocess.run(["bash", "-euc", script], cwd=work,
                           capture_output=True, text=True)
        assert p.returncode == 0, script + "\n" + p.stdout + p.stderr
        said[script] = p.stdout
    text = "".join(said.values())
    assert "Once upon a time, there was a little girl named Lily" in text
    assert text.count("saved by fusion") == 2 and text.count("\nok: ") == 2
    assert len(re.findall(r"^\d+ \d+ cycles$", text, re.M)) == 5
    assert (work / "tutorial" / "report.html").read_text().startswith(
        "<!DOCTYPE html>")
    assert json.loads((work / "tutorial" / "trace.json").read_text())
    for folder in ("stories.rtl", "stories.hls"):
        assert (work / "tutorial" / folder / "Makefile").exists()

"""The manual page streamtensor(1) on standard output, from what the command
tells of itself:

    .venv/bin/python scripts/man.py > streamtensor.1 && man -l streamtensor.1
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMAND = os.environ.get("STREAMTENSOR",
                         os.path.join(ROOT, "build", "streamtensor"))


def help_of(*words):
    return subprocess.run([COMMAND, *words, "--help"], check=True, text=True,
                          stdout=subprocess.PIPE,
                          env={**os.environ, "COLUMNS": "76"}).stdout


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def commands():
    lines = help_of().split("commands", 1)[1].splitlines()[1:]
    return [line.split(None, 1) for line in lines if line.startswith("  ")]


def main():
    out = ['.TH STREAMTENSOR 1 "" "StreamTensor" "User Commands"',
           ".SH NAME",
           "streamtensor \\- from PyTorch language models to streaming "
           "dataflow accelerators",
           ".SH SYNOPSIS", ".B streamtensor", "COMMAND ...",
           ".SH COMMANDS"]
    for name, summary in commands():
        out += [f".SS {name}", escape(summary).strip() + ".", ".PP", ".nf",
                escape(help_of(name)).rstrip(), ".fi"]
    out += [".SH EXIT STATUS",
            ".TP", "0", "done", ".TP", "1",
            "the input's fault: a message says where, and what to do",
            ".TP", "2", "wrong usage", ".TP", "70",
            "a failure of the program or of the system",
            ".SH ENVIRONMENT",
            ".TP", ".B STREAMTENSOR_TARGETS", "directory of target files",
            ".TP", ".B STREAMTENSOR_LIBRARY",
            "libstreamtensor.so, for Python"]
    print("\n".join(out))


if __name__ == "__main__":
    sys.exit(main())

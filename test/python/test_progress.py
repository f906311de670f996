"""Progress of generate: on a terminal, every two seconds, with time left."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..",
                                "python"))
from streamtensor.generate import Progress  # noqa: E402


def told(monkeypatch, capsys, terminal, shown=True):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    progress = Progress(40, shown)
    for done in range(1, 41):
        clock[0] += 0.5
        progress.tell(done)
    return capsys.readouterr().err.splitlines()


def test_lines(monkeypatch, capsys):
    lines = told(monkeypatch, capsys, True)
    assert len(lines) == 10
    assert lines[0] == "generate: 4 of 40 steps, about 18 s more"
    assert lines[-1] == "generate: 40 of 40 steps, about 0 s more"


def test_silence(monkeypatch, capsys):
    assert told(monkeypatch, capsys, False) == []
    assert told(monkeypatch, capsys, True, shown=False) == []

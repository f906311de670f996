"""The fuzzer of modules: some of its programs, and that it finds the line that
fails."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "fuzz"))
import fuzz_modules as fuzz  # noqa: E402


def test_programs_agree():
    assert set(fuzz.run(5000, 4)) <= {fuzz.FINE, fuzz.REFUSED}


def test_programs_are_the_same_again():
    assert fuzz.make(7).text() == fuzz.make(7).text() != fuzz.make(8).text()


def test_a_failure_gets_smaller(monkeypatch, capsys):
    """As if everything with a maximum failed."""
    monkeypatch.setattr(fuzz, "apart", lambda p: fuzz.OTHER if any(
        "maximum" in text for text, _ in p.lines) else fuzz.FINE)
    seed = next(s for s in range(1000) if len(fuzz.make(s).lines) > 6 and
                fuzz.apart(fuzz.make(s)) == fuzz.OTHER)
    assert fuzz.run(seed, 1) == {fuzz.OTHER: 1}
    text = capsys.readouterr().out
    assert f"seed {seed} ends with {fuzz.OTHER}" in text
    assert text.count("    v") <= 4 and "maximum" in text
    space = {}
    exec(text.split(":\n", 1)[1], space)
    module, inputs = space["make"]()
    module(*inputs)

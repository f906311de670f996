"""explore: the same front whoever runs the trials; killed and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

import pytest

from conftest import COMMAND
from streamtensor import explore

TRIALS = 56  # two generations


def arguments(package, output, *more):
    return ["explore", package, "-o", output, "--trials", TRIALS, "--verify",
            2, *more]


def start(package, output, *more):
    words = [sys.executable, "-m", "streamtensor",
             *map(str, arguments(package, output, *more))]
    return subprocess.Popen(words, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            start_new_session=True)


def front(output):
    with open(os.path.join(output, "front.json")) as f:
        return json.load(f)


@pytest.fixture(scope="module")
def explored(stories, work):
    """By one worker."""
    p = start(stories[1], work / "one", "--build", work / "best")
    out, err = p.communicate()
    assert p.returncode == 0, err
    return work / "one", out, err


def test_front(explored):
    got = front(explored[0])
    points = [(p["compiled"]["cycles"], p["compiled"]["logic"])
              for p in got["front"]]
    assert points == sorted(points)
    assert all(a[1] > b[1] for a, b in zip(points, points[1:]))
    assert all(p["compiled"]["fits"] for p in got["front"])
    for p in [got["default"], *got["front"]]:
        assert p["estimated"]["cycles"] == pytest.approx(
            p["compiled"]["cycles"], rel=0.03)
    default = got["default"]["compiled"]
    assert points[0][0] < default["cycles"] or got["default"] in got["front"]
    assert len(got["estimated_front"]) > 2


def test_table_and_picture(explored):
    output, out, err = explored
    assert "default" in out and "bram36" in out
    assert f"{TRIALS} of {TRIALS} trials" in err and "s left" in err
    root = xml.parse(output / "front.svg").getroot()
    assert root.tag.endswith("svg") and len(root) > TRIALS // 4


def test_best_as_a_build(explored, work, command):
    got, best = front(explored[0]), work / "best"
    report = json.loads(command("report", best, "--json").stdout)
    assert report["resources"]["used"] == got["front"][0]["compiled"]["used"]
    assert command("check", best).stdout.splitlines()[-1].startswith("ok:")


def test_two_workers_find_the_same(explored, stories, work):
    p = start(stories[1], work / "two", "--workers", "2")
    _, err = p.communicate()
    assert p.returncode == 0, err
    assert front(work / "two") == front(explored[0])


def test_goes_on_after_a_kill(explored, stories, work):
    """Two on one storage; one of them is killed at work, then both."""
    url = f"sqlite:///{work / 'shared.db'}"
    one = start(stories[1], work / "three", "--storage", url)
    two = start(stories[1], work / "four", "--storage", url)
    time.sleep(6)
    os.killpg(one.pid, signal.SIGKILL)
    one.communicate()
    time.sleep(2)
    os.killpg(two.pid, signal.SIGKILL)
    two.communicate()
    p = start(stories[1], work / "four", "--storage", url)
    _, err = p.communicate()
    assert p.returncode == 0, err
    assert front(work / "four") == front(explored[0])


def test_seed_decides():
    known = {}
    for a, b in ((0, 0), (0, 1)):
        x, y = (explore.proposals(s, 0, known, [4, 8, 16]) for s in (a, b))
        assert (x == y) == (a == b)
        assert len({explore.key_of(d) for d in x}) == explore.GENERATION
        assert x[0]["weights"] == 0


def test_neighbours_of_the_compilers_own():
    """Its factors are those that the compiler found."""
    known = {0: ({**dict.fromkeys(explore.FACTORS, 0.0), "chunk": 8},
                 {"cycles": 1, "logic": 0.1, "fits": True,
                  "factors": [1.0, 1e3, 2.0]})}
    steps = [explore.steps_of(d) for d in
             explore.proposals(0, 1, known, [8])]
    near = [s for s in steps if abs(s[0] - 8) <= 6 and s[1] >= 22 and
            abs(s[2] - 12) <= 6]
    assert len(near) > explore.GENERATION // 2


def test_front_of():
    result = lambda cycles, share, fits=True: {
        "cycles": cycles, "logic": share, "fits": fits}
    known = {0: ({}, result(5, 0.5)), 1: ({}, result(4, 0.6)),
             2: ({}, result(5, 0.7)), 3: ({}, result(1, 0.1, False)),
             4: ({}, result(9, 0.5)), 5: ({}, result(9, 0.2))}
    assert [n for n, _, _ in explore.front_of(known)] == [1, 0, 5]


@pytest.mark.parametrize("more, words", [
    (["--storage", "nothing://x"], "--storage nothing://x: error: "),
    (["--trials", "0"], "--trials: error: at least 1"),
    (["--prompt", "9999"], "--prompt '9999' is not a number of tokens"),
    (["-t", "nowhere"], "unknown target 'nowhere'"),
])
def test_refused(stories, work, more, words):
    p = subprocess.run([COMMAND, *map(str, arguments(stories[1],
                                                     work / "bad")), *more],
                       capture_output=True, text=True)
    assert p.returncode == 1 and "Traceback" not in p.stderr, p.stderr
    assert words in p.stderr, p.stderr


def test_no_package(work):
    p = subprocess.run([COMMAND, "explore", work / "nothing"],
                       capture_output=True, text=True)
    assert p.returncode == 1 and "Traceback" not in p.stderr, p.stderr
    assert "nothing" in p.stderr and not (work / "nothing.explore").exists()

"""Traces: events as the trace event format wants them, and what they say."""

import collections
import json

import pytest

from test_cli import LINEAR, output


@pytest.fixture(scope="module")
def traced(stories, work, command):
    path = work / "trace.json"
    run = output(command, "generate", stories[2], "--tokens", "1,5,9", "-n", 3,
                 "--trace", path)
    return run, json.loads(path.read_text())


def spans(trace, pid):
    """By thread, in order of time."""
    found = collections.defaultdict(list)
    for e in trace["traceEvents"]:
        if e["ph"] == "X" and e["pid"] == pid:
            found[e["tid"]].append(e)
    for list_ in found.values():
        list_.sort(key=lambda e: e["ts"])
    return found


def pids(trace):
    return {e["args"]["name"]: e["pid"] for e in trace["traceEvents"]
            if e["name"] == "process_name"}


def test_events_are_of_the_format(traced):
    _, trace = traced
    names = set()
    for e in trace["traceEvents"]:
        assert e["ph"] in "MXC" and isinstance(e["pid"], int)
        if e["ph"] == "M":
            names.add((e["name"], e["pid"], e["tid"]))
            continue
        assert e["ts"] >= 0 and e["name"]
        if e["ph"] == "X":
            assert e["dur"] > 0
            assert ("thread_name", e["pid"], e["tid"]) in names
        else:
            assert [*e["args"]] == ["GB/s"] and e["args"]["GB/s"] >= 0
        assert ("process_name", e["pid"], 0) in names


def test_steps_are_those_of_generate(traced):
    run, trace = traced
    (steps,) = spans(trace, next(iter(pids(trace).values()))).values()
    assert [s["args"]["cycles"] for s in steps] == run["cycles"]
    assert [(s["args"]["P"], s["args"]["T"]) for s in steps] == [
        (0, 3), (3, 1), (4, 1)]
    at = 0
    for s in steps:
        assert s["ts"] == pytest.approx(at, abs=1e-3)
        at += s["args"]["cycles"] / run["clock_mhz"]
        assert s["dur"] == pytest.approx(
            s["args"]["cycles"] / run["clock_mhz"], abs=1e-3)


def test_spans_of_a_kernel_do_not_overlap(traced):
    run, trace = traced
    threads = spans(trace, pids(trace)["kernels"])
    named = {e["tid"] for e in trace["traceEvents"]
             if e["name"] == "thread_name" and
             e["pid"] == pids(trace)["kernels"]}
    assert set(threads) <= named
    for list_ in threads.values():
        for a, b in zip(list_, list_[1:]):
            assert a["ts"] + a["dur"] <= b["ts"] + 1e-3
        for e in list_:
            assert e["name"] in ("works", "waits for a token",
                                 "waits for room")
            if e["name"] != "works":
                assert e["args"]["process"] in named


def test_bytes_are_those_of_generate(traced):
    """The counters' integral over time."""
    run, trace = traced
    memory = pids(trace)["memory"]
    total, last = collections.Counter(), {}
    for e in trace["traceEvents"]:
        if e["ph"] == "C" and e["pid"] == memory:
            at, rate = last.get(e["name"], (0, 0))
            total[e["name"]] += rate * (e["ts"] - at) * 1e3
            last[e["name"]] = e["ts"], e["args"]["GB/s"]
    assert all(rate == 0 for _, rate in last.values())
    channels = sum(n for name, n in total.items() if name != "all channels")
    assert total["all channels"] == pytest.approx(channels, rel=1e-3)
    assert channels == pytest.approx(sum(run["hbm_bytes"]), rel=0.02)


def test_trace_of_a_module(work, command):
    import numpy as np
    from safetensors.numpy import save_file
    (work / "linear.py").write_text(LINEAR)
    command("export", f"{work}/linear.py:make", "-o", work / "linear.pkg")
    command("compile", work / "linear.pkg", "-o", work / "linear.build")
    save_file({"input0": np.ones((4, 8), np.float32)}, work / "in")
    command("run", work / "linear.build", "--in", work / "in", "--out",
            work / "out", "--trace", work / "linear.json")
    events = json.loads((work / "linear.json").read_text())["traceEvents"]
    assert [e["name"] for e in events if e["ph"] == "X" and e["pid"] == 1] == [
        "step 0"]


def test_a_trace_that_cannot_be_written(stories, work, command):
    p = command("generate", stories[2], "--tokens", "1", "-n", 1, "--trace",
                work / "no" / "t.json", status=1)
    assert "t.json: error: " in p.stderr

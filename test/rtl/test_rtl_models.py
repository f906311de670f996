"""stories260K in SystemVerilog: four tools take it without a word (behind AXI,
which holds the rest), and under
Verilator tokens, bits of the logits and cycles of every step are those of the
simulator."""

import os

import pyslang.driver
import pytest
import rtl
import rtl_models

COMMAND = os.environ.get("STREAMTENSOR", rtl.ROOT / "build/streamtensor")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    work = tmp_path_factory.mktemp("models")
    return rtl_models.compile_small(rtl_models.stories(work), work / "build")


@pytest.fixture(scope="module")
def emitted(build, tmp_path_factory):
    directory = tmp_path_factory.mktemp("emitted") / "rtl"
    rtl.run(COMMAND, "emit", "rtl", build, "-o", directory)
    return directory


def test_steps(build):
    tokens, cycles = rtl_models.compare(build, [1, 403, 407], 8)
    assert len(set(tokens)) > 3
    assert len(cycles) == 8 and min(cycles) > 0


def test_icarus(emitted):
    assert rtl.run("iverilog", "-g2012", "-Wall", "-t", "null", "-s",
                   "axi_accelerator", "-f", "files.f", cwd=emitted) == ""


def test_yosys(emitted):
    files = " ".join((emitted / "files.f").read_text().split())
    assert rtl.run("yosys", "-q", "-p", f"read_verilog -sv {files}; "
                   "hierarchy -check -top axi_accelerator; proc; check -assert",
                   cwd=emitted) == ""


def test_slang(emitted, monkeypatch, capfd):
    monkeypatch.chdir(emitted)
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    assert driver.parseCommandLine(
        "slang -Wextra -Wpedantic -Wconversion -Wno-sign-conversion "
        "-Wno-useless-cast --top axi_accelerator -f files.f")
    assert driver.processOptions() and driver.parseAllSources()
    assert driver.runFullCompilation(True)
    done = capfd.readouterr()
    assert "warning" not in done.out + done.err, done

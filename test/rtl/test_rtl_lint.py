"""Four tools take every module without a word."""

import pyslang.driver
import pytest
import rtl


@pytest.mark.parametrize("top", rtl.modules())
def test_verilator(top):
    directories = [f"-I{d}" for d in sorted((rtl.ROOT / "rtl").iterdir())]
    assert rtl.run("verilator", "--lint-only", "-Wall", "--top-module", top,
                   *directories, *rtl.PACKAGES, f"{top}.sv") == ""


@pytest.mark.parametrize("top", rtl.modules())
def test_icarus(top):
    assert rtl.run("iverilog", "-g2012", "-Wall", "-t", "null", "-s", top,
                   *rtl.library()) == ""


def test_yosys():
    files = " ".join(map(str, rtl.library()))
    assert rtl.run("yosys", "-q", "-p", f"read_verilog -sv {files}; "
                   "hierarchy -check; proc; check -assert") == ""


def test_slang(capfd):
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    files = " ".join(map(str, rtl.library()))
    tops = " ".join(f"--top {m}" for m in rtl.modules())
    assert driver.parseCommandLine(
        "slang -Wextra -Wpedantic -Wconversion -Wno-sign-conversion "
        f"-Wno-useless-cast {tops} {files}")
    assert driver.processOptions() and driver.parseAllSources()
    assert driver.runFullCompilation(True)
    done = capfd.readouterr()
    assert "warning" not in done.out + done.err, done

"""num.h gives the same bits from every compiler, language and option it is used
with, and its tables are what the generator writes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "scripts" / "gen_num_tables.py"
TABLES = ROOT / "src" / "base" / "num_tables.h"
DIGEST = ROOT / "test" / "exhaustive" / "num_digest.c"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
          "-Wvla", "-Werror", "-ffp-contract=off"]
C = ["-x", "c", "-std=c11"]
CXX = ["-x", "c++", "-std=c++11"]

BUILDS = {
    "c-O0": C + ["-O0"],
    "c-O2": C + ["-O2"],
    "c-O3-native": C + ["-O3", "-march=native"],
    "c-soft": C + ["-O2", "-DST_NUM_SOFT"],
    "c++-O2": CXX + ["-O2"],
    "c++-O3-native": CXX + ["-O3", "-march=native"],
    "c++-synthesis": CXX + ["-O1", "-D__SYNTHESIS__"],
}
COMPILERS = [c for c in ("gcc", "clang") if shutil.which(c)]


def check(path):
    return subprocess.run([sys.executable, GENERATOR, "--check", path],
                          capture_output=True, text=True)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("build", BUILDS)
def test_same_bits(tmp_path, compiler, build):
    exe = tmp_path / "digest"
    subprocess.run([compiler, *STRICT, *BUILDS[build], f"-I{ROOT / 'src'}",
                    str(DIGEST), "-o", str(exe)], check=True)
    got = subprocess.run([exe], check=True, capture_output=True, text=True)
    want = DIGEST.with_suffix(".txt").read_text().splitlines()
    if build == "c++-synthesis":  # the vector forms are not for hardware
        want = [line for line in want if not line.startswith("dot")]
    assert got.stdout.splitlines() == want


def test_fast_math_is_refused(tmp_path):
    done = subprocess.run(["gcc", *C, "-ffast-math", f"-I{ROOT / 'src'}",
                           str(DIGEST), "-o", str(tmp_path / "digest")],
                          capture_output=True, text=True)
    assert done.returncode != 0
    assert "compile without -ffast-math" in done.stderr


def test_tables_are_generated():
    done = check(TABLES)
    assert done.returncode == 0, done.stderr


def test_changed_table_is_noticed(tmp_path):
    text = TABLES.read_text()
    changed = tmp_path / "num_tables.h"
    changed.write_text(text.replace("0x80b1ed50u", "0x80b1ed51u"))
    assert changed.read_text() != text
    done = check(changed)
    assert done.returncode == 1
    assert "differs from what gen_num_tables.py generates" in done.stderr

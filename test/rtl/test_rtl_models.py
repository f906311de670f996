"""stories260K in SystemVerilog under Verilator: tokens, bits of the logits and
cycles of every step are those of the simulator."""

import rtl_models


def test_stories(tmp_path):
    package = rtl_models.stories(tmp_path)
    build = rtl_models.compile_small(package, tmp_path / "build")
    tokens, cycles = rtl_models.compare(build, [1, 403, 407], 8)
    assert len(set(tokens)) > 3
    assert len(cycles) == 8 and min(cycles) > 0

#!/usr/bin/env python3
"""Generate src/base/num_tables.h, the constants of the numeric contract.

Only integer and decimal arithmetic is used (60 digits, every operation correctly
rounded), so that the output is the same on every machine.

    gen_num_tables.py            write the header to standard output
    gen_num_tables.py --check F  exit with status 1 unless F is up to date

Cubic segments: a function g on the segment [i*h, (i+1)*h) is interpolated at the
four Chebyshev nodes of the segment in t = x/h - i, and stored as the integers
    c0 = (g0 - 1) * 2^31,  c1, c2, c3 = coefficients of t, t^2, t^3 times 2^32.
"""

import sys
from decimal import ROUND_HALF_EVEN, Decimal, getcontext

getcontext().prec = 60

ONE = Decimal(1)
TWO = Decimal(2)
LN2 = TWO.ln()

# (1 - cos((2k + 1) pi / 8)) / 2
NODES = [
    Decimal("0.038060233744356621935908405301605857"),
    Decimal("0.308658283817455114083126945983838613"),
    Decimal("0.691341716182544885916873054016161387"),
    Decimal("0.961939766255643378064091594698394143"),
]


def nearest(x, bits):
    """x * 2^bits as the nearest integer."""
    return int((x * 2**bits).to_integral_value(rounding=ROUND_HALF_EVEN))


def pi_scaled(bits):
    """floor(pi * 2^bits) by Machin's formula, up to the guard bits."""
    guard = 32
    unit = 1 << (bits + guard)

    def arctan_inverse(n):
        term = unit // n
        total, k, sign = 0, 1, 1
        while term:
            total += sign * (term // k)
            term //= n * n
            k += 2
            sign = -sign
        return total

    return 4 * (4 * arctan_inverse(5) - arctan_inverse(239)) >> guard


PI = Decimal(pi_scaled(190)) / 2**190


def series(first, ratio):
    """Sum of the terms first, first*ratio(1), first*ratio(1)*ratio(2) ..."""
    total = term = first
    k = 1
    while abs(term) > Decimal(10) ** -58:
        term *= ratio(k)
        total += term
        k += 1
    return total


def sin_over(f):
    """sin(pi/2 f) / f"""
    y = PI / 2 * f
    return series(y, lambda k: -y * y / ((2 * k) * (2 * k + 1))) / f


def cos_of(f):
    """cos(pi/2 f)"""
    y = PI / 2 * f
    return series(ONE, lambda k: -y * y / ((2 * k - 1) * (2 * k)))


def erf_over(x):
    """erf(x) / x; every term is positive"""
    total = series(ONE, lambda k: 2 * x * x / (2 * k + 1))
    return 2 / PI.sqrt() * (-x * x).exp() * total


def tanh_over(x):
    """tanh(x) / x"""
    e = (2 * x).exp()
    return (e - 1) / (e + 1) / x


def rsqrt_of(x):
    return 1 / x.sqrt()


def cubic(g, start, width):
    """The four stored integers of one segment."""
    diff = [g(start + width * t) for t in NODES]
    for level in range(1, 4):
        for k in range(3, level - 1, -1):
            diff[k] = (diff[k] - diff[k - 1]) / (NODES[k] - NODES[k - level])
    poly = [diff[3], Decimal(0), Decimal(0), Decimal(0)]
    for k in (2, 1, 0):  # poly = poly * (t - NODES[k]) + diff[k]
        shifted = [Decimal(0)] + poly[:3]
        poly = [s - NODES[k] * p for s, p in zip(shifted, poly)]
        poly[0] += diff[k]
    row = [nearest(poly[0] - 1, 31)] + [nearest(c, 32) for c in poly[1:]]
    assert all(-(2**31) <= c < 2**31 for c in row)
    assert abs(row[1]) < 2**27 and abs(row[3]) < 2**17
    return row


def segments(g, count, inverse_width):
    width = ONE / inverse_width
    return [cubic(g, i * width, width) for i in range(count)]


def rsqrt_rows():
    """64 segments of [1, 2), then 64 of [2, 4)."""
    low = [cubic(rsqrt_of, ONE + ONE * i / 64, ONE / 64) for i in range(64)]
    high = [cubic(rsqrt_of, TWO + ONE * i / 32, ONE / 32) for i in range(64)]
    return low + high


def reciprocals():
    """c_i = about 512 / m for m in segment i of [1, 2); 512 and 256 at the ends
    so that log2(c) vanishes on both sides of 1."""
    mid = [nearest(512 * 512 / (512 + 2 * i + ONE), 0) for i in range(256)]
    return [512] + mid[1:255] + [256]


def log2_rows():
    """-log2(c_i) where m < sqrt(2), else -log2(2 c_i), times 2^55."""
    rows = []
    for i, c in enumerate(reciprocals()):
        scale = 512 if i < 106 else 256
        rows.append(nearest(-(Decimal(c) / scale).ln() / LN2, 55))
    return rows


def two_over_pi():
    """Bits -36 .. 219 of 2/pi (bit j weighs 2^-j) as eight words."""
    scaled = (1 << 660) // pi_scaled(440)
    bits = scaled >> (660 - 440 - 1 - 219)
    return [(bits >> (32 * (7 - k))) & 0xFFFFFFFF for k in range(8)]


def table(ctype, name, rows, comment, fmt):
    """A C array; rows are integers or lists of integers."""
    nested = isinstance(rows[0], list)
    dims = f"[{len(rows)}]" + (f"[{len(rows[0])}]" if nested else "")
    out = [f"/* {comment} */", f"static const {ctype} st_num_{name}{dims} = {{"]
    items = map(fmt, rows)
    if nested:
        items = ["{" + ", ".join(map(fmt, r)) + "}" for r in rows]
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > 80:
            out.append(line)
            line = "   "
        line += f" {item},"
    out.append(line)
    return "\n".join(out + ["};", ""])


def define(name, value, comment):
    return f"#define ST_NUM_{name} {value} /* {comment} */"


def header():
    dec, word, wide = str, (lambda v: f"0x{v:08x}u"), (lambda v: f"{v}LL")
    e = ONE / LN2
    exp2_rows = [nearest((LN2 * i / 256).exp(), 31) for i in range(256)]
    parts = [
        "/* Constants of the numeric contract (num.h). Generated by\n"
        " * scripts/gen_num_tables.py; do not edit. */\n"
        "#ifndef ST_BASE_NUM_TABLES_H\n#define ST_BASE_NUM_TABLES_H\n\n"
        "#include <stdint.h>\n",
        define("LOG2E_Q39", f"{nearest(e, 39)}ULL", "log2(e) 2^39"),
        define("LN2_Q32", f"{nearest(LN2, 32)}ULL", "ln(2) 2^32"),
        define("EXP2_C1", f"{nearest(LN2, 26)}", "ln(2) 2^26"),
        define("EXP2_C2", f"{nearest(LN2**2 / 2, 20)}", "ln(2)^2/2 2^20"),
        define("EXP2_C3", f"{nearest(LN2**3 / 6, 20)}", "ln(2)^3/6 2^20"),
        define("LOG2_D0", f"{nearest(e, 38)}LL", "log2(e) 2^38"),
        define("LOG2_D1", f"{nearest(e / 2, 32)}LL", "log2(e)/2 2^32"),
        define("LOG2_D2", f"{nearest(e / 3, 26)}", "log2(e)/3 2^26"),
        define("LOG2_D3", f"{nearest(e / 4, 20)}", "log2(e)/4 2^20"),
        define("LOG2_D4", f"{nearest(e / 5, 16)}", "log2(e)/5 2^16"),
        "",
        table("uint32_t", "exp2_tab", exp2_rows, "2^(i/256) 2^31", word),
        table("uint16_t", "rcp_tab", reciprocals(),
              "about 512/m on segment i of 256 of [1, 2)", dec),
        table("int64_t", "log2_tab", log2_rows(),
              "-log2(c/512), from i = 106 on -log2(c/256), 2^55; c = rcp_tab[i]",
              wide),
        table("int32_t", "rsqrt_tab", rsqrt_rows(),
              "1/sqrt(x), 64 segments of [1, 2), 64 of [2, 4)", dec),
        table("int32_t", "erf_tab", segments(erf_over, 128, 32),
              "erf(x)/x, segments of 1/32 on [0, 4)", dec),
        table("int32_t", "tanh_tab", segments(tanh_over, 289, 32),
              "tanh(x)/x, segments of 1/32 on [0, 289/32)", dec),
        table("int32_t", "sin_tab", segments(sin_over, 33, 64),
              "sin(pi/2 f)/f, segments of 1/64 on [0, 33/64)", dec),
        table("int32_t", "cos_tab", segments(cos_of, 33, 64),
              "cos(pi/2 f), segments of 1/64 on [0, 33/64)", dec),
        table("uint32_t", "two_over_pi", two_over_pi(),
              "bits -36 .. 219 of 2/pi, bit j weighs 2^-j", word),
        "#endif",
    ]
    return "\n".join(parts) + "\n"


def main(args):
    if not args:
        sys.stdout.write(header())
        return 0
    if len(args) != 2 or args[0] != "--check":
        sys.stderr.write(__doc__)
        return 2
    with open(args[1], encoding="ascii") as f:
        if f.read() == header():
            return 0
    sys.stderr.write(
        f"{args[1]}: error: differs from what gen_num_tables.py generates; "
        f"run: scripts/gen_num_tables.py > {args[1]}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

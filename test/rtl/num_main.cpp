/* Compares every operator of num_top.sv with src/base/num.h, bit for bit and at
 * its latency, under pauses; add, subtract, multiply, divide and square root
 * also with the processor's own arithmetic.
 *
 *   num_main [-n VECTORS] [-s SEED] [-b] [OPERATOR ...]
 *
 * First come all pairs of special values, with -b then the 2048 floats around
 * each power of two of either sign and the ends of the range (one operand),
 * then VECTORS random ones. Exit status 1 after the first difference. */
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "Vnum_top.h"
#include "base/num.h"

namespace {

struct Vector {
  uint32_t a, b;
  int64_t x, z;
  bool valid;
};

uint64_t f(float v) { return st_num_bits(v); }

uint64_t narrow(float a, int w) {
  int64_t v = st_num_to_i64(a), top = INT64_C(1) << (w - 1);
  return (uint64_t)(v >= top ? top - 1 : v < -top ? -top : v);
}

struct Operator {
  const char *name;
  int latency, bits;
  uint64_t (*want)(const Vector &);
  uint64_t (*got)(const Vnum_top &);
};

const Operator operators[] = {
#define OP(name, latency, bits, expect)                                        \
  {#name, latency, bits,                                                       \
   [](const Vector &v) -> uint64_t {                                           \
     float A = st_num_float(v.a), B = st_num_float(v.b);                       \
     int64_t X = v.x, Z = v.z;                                                 \
     (void)A, (void)B, (void)X, (void)Z;                                       \
     return expect;                                                            \
   },                                                                          \
   [](const Vnum_top &t) -> uint64_t { return t.y_##name; }},
#include "num_ops.h"
#undef OP
};
const int count = (int)(sizeof operators / sizeof *operators);

/* Whether got may be what the processor's result r says: flushed, tininess
 * before rounding, one NaN. */
bool agrees(uint32_t got, float r) {
  uint32_t u = st_num_bits(r), m = st_num_mag(u);
  if (m > ST_NUM_INF)
    return got == ST_NUM_NAN;
  if (m < ST_NUM_TINY)
    return got == (u & ST_NUM_SIGN);
  return got == u || (m == ST_NUM_TINY && got == (u & ST_NUM_SIGN));
}

bool processor_agrees(const char *name, const Vector &v, uint32_t got) {
  volatile float a = st_num_float(st_num_flush(v.a));
  volatile float b = st_num_float(st_num_flush(v.b));
  if (!strcmp(name, "fadd"))
    return agrees(got, a + b);
  if (!strcmp(name, "fsub"))
    return agrees(got, a - b);
  if (!strcmp(name, "fmul"))
    return agrees(got, a * b);
  if (!strcmp(name, "fdiv"))
    return agrees(got, a / b);
  if (!strcmp(name, "fsqrt"))
    return agrees(got, sqrtf(a));
  return true;
}

/* ---- vectors --------------------------------------------------------------
 */

uint64_t state;

uint64_t rnd() { /* splitmix64 */
  uint64_t r = state += UINT64_C(0x9e3779b97f4a7c15);
  r = (r ^ r >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  r = (r ^ r >> 27) * UINT64_C(0x94d049bb133111eb);
  return r ^ r >> 31;
}

const uint32_t special[] = {
    0x00000000, 0x00000001, 0x00000fff, 0x00400000, 0x007fffff, 0x00800000,
    0x00800001, 0x00ffffff, 0x01000000, 0x0c800000, 0x0d000000, 0x1fffffff,
    0x20000000, 0x2f800000, 0x33000000, 0x33800000, 0x34000000, 0x397fffff,
    0x39800000, 0x3b800000, 0x3effffff, 0x3f000000, 0x3f000001, 0x3f317218,
    0x3f3504f3, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fb504f3, 0x3fc00000,
    0x3fc90fdb, 0x40000000, 0x40200000, 0x40400000, 0x40490fdb, 0x407fffff,
    0x40800000, 0x41100000, 0x411f0000, 0x42ae0000, 0x42b17218, 0x42cff1b5,
    0x42fe0000, 0x42ff0000, 0x43000000, 0x43340000, 0x47800000, 0x477fe000,
    0x477ff000, 0x47ffffff, 0x4afffffe, 0x4affffff, 0x4b000000, 0x4b000001,
    0x4b7fffff, 0x4b800000, 0x4effffff, 0x4f000000, 0x5effffff, 0x5f000000,
    0x5f800000, 0x60000000, 0x7e800000, 0x7effffff, 0x7f000000, 0x7f7fffff,
    0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff};
const int specials = 2 * (int)(sizeof special / sizeof *special);

uint32_t special_at(int i) {
  return special[i / 2] | (i & 1 ? ST_NUM_SIGN : 0);
}

/* A significand that is dense, or short, or next to a power of two. */
uint32_t fraction() {
  uint32_t r = (uint32_t)rnd() & 0x7fffff;
  switch (rnd() & 7) {
  case 0:
    return r & ~UINT32_C(0) << rnd() % 23 & 0x7fffff;
  case 1:
    return 0x7fffff - (r & 15);
  case 2:
    return r & 15;
  default:
    return r;
  }
}

uint32_t number(int least, int most) {
  int e = least + (int)(rnd() % (uint64_t)(most - least + 1));
  e = e < 0 ? 0 : e > 255 ? 255 : e;
  return (uint32_t)(rnd() & 1) << 31 | (uint32_t)e << 23 | fraction();
}

int64_t integer() {
  int64_t v = (int64_t)rnd() >> rnd() % 64;
  switch (rnd() & 7) {
  case 0:
    return (int64_t)(UINT64_C(1) << rnd() % 64) - (int64_t)(rnd() & 1);
  case 1:
    return -(v & 3);
  default:
    return v;
  }
}

/* A significand whose product with that of a has low bits next to a tie. */
uint32_t next_to_tie(uint32_t a) {
  uint32_t m = (a & 0x7fffff) | 0x800001, inverse = m;
  for (int i = 0; i < 4; i++) /* Newton, modulo 2^32 */
    inverse *= 2 - m * inverse;
  uint32_t tie = rnd() & 1 ? 0x800000 : 0x400000;
  return (inverse * (tie + (uint32_t)(rnd() % 5) - 2)) & 0x7fffff;
}

Vector random_vector() {
  Vector v = {0, 0, integer(), integer(), (rnd() & 7) != 0};
  int e;
  switch (rnd() & 7) {
  case 0:
    v.a = (uint32_t)rnd();
    v.b = (uint32_t)rnd();
    return v;
  case 1:
    v.a = special_at((int)(rnd() % (uint64_t)specials));
    v.b = number(0, 255);
    return v;
  case 2: /* sums that cancel or align */
    v.a = number(0, 255);
    e = (int)(v.a >> 23 & 255);
    v.b = number(e - 2, e + 2);
    return v;
  case 3:
    v.a = number(0, 255);
    e = (int)(v.a >> 23 & 255);
    v.b = number(e - 30, e + 30);
    return v;
  case 4: /* products and quotients next to tiny and to overflow */
    v.a = number(1, 254);
    e = (int)(v.a >> 23 & 255);
    v.b = rnd() & 1 ? number(125 - e, 129 - e) : number(379 - e, 383 - e);
    if (rnd() & 1)
      v.b = rnd() & 1 ? number(e + 124, e + 128) : number(e - 130, e - 126);
    return v;
  case 5:
    v.a = number(115, 132);
    v.b = number(124, 136);
    return v;
  case 6: /* near powers of one */
    v.a = number(126, 127);
    v.b = number(100, 150);
    return v;
  default:
    v.a = number(90, 165) | 1;
    v.b = number(90, 165);
    if (rnd() & 1)
      v.b = (v.b & 0xff800000) | next_to_tie(v.a);
    return v;
  }
}

/* ---- run ------------------------------------------------------------------
 */

enum { RING = 128 };

struct Bench {
  Vnum_top top;
  uint64_t run = 0, cycle = 0, compared[64] = {};
  Vector ring[RING] = {};

  void check(int i) {
    const Operator &o = operators[i];
    if (cycle < (uint64_t)o.latency)
      return;
    const Vector &v = ring[(cycle - (uint64_t)o.latency) % RING];
    if (!v.valid)
      return;
    uint64_t mask = ~UINT64_C(0) >> (64 - o.bits);
    uint64_t got = o.got(top) & mask, want = o.want(v) & mask;
    compared[i]++;
    if (got == want && processor_agrees(o.name, v, (uint32_t)got))
      return;
    printf("%s: a %08x b %08x x %016" PRIx64 " z %016" PRIx64 ": %0*" PRIx64
           ", not %0*" PRIx64 "\n",
           o.name, v.a, v.b, (uint64_t)v.x, (uint64_t)v.z, (o.bits + 3) / 4,
           got, (o.bits + 3) / 4, want);
    exit(1);
  }

  void step(const Vector &v) {
    ring[cycle % RING] = v;
    top.valid = v.valid;
    top.run = run;
    top.a = v.a;
    top.b = v.b;
    top.x = (uint64_t)v.x;
    top.z = (uint64_t)v.z;
    top.clk = 0;
    top.eval();
    for (int i = 0; i < count; i++)
      if (run >> i & 1)
        check(i);
    top.clk = 1;
    top.eval();
    cycle++;
  }

  void directed() {
    for (int i = 0; i < specials; i++)
      for (int k = 0; k < specials; k++)
        step({special_at(i), special_at(k), integer(), integer(), true});
    int64_t whole[64];
    for (int i = 0; i < 64; i++)
      whole[i] = i < 16   ? i - 8
                 : i < 40 ? (INT64_C(1) << (i % 4 * 8 + 31)) - (i / 4 - 7)
                          : (i < 52 ? INT64_MIN : INT64_MAX) +
                                (i < 52 ? 1 : -1) * (i % 12);
    for (int i = 0; i < 64 * 64; i++)
      step({0, 0, whole[i / 64], whole[i % 64], true});
    for (int i = 0; i < 0x10000; i++) /* every operand of 16 and of 8 bits */
      step({(uint32_t)i << 16, 0, i, (int64_t)(int8_t)(i >> 8), true});
  }

  void boundaries() {
    for (uint32_t e = 0; e <= 256; e++)
      for (int sign = 0; sign < 2; sign++)
        for (int d = -1024; d < 1024; d++) {
          uint32_t m = (e << 23) + (uint32_t)d;
          if (m <= 0x7fffffff)
            step({m | (uint32_t)sign << 31, (uint32_t)rnd(), 0, 0, true});
        }
  }
};

} // namespace

int main(int argc, char **argv) {
  uint64_t n = 100000;
  bool around = false;
  Bench bench;
  state = 1;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "-b")) {
      around = true;
    } else if (!strcmp(argv[i], "-n") && i + 1 < argc) {
      n = strtoull(argv[++i], nullptr, 0);
    } else if (!strcmp(argv[i], "-s") && i + 1 < argc) {
      state = strtoull(argv[++i], nullptr, 0);
    } else {
      int k = 0;
      while (k < count && strcmp(operators[k].name, argv[i]))
        k++;
      if (k == count) {
        fprintf(stderr,
                "usage: %s [-n VECTORS] [-s SEED] [-b] [OPERATOR ...]\n",
                argv[0]);
        return 2;
      }
      bench.run |= UINT64_C(1) << k;
    }
  }
  if (bench.run == 0)
    bench.run = ~UINT64_C(0) >> (64 - count);
  bench.directed();
  if (around)
    bench.boundaries();
  for (uint64_t i = 0; i < n; i++)
    bench.step(random_vector());
  for (int i = 0; i < count; i++)
    if (bench.compared[i])
      printf("%-10s %" PRIu64 " equal\n", operators[i].name, bench.compared[i]);
  return 0;
}

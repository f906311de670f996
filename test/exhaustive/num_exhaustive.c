/* Every binary32 operand of the one-operand functions of num.h against the
 * double precision library, or only every STEP-th.
 *
 *   num_exhaustive [-s STEP] [FUNCTION ...]
 *
 * Prints per function the largest error in units in the last place (of the
 * exact result's binade), the operand that has it, the share of results that
 * are not the nearest number, and the time. Exits with 1 if a bound is
 * exceeded. Not part of the test suite: a function takes one to four minutes.
 *
 * cc -std=c11 -O2 -ffp-contract=off -Isrc test/exhaustive/num_exhaustive.c -lm
 */
#include "../unit/num_reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
  double worst; /* ulp */
  uint32_t at;
  uint64_t count, inexact;
} Result;

static Result scan(const Function *f, uint64_t step) {
  Result r = {-1, 0, 0, 0};
  uint64_t u;
  for (u = 0; u < (uint64_t)1 << 32; u += step) {
    uint32_t bits = (uint32_t)u;
    double error = error_at(f, bits);
    r.count++;
    r.inexact += error > 0.5;
    if (error > r.worst) {
      r.worst = error;
      r.at = bits;
    }
  }
  return r;
}

static int is_wanted(const char *name, char **names, int count) {
  int i;
  for (i = 0; i < count; i++)
    if (strcmp(name, names[i]) == 0)
      return 1;
  return count == 0;
}

int main(int argc, char **argv) {
  uint64_t step = 1;
  int first = 1, bad = 0, i;
  if (argc > 2 && strcmp(argv[1], "-s") == 0) {
    step = strtoull(argv[2], NULL, 10);
    first = 3;
  }
  if (step == 0) {
    fprintf(stderr, "usage: num_exhaustive [-s STEP] [FUNCTION ...]\n");
    return 2;
  }
  for (i = 0; i < FUNCTION_COUNT; i++) {
    const Function *f = &functions[i];
    Result r;
    clock_t start = clock();
    if (!is_wanted(f->name, argv + first, argc - first))
      continue;
    r = scan(f, step);
    bad |= r.worst > f->bound;
    printf("%-10s %8.5f ulp at 0x%08" PRIx32 " (%.9g), %.4f %% not nearest, "
           "%" PRIu64 " operands, %.0f s%s\n",
           f->name, r.worst, r.at, (double)st_num_float(r.at),
           100 * (double)r.inexact / (double)r.count, r.count,
           (double)(clock() - start) / CLOCKS_PER_SEC,
           r.worst > f->bound ? " EXCEEDS ITS BOUND" : "");
    fflush(stdout);
  }
  return bad;
}

/* Progress of a compilation. */
#include "driver/progress.h"

#include <time.h>

enum { SECONDS = 2 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void st_progress_start(StProgress *p, FILE *to) {
  *p = (StProgress){.to = to, .start = now()};
  p->said = p->start;
}

void st_progress_design(StProgress *p) {
  double t = now();
  p->took = p->design++ ? t - p->begun : 0;
  p->begun = t;
}

void st_progress_pass(void *progress, const char *pass) {
  StProgress *p = progress;
  double t = now();
  if (!p->to || t - p->said < SECONDS)
    return;
  p->said = t;
  fprintf(p->to, "compile: %.0f s, %s", t - p->start, pass);
  if (p->design > 1)
    fprintf(p->to, " of design %d (no earlier one fits)", p->design);
  double left = p->took - (t - p->begun);
  if (left >= 0.5)
    fprintf(p->to, "; about %.0f s more if this one does", left);
  fprintf(p->to, "\n");
}

/* Issue times as a certificate has them: runs of evenly spaced beats, repeated
 * parts folded (doc/fifo-sizing.md, "Certificate"). */
#ifndef ST_CHECK_TIMES_H
#define ST_CHECK_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum { ST_TIMES_NESTING = 12 };

typedef struct {
  int next;                   /* item after this one in the same list; -1 */
  int child;                  /* first item of a repeated list; -1: a run */
  int64_t gap, beats, stride; /* a run: see st_times_parse */
  int64_t repeats;
} StTimesItem;

typedef struct {
  int first; /* -1: no beats */
  ST_VEC(StTimesItem) item;
  int64_t beats, last; /* in all; time of the last one */
} StTimes;

/* Parses the items in text[0 .. n) into the arena. A run begins `gap` cycles
 * after the beat before it, the first one `gap` cycles after cycle 0. No time
 * and no number of beats exceeds 2^60. False: *why says what is wrong at byte
 * *at. */
bool st_times_parse(StArena *a, const char *text, size_t n, StTimes *out,
                    const char **why, size_t *at);

/* A position in the runs, in their order. */
typedef struct {
  const StTimes *times;
  int64_t beat, n;   /* the run at hand: beats beat .. beat + n - 1; n 0: end */
  int64_t t, stride; /* t: time of the first of them */
  int depth;
  struct {
    int item, first; /* where in the list; its begin */
    int64_t left;    /* repetitions of the list after this one */
  } level[ST_TIMES_NESTING + 1];
} StTimesCursor;

void st_times_start(StTimesCursor *c, const StTimes *times);
void st_times_next(StTimesCursor *c);

#endif

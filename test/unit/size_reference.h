/* Earliest and latest schedules beat by beat, to compare src/solve/schedule.c
 * with: one array of issue times a process, no runs, no boxes. */
#ifndef ST_TEST_SIZE_REFERENCE_H
#define ST_TEST_SIZE_REFERENCE_H

#include "analysis/process.h"

typedef struct SizeReference SizeReference;

SizeReference *size_reference_new(StArena *a, const StProcessNet *net);
bool size_reference_earliest(SizeReference *s); /* false: it is stuck */
void size_reference_latest(SizeReference *s);
int64_t size_reference_at(const SizeReference *s, int process, int64_t beat);
int64_t size_reference_depth(const SizeReference *s, int stream);

/* Issue times of a process, to be overwritten. */
int64_t *size_reference_times(SizeReference *s, int process);
/* Whether the times break no rule, with the depths of the net. */
bool size_reference_valid(SizeReference *s);

#endif

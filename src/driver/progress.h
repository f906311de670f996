/* What a long compilation is at: a line every few seconds. */
#ifndef ST_DRIVER_PROGRESS_H
#define ST_DRIVER_PROGRESS_H

#include <stdio.h>

typedef struct {
  FILE *to;     /* NULL: nothing is shown */
  double start; /* of all, in seconds of a clock */
  double said;  /* when the last line was printed */
  double begun; /* this design */
  double took;  /* the design before; 0: this is the first */
  int design;   /* counts from 1 */
} StProgress;

void st_progress_start(StProgress *p, FILE *to);
/* Another design is tried. */
void st_progress_design(StProgress *p);
/* A pass begins: a line, if the last is two seconds ago. For
 * StPipelineOptions. */
void st_progress_pass(void *progress, const char *pass);

#endif

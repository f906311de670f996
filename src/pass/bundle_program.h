/* The program of a bundle: which load pushes in which beats. */
#ifndef ST_PASS_BUNDLE_PROGRAM_H
#define ST_PASS_BUNDLE_PROGRAM_H

#include "ir/ir.h"
#include "target/target.h"

/* The largest frame, in beats. */
enum { ST_BUNDLE_SLOTS = 64 };

/* A load. Its tokens come in periods, one for each iteration of a layer that is
 * the outermost loop, or one in all. */
typedef struct {
  const StOp *load;
  int64_t times;      /* periods */
  int64_t tokens;     /* of a period */
  int64_t bits;       /* of a token */
  int64_t *divisor;   /* of tokens, ascending */
  int ndivisors;
  double from, to; /* cycles in which a period is used, memory no limit */
  int64_t slots, first, last; /* frames of the period ... */
  int64_t each;               /* ... with so many tokens */
} StBundleItem;

/* Items that are used at the same time: they come at the same time, each evenly
 * over all frames of the phase. */
typedef struct {
  int first, end; /* in the program's order */
  int64_t fewest[ST_BUNDLE_SLOTS + 1]; /* [slots] frames; INT64_MAX: none */
  int64_t start, slots; /* beats into the period, and in a frame */
} StBundlePhase;

/* Phases one after another, the same again in each period. */
typedef struct {
  int first, end;     /* phases */
  int64_t times, base, period;
} StBundleSection;

typedef struct {
  StArena *arena;
  const StModule *module;
  const StTarget *target;
  StBundleItem *item; /* [nitems], as given */
  int nitems;
  int *order;         /* [nitems] by section and phase */
  ST_VEC(StBundlePhase) phase; /* of the last st_bundle_place */
  ST_VEC(StBundleSection) section;
} StBundleProgram;

/* What the loads are, and when they are used: a schedule of the step of one
 * token after a quarter of the context in which memory does not limit anything.
 * All in the arena. */
void st_bundle_analyse(StBundleProgram *p, StArena *a, const StModule *m,
                       const StTarget *t, StOp *const *load, int n);

/* Frames for memory that moves so many bits a beat; the beats that they take;
 * INT64_MAX: some load fits no frame. */
int64_t st_bundle_place(StBundleProgram *p, int64_t bits);

/* Whether a load fits a frame of its own. */
bool st_bundle_fits(const StOp *load, int64_t bits);

/* The part that item i has become, without its address. */
StBundlePart st_bundle_part(const StBundleProgram *p, int i);

#endif

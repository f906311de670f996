/* Whether a design is within the target's budgets: all dies together, each of
 * them, and the wires between. */
#ifndef ST_DRIVER_FIT_H
#define ST_DRIVER_FIT_H

#include "base/diag.h"
#include "target/target.h"

/* The resource of which a design needs the largest share beyond the budget. */
typedef struct {
  const char *resource; /* NULL: it fits */
  double need, have;    /* have: within the budget */
  int die;              /* -1: of all together; of wires: those to the next */
  const StOp *user;     /* that takes most of it; NULL: none */
  double most;          /* what that takes, with the FIFOs that it reads */
} StShortage;

StShortage st_fit_shortage(const StModule *m, const StTarget *t);

/* The error for a design of given factors, or of vectors of one element, and
 * what to do. */
void st_fit_refuse(const StModule *m, const StTarget *t, const StShortage *s,
                   bool given, StDiag *diag);

#endif

/* What a placed design takes of each die, and of the wires between them. Die d
 * is joined to die d + 1 by boundary d; a stream between dies that are further
 * apart crosses all boundaries between. */
#ifndef ST_TARGET_DIES_H
#define ST_TARGET_DIES_H

#include "target/target.h"

/* Wires of a stream where it crosses a boundary: a token with valid and ready.
 * What comes from memory crosses at the memory's rate, before its FIFO: a part
 * of a bundle's output in its frames, a load's token in `ii` cycles. */
double st_dies_wires(const StValue *v);
/* Of a whole token, as it leaves its FIFO. */
double st_dies_token_wires(const StValue *v);

/* Parts of a bundle that move in the same beats as part `i` does at the
 * beginning of its frames use wires at the same time; those of other beats the
 * same wires. */
bool st_dies_meet(const StBundle *b, int i, int k);

/* use: [dies]; wires: [dies - 1]. `op->die` and `value->die` are decided. */
void st_dies_use(const StModule *m, const StTarget *t, StCost *use,
                 double *wires);

#endif

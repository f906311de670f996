/* Joining a stream to a port of another order (doc/converters.md). */
#ifndef ST_PASS_CONVERT_H
#define ST_PASS_CONVERT_H

#include "ir/ir.h"

/* Two orders of one tensor (or of a box of it, `want`) side by side. */
typedef struct {
  StItensor fill, drain; /* the orders, with loops split where the other side
                            has a boundary inside */
  int shared;            /* outermost loops that both have */
  bool flow; /* inside of these elements come in the same sequence */
} StConversion;

/* In the arena; it keeps parts of the orders. */
StConversion st_conversion(StArena *a, const StItensor *in,
                           const StItensor *want);

/* A converter from stream `in` to the order `want` (of the same tensor, or a
 * box of it), not yet appended to the module. The shared outer loops are as
 * many as the two orders have in common, loops being split where one side has
 * a boundary inside the other's, so that the window is the smallest box that
 * one buffer can serve (the window of each data dim shrinks by each shared
 * loop over it). */
StOp *st_converter_new(StModule *m, StValue *in, const StItensor *want);

#endif

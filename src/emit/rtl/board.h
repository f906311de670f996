/* A design whose memory is on the chip, as the whole of a small board: the
 * accelerator, its memories, a serial line (doc/rtl.md, "A board").
 */
#ifndef ST_EMIT_RTL_BOARD_H
#define ST_EMIT_RTL_BOARD_H

#include "emit/rtl/plan.h"

/* Why the design cannot be such a board; NULL if it can: it takes a token and
 * gives logits, and every memory can be one of the chip's. */
const char *st_rtl_board_lacks(const StRtlPlan *p);
/* board.sv of a design that lacks nothing. */
const char *st_rtl_board(const StRtlPlan *p);

/* The contents of the memory behind port i, a parameter: a line of hexadecimal
 * digits a token, as $readmemh takes it. data: [m->arg.n], parameters dense at
 * the module's shapes. NULL: the port has another memory. */
const char *st_rtl_board_rom(const StRtlPlan *p, int i,
                             const void *const *data);

#endif

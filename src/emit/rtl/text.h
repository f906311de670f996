/* Pieces of SystemVerilog: a module that is being written, sums of P and T, and
 * the part that all processes have (counters, conditions, issue).
 */
#ifndef ST_EMIT_RTL_TEXT_H
#define ST_EMIT_RTL_TEXT_H

#include "base/str.h"
#include "emit/rtl/plan.h"

typedef struct {
  StRtlPlan *plan;
  StRtlUnit *unit; /* NULL: the top */
  StArena *a;
  StStr port, body;
  int nunused;
  StStr unused; /* signals of which not all bits may be read */
} StRtlText;

StRtlText st_rtl_text(StRtlPlan *p, StRtlUnit *u);
/* The whole file, in the arena; releases the text. */
const char *st_rtl_finish(StRtlText *x, const char *name, const char *comment);

/* A port: direction is "input" or "output". */
void st_rtl_port(StRtlText *x, const char *direction, int64_t bits,
                 const char *name);
/* Four ports of a stream: of a consumer `name`_valid, _pop and `name`; of a
 * producer _credit, _take, _push and `name`. */
void st_rtl_in(StRtlText *x, const char *name, int64_t bits);
void st_rtl_out(StRtlText *x, const char *name, int64_t bits);
void st_rtl_unused(StRtlText *x, const char *name);

/* "[7:0] ", or "" for one bit. */
const char *st_rtl_range(StArena *a, int64_t bits);
/* "[l*32+:32]" as "[63:32]" of element i. */
const char *st_rtl_slice(StArena *a, int64_t i, int64_t bits);
int st_rtl_bits(int64_t most); /* of a number up to `most`, at least 1 */

/* "n_p_plus_t": the larger of 0 and the sum. */
const char *st_rtl_sum_name(StArena *a, StSym s);
int st_rtl_sum_bits(const StModule *m, StSym s);
void st_rtl_sums_add(StArena *a, StRtlSums *v, StSym s);
/* The larger of 0 and s with so many bits: "8'd5", "8'(n_t)". */
const char *st_rtl_value(StRtlText *x, StSym s, int bits);

/* ---- processes ------------------------------------------------------------
 */

typedef struct {
  StRtlText *x;
  const StProcess *p;
  const char *prefix;  /* of its signals: "", "fill_", "drain_" */
  const StLoop *order; /* its loops */
  int n;               /* counters; loops of one iteration have none */
  int *counter;        /* [loops] or -1 */
  int *loop;           /* [n] */
  int bits;            /* of a counter */
} StRtlFrame;

/* nloops, loop: those of the process, or of an output of a bundle. */
StRtlFrame st_rtl_frame(StRtlText *x, const StProcess *p, const char *prefix,
                        int nloops, const StLoop *loop);
/* st_loops; next: the signal that goes on. */
void st_rtl_frame_loops(const StRtlFrame *f, const char *next);
/* st_loops and st_issue. allow: signal, or "1'b1". */
void st_rtl_frame_write(const StRtlFrame *f, const char *allow);
/* Index of a loop, as an expression of f->bits bits. */
const char *st_rtl_index(const StRtlFrame *f, int loop);
/* All of the loops from `level` inward are at 0; "1'b1". */
const char *st_rtl_at_zero(const StRtlFrame *f, int level);
/* The marked loops are at 0 (at their last iteration). */
const char *st_rtl_all_zero(const StRtlFrame *f, const bool *loop);
const char *st_rtl_all_last(const StRtlFrame *f, const bool *loop);
/* The guard of an end holds; "1'b1". */
const char *st_rtl_guard(const StRtlFrame *f, const StEnd *e);
/* An st_address named `name` over these steps of the loops; its value is the
 * signal `name`. next: what goes on; base: an expression of `bits` bits. */
void st_rtl_address(const StRtlFrame *f, const char *name, int bits,
                    const char *base, const int64_t *step, const char *next);

#endif

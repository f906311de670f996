/* Pieces of C++ text: names, types, loops over beats, comments. */
#ifndef ST_EMIT_HLS_TEXT_H
#define ST_EMIT_HLS_TEXT_H

#include "base/str.h"
#include "emit/hls/plan.h"

/* What a C identifier can end in, made of the last part of a name; "" if
 * NULL. */
const char *st_hls_ident(StArena *a, const char *name);

const char *st_hls_element(StDtype t); /* "float", "st_f16", "int8_t" */
const char *st_hls_scalar(StDtype t);  /* of a body: float bool int64_t */
const char *st_hls_token(StArena *a, const StValue *v); /* "st_vec<float, 8>" */
/* A value of a body from an element, and back. */
const char *st_hls_from_element(StArena *a, StDtype t, const char *element);
const char *st_hls_to_element(StArena *a, StDtype t, const char *value);

const char *st_hls_sym_text(StArena *a, StSym s); /* "P+T" */
/* A symbol, in parentheses where it has several terms. */
const char *st_hls_sym(StArena *a, StSym s);
/* sum of coef[i] * term[i] + base, without what is zero; "0" */
const char *st_hls_sum(StArena *a, StSym base, int n, const int64_t *coef,
                       const char *const *term);

/* `static const DECLARATION[n] = {...};` in lines of at most 80. */
void st_hls_numbers(StStr *out, const char *declaration, int64_t n,
                    const int64_t *at);
/* What follows the first line is indented by two; lines of at most 80. */
void st_hls_comment(StStr *out, const char *text);

/* ---- loops over beats ------------------------------------------------------
 */

/* All loops of a process as one loop over its beats, so that a pipeline never
 * drains in between; i0, i1, ... are counters. */
typedef struct {
  StArena *a;
  const StHlsPlan *plan;
  int nloops;
  const StLoop *loop;
  const char **index; /* [nloops] "i2"; "0" where the trip is 1 */
  const char **trip;  /* [nloops] */
} StHlsNest;

StHlsNest st_hls_nest(const StHlsPlan *p, const char *prefix, int nloops,
                      const StLoop *loop);
/* "64 * (P+T)" */
const char *st_hls_nest_beats(const StHlsNest *n);
void st_hls_nest_counters(StStr *out, const StHlsNest *n);
/* `for (...) {` with its pragmas. */
void st_hls_nest_open(StStr *out, const StHlsNest *n, int ii,
                      const char *style);
/* Advances the counters, `pad` spaces deep. */
void st_hls_nest_advance(StStr *out, const StHlsNest *n, int pad);
/* A condition: loops from `level` inward are all at 0; "true" */
const char *st_hls_nest_at_zero(const StHlsNest *n, int level);
/* A condition: the loops in `which` are all at their first (last) iteration. */
const char *st_hls_nest_first(const StHlsNest *n, const bool *which);
const char *st_hls_nest_last(const StHlsNest *n, const bool *which);

#endif

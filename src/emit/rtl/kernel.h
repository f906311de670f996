/* A kernel that is being written: its values, where they are and when. */
#ifndef ST_EMIT_RTL_KERNEL_H
#define ST_EMIT_RTL_KERNEL_H

#include "analysis/port.h"
#include "emit/rtl/text.h"

/* An expression of the body. It has a copy for every position of the lanes that
 * it depends on. */
typedef struct {
  bool needed;
  bool constant;
  unsigned lanes; /* that it depends on, a bit each */
  int ready;      /* cycles after the issue of a beat */
  int bits;
  ST_VEC(int) late; /* later times at which it is needed, ascending */
} StRtlExpr;

typedef struct {
  StRtlText *x;
  StArena *a;
  StRtlFrame f;
  const StTarget *t;
  const StOp *op;
  const StNest *nest;
  StKernelInfo info;
  StPortInfo *in, *out;
  StRtlExpr *expr;  /* [body.n] */
  unsigned all;     /* lanes of more than one position */
  int *weight;      /* [nlanes] in the number of a lane */
  bool accumulates; /* has a loop over a reduction dim */
} StRtlKernel;

/* Everything but x and f. */
StRtlKernel st_rtl_kernel_analyse(StArena *a, const StTarget *t,
                                  const StOp *op);
/* Says that expression i is needed at a time. */
void st_rtl_expr_at(StRtlKernel *k, int i, int time);

/* Where the lanes are: `digit` has an expression for every lane's position. */
const char **st_rtl_digits(const StRtlKernel *k, unsigned lanes,
                           const char *var);
/* digit[l] of the lanes in `more` taken from b. */
const char **st_rtl_digits_join(const StRtlKernel *k, const char *const *a,
                                unsigned more, const char *const *b);
/* sum of coef[l] * digit[l]; "0" */
const char *st_rtl_lane_sum(const StRtlKernel *k, const int64_t *coef,
                            const char *const *digit);
int st_rtl_copies(const StRtlKernel *k, unsigned lanes);
/* Name of expression i at a time as seen from the block of `lanes`. */
const char *st_rtl_expr_name(const StRtlKernel *k, int i, int time,
                             unsigned lanes, const char *const *digit);
/* Element of a port's token as a function of the lanes: coefficients. */
int64_t *st_rtl_elements(const StRtlKernel *k, const StPortInfo *port);

/* The blocks of the body. */
void st_rtl_body(StRtlKernel *k);
/* Result r from its values, folded. */
void st_rtl_fold(StRtlKernel *k, int r);
/* "x" as the bits of an element of a token. */
const char *st_rtl_to_token(StArena *a, StDtype t, const char *x);

int st_rtl_value_bits(StDtype t); /* of a value of a body */
/* Least latency of the library's module; -1: there is none. */
int st_rtl_least_latency(const StNest *nest, const StExpr *e);
/* KIND of st_combine, -1: none; HALF. */
int st_rtl_combine_kind(StScalarKind k);
int st_rtl_half(StDtype t);

/* Times of a result: the values, after the tree, after the accumulator, at the
 * end. */
typedef struct {
  int values, sum, folded, end;
  int latency; /* of the combining operator */
  bool dot;
} StRtlTimes;
StRtlTimes st_rtl_times(const StRtlKernel *k, int r);
/* The factor of a product of integers without sign extensions. */
int st_rtl_dot_source(const StNest *nest, int i);

#endif

/* Scalar bodies as C++ and as text for people. */
#ifndef ST_EMIT_HLS_BODY_H
#define ST_EMIT_HLS_BODY_H

#include "base/str.h"
#include "emit/hls/plan.h"

typedef struct {
  StArena *a;
  const StNest *nest;
  const StOp *op;
  const char **dim;   /* [ndims] C++ of the value of an iteration dim */
  const char **arg;   /* [operands] C++ of an operand's value (ARG) */
  const char **table; /* [operands] array that EXTRACT reads, or NULL */
} StHlsBody;

/* Declares v0, v1, ... for what the outputs' yields need, `pad` deep. */
void st_hls_body(StStr *out, const StHlsBody *b, int pad);

/* x combined with y (both C++ names) by a reduction in type t. */
const char *st_hls_combine(StArena *a, StScalarKind k, StDtype t, const char *x,
                           const char *y);

/* The nest in words: dims, and a line for every output. */
const char *st_hls_describe(StArena *a, const StOp *op);

#endif

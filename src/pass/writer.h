/* Writing tensor level ops: for passes that make the list of ops anew. */
#ifndef ST_PASS_WRITER_H
#define ST_PASS_WRITER_H

#include "ir/ir.h"

typedef struct {
  StModule *m;
  StArena *a;         /* of the module */
  ST_VEC(StOp *) out; /* the new order of ops */
} StWriter;

/* A new op with one result, appended; place and name as `like` has. */
StOp *st_write_op(StWriter *w, StOpKind kind, const StOp *like, int n,
                  StValue *const *operands);
/* A generic over these dims, whose maps, yield and type the caller sets. */
StOp *st_write_generic(StWriter *w, const StOp *like, int n,
                       StValue *const *operands, int ndims, const StDim *dim);
/* Expressions at the end of its body: their numbers. */
int st_write_arg(StWriter *w, StOp *op, int operand);
int st_write_expr(StWriter *w, StOp *op, StScalarKind kind, StDtype type, int x,
                  int y);
int st_write_float(StWriter *w, StOp *op, float f);

/* `rank` accesses; [at] becomes the dims d and, if `inner` >= 0, inner. */
StAffine *st_write_split_map(StWriter *w, const StAffine *map, int rank, int at,
                             int d, int inner);
/* With room for one more. */
StAffine *st_write_copy_map(StWriter *w, const StAffine *map, int rank);
/* dims 0 .. n - 1; without one of them if skip >= 0. */
StAffine *st_write_natural_map(StWriter *w, int n, int skip);
/* The shape with [axis] as extent / group and, if `both`, group. */
StType st_write_split_type(StWriter *w, const StType *t, StDtype dtype,
                           int axis, int64_t group, bool both);
/* Parallel dims of the extents of t, with room for two more. */
StDim *st_write_dims(StWriter *w, const StType *t);

/* op makes a new value in place of result r, which is free to be given to
 * another op. */
StValue *st_write_fresh(StWriter *w, StOp *op, int r);
/* v becomes the only result of op: users keep their operand. */
void st_write_give(StOp *op, StValue *v);

/* The module's ops become those that were written. */
void st_write_finish(StWriter *w);

#endif

/* factor-dims in three files: what they share. */
#ifndef ST_PASS_FACTOR_H
#define ST_PASS_FACTOR_H

#include "pass/pass.h"

typedef struct {
  int parent; /* union-find; itself: a root */
  StSym extent;
  bool split; /* of a root: outer and inner hold the factors */
  int outer, inner;
} StFactorNode;

typedef ST_VEC(int) StFactorList; /* nodes, outermost first */

/* Where an op reads or writes the dims of a value. */
enum { ST_FACTOR_ALL = -1000 }; /* each operand and result */
typedef struct {
  const StOp *op;
  int port; /* operand k; result r as -1 - r */
  const char *what;
} StFactorPlace;

typedef struct {
  StModule *m;
  const StPassContext *ctx;
  StArena *scratch;
  ST_VEC(StFactorNode) node;
  int **value_dim;    /* [value id][tensor dim] node */
  int **op_dim;       /* [op id][iteration dim] node */
  bool *opaque;       /* [op id] a view that lines nothing up */
  StFactorPlace fail; /* the first place that does not fit */
} StFactor;

int st_factor_root(StFactor *f, int node);
StSym st_factor_extent(StFactor *f, int node);
/* The factors that a dim consists of, none of extent 1. */
void st_factor_leaves(StFactor *f, int node, StFactorList *out);
bool st_factor_divide(StSym a, StSym b, StSym *q); /* a / b is an extent */
/* Remember the place, return false. */
bool st_factor_fail(StFactor *f, const StOp *op, int port, const char *what);

/* Node by node for all ops; false: f->fail says where. */
bool st_factor_constrain(StFactor *f);
/* Make op what its leaves say; without `commit` only try. */
bool st_factor_rewrite(StFactor *f, StOp *op, bool commit);

#endif

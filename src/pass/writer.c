/* Writing tensor level ops. */
#include "pass/writer.h"

#include <string.h>

StOp *st_write_op(StWriter *w, StOpKind kind, const StOp *like, int n,
                  StValue *const *operands) {
  StOp *op = st_op_new(w->m, kind, like->loc, n, operands, 1);
  op->name = like->name;
  st_vec_push(w->a, &w->out, op);
  return op;
}

StOp *st_write_generic(StWriter *w, const StOp *like, int n,
                       StValue *const *operands, int ndims, const StDim *dim) {
  StOp *op = st_write_op(w, ST_OP_GENERIC, like, n, operands);
  StNest *nest = &op->u.nest;
  nest->ndims = ndims;
  nest->dim = ST_NEW_N(w->a, StDim, ndims + 1);
  memcpy(nest->dim, dim, (size_t)ndims * sizeof *dim);
  nest->in = ST_NEW_N(w->a, StInput, n + 1);
  nest->out = ST_NEW_N(w->a, StOutput, 1);
  for (int k = 0; k < n; k++)
    nest->in[k].guard.dim = -1;
  nest->out[0] = (StOutput){.combine = ST_X_ARG, .guard = {.dim = -1}};
  return op;
}

int st_write_arg(StWriter *w, StOp *op, int k) {
  StExpr e = {.kind = ST_X_ARG,
              .dtype = op->operand[k]->type.dtype,
              .arg = {-1, -1, -1},
              .operand = k};
  return st_expr_push(w->m, &op->u.nest.body, e);
}

int st_write_expr(StWriter *w, StOp *op, StScalarKind kind, StDtype type, int x,
                  int y) {
  StExpr e = {.kind = kind, .dtype = type, .arg = {x, y, -1}};
  return st_expr_push(w->m, &op->u.nest.body, e);
}

int st_write_float(StWriter *w, StOp *op, float f) {
  StExpr e = {.kind = ST_X_CONST, .dtype = ST_F32, .arg = {-1, -1, -1}};
  memcpy(&e.bits, &f, sizeof f);
  return st_expr_push(w->m, &op->u.nest.body, e);
}

StAffine *st_write_split_map(StWriter *w, const StAffine *map, int rank, int at,
                             int d, int inner) {
  StAffine *r = ST_NEW_N(w->a, StAffine, rank + 2);
  int n = 0;
  for (int i = 0; i < rank; i++) {
    r[n++] = i == at ? st_affine_dim(w->a, d) : map[i];
    if (i == at && inner >= 0)
      r[n++] = st_affine_dim(w->a, inner);
  }
  return r;
}

StAffine *st_write_copy_map(StWriter *w, const StAffine *map, int rank) {
  StAffine *r = ST_NEW_N(w->a, StAffine, rank + 1);
  memcpy(r, map, (size_t)rank * sizeof *r);
  return r;
}

StAffine *st_write_natural_map(StWriter *w, int n, int skip) {
  StAffine *r = ST_NEW_N(w->a, StAffine, n + 1);
  int count = 0;
  for (int i = 0; i < n; i++)
    if (i != skip)
      r[count++] = st_affine_dim(w->a, i);
  return r;
}

StType st_write_split_type(StWriter *w, const StType *t, StDtype dtype,
                           int axis, int64_t group, bool both) {
  StType r = {.dtype = dtype, .shape = ST_NEW_N(w->a, StSym, t->rank + 2)};
  for (int i = 0; i < t->rank; i++) {
    r.shape[r.rank++] =
        i == axis ? st_sym_const(t->shape[i].c / group) : t->shape[i];
    if (i == axis && both)
      r.shape[r.rank++] = st_sym_const(group);
  }
  return r;
}

StDim *st_write_dims(StWriter *w, const StType *t) {
  StDim *dim = ST_NEW_N(w->a, StDim, t->rank + 2);
  for (int i = 0; i < t->rank; i++)
    dim[i].extent = t->shape[i];
  return dim;
}

StValue *st_write_fresh(StWriter *w, StOp *op, int r) {
  const StValue *old = op->result[r];
  StValue *v = ST_NEW(w->a, StValue);
  *v = (StValue){.id = w->m->next_value++,
                 .def = op,
                 .result = r,
                 .name = old->name,
                 .type = old->type};
  op->result[r] = v;
  return v;
}

void st_write_give(StOp *op, StValue *v) {
  op->result[0] = v;
  v->def = op;
  v->result = 0;
}

void st_write_finish(StWriter *w) {
  w->m->op.n = 0;
  for (int i = 0; i < w->out.n; i++)
    st_vec_push(w->a, &w->m->op, w->out.at[i]);
  st_module_renumber(w->m);
}

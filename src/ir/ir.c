/* Building and changing modules. */
#include "ir/ir.h"

#include <string.h>

/* ---- names ---------------------------------------------------------- */

const char *st_op_name(StOpKind k) {
  static const char *const names[] = {
#define X(e, name, level, operands, results, summary) name,
#include "ir/ops.def"
#undef X
  };
  return names[k];
}

const char *st_scalar_name(StScalarKind k) {
  static const char *const names[] = {
#define X(e, name, args, kind, summary) name,
#include "ir/scalar.def"
#undef X
  };
  return names[k];
}

int st_scalar_args(StScalarKind k) {
  static const signed char args[] = {
#define X(e, name, n, kind, summary) n,
#include "ir/scalar.def"
#undef X
  };
  return args[k];
}

const char *st_predicate_name(StPredicate p) {
  static const char *const names[ST_P_COUNT] = {
      "oeq", "ogt", "oge", "olt", "ole",  "one",  "ord",  "ueq",
      "ugt", "uge", "ult", "ule", "une",  "uno",  "eq",   "ne",
      "slt", "sle", "sgt", "sge", "iult", "iule", "iugt", "iuge"};
  return names[p];
}

const char *st_memory_name(StMemory m) {
  static const char *const names[ST_MEM_COUNT] = {
      "auto", "reg", "srl", "lutram", "bram", "uram", "rom", "hbm"};
  return names[m];
}

const char *st_role_name(StRole r) {
  static const char *const names[ST_ROLE_COUNT] = {
      "param", "input",  "position", "tokens",
      "cache", "logits", "output",   "cache-rows"};
  return names[r];
}

/* ---- modules and ops ------------------------------------------------ */

StModule *st_module_new(const char *name) {
  StArena *a = st_arena_new();
  StModule *m = ST_NEW(a, StModule);
  m->arena = a;
  m->name = st_arena_strdup(a, name);
  return m;
}

void st_module_free(StModule *m) {
  if (m)
    st_arena_free(m->arena);
}

StOp *st_op_new(StModule *m, StOpKind kind, StLoc loc, int noperands,
                StValue *const *operands, int nresults) {
  StArena *a = m->arena;
  StOp *op = ST_NEW(a, StOp);
  op->id = m->next_op++;
  op->kind = kind;
  op->loc = loc;
  op->noperands = noperands;
  op->operand = ST_NEW_N(a, StValue *, noperands + 1);
  if (noperands)
    memcpy(op->operand, operands, (size_t)noperands * sizeof *operands);
  op->nresults = nresults;
  op->result = ST_NEW_N(a, StValue *, nresults + 1);
  for (int i = 0; i < nresults; i++) {
    StValue *v = ST_NEW(a, StValue);
    *v = (StValue){.id = m->next_value++, .def = op, .result = i};
    op->result[i] = v;
  }
  return op;
}

void st_op_append(StModule *m, StOp *op) { st_vec_push(m->arena, &m->op, op); }

void st_module_renumber(StModule *m) {
  m->next_op = m->next_value = 0;
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    op->id = m->next_op++;
    for (int r = 0; r < op->nresults; r++)
      op->result[r]->id = m->next_value++;
  }
}

void st_value_replace(StModule *m, StValue *from, StValue *to) {
  for (int i = 0; i < m->op.n; i++)
    for (int k = 0; k < m->op.at[i]->noperands; k++)
      if (m->op.at[i]->operand[k] == from)
        m->op.at[i]->operand[k] = to;
}

void st_module_remap(StModule *m, StValue *const *map) {
  for (int i = 0; i < m->op.n; i++)
    for (int k = 0; k < m->op.at[i]->noperands; k++) {
      StValue *v = m->op.at[i]->operand[k];
      while (map[v->id])
        v = map[v->id];
      m->op.at[i]->operand[k] = v;
    }
}

StType st_type_tensor(StArena *a, StDtype dtype, int rank, const StSym *shape) {
  StType t = {.dtype = dtype, .rank = rank};
  t.shape = ST_NEW_N(a, StSym, rank + 1);
  if (rank)
    memcpy(t.shape, shape, (size_t)rank * sizeof *shape);
  return t;
}

int64_t st_module_stored_extent(const StModule *m, StSym extent) {
  int64_t most = st_sym_max(extent, m->ctx, m->chunk);
  int64_t full = m->ctx * extent.p + extent.c;
  return extent.p && full > most ? full : most;
}

StSym st_load_rows(const StModule *m, const StOp *load) {
  const StLoad *l = &load->u.load;
  const StType *t = &load->operand[0]->type;
  StSym rows = st_sym_const(0);
  int64_t stride = 1;
  for (int d = t->rank; d-- > 0;) {
    int64_t n = st_sym_max(t->shape[d], m->ctx, m->chunk);
    if (stride == l->stride[l->gather] &&
        n > st_sym_max(rows, m->ctx, m->chunk))
      rows = t->shape[d];
    stride *= st_module_stored_extent(m, t->shape[d]);
  }
  return rows;
}

int64_t st_type_max_elements(const StModule *m, const StType *t) {
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++)
    n *= st_sym_max(t->shape[i], m->ctx, m->chunk);
  return n;
}

/* ---- affine expressions --------------------------------------------- */

StAffine st_affine_const(StSym off) { return (StAffine){.off = off}; }

StAffine st_affine_dim(StArena *a, int dim) {
  StAffine e = {.n = 1, .term = ST_NEW(a, StTerm)};
  e.term[0] = (StTerm){dim, 1};
  return e;
}

StAffine st_affine_add(StArena *a, StAffine x, StAffine y) {
  StAffine r = {.off = st_sym_add(x.off, y.off)};
  r.term = ST_NEW_N(a, StTerm, x.n + y.n + 1);
  int i = 0, j = 0;
  while (i < x.n || j < y.n) {
    StTerm t;
    if (j == y.n || (i < x.n && x.term[i].dim < y.term[j].dim)) {
      t = x.term[i++];
    } else if (i == x.n || y.term[j].dim < x.term[i].dim) {
      t = y.term[j++];
    } else {
      t = (StTerm){x.term[i].dim, x.term[i].coef + y.term[j].coef};
      i++;
      j++;
    }
    if (t.coef)
      r.term[r.n++] = t;
  }
  return r;
}

StAffine st_affine_scale(StArena *a, StAffine x, int64_t by) {
  StAffine r = {.off = st_sym_scale(x.off, by)};
  r.term = ST_NEW_N(a, StTerm, x.n + 1);
  for (int i = 0; by && i < x.n; i++)
    r.term[r.n++] = (StTerm){x.term[i].dim, x.term[i].coef * by};
  return r;
}

bool st_affine_eq(const StAffine *x, const StAffine *y) {
  if (!st_sym_eq(x->off, y->off) || x->n != y->n)
    return false;
  for (int i = 0; i < x->n; i++)
    if (x->term[i].dim != y->term[i].dim || x->term[i].coef != y->term[i].coef)
      return false;
  return true;
}

int st_affine_single(const StAffine *x) {
  if (x->n == 0)
    return -2;
  return x->n == 1 && x->term[0].coef == 1 ? x->term[0].dim : -1;
}

int64_t st_bundle_beats(const StOp *op) {
  int64_t beats = 0;
  for (int r = 0; r < op->nresults; r++) {
    const StBundlePart *p = &op->u.bundle.part[r];
    int64_t end = p->base + p->times * p->period;
    beats = end > beats ? end : beats;
  }
  return beats;
}

bool st_nest_reduces(const StNest *n) {
  for (int i = 0; i < n->ndims; i++)
    if (n->dim[i].reduction)
      return true;
  return false;
}

int st_expr_push(StModule *m, StBody *body, StExpr e) {
  st_vec_push(m->arena, body, e);
  return body->n - 1;
}

/* quantize-cache: keys and values of earlier positions in 8 or 16 bits
 * (doc/quantisation.md).
 *
 *   cache  f32 [H, P, D]        codes   i8 [H, P, D/g, g]
 *   rows   f32 [H, T, D]   ->   scales  f16 [H, P, D/g]   and rows of both
 *
 * A cache is an argument whose next rows are a result. The rows of a step are
 * rounded before anything sees them. What is concatenated stays in integers,
 * products of it are done in integers; elsewhere it becomes f32 again. */
#include "pass/quantize.h"

typedef struct {
  StQuantWriter q;
  StModule *m;
  StArena *scratch;
  StKv kv;
  StQuantForm **form;      /* [value id] of roots, else NULL */
  const StOrigin **origin; /* [value id] NULL: it is f32 and written */
  bool *written;           /* [value id] of one with an origin: as f32 */
  int *axis;   /* [value id] of the context, if it is rows of a cache; -1 */
  int *second; /* [argument] that of a cache's scales */
} Caches;

/* ---- ports -----------------------------------------------------------------
 */

/* Groups lie along the last dim; with the context there it is f16. */
static StQuantForm new_form(const Caches *c, const StType *t, int context) {
  StQuantForm f = {.rank = t->rank, .axis = -1};
  int last = t->rank - 1;
  if (c->kv != ST_KV_INT8 || last == context ||
      !st_sym_is_const(t->shape[last]))
    return f;
  StScheme scheme = {.group = ST_GROUP_DEFAULT};
  f.group = st_scheme_group(&scheme, t->shape[last].c);
  f.axis = f.group ? last : -1;
  return f;
}

static StPort new_port(Caches *c, const StPort *old, const StType *t,
                       const char *what) {
  StPort p = *old;
  p.name =
      what ? st_arena_printf(c->m->arena, "%s.%s", old->name, what) : old->name;
  p.dtype = t->dtype;
  p.rank = t->rank;
  p.shape = t->shape;
  return p;
}

/* Types of the two tensors that hold one of shape t. */
static StType codes_type(Caches *c, const StType *t, const StQuantForm *f) {
  if (f->axis < 0)
    return st_type_tensor(c->m->arena, ST_F16, t->rank, t->shape);
  return st_write_split_type(&c->q.w, t, ST_I8, f->axis, f->group, true);
}

static StType scales_type(Caches *c, const StType *t, const StQuantForm *f) {
  return st_write_split_type(&c->q.w, t, ST_F16, f->axis, f->group, false);
}

/* ---- f32 again -------------------------------------------------------------
 */

static void write_f16_root(Caches *c, StValue *v, const StQuantForm *f) {
  StWriter *w = &c->q.w;
  StValue *codes = f->codes;
  int rank = v->type.rank;
  StOp *op =
      st_write_generic(w, v->def, 1, &codes, rank, st_write_dims(w, &v->type));
  op->u.nest.in[0].map = st_write_natural_map(w, rank, -1);
  op->u.nest.out[0].map = st_write_natural_map(w, rank, -1);
  op->u.nest.out[0].yield =
      st_write_expr(w, op, ST_X_EXTF, ST_F32, st_write_arg(w, op, 0), -1);
  st_write_give(op, v);
}

static void write_root(Caches *c, StValue *v, const StQuantForm *f) {
  StWriter *w = &c->q.w;
  StValue *operand[] = {f->codes, f->scales};
  StType t = st_write_split_type(w, &v->type, ST_F32, f->axis, f->group, true);
  StOp *op =
      st_write_generic(w, v->def, 2, operand, t.rank, st_write_dims(w, &t));
  op->u.nest.in[0].map = st_write_natural_map(w, t.rank, -1);
  op->u.nest.in[1].map = st_write_natural_map(w, t.rank, f->axis + 1);
  op->u.nest.out[0].map = st_write_natural_map(w, t.rank, -1);
  int e = st_write_expr(w, op, ST_X_SITOFP, ST_F32, st_write_arg(w, op, 0), -1);
  int s = st_write_expr(w, op, ST_X_EXTF, ST_F32, st_write_arg(w, op, 1), -1);
  op->u.nest.out[0].yield = st_write_expr(w, op, ST_X_MULF, ST_F32, e, s);
  op->result[0]->type = t;
  st_write_give(st_write_op(w, ST_OP_VIEW, v->def, 1, op->result), v);
}

/* The f32 of v is wanted. */
static void write_plain(Caches *c, StValue *v) {
  const StOrigin *o = c->origin[v->id];
  if (!o || c->written[v->id])
    return;
  c->written[v->id] = true;
  const StQuantForm *f = c->form[v->id];
  if (!f) { /* a move */
    write_plain(c, v->def->operand[0]);
    st_vec_push(c->q.w.a, &c->q.w.out, v->def);
  } else if (f->axis < 0) {
    write_f16_root(c, v, f);
  } else {
    write_root(c, v, f);
  }
}

/* ---- caches and their rows
 * -------------------------------------------------- */

static void set_root(Caches *c, StValue *v, StQuantForm f) {
  c->form[v->id] = ST_NEW(c->scratch, StQuantForm);
  *c->form[v->id] = f;
  c->origin[v->id] = st_origin_root(c->scratch, v);
}

static StValue *write_arg(Caches *c, const StOp *like, int arg) {
  StPort *p = &c->m->arg.at[arg];
  StOp *op = st_write_op(&c->q.w, ST_OP_ARG, like, 0, NULL);
  op->name = op->result[0]->name = p->name;
  op->u.index = (StIndexList){1, ST_NEW(c->m->arena, int)};
  op->u.index.index[0] = arg;
  op->result[0]->type =
      (StType){.dtype = p->dtype, .rank = p->rank, .shape = p->shape};
  return op->result[0];
}

static void write_cache(Caches *c, StOp *op) {
  int arg = op->u.index.index[0];
  StValue *v = op->result[0];
  StPort old = c->m->arg.at[arg];
  StQuantForm f = new_form(c, &v->type, old.axis);
  StType codes = codes_type(c, &v->type, &f);
  c->m->arg.at[arg] = new_port(c, &old, &codes, f.axis < 0 ? NULL : "codes");
  f.codes = write_arg(c, op, arg);
  if (f.axis >= 0) {
    StType scales = scales_type(c, &v->type, &f);
    StPort p = new_port(c, &old, &scales, "scales");
    st_vec_push(c->m->arena, &c->m->arg, p);
    c->second[arg] = c->m->arg.n - 1;
    f.scales = write_arg(c, op, c->second[arg]);
  }
  set_root(c, v, f);
}

static StValue *truncated(Caches *c, const StOp *like, StValue *x) {
  StWriter *w = &c->q.w;
  int rank = x->type.rank;
  StOp *op = st_write_generic(w, like, 1, &x, rank, st_write_dims(w, &x->type));
  op->u.nest.in[0].map = st_write_natural_map(w, rank, -1);
  op->u.nest.out[0].map = st_write_natural_map(w, rank, -1);
  op->u.nest.out[0].yield =
      st_write_expr(w, op, ST_X_TRUNCF, ST_F16, st_write_arg(w, op, 0), -1);
  op->result[0]->type = st_type_tensor(w->a, ST_F16, rank, x->type.shape);
  return op->result[0];
}

/* op made v, the rows of a cache: it makes a new value, and v is what that was
 * rounded to. */
static void write_rows(Caches *c, StOp *op, StValue *v) {
  StQuantForm f = new_form(c, &v->type, c->axis[v->id]);
  StValue *raw = st_write_fresh(&c->q.w, op, v->result);
  if (f.axis < 0) {
    f.codes = truncated(c, op, raw);
  } else {
    StQuantRows r = st_quant_rows(&c->q, op, raw, f.axis, f.group);
    f.codes = r.q;
    f.scales = truncated(c, op, r.scale);
  }
  set_root(c, v, f);
}

static void write_result(Caches *c, const StOp *op, int ret, StValue *v) {
  StOp *r = st_op_new(c->m, ST_OP_RESULT, op->loc, 1, &v, 0);
  r->name = op->name;
  r->u.index = (StIndexList){1, ST_NEW(c->m->arena, int)};
  r->u.index.index[0] = ret;
  st_vec_push(c->q.w.a, &c->q.w.out, r);
}

static void write_rows_result(Caches *c, const StOp *op) {
  int ret = op->u.index.index[0];
  StPort old = c->m->ret.at[ret];
  const StQuantForm *f = c->form[op->operand[0]->id];
  c->m->ret.at[ret] =
      new_port(c, &old, &f->codes->type, f->axis < 0 ? NULL : "codes");
  write_result(c, op, ret, f->codes);
  if (f->axis < 0)
    return;
  StPort p = new_port(c, &old, &f->scales->type, "scales");
  p.cache = c->second[old.cache];
  st_vec_push(c->m->arena, &c->m->ret, p);
  write_result(c, op, c->m->ret.n - 1, f->scales);
}

/* ---- users
 * ------------------------------------------------------------------ */

/* All operands are roots of one form, joined along another dim than the
 * groups'. */
static bool joins(const Caches *c, const StOp *op) {
  if (op->kind != ST_OP_CONCAT || !op->noperands)
    return false;
  const StQuantForm *first = c->form[op->operand[0]->id];
  for (int k = 0; k < op->noperands; k++) {
    const StQuantForm *f = c->form[op->operand[k]->id];
    if (!f || f->axis != first->axis || f->group != first->group ||
        f->axis == op->u.axis)
      return false;
  }
  return true;
}

static StValue *write_concat(Caches *c, const StOp *op, bool scales,
                             const StType *t) {
  StValue **part = ST_NEW_N(c->scratch, StValue *, op->noperands);
  for (int k = 0; k < op->noperands; k++) {
    const StQuantForm *f = c->form[op->operand[k]->id];
    part[k] = scales ? f->scales : f->codes;
  }
  StOp *r = st_write_op(&c->q.w, ST_OP_CONCAT, op, op->noperands, part);
  r->u.axis = op->u.axis;
  r->result[0]->type = *t;
  return r->result[0];
}

static void join(Caches *c, const StOp *op) {
  StQuantForm f = *c->form[op->operand[0]->id];
  StType codes = codes_type(c, &op->result[0]->type, &f);
  f.codes = write_concat(c, op, false, &codes);
  if (f.axis >= 0) {
    StType scales = scales_type(c, &op->result[0]->type, &f);
    f.scales = write_concat(c, op, true, &scales);
  }
  set_root(c, op->result[0], f);
}

/* A product along the groups or across them, in integers. */
static bool multiply(Caches *c, StOp *op) {
  const StProduct *p = st_product_find(c->scratch, c->origin, op);
  if (!p)
    return false;
  const StQuantForm *f = c->form[c->origin[op->operand[p->w]->id]->root->id];
  if (f->axis < 0)
    return false;
  if (p->axis != f->axis)
    return st_quant_values(&c->q.w, op, p, f);
  st_quant_product(&c->q, op, p, f);
  return true;
}

static bool is_rows(const Caches *c, const StOp *op) {
  for (int r = 0; r < op->nresults; r++)
    if (c->axis[op->result[r]->id] >= 0)
      return true;
  return false;
}

/* A move of what has an origin: written where its f32 is wanted. */
static bool moves(Caches *c, const StOp *op) {
  if (op->noperands != 1 || op->nresults != 1 || !c->origin[op->operand[0]->id])
    return false;
  const StOrigin *from = c->origin[op->operand[0]->id];
  const StOrigin *o = st_origin_moved(c->scratch, from, op);
  c->origin[op->result[0]->id] = o;
  return o != NULL;
}

/* Rows of caches that op makes, and op, which was not written yet. */
static void write_whole(Caches *c, StOp *op) {
  for (int k = 0; k < op->noperands; k++)
    write_plain(c, op->operand[k]);
  st_vec_push(c->q.w.a, &c->q.w.out, op);
  for (int r = 0; r < op->nresults; r++)
    if (c->axis[op->result[r]->id] >= 0)
      write_rows(c, op, op->result[r]);
}

static void visit(Caches *c, StOp *op) {
  const StPort *p = NULL;
  if (op->kind == ST_OP_ARG || op->kind == ST_OP_RESULT)
    p = op->kind == ST_OP_ARG ? &c->m->arg.at[op->u.index.index[0]]
                              : &c->m->ret.at[op->u.index.index[0]];
  if (p && p->role == ST_ROLE_CACHE && p->dtype == ST_F32)
    write_cache(c, op);
  else if (p && p->role == ST_ROLE_CACHE_ROWS && c->form[op->operand[0]->id])
    write_rows_result(c, op);
  else if (is_rows(c, op))
    write_whole(c, op);
  else if (joins(c, op))
    join(c, op);
  else if (!moves(c, op) && !multiply(c, op))
    write_whole(c, op);
}

/* ---- the pass
 * --------------------------------------------------------------------- */

static void find_rows(Caches *c) {
  for (int i = 0; i < c->m->next_value; i++)
    c->axis[i] = -1;
  for (int i = 0; i < c->m->op.n; i++) {
    const StOp *op = c->m->op.at[i];
    if (op->kind != ST_OP_RESULT)
      continue;
    const StPort *p = &c->m->ret.at[op->u.index.index[0]];
    if (p->role == ST_ROLE_CACHE_ROWS && p->dtype == ST_F32)
      c->axis[op->operand[0]->id] = p->axis;
  }
}

bool st_pass_quantize_cache(StModule *m, const StPassContext *ctx) {
  if (ctx->kv == ST_KV_F32)
    return true;
  StArena *a = st_arena_new();
  int n = m->next_value;
  Caches c = {.q = {.w = {.m = m, .a = m->arena}, .bits = 8},
              .m = m,
              .scratch = a,
              .kv = ctx->kv,
              .form = ST_NEW_N(a, StQuantForm *, n + 1),
              .origin = ST_NEW_N(a, const StOrigin *, n + 1),
              .written = ST_NEW_N(a, bool, n + 1),
              .axis = ST_NEW_N(a, int, n + 1),
              .second = ST_NEW_N(a, int, m->arg.n + 1)};
  find_rows(&c);
  int nops = m->op.n;
  for (int i = 0; i < nops; i++)
    visit(&c, m->op.at[i]);
  st_write_finish(&c.q.w);
  st_pass_drop_dead(m); /* quotients that moved past a product */
  st_module_renumber(m);
  st_arena_free(a);
  return true;
}

/* The text form (grammar in doc/ir.md). Everything that is not at its default
 * is printed, in one fixed order. */
#include "ir/ir.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"

static void put(StStr *o, const char *s) { st_str_append(o, s, strlen(s)); }

static void put_channel(StStr *o, int channel, int channels) {
  st_str_printf(o, " channel %d", channel);
  if (channels > 1)
    st_str_printf(o, " channels %d", channels);
}

static void print_string(StStr *o, const char *s) {
  st_str_append(o, "\"", 1);
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c < 32 || c > 126 || c == '"' || c == '\\')
      st_str_printf(o, "\\%02x", c);
    else
      st_str_append(o, s, 1);
  }
  st_str_append(o, "\"", 1);
}

static void print_sym(StStr *o, StSym s) {
  char buf[ST_SYM_TEXT];
  st_str_printf(o, "%s", st_sym_print(buf, s));
}

static void print_syms(StStr *o, const StSym *s, int n) {
  put(o, "[");
  for (int i = 0; i < n; i++) {
    put(o, i ? ", " : "");
    print_sym(o, s[i]);
  }
  put(o, "]");
}

static void print_ints(StStr *o, const int64_t *v, int n) {
  put(o, "[");
  for (int i = 0; i < n; i++)
    st_str_printf(o, "%s%" PRId64, i ? ", " : "", v[i]);
  put(o, "]");
}

static void print_indices(StStr *o, const StIndexList *l) {
  put(o, " [");
  for (int i = 0; i < l->n; i++)
    st_str_printf(o, "%s%d", i ? ", " : "", l->index[i]);
  put(o, "]");
}

/* "d0+2*d1+P-1" */
static void print_affine(StStr *o, const StAffine *e) {
  for (int i = 0; i < e->n; i++) {
    int64_t c = e->term[i].coef;
    put(o, c > 0 && i ? "+" : "");
    if (c != 1)
      st_str_printf(o, "%" PRId64 "*", c);
    st_str_printf(o, "d%d", e->term[i].dim);
  }
  if (e->n && st_sym_eq(e->off, st_sym_const(0)))
    return;
  char buf[ST_SYM_TEXT];
  st_sym_print(buf, e->off);
  st_str_printf(o, "%s%s", e->n && buf[0] != '-' ? "+" : "", buf);
}

static void print_map(StStr *o, const StAffine *map, int rank) {
  put(o, "[");
  for (int i = 0; i < rank; i++) {
    put(o, i ? ", " : "");
    print_affine(o, &map[i]);
  }
  put(o, "]");
}

static void print_guard(StStr *o, const StGuard *g) {
  if (g->dim < 0)
    return;
  st_str_printf(o, " guard d%d ", g->dim);
  print_sym(o, g->lo);
  put(o, " ");
  print_sym(o, g->hi);
}

/* The loops of a data dim and its origin: "d0+d2+P". */
static void print_sum(StStr *o, const StItensor *x, int d) {
  bool any = false;
  for (int i = 0; i < x->nloops; i++)
    if (x->loop[i].dim == d) {
      st_str_printf(o, "%sd%d", any ? "+" : "", i);
      any = true;
    }
  if (any && st_sym_eq(x->origin[d], st_sym_const(0)))
    return;
  char buf[ST_SYM_TEXT];
  st_sym_print(buf, x->origin[d]);
  st_str_printf(o, "%s%s", any && buf[0] != '-' ? "+" : "", buf);
}

/* "[1, 8], [8, T]*[8, 1], (d0, d1)->(d1, d0)": the shape of a token; trips and
 * steps of the loops; the data dims that they walk. */
static void print_order(StStr *o, const StItensor *x) {
  print_ints(o, x->elem, x->rank);
  put(o, ", [");
  for (int i = 0; i < x->nloops; i++) {
    put(o, i ? ", " : "");
    print_sym(o, x->loop[i].trip);
  }
  put(o, "]*[");
  for (int i = 0; i < x->nloops; i++)
    st_str_printf(o, "%s%" PRId64, i ? ", " : "", x->loop[i].step);
  put(o, "], (");
  for (int i = 0; i < x->nloops; i++)
    st_str_printf(o, "%sd%d", i ? ", " : "", i);
  put(o, ")->(");
  for (int d = 0; d < x->rank; d++) {
    put(o, d ? ", " : "");
    print_sum(o, x, d);
  }
  put(o, ")");
}

void st_type_print(StStr *o, const StType *t) {
  st_str_printf(o, "%s<%s ", t->order ? "itensor" : "tensor",
                st_dtype_name(t->dtype));
  print_syms(o, t->shape, t->rank);
  if (t->order) {
    put(o, " by ");
    print_order(o, t->order);
  }
  put(o, ">");
}

static void print_type(StStr *o, const StValue *v) {
  st_type_print(o, &v->type);
  if (v->depth)
    st_str_printf(o, " depth %" PRId64, v->depth);
  if (v->memory)
    st_str_printf(o, " memory %s", st_memory_name(v->memory));
  if (v->die)
    st_str_printf(o, " die %d", v->die);
  if (v->name) {
    put(o, " name ");
    print_string(o, v->name);
  }
}

/* The bits, and for people the value. */
static void print_bits(StStr *o, const StExpr *e) {
  st_str_printf(o, " 0x%" PRIx64, e->bits);
  if (e->dtype == ST_F32) {
    uint32_t bits = (uint32_t)e->bits;
    float value;
    memcpy(&value, &bits, sizeof value);
    st_str_printf(o, " // %.9g", (double)value);
  } else if (!st_dtype_is_float(e->dtype) && e->bits > 9) {
    st_str_printf(o, " // %" PRId64, (int64_t)e->bits);
  }
}

static void print_expr(StStr *o, const StExpr *e) {
  st_str_printf(o, "      %s %s", st_scalar_name(e->kind),
                st_dtype_name(e->dtype));
  if (e->kind == ST_X_CMPF || e->kind == ST_X_CMPI)
    st_str_printf(o, " %s", st_predicate_name(e->pred));
  if (e->kind == ST_X_ARG || e->kind == ST_X_EXTRACT)
    st_str_printf(o, " %d", e->operand);
  if (e->kind == ST_X_CONST)
    print_bits(o, e);
  if (e->kind == ST_X_INDEX) {
    put(o, " ");
    print_affine(o, &e->affine);
  }
  for (int k = 0; k < st_scalar_args(e->kind); k++)
    st_str_printf(o, " %d", e->arg[k]);
  if (e->kind == ST_X_EXTRACT) {
    put(o, " [");
    for (int k = 0; k < e->nindices; k++)
      st_str_printf(o, "%s%d", k ? ", " : "", e->indices[k]);
    put(o, "]");
  }
  put(o, "\n");
}

static void print_nest(StStr *o, const StOp *op) {
  const StNest *n = &op->u.nest;
  put(o, " {\n");
  for (int i = 0; i < n->ndims; i++) {
    st_str_printf(o, "    dim %s ",
                  n->dim[i].reduction   ? "red"
                  : n->dim[i].iteration ? "iter"
                                        : "par");
    print_sym(o, n->dim[i].extent);
    if (n->dim[i].name) {
      put(o, " ");
      print_string(o, n->dim[i].name);
    }
    put(o, "\n");
  }
  for (int k = 0; k < op->noperands; k++) {
    put(o, "    in ");
    if (n->in[k].map)
      print_map(o, n->in[k].map, op->operand[k]->type.rank);
    else
      put(o, "table");
    print_guard(o, &n->in[k].guard);
    put(o, "\n");
  }
  put(o, "    body\n");
  for (int i = 0; i < n->body.n; i++)
    print_expr(o, &n->body.at[i]);
  for (int r = 0; r < op->nresults; r++) {
    st_str_printf(o, "    out %d %s ", n->out[r].yield,
                  st_scalar_name(n->out[r].combine));
    print_map(o, n->out[r].map, op->result[r]->type.rank);
    print_guard(o, &n->out[r].guard);
    put(o, "\n");
  }
  for (int i = 0; i < n->nloops; i++) {
    st_str_printf(o, "    loop d%d ", n->loop[i].dim);
    print_sym(o, n->loop[i].trip);
    st_str_printf(o, " %" PRId64 "\n", n->loop[i].step);
  }
  for (int i = 0; i < n->nlanes; i++)
    st_str_printf(o, "    lane d%d %d\n", n->lane[i].dim, n->lane[i].size);
  if (n->soft)
    st_str_printf(o, "    soft %lld\n", (long long)n->soft);
  if (n->ways > 1)
    st_str_printf(o, "    ways %d\n", n->ways);
  put(o, "  }");
}

static void print_const(StStr *o, const StConst *c) {
  static const char digit[] = "0123456789abcdef";
  const unsigned char *p = c->data;
  st_str_printf(o, " of %d%s hex \"", c->n, c->splat ? " splat" : "");
  for (int64_t i = 0; i < c->bytes; i++) {
    char two[2] = {digit[p[i] >> 4], digit[p[i] & 15]};
    st_str_append(o, two, 2);
  }
  put(o, "\"");
}

static void print_converter(StStr *o, const StConverter *c) {
  st_str_printf(o, " shared %d banks %d%s window %" PRId64 " ", c->shared,
                c->banks, c->flow ? " flow" : "", c->window);
  print_ints(o, c->extent, c->fill.rank);
  if (c->memory)
    st_str_printf(o, " memory %s", st_memory_name(c->memory));
  put(o, " fill ");
  print_order(o, &c->fill);
  put(o, " drain ");
  print_order(o, &c->drain);
}

static void print_bundle(StStr *o, const StOp *op) {
  const StBundle *b = &op->u.bundle;
  st_str_printf(o, " channel %d channels %d {\n", b->channel, b->channels);
  for (int r = 0; r < op->nresults; r++) {
    const StBundlePart *p = &b->part[r];
    st_str_printf(o, "    part layer %d stride ", p->layer_dim);
    print_ints(o, p->stride, op->result[r]->type.rank);
    st_str_printf(o,
                  " base %" PRId64 " period %" PRId64 " times %" PRId64
                  " slots %" PRId64 " frames %" PRId64 " %" PRId64
                  " each %" PRId64 "\n",
                  p->base, p->period, p->times, p->slots, p->first, p->last,
                  p->per_frame);
  }
  put(o, "  }");
}

static void print_attributes(StStr *o, const StOp *op) {
  switch (op->kind) {
  case ST_OP_ARG:
  case ST_OP_RESULT:
    print_indices(o, &op->u.index);
    break;
  case ST_OP_CONST:
    print_const(o, &op->u.constant);
    break;
  case ST_OP_GENERIC:
  case ST_OP_KERNEL:
    print_nest(o, op);
    break;
  case ST_OP_SLICE:
    put(o, " offset ");
    print_syms(o, op->u.slice.offset, op->operand[0]->type.rank);
    put(o, " stride ");
    print_ints(o, op->u.slice.stride, op->operand[0]->type.rank);
    break;
  case ST_OP_CONCAT:
    st_str_printf(o, " axis %d", op->u.axis);
    break;
  case ST_OP_CONVERTER:
    print_converter(o, &op->u.converter);
    break;
  case ST_OP_LOAD:
    st_str_printf(o, " gather %d level %d layer %d stride ", op->u.load.gather,
                  op->u.load.index_level, op->u.load.layer_dim);
    print_ints(o, op->u.load.stride, op->result[0]->type.rank);
    put_channel(o, op->u.load.channel, op->u.load.channels);
    break;
  case ST_OP_BUNDLE:
    print_bundle(o, op);
    break;
  case ST_OP_STORE:
    print_indices(o, &op->u.store.index);
    st_str_printf(o, " layer %d stride ", op->u.store.layer_dim);
    print_ints(o, op->u.store.stride, op->operand[0]->type.rank);
    put_channel(o, op->u.store.channel, op->u.store.channels);
    break;
  case ST_OP_VIEW:
  case ST_OP_CARRY:
  case ST_OP_FORK:
  case ST_OP_COUNT:
    break;
  }
}

void st_op_print(StStr *o, const StOp *op) {
  put(o, "  ");
  for (int r = 0; r < op->nresults; r++)
    st_str_printf(o, "%s%%%d", r ? ", " : "", op->result[r]->id);
  st_str_printf(o, "%s%s #%d (", op->nresults ? " = " : "",
                st_op_name(op->kind), op->id);
  for (int k = 0; k < op->noperands; k++)
    st_str_printf(o, "%s%%%d", k ? ", " : "", op->operand[k]->id);
  put(o, ")");
  if (op->name) {
    put(o, " name ");
    print_string(o, op->name);
  }
  if (op->scope)
    st_str_printf(o, " scope %d", op->scope);
  if (op->ii || op->latency)
    st_str_printf(o, " ii %d latency %d", op->ii, op->latency);
  if (op->group || op->die)
    st_str_printf(o, " group %d die %d", op->group, op->die);
  print_attributes(o, op);
  for (int r = 0; r < op->nresults; r++) {
    put(o, r ? ", " : " : ");
    print_type(o, op->result[r]);
  }
  if (op->loc.file) {
    put(o, " loc(");
    print_string(o, op->loc.file);
    st_str_printf(o, ":%d:%d)", op->loc.line, op->loc.col);
  }
  put(o, "\n");
}

static void print_port(StStr *o, const char *word, const StPort *p) {
  st_str_printf(o, "  %s %s %s ", word, st_role_name(p->role),
                st_dtype_name(p->dtype));
  print_syms(o, p->shape, p->rank);
  st_str_printf(o, " cache %d axis %d ", p->cache, p->axis);
  print_string(o, p->name ? p->name : "");
  put(o, "\n");
}

void st_module_print(StStr *o, const StModule *m) {
  put(o, "module ");
  print_string(o, m->name);
  st_str_printf(o, " ctx %" PRId64 " chunk %" PRId64, m->ctx, m->chunk);
  if (m->target) {
    put(o, " target ");
    print_string(o, m->target);
  }
  st_str_printf(o, " ops %d values %d {\n", m->next_op, m->next_value);
  for (int i = 0; i < m->arg.n; i++)
    print_port(o, "argument", &m->arg.at[i]);
  for (int i = 0; i < m->ret.n; i++)
    print_port(o, "return", &m->ret.at[i]);
  for (int i = 0; i < m->repeat.n; i++)
    st_str_printf(o, "  repeat %" PRId64 "\n", m->repeat.at[i].trip);
  for (int i = 0; i < m->op.n; i++)
    st_op_print(o, m->op.at[i]);
  put(o, "}\n");
}

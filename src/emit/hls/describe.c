/* A nest in words, for the comment in front of its function:
 *
 *   for t in T, o in 64 (4 lanes); over k in 288 (8 lanes)
 *   out0[t, o] = addf of in0[t, k] * in1[o, k]
 */
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "emit/hls/body.h"
#include "emit/hls/text.h"

enum { LONGEST = 600 }; /* characters of one output */

static const char *dim_name(StArena *a, const StNest *n, int d) {
  const char *name = st_hls_ident(a, n->dim[d].name);
  return *name ? name : st_arena_printf(a, "d%d", d);
}

static const char *lanes_of(StArena *a, const StNest *n, int d) {
  for (int i = 0; i < n->nlanes; i++)
    if (n->lane[i].dim == d && n->lane[i].size > 1)
      return st_arena_printf(a, " (%d lanes)", n->lane[i].size);
  return "";
}

static void put_dims(StStr *s, StArena *a, const StNest *n, bool reduction,
                     const char *head) {
  const char *sep = head;
  for (int d = 0; d < n->ndims; d++) {
    if (n->dim[d].reduction != reduction)
      continue;
    st_str_printf(s, "%s%s in %s%s", sep, dim_name(a, n, d),
                  st_hls_sym_text(a, n->dim[d].extent), lanes_of(a, n, d));
    sep = ", ";
  }
}

static void put_affine(StStr *s, StArena *a, const StNest *n,
                       const StAffine *x) {
  int64_t *coef = ST_NEW_N(a, int64_t, x->n + 1);
  const char **term = ST_NEW_N(a, const char *, x->n + 1);
  for (int i = 0; i < x->n; i++) {
    coef[i] = x->term[i].coef;
    term[i] = dim_name(a, n, x->term[i].dim);
  }
  st_str_printf(s, "%s", st_hls_sum(a, x->off, x->n, coef, term));
}

static void put_access(StStr *s, StArena *a, const StNest *n, const char *what,
                       int k, int rank, const StAffine *map) {
  st_str_printf(s, "%s%d[", what, k);
  for (int i = 0; i < rank; i++) {
    st_str_printf(s, "%s", i ? ", " : "");
    put_affine(s, a, n, &map[i]);
  }
  st_str_printf(s, "]");
}

static void put_guard(StStr *s, StArena *a, const StNest *n, StGuard g,
                      const char *word) {
  if (g.dim >= 0)
    st_str_printf(s, " %s %s <= %s < %s", word, st_hls_sym_text(a, g.lo),
                  dim_name(a, n, g.dim), st_hls_sym_text(a, g.hi));
}

static const char *infix(StScalarKind k) {
  switch (k) {
  case ST_X_ADDF:
  case ST_X_ADDI:
    return "+";
  case ST_X_SUBF:
  case ST_X_SUBI:
    return "-";
  case ST_X_MULF:
  case ST_X_MULI:
    return "*";
  case ST_X_DIVF:
  case ST_X_DIVSI:
    return "/";
  default:
    return NULL;
  }
}

static void put_expr(StStr *s, StArena *a, const StOp *op, int i, bool inner) {
  const StNest *n = &op->u.nest;
  const StExpr *e = &n->body.at[i];
  if (s->len > LONGEST)
    return;
  if (e->kind == ST_X_ARG) {
    put_access(s, a, n, "in", e->operand, op->operand[e->operand]->type.rank,
               n->in[e->operand].map);
  } else if (e->kind == ST_X_INDEX) {
    put_affine(s, a, n, &e->affine);
  } else if (e->kind == ST_X_CONST) {
    if (e->dtype == ST_F32)
      st_str_printf(s, "%g", (double)st_num_float((uint32_t)e->bits));
    else
      st_str_printf(s, "%s 0x%" PRIx64, st_dtype_name(e->dtype), e->bits);
  } else if (infix(e->kind)) {
    st_str_printf(s, "%s", inner ? "(" : "");
    put_expr(s, a, op, e->arg[0], true);
    st_str_printf(s, " %s ", infix(e->kind));
    put_expr(s, a, op, e->arg[1], true);
    st_str_printf(s, "%s", inner ? ")" : "");
  } else {
    bool compare = e->kind == ST_X_CMPF || e->kind == ST_X_CMPI;
    bool table = e->kind == ST_X_EXTRACT;
    st_str_printf(s, "%s(",
                  compare ? st_predicate_name(e->pred)
                          : st_scalar_name(e->kind));
    if (table)
      st_str_printf(s, "in%d", e->operand);
    int count = table ? e->nindices : 3;
    for (int k = 0; k < count; k++) {
      int x = table ? e->indices[k] : e->arg[k];
      if (x < 0)
        continue;
      st_str_printf(s, "%s", k || table ? ", " : "");
      put_expr(s, a, op, x, false);
    }
    st_str_printf(s, ")");
  }
}

static void put_output(StStr *s, StArena *a, const StOp *op, int r) {
  const StNest *n = &op->u.nest;
  const StOutput *out = &n->out[r];
  StStr line;
  st_str_init(&line);
  put_access(&line, a, n, "out", r, op->result[r]->type.rank, out->map);
  st_str_printf(&line, " = ");
  if (out->combine != ST_X_ARG)
    st_str_printf(&line, "%s of ", st_scalar_name(out->combine));
  put_expr(&line, a, op, out->yield, false);
  bool cut = line.len > LONGEST;
  st_str_printf(s, "%.*s%s", LONGEST, line.data, cut ? " ..." : "");
  put_guard(s, a, n, out->guard, "where");
  st_str_printf(s, "\n");
  st_str_free(&line);
}

const char *st_hls_describe(StArena *a, const StOp *op) {
  const StNest *n = &op->u.nest;
  StStr s;
  st_str_init(&s);
  put_dims(&s, a, n, false, "for ");
  put_dims(&s, a, n, true, s.len ? "; over " : "over ");
  st_str_printf(&s, "%s", s.len ? "\n" : "");
  for (int k = 0; k < op->noperands; k++)
    if (n->in[k].guard.dim >= 0) {
      st_str_printf(&s, "in%d is 0 but", k);
      put_guard(&s, a, n, n->in[k].guard, "where");
      st_str_printf(&s, "\n");
    }
  for (int r = 0; r < op->nresults; r++)
    put_output(&s, a, op, r);
  const char *text = st_arena_strdup(a, s.data);
  st_str_free(&s);
  return text;
}

/* Kernels: when every expression is ready, the inputs' registers, the outputs.
 */
#include <inttypes.h>
#include <string.h>

#include "emit/hls/body.h"
#include "emit/rtl/kernel.h"

/* ---- lanes ------------------------------------------------------------------
 */

int st_rtl_copies(const StRtlKernel *k, unsigned lanes) {
  int n = 1;
  for (int l = 0; l < k->nest->nlanes; l++)
    if (lanes >> l & 1)
      n *= k->nest->lane[l].size;
  return n;
}

const char **st_rtl_digits(const StRtlKernel *k, unsigned lanes,
                           const char *var) {
  const char **digit = ST_NEW_N(k->a, const char *, k->nest->nlanes + 1);
  int weight = 1, all = st_rtl_copies(k, lanes);
  for (int l = k->nest->nlanes; l-- > 0;) {
    int size = k->nest->lane[l].size;
    digit[l] = "0";
    if (!(lanes >> l & 1))
      continue;
    const char *s = var;
    if (weight > 1)
      s = st_arena_printf(k->a, "%s / %d", s, weight);
    if (weight * size < all)
      s = st_arena_printf(k->a, "%s %% %d", s, size);
    digit[l] = s;
    weight *= size;
  }
  return digit;
}

const char **st_rtl_digits_join(const StRtlKernel *k, const char *const *a,
                                unsigned more, const char *const *b) {
  const char **digit = ST_NEW_N(k->a, const char *, k->nest->nlanes + 1);
  for (int l = 0; l < k->nest->nlanes; l++)
    digit[l] = more >> l & 1 ? b[l] : a[l];
  return digit;
}

const char *st_rtl_lane_sum(const StRtlKernel *k, const int64_t *coef,
                            const char *const *digit) {
  const char *sum = "";
  for (int l = 0; l < k->nest->nlanes; l++) {
    if (!coef[l] || !strcmp(digit[l], "0"))
      continue;
    const char *plus = *sum ? " + " : "";
    bool plain = !strchr(digit[l], ' ');
    if (coef[l] == 1)
      sum = st_arena_printf(k->a, "%s%s%s", sum, plus, digit[l]);
    else
      sum = st_arena_printf(k->a,
                            plain ? "%s%s%s * %" PRId64 : "%s%s(%s) * %" PRId64,
                            sum, plus, digit[l], coef[l]);
  }
  return *sum ? sum : "0";
}

int64_t *st_rtl_elements(const StRtlKernel *k, const StPortInfo *port) {
  int64_t *coef = ST_NEW_N(k->a, int64_t, k->nest->nlanes + 1);
  for (int l = 0; l < k->nest->nlanes; l++)
    if (k->all >> l & 1 && port->lane_elem[k->weight[l]] > 0)
      coef[l] = port->lane_elem[k->weight[l]];
  return coef;
}

/* ---- times ------------------------------------------------------------------
 */

static int levels_of(int64_t n) {
  int levels = 0;
  for (; n > 1; n = (n + 1) / 2)
    levels++;
  return levels;
}

int st_rtl_dot_source(const StNest *nest, int i) {
  while (nest->body.at[i].kind == ST_X_EXTSI)
    i = nest->body.at[i].arg[0];
  return i;
}

StRtlTimes st_rtl_times(const StRtlKernel *k, int r) {
  const StOutput *out = &k->nest->out[r];
  StRtlTimes t = {.dot = st_target_is_dot(&k->nest->body, out)};
  StDtype type = k->nest->body.at[out->yield].dtype;
  t.values = t.dot ? k->t->latency.issue : k->expr[out->yield].ready;
  t.sum = t.values;
  if (out->combine != ST_X_ARG) {
    t.latency = st_target_op_latency(k->t, out->combine, type);
    int64_t n = k->info.red_lanes;
    if (t.dot) {
      t.sum += k->t->dot.latency;
      n = (n + k->t->dot.chain - 1) / k->t->dot.chain;
    }
    t.sum += levels_of(n) * t.latency;
  }
  t.folded = t.sum + (k->accumulates ? t.latency : 0);
  t.end = t.folded;
  if (k->accumulates)
    t.end += levels_of(k->info.ways) * t.latency;
  return t;
}

void st_rtl_expr_at(StRtlKernel *k, int i, int time) {
  StRtlExpr *e = &k->expr[i];
  int at = 0;
  if (e->constant || time == e->ready)
    return;
  while (at < e->late.n && e->late.at[at] < time)
    at++;
  if (at < e->late.n && e->late.at[at] == time)
    return;
  st_vec_push(k->a, &e->late, time);
  for (int j = e->late.n - 1; j > at; j--)
    e->late.at[j] = e->late.at[j - 1];
  e->late.at[at] = time;
}

static unsigned affine_lanes(const StNest *n, const StAffine *e) {
  unsigned lanes = 0;
  for (int l = 0; l < n->nlanes; l++)
    for (int i = 0; i < e->n; i++)
      if (e->term[i].dim == n->lane[l].dim && n->lane[l].size > 1)
        lanes |= 1u << l;
  return lanes;
}

static void analyse_expr(StRtlKernel *k, int i) {
  const StExpr *e = &k->nest->body.at[i];
  StRtlExpr *x = &k->expr[i];
  x->bits = st_rtl_value_bits(e->dtype);
  x->constant = e->kind == ST_X_CONST;
  x->ready = k->t->latency.issue;
  if (e->kind == ST_X_INDEX)
    x->lanes = affine_lanes(k->nest, &e->affine);
  for (int d = 0;
       e->kind == ST_X_ARG && d < k->op->operand[e->operand]->type.rank; d++)
    x->lanes |= affine_lanes(k->nest, &k->nest->in[e->operand].map[d]);
  for (int j = 0; j < st_scalar_args(e->kind); j++) {
    const StRtlExpr *arg = &k->expr[e->arg[j]];
    x->lanes |= arg->lanes;
    if (!arg->constant && arg->ready > x->ready)
      x->ready = arg->ready;
  }
  if (!x->constant)
    x->ready += st_target_expr(k->t, &k->nest->body, e)->latency;
}

/* What the results need. */
static void mark(StRtlKernel *k) {
  const StBody *body = &k->nest->body;
  for (int r = 0; r < k->op->nresults; r++) {
    const StOutput *out = &k->nest->out[r];
    StRtlTimes t = st_rtl_times(k, r);
    const StExpr *e = &body->at[out->yield];
    for (int j = 0; j < 2 && t.dot; j++)
      k->expr[st_rtl_dot_source(k->nest, e->arg[j])].needed = true;
    if (!t.dot)
      k->expr[out->yield].needed = true;
  }
  for (int i = body->n; i-- > 0;)
    for (int j = 0; k->expr[i].needed && j < st_scalar_args(body->at[i].kind);
         j++)
      k->expr[body->at[i].arg[j]].needed = true;
}

static void request_times(StRtlKernel *k) {
  const StBody *body = &k->nest->body;
  for (int i = 0; i < body->n; i++) {
    const StExpr *e = &body->at[i];
    int start = k->expr[i].ready - st_target_expr(k->t, body, e)->latency;
    for (int j = 0; k->expr[i].needed && j < st_scalar_args(e->kind); j++)
      st_rtl_expr_at(k, e->arg[j], start);
  }
  for (int r = 0; r < k->op->nresults; r++)
    if (k->nest->out[r].combine == ST_X_ARG)
      st_rtl_expr_at(k, k->nest->out[r].yield, k->op->latency);
}

StRtlKernel st_rtl_kernel_analyse(StArena *a, const StTarget *t,
                                  const StOp *op) {
  StRtlKernel k = {.a = a, .t = t, .op = op, .nest = &op->u.nest};
  k.info = st_kernel_info(a, op);
  k.in = ST_NEW_N(a, StPortInfo, op->noperands + 1);
  k.out = ST_NEW_N(a, StPortInfo, op->nresults + 1);
  for (int i = 0; i < op->noperands; i++)
    if (op->operand[i]->type.order)
      k.in[i] = st_port_input(a, op, i);
  for (int r = 0; r < op->nresults; r++)
    k.out[r] = st_port_output(a, op, r);
  k.weight = ST_NEW_N(a, int, k.nest->nlanes + 1);
  for (int l = k.nest->nlanes, w = 1; l-- > 0; w *= k.nest->lane[l].size) {
    k.weight[l] = w;
    if (k.nest->lane[l].size > 1)
      k.all |= 1u << l;
  }
  k.accumulates = k.info.outermost_red < k.nest->nloops;
  k.expr = ST_NEW_N(a, StRtlExpr, k.nest->body.n + 1);
  for (int i = 0; i < k.nest->body.n; i++)
    analyse_expr(&k, i);
  mark(&k);
  request_times(&k);
  return k;
}

/* ---- ports ------------------------------------------------------------------
 */

static void put_inputs(StRtlKernel *k) {
  StStr *out = &k->x->body;
  for (int i = 0; i < k->f.p->nin; i++) {
    const StEnd *e = &k->f.p->in[i];
    const StPortInfo *port = &k->in[e->port];
    int64_t bits =
        port->token * st_dtype_bits(k->op->operand[e->port]->type.dtype);
    const char *in = st_rtl_guard(&k->f, e);
    const char *none = !strcmp(in, "1'b1") ? "1'b0"
                       : !strcmp(in, "1'b0")
                           ? "1'b1"
                           : st_arena_printf(k->a, "~(%s)", in);
    const char *held = st_arena_printf(k->a, "held%d", e->port);
    int late = k->t->latency.issue - 1;
    const char *first = late ? st_arena_printf(k->a, "%s_at1", held) : held;
    st_str_printf(out, "  logic %s%s;\n", st_rtl_range(k->a, bits), first);
    st_str_printf(out,
                  "  st_hold #(.WIDTH(%" PRId64 ")) hold%d (\n"
                  "      .clk, .go, .pop(in%d_pop), .none(%s), .d(in%d), "
                  ".q(%s));\n",
                  bits, e->port, e->port, none, e->port, first);
    if (late)
      st_str_printf(out,
                    "  logic %s%s;\n"
                    "  st_delay #(.WIDTH(%" PRId64 "), .LATENCY(%d)) late%d (\n"
                    "      .clk, .en(v[%d:1]), .d(%s), .q(%s));\n",
                    st_rtl_range(k->a, bits), held, bits, late, e->port,
                    late + 1, first, held);
    st_rtl_unused(k->x, held);
  }
}

static void put_plain_output(StRtlKernel *k, int r) {
  StStr *out = &k->x->body;
  const StPortInfo *port = &k->out[r];
  StDtype t = k->op->result[r]->type.dtype;
  int bits = st_dtype_bits(t), yield = k->nest->out[r].yield;
  const char **digit = st_rtl_digits(k, k->all, "l");
  const char *value = st_rtl_to_token(
      k->a, t, st_rtl_expr_name(k, yield, k->op->latency, ~0u, digit));
  if (port->token == 1) {
    st_str_printf(out, "  assign out%d = %s;\n", r, value);
    return;
  }
  st_str_printf(out,
                "  for (genvar l = 0; l < %d; l++) begin : g_out%d\n"
                "    assign out%d[(%s)*%d+:%d] = %s;\n  end\n",
                port->token, r, r,
                st_rtl_lane_sum(k, st_rtl_elements(k, port), digit), bits, bits,
                value);
}

static void put_ports(StRtlKernel *k) {
  for (int i = 0; i < k->op->noperands; i++) {
    const StType *t = &k->op->operand[i]->type;
    if (t->order)
      st_rtl_in(k->x, st_arena_printf(k->a, "in%d", i),
                k->in[i].token * (int64_t)st_dtype_bits(t->dtype));
  }
  for (int r = 0; r < k->op->nresults; r++)
    st_rtl_out(k->x, st_arena_printf(k->a, "out%d", r),
               k->out[r].token *
                   (int64_t)st_dtype_bits(k->op->result[r]->type.dtype));
  st_rtl_port(k->x, "output", 1, "busy");
  st_rtl_port(k->x, "output", 1, "go");
}

static void sink(StRtlKernel *k) {
  for (int i = 0; i < k->nest->body.n; i++)
    if (k->expr[i].needed && !k->expr[i].lanes)
      st_rtl_unused(k->x, st_arena_printf(k->a, "x%d", i));
}

void st_rtl_kernel(StRtlPlan *p, StRtlUnit *u) {
  StRtlText x = st_rtl_text(p, u);
  StRtlKernel k = st_rtl_kernel_analyse(p->a, p->t, u->op);
  k.x = &x;
  k.f = st_rtl_frame(&x, u->process, "", u->process->nloops, u->process->loop);
  put_ports(&k);
  st_rtl_frame_write(&k.f, "1'b1");
  st_str_printf(&x.body, "\n");
  put_inputs(&k);
  st_rtl_body(&k);
  for (int r = 0; r < u->op->nresults; r++) {
    st_str_printf(&x.body, "\n");
    if (k.nest->out[r].combine == ST_X_ARG)
      put_plain_output(&k, r);
    else
      st_rtl_fold(&k, r);
  }
  sink(&k);
  const char *what =
      st_arena_printf(p->a, "%s: %s", u->name, st_hls_describe(p->a, u->op));
  u->text = st_rtl_finish(&x, u->name, what);
}

/* ---- what is refused -------------------------------------------------------
 */

static bool check_expr(const StRtlPlan *p, const StOp *op, const StExpr *e,
                       StDiag *diag) {
  const StNest *nest = &op->u.nest;
  int least = st_rtl_least_latency(nest, e);
  int latency = st_target_expr(p->t, &nest->body, e)->latency;
  if (least < 0)
    st_error(diag, op->loc,
             "the RTL has no `%s` of %s: write it in operations that "
             "doc/rtl.md lists",
             st_scalar_name(e->kind), st_dtype_name(e->dtype));
  else if (latency < least)
    st_error(diag, op->loc,
             "target %s gives `%s` of %s %d cycles and the RTL needs %d: raise "
             "its latency in the target's file",
             p->t->name, st_scalar_name(e->kind), st_dtype_name(e->dtype),
             latency, least);
  return least >= 0 && latency >= least;
}

static bool check_fold(const StRtlKernel *k, int r, StDiag *diag) {
  const StOutput *out = &k->nest->out[r];
  StRtlTimes t = st_rtl_times(k, r);
  const StExpr *e = &k->nest->body.at[out->yield];
  if (st_rtl_combine_kind(out->combine) < 0 || t.latency < 1) {
    st_error(diag, k->op->loc,
             "the RTL cannot fold with `%s` in %d cycles: at least 1 is needed",
             st_scalar_name(out->combine), t.latency);
    return false;
  }
  for (int j = 0; j < 2 && t.dot; j++)
    if (k->expr[st_rtl_dot_source(k->nest, e->arg[j])].ready != t.values) {
      st_error(diag, k->op->loc,
               "the RTL sums products of integers as they come from streams: "
               "this kernel computes a factor first");
      return false;
    }
  return true;
}

bool st_rtl_kernel_check(const StRtlPlan *p, const StOp *op, StDiag *diag) {
  const StNest *nest = &op->u.nest;
  for (int i = 0; i < nest->body.n; i++)
    if (!check_expr(p, op, &nest->body.at[i], diag))
      return false;
  StRtlKernel k = st_rtl_kernel_analyse(p->a, p->t, op);
  for (int r = 0; r < op->nresults; r++) {
    if (nest->out[r].combine != ST_X_ARG && !check_fold(&k, r, diag))
      return false;
    ST_CHECK(st_rtl_times(&k, r).end <= op->latency,
             "kernel %d is slower than its latency", op->id);
  }
  return true;
}

/* Reductions: a tree over the lanes, accumulators, a tree over their ways. */
#include <inttypes.h>

#include "emit/rtl/kernel.h"

/* How the positions of a fold are told apart. */
typedef struct {
  int64_t positions;
  int64_t *step; /* [loops] */
  int live;      /* loops with a step */
  int loop;      /* one of them */
} Positions;

static Positions find_positions(const StRtlKernel *k) {
  const StModule *m = k->x->plan->m;
  Positions p = {.positions = 1};
  p.step = ST_NEW_N(k->a, int64_t, k->nest->nloops + 1);
  for (int l = k->nest->nloops; l-- > k->info.outermost_red;) {
    if (k->info.is_red_loop[l] || k->f.counter[l] < 0)
      continue;
    p.step[l] = p.positions;
    p.positions *= st_sym_max(k->nest->loop[l].trip, m->ctx, m->chunk);
    p.live++;
    p.loop = l;
  }
  return p;
}

/* Declares position, first, way and used, in the cycle of issue. */
static void put_position(StRtlKernel *k, const Positions *p, int r) {
  StStr *out = &k->x->body;
  int bits = p->positions > 1 ? st_rtl_bits(p->positions - 1) : 1;
  const char *name = st_arena_printf(k->a, "position%d", r);
  if (p->live > 1) {
    st_rtl_address(&k->f, name, bits, st_arena_printf(k->a, "%d'd0", bits),
                   p->step, "go");
    return;
  }
  st_str_printf(out, "  logic %s%s;\n", st_rtl_range(k->a, bits), name);
  if (!p->live)
    st_str_printf(out, "  assign %s = 1'b0;\n", name);
  else
    st_str_printf(out, "  assign %s = %d'(%s);\n", name, bits,
                  st_rtl_index(&k->f, p->loop));
}

/* Number of values that an iteration of loop l is: trips of the reduction loops
 * inside; 0 for a parallel one. Several symbolic trips: -1 in *c. */
static StSym values_in(const StRtlKernel *k, int l) {
  StSym n = st_sym_const(k->info.is_red_loop[l]);
  for (int i = l + 1; i < k->nest->nloops; i++) {
    StSym trip = k->nest->loop[i].trip;
    if (!k->info.is_red_loop[i])
      continue;
    if (st_sym_is_const(trip))
      n = st_sym_scale(n, trip.c);
    else if (st_sym_is_const(n))
      n = st_sym_scale(trip, n.c);
    else
      ST_CHECK(false, "two reduction loops of symbolic trips");
  }
  return n;
}

static void put_turns(StRtlKernel *k, int r, bool many) {
  StStr *out = &k->x->body;
  int ways = k->info.ways, bits = st_rtl_bits(ways);
  int n = k->f.n ? k->f.n : 1;
  st_str_printf(out, "{");
  for (int c = n - 1; c >= 0; c--) {
    StSym v = k->f.n ? values_in(k, k->f.loop[c]) : st_sym_const(0);
    if (st_sym_is_const(v))
      st_str_printf(out, "%d'd%" PRId64, bits,
                    many ? (v.c < ways ? v.c : ways) : v.c % ways);
    else
      st_str_printf(out, "%s%d_%d", many ? "many" : "turn", r, c);
    st_str_printf(out, c ? ", " : "");
  }
  st_str_printf(out, "}");
}

/* What of the turns depends on P and T, a wire each. */
static void put_symbolic_turns(StRtlKernel *k, int r) {
  int ways = k->info.ways, bits = st_rtl_bits(ways);
  for (int c = 0; c < k->f.n; c++) {
    StSym v = values_in(k, k->f.loop[c]);
    if (st_sym_is_const(v))
      continue;
    int wide = st_rtl_sum_bits(k->x->plan->m, v);
    wide = wide > bits ? wide : bits;
    const char *n = st_rtl_value(k->x, v, wide);
    st_str_printf(&k->x->body,
                  "  logic %sturn%d_%d, many%d_%d;\n"
                  "  assign turn%d_%d = %d'(%s %% %d'd%d);\n"
                  "  assign many%d_%d = %s > %d'd%d ? %d'd%d : %d'(%s);\n",
                  st_rtl_range(k->a, bits), r, c, r, c, r, c, bits, n, wide,
                  ways, r, c, n, wide, ways, bits, ways, bits, n);
  }
}

static void put_way(StRtlKernel *k, int r) {
  StStr *out = &k->x->body;
  int bits = st_rtl_bits(k->info.ways);
  st_str_printf(out, "  logic first%d;\n", r);
  if (k->info.ways == 1) {
    st_str_printf(out, "  assign first%d = %s;\n", r,
                  st_rtl_all_zero(&k->f, k->info.is_red_loop));
    return;
  }
  st_str_printf(out, "  logic %sway%d, used%d;\n", st_rtl_range(k->a, bits), r,
                r);
  put_symbolic_turns(k, r);
  st_str_printf(out,
                "  st_way #(.N(%d), .WAYS(%d)) ways%d (\n"
                "      .clk, .start, .turn(",
                k->f.n ? k->f.n : 1, k->info.ways, r);
  put_turns(k, r, false);
  st_str_printf(out, "), .many(");
  put_turns(k, r, true);
  st_str_printf(out,
                "),\n      .next(go), .last(last), .way(way%d), "
                ".first(first%d), .used(used%d));\n",
                r, r, r);
}

/* The same when the sum of a beat is there, and `used` at the end. */
static void put_later(StRtlKernel *k, const Positions *p, int r, StRtlTimes t) {
  StStr *out = &k->x->body;
  int bits = p->positions > 1 ? st_rtl_bits(p->positions - 1) : 1;
  int turn = st_rtl_bits(k->info.ways);
  bool ways = k->info.ways > 1;
  st_str_printf(out, "  logic sum_first%d;\n  logic %ssum_position%d;\n", r,
                st_rtl_range(k->a, bits), r);
  if (ways)
    st_str_printf(out, "  logic %ssum_way%d, used%d_at%d;\n",
                  st_rtl_range(k->a, turn), r, r, t.folded);
  st_str_printf(out,
                "  st_delay #(.WIDTH(%d), .LATENCY(%d)) to_sum%d (\n"
                "      .clk, .en(v[%d:0]), .d({first%d, position%d",
                1 + bits + (ways ? turn : 0), t.sum, r, t.sum, r, r);
  if (ways)
    st_str_printf(out, ", way%d", r);
  st_str_printf(out, "}),\n      .q({sum_first%d, sum_position%d", r, r);
  if (ways)
    st_str_printf(out, ", sum_way%d", r);
  st_str_printf(out, "}));\n");
  if (ways)
    st_str_printf(out,
                  "  st_delay #(.WIDTH(%d), .LATENCY(%d)) to_ways%d (\n"
                  "      .clk, .en(v[%d:0]), .d(used%d), .q(used%d_at%d));\n",
                  turn, t.folded, r, t.folded, r, r, t.folded);
}

/* ---- a position -------------------------------------------------------------
 */

typedef struct {
  int r, bits, kind, half;
  StRtlTimes t;
  const char *const *digit; /* of the parallel lanes, by p */
  unsigned red;             /* reduction lanes */
} Fold;

/* A vector of the values of expression i in all reduction lanes. */
static void put_parts(StRtlKernel *k, const Fold *f, const char *name, int i,
                      int bits, int from) {
  const char **q = st_rtl_digits(k, f->red, "q");
  const char **digit = st_rtl_digits_join(k, f->digit, f->red, q);
  const char *value = st_rtl_expr_name(k, i, k->expr[i].ready, ~0u, digit);
  if (from > bits)
    value = st_arena_printf(k->a, "%s%s", value, st_rtl_slice(k->a, 0, bits));
  st_str_printf(&k->x->body, "    logic %s%s;\n",
                st_rtl_range(k->a, (int64_t)k->info.red_lanes * bits), name);
  if (k->info.red_lanes == 1)
    st_str_printf(&k->x->body, "    assign %s = %s;\n", name, value);
  else
    st_str_printf(&k->x->body,
                  "    for (genvar q = 0; q < %d; q++) begin : g_%s\n"
                  "      assign %s[q*%d+:%d] = %s;\n    end\n",
                  k->info.red_lanes, name, name, bits, bits, value);
}

static void put_sum(StRtlKernel *k, const Fold *f) {
  StStr *out = &k->x->body;
  int yield = k->nest->out[f->r].yield;
  st_str_printf(out, "    logic %ssum;\n", st_rtl_range(k->a, f->bits));
  if (!f->t.dot) {
    put_parts(k, f, "parts", yield, f->bits, f->bits);
    st_str_printf(out,
                  "    st_tree #(.N(%d), .KIND(%d), .WIDTH(%d), .LATENCY(%d), "
                  ".HALF(%d)) tree (\n"
                  "        .clk, .en(v[%d:%d]), .x(parts), .y(sum));\n",
                  k->info.red_lanes, f->kind, f->bits, f->t.latency, f->half,
                  f->t.sum, f->t.values);
    return;
  }
  static const char *const names[] = {"a", "b"};
  int bits[2];
  for (int j = 0; j < 2; j++) {
    int i = st_rtl_dot_source(k->nest, k->nest->body.at[yield].arg[j]);
    int full = k->expr[i].bits;
    bits[j] = full < 8 ? full : 8;
    put_parts(k, f, names[j], i, bits[j], full);
  }
  st_str_printf(out,
                "    st_dot #(.N(%d), .A(%d), .B(%d), .WIDTH(%d), .CHAIN(%d),\n"
                "             .LATENCY(%d), .ADD(%d)) dot (\n"
                "        .clk, .en(v[%d:%d]), .a, .b, .y(sum));\n",
                k->info.red_lanes, bits[0], bits[1], f->bits, k->t->dot.chain,
                k->t->dot.latency, f->t.latency, f->t.sum, f->t.values);
}

static void put_accumulator(StRtlKernel *k, const Fold *f, const Positions *p) {
  StStr *out = &k->x->body;
  int ways = k->info.ways, r = f->r;
  st_str_printf(out, "    logic %sacc, combined;\n    logic %sways;\n",
                st_rtl_range(k->a, f->bits),
                st_rtl_range(k->a, (int64_t)ways * f->bits));
  st_str_printf(out,
                "    st_combine #(.KIND(%d), .WIDTH(%d), .LATENCY(%d), "
                ".HALF(%d)) combine (\n"
                "        .clk, .en(v[%d:%d]), .a(acc), .b(sum), "
                ".y(combined));\n",
                f->kind, f->bits, f->t.latency, f->half, f->t.folded, f->t.sum);
  st_str_printf(out,
                "    st_accum #(.WIDTH(%d), .POSITIONS(%" PRId64
                "), .WAYS(%d), .LATENCY(%d)) accumulator (\n"
                "        .clk, .en(v[%d:%d]), .position(sum_position%d), ",
                f->bits, p->positions, ways, f->t.latency, f->t.folded,
                f->t.sum, r);
  if (ways > 1)
    st_str_printf(out, ".way(sum_way%d),\n", r);
  else
    st_str_printf(out, ".way(1'b0),\n");
  st_str_printf(out,
                "        .first(sum_first%d), .v(sum), .acc, .combined, "
                ".y(ways));\n",
                r);
  if (ways == 1)
    return;
  st_str_printf(out,
                "    logic %stotal;\n"
                "    st_used #(.WAYS(%d), .KIND(%d), .WIDTH(%d), .LATENCY(%d), "
                ".HALF(%d)) of_ways (\n"
                "        .clk, .en(v[%d:%d]), .used(used%d_at%d), .x(ways), "
                ".y(total));\n",
                st_rtl_range(k->a, f->bits), ways, f->kind, f->bits,
                f->t.latency, f->half, f->t.end, f->t.folded, r, f->t.folded);
}

static void put_output(StRtlKernel *k, const Fold *f) {
  StStr *out = &k->x->body;
  const StPortInfo *port = &k->out[f->r];
  StDtype t = k->op->result[f->r]->type.dtype;
  int bits = st_dtype_bits(t);
  const char *value = !k->accumulates     ? "sum"
                      : k->info.ways == 1 ? "ways"
                                          : "total";
  if (k->op->latency > f->t.end) {
    st_str_printf(out,
                  "    logic %slate;\n"
                  "    st_delay #(.WIDTH(%d), .LATENCY(%d)) to_end (\n"
                  "        .clk, .en(v[%d:%d]), .d(%s), .q(late));\n",
                  st_rtl_range(k->a, f->bits), f->bits,
                  k->op->latency - f->t.end, k->op->latency, f->t.end, value);
    value = "late";
  }
  value = st_rtl_to_token(k->a, t, value);
  if (port->token == 1)
    st_str_printf(out, "    assign out%d = %s;\n", f->r, value);
  else
    st_str_printf(out, "    assign out%d[(%s)*%d+:%d] = %s;\n", f->r,
                  st_rtl_lane_sum(k, st_rtl_elements(k, port), f->digit), bits,
                  bits, value);
}

void st_rtl_fold(StRtlKernel *k, int r) {
  const StOutput *out = &k->nest->out[r];
  StDtype type = k->nest->body.at[out->yield].dtype;
  Fold f = {.r = r,
            .bits = st_rtl_value_bits(type),
            .kind = st_rtl_combine_kind(out->combine),
            .half = st_rtl_half(type),
            .t = st_rtl_times(k, r)};
  Positions p = find_positions(k);
  for (int l = 0; l < k->nest->nlanes; l++)
    if (k->nest->dim[k->nest->lane[l].dim].reduction)
      f.red |= k->all & 1u << l;
  if (k->accumulates) {
    put_position(k, &p, r);
    put_way(k, r);
    put_later(k, &p, r, f.t);
  }
  f.digit = st_rtl_digits(k, k->all & ~f.red, "p");
  st_str_printf(&k->x->body,
                "  for (genvar p = 0; p < %d; p++) begin : g_fold%d\n",
                k->info.par_lanes, r);
  put_sum(k, &f);
  if (k->accumulates)
    put_accumulator(k, &f, &p);
  put_output(k, &f);
  st_str_printf(&k->x->body, "  end\n");
}

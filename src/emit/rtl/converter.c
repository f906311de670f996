/* Converters: two processes around a window (doc/machine.md).
 *
 * In each dim let e be the elements of a token of fill, or of drain, M their
 * greatest common divisor and E their least common multiple. Memory is made of
 * units of M elements in every dim; E / M of them in a dim lie side by side as
 * memories of their own, so that a word of all of them is a box of E. A token,
 * which begins at a multiple of e, lies within one such word: its row in the
 * window is one address, and what is left of its position says which of the
 * E / e groups of units it is.
 */
#include <inttypes.h>
#include <string.h>

#include "emit/hls/text.h"
#include "emit/rtl/text.h"
#include "ir/itensor.h"

typedef struct {
  int64_t e, groups; /* elements of a token; groups of a word */
  StSym origin;
  int64_t words; /* from one row of this dim to the next */
} Dim;

typedef struct {
  const StItensor *order;
  const StProcess *p;
  const char *name; /* "fill", "drain" */
  Dim *dim;         /* [rank] */
  StRtlFrame f;
} Side;

typedef struct {
  StRtlText *x;
  StArena *a;
  const StOp *op;
  const StConverter *c;
  int rank, bits; /* of an element */
  int64_t *unit;  /* [rank] M */
  int64_t *wide;  /* [rank] E */
  int64_t units, unit_elements, words;
  int at; /* bits of an address */
  Side fill, drain;
} Converter;

static int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

static bool divides(int64_t n, StSym s) {
  return s.c % n == 0 && s.p % n == 0 && s.t % n == 0;
}

static Converter analyse(StArena *a, const StOp *op) {
  Converter v = {.a = a, .op = op, .c = &op->u.converter};
  const StItensor *fill = &v.c->fill, *drain = &v.c->drain;
  v.rank = fill->rank;
  v.bits = st_dtype_bits(op->result[0]->type.dtype);
  v.unit = ST_NEW_N(a, int64_t, v.rank + 1);
  v.wide = ST_NEW_N(a, int64_t, v.rank + 1);
  v.fill = (Side){.order = fill, .name = "fill"};
  v.drain = (Side){.order = drain, .name = "drain"};
  v.fill.dim = ST_NEW_N(a, Dim, v.rank + 1);
  v.drain.dim = ST_NEW_N(a, Dim, v.rank + 1);
  v.units = v.unit_elements = v.words = 1;
  for (int d = v.rank; d-- > 0;) {
    int64_t x = fill->elem[d], y = drain->elem[d];
    v.unit[d] = gcd(x, y);
    v.wide[d] = x / v.unit[d] * y;
    StSym start =
        st_sym_add(drain->origin[d], st_sym_scale(fill->origin[d], -1));
    v.fill.dim[d] = (Dim){x, v.wide[d] / x, st_sym_const(0), v.words};
    v.drain.dim[d] = (Dim){y, v.wide[d] / y, start, v.words};
    v.units *= v.wide[d] / v.unit[d];
    v.unit_elements *= v.unit[d];
    v.words *= (v.c->extent[d] + v.wide[d] - 1) / v.wide[d];
  }
  v.at = st_rtl_bits(v.words * v.c->banks - 1);
  return v;
}

/* Tokens begin at multiples of their size. */
static bool is_aligned(const Converter *v, const Side *s) {
  for (int d = 0; d < v->rank; d++)
    if (!divides(s->dim[d].e, s->dim[d].origin))
      return false;
  for (int l = v->c->shared; l < s->order->nloops; l++) {
    int d = s->order->loop[l].dim;
    if (d >= 0 && s->order->loop[l].step % s->dim[d].e != 0)
      return false;
  }
  return true;
}

bool st_rtl_converter_check(const StRtlPlan *p, const StOp *op, StDiag *diag) {
  Converter v = analyse(p->a, op);
  if (is_aligned(&v, &v.fill) && is_aligned(&v, &v.drain))
    return true;
  st_error(diag, op->loc,
           "the RTL has no converter whose tokens begin elsewhere than at "
           "multiples of their size: choose lanes that divide the extents");
  return false;
}

/* ---- addresses --------------------------------------------------------------
 */

/* What an iteration of the loops adds along the dims in which a word is one
 * token (rows), or along dim d, in tokens. */
static int64_t *steps(const Converter *v, const Side *s, int d) {
  int64_t *step = ST_NEW_N(v->a, int64_t, s->order->nloops + 1);
  for (int l = v->c->shared; l < s->order->nloops; l++) {
    const StLoop *loop = &s->order->loop[l];
    if (loop->dim < 0)
      continue;
    const Dim *dim = &s->dim[loop->dim];
    if (d < 0 && dim->groups == 1)
      step[l] = dim->words < v->words ? loop->step / dim->e * dim->words : 0;
    else if (d == loop->dim)
      step[l] = loop->step / dim->e;
  }
  return step;
}

static StSym scaled(StSym s, int64_t by, int64_t over) {
  return (StSym){s.c / over * by, s.p / over * by, s.t / over * by};
}

/* Declares NAME_row, the address inside the window in the cycle of issue, and
 * NAME_group, which group of units the token is. */
static void put_address(const Converter *v, const Side *s) {
  StStr *out = &v->x->body;
  const char *go = st_arena_printf(v->a, "%s_go", s->name);
  const char *sum = st_arena_printf(v->a, "%s_words", s->name), *group = NULL;
  StSym base = st_sym_const(0);
  int64_t groups = 1;
  for (int d = 0; d < v->rank; d++)
    if (s->dim[d].groups == 1 && s->dim[d].words < v->words)
      base = st_sym_add(base,
                        scaled(s->dim[d].origin, s->dim[d].words, s->dim[d].e));
  st_rtl_address(&s->f, sum, v->at, st_rtl_value(v->x, base, v->at),
                 steps(v, s, -1), go);
  for (int d = v->rank; d-- > 0;) {
    const Dim *dim = &s->dim[d];
    if (dim->groups == 1)
      continue;
    int bits = st_rtl_bits(v->c->extent[d] / dim->e + dim->groups);
    const char *name = st_arena_printf(v->a, "%s_d%d", s->name, d);
    st_rtl_address(&s->f, name, bits,
                   st_rtl_value(v->x, scaled(dim->origin, 1, dim->e), bits),
                   steps(v, s, d), go);
    st_str_printf(out,
                  "  logic %s%s_row, %s_of;\n"
                  "  assign %s_row = %s / %d'd%" PRId64 ";\n"
                  "  assign %s_of = %s %% %d'd%" PRId64 ";\n",
                  st_rtl_range(v->a, bits), name, name, name, name, bits,
                  dim->groups, name, name, bits, dim->groups);
    st_rtl_unused(v->x, st_arena_printf(v->a, "%s_row", name));
    if (dim->words < v->words) /* else there is one row */
      sum = st_arena_printf(v->a, "%s + %d'(%s_row) * %d'd%" PRId64, sum, v->at,
                            name, v->at, dim->words);
    const char *part = st_arena_printf(v->a, "32'(%s_of)", name);
    if (groups > 1)
      part = st_arena_printf(v->a, "32'd%" PRId64 " * %s", groups, part);
    group = group ? st_arena_printf(v->a, "%s + %s", part, group) : part;
    groups *= dim->groups;
  }
  st_str_printf(out, "  logic %s%s_row;\n", st_rtl_range(v->a, v->at), s->name);
  const char *bank = "";
  if (v->c->banks > 1)
    bank = st_arena_printf(v->a, "(%s_bank ? %d'd%" PRId64 " : %d'd0) + ",
                           s->name, v->at, v->words, v->at);
  st_str_printf(out, "  assign %s_row = %s%s;\n", s->name, bank, sum);
  if (group)
    st_str_printf(out, "  logic [31:0] %s_group;\n  assign %s_group = %s;\n",
                  s->name, s->name, group);
}

static void put_bank(const Converter *v, const char *name) {
  if (v->c->banks == 1)
    return;
  st_str_printf(&v->x->body,
                "  logic %s_bank;\n"
                "  always_ff @(posedge clk)\n"
                "    if (rst) %s_bank <= 1'b0;\n"
                "    else if (%s_go & %s_ends) %s_bank <= ~%s_bank;\n",
                name, name, name, name, name, name);
}

/* ---- memory ----------------------------------------------------------------
 */

static int64_t groups_of(const Converter *v, const Side *s) {
  int64_t n = 1;
  for (int d = 0; d < v->rank; d++)
    n *= s->dim[d].groups;
  return n;
}

/* Of unit `u` (row-major over E / M): its group on a side, and its number in
 * the token. */
static int64_t place(const Converter *v, const Side *s, int64_t u,
                     int64_t *number) {
  int64_t group = 0, weight = 1, inside = 1;
  *number = 0;
  for (int d = v->rank; d-- > 0;) {
    int64_t n = v->wide[d] / v->unit[d], k = u % n;
    int64_t per = s->dim[d].e / v->unit[d];
    u /= n;
    group += k / per * weight;
    weight *= s->dim[d].groups;
    *number += k % per * inside;
    inside *= per;
  }
  return group;
}

/* Element of a side's token that is element i of its unit number n. */
static int64_t element(const Converter *v, const Side *s, int64_t n,
                       int64_t i) {
  int64_t at = 0, weight = 1;
  for (int d = v->rank; d-- > 0;) {
    int64_t per = s->dim[d].e / v->unit[d];
    at += (n % per * v->unit[d] + i % v->unit[d]) * weight;
    weight *= s->dim[d].e;
    n /= per;
    i /= v->unit[d];
  }
  return at;
}

/* `name`[..], ... : elements at[0 .. n-1] of a vector, the last first, runs as
 * one slice; no slice if that is all of it. */
static const char *elements(const Converter *v, const char *name,
                            const int64_t *at, int64_t n, int64_t all) {
  const char *list = "";
  for (int64_t i = n; i > 0;) {
    int64_t top = i - 1, low = top;
    while (low > 0 && at[low - 1] == at[low] - 1)
      low--;
    const char *part =
        top - low + 1 == all ? name
        : v->bits == 1 && top == low
            ? st_arena_printf(v->a, "%s[%" PRId64 "]", name, at[top])
            : st_arena_printf(v->a, "%s[%" PRId64 ":%" PRId64 "]", name,
                              (at[top] + 1) * v->bits - 1, at[low] * v->bits);
    list = st_arena_printf(v->a, *list ? "%s,\n      %s" : "%s%s", list, part);
    i = low;
  }
  return st_arena_printf(v->a, "{%s}", list);
}

static int style(StMemory m) {
  return m == ST_MEM_URAM ? 3 : m == ST_MEM_BRAM ? 2 : 0;
}

static void put_unit(const Converter *v, int64_t u) {
  StStr *out = &v->x->body;
  int64_t number, n = v->unit_elements, width = n * v->bits;
  int64_t group = place(v, &v->fill, u, &number);
  int64_t *at = ST_NEW_N(v->a, int64_t, n);
  for (int64_t i = 0; i < n; i++)
    at[i] = element(v, &v->fill, number, i);
  const char *write = "write";
  if (groups_of(v, &v->fill) > 1)
    write = st_arena_printf(v->a, "write & write_group == 32'd%" PRId64, group);
  st_str_printf(out, "  logic %sunit%" PRId64 ";\n", st_rtl_range(v->a, width),
                u);
  st_str_printf(
      out,
      "  st_ram #(.WIDTH(%" PRId64 "), .DEPTH(%" PRId64
      "), .STYLE(%d), .READ(1)) ram%" PRId64 " (\n"
      "      .clk, .write(%s), .write_at, .d(%s),\n"
      "      .read(drain_v[0]), .read_at(drain_row%s), .q(unit%" PRId64 "));\n",
      width, v->words * v->c->banks, style(v->c->memory), u, write,
      elements(v, "token", at, n, st_itensor_token(v->fill.order)), "", u);
}

static void put_write(const Converter *v) {
  StStr *out = &v->x->body;
  int64_t bits = st_itensor_token(v->fill.order) * v->bits;
  bool group = groups_of(v, &v->fill) > 1;
  st_str_printf(out,
                "\n  logic write;\n  logic %swrite_at;\n  logic %stoken;\n%s"
                "  always_ff @(posedge clk)\n"
                "    if (rst) write <= 1'b0;\n"
                "    else write <= fill_go;\n"
                "  always_ff @(posedge clk)\n"
                "    if (fill_go) begin\n"
                "      write_at <= fill_row;\n      token <= in0;\n%s"
                "    end\n",
                st_rtl_range(v->a, v->at), st_rtl_range(v->a, bits),
                group ? "  logic [31:0] write_group;\n" : "",
                group ? "      write_group <= fill_group;\n" : "");
  for (int64_t u = 0; u < v->units; u++)
    put_unit(v, u);
}

/* Unit number n of the token that leaves: one of its candidates. */
static void put_choice(const Converter *v, int64_t n, int64_t groups) {
  StStr *out = &v->x->body;
  int64_t width = v->unit_elements * v->bits;
  int64_t *of = ST_NEW_N(v->a, int64_t, groups);
  for (int64_t u = 0, number; u < v->units; u++) {
    int64_t g = place(v, &v->drain, u, &number);
    if (number == n)
      of[g] = u;
  }
  st_str_printf(out, "  logic %spart%" PRId64 ";\n", st_rtl_range(v->a, width),
                n);
  if (groups == 1) {
    st_str_printf(out, "  assign part%" PRId64 " = unit%" PRId64 ";\n", n,
                  of[0]);
    return;
  }
  st_str_printf(out,
                "  logic %sparts%" PRId64 ";\n  assign parts%" PRId64 " = {",
                st_rtl_range(v->a, width * groups), n, n);
  for (int64_t g = groups; g-- > 0;)
    st_str_printf(out, "unit%" PRId64 "%s", of[g],
                  !g      ? ""
                  : g % 8 ? ", "
                          : ",\n      ");
  st_str_printf(out,
                "};\n  assign part%" PRId64 " = parts%" PRId64
                "[read_group*%" PRId64 "+:%" PRId64 "];\n",
                n, n, width, width);
}

/* "word", elements in the order of drain's token. */
static void put_word(const Converter *v, int64_t units) {
  int64_t n = st_itensor_token(v->drain.order), m = v->unit_elements;
  int64_t *unit = ST_NEW_N(v->a, int64_t, n), *at = ST_NEW_N(v->a, int64_t, n);
  for (int64_t u = 0; u < units; u++)
    for (int64_t i = 0; i < m; i++) {
      int64_t e = element(v, &v->drain, u, i);
      unit[e] = u;
      at[e] = i;
    }
  StStr *out = &v->x->body;
  st_str_printf(out, "  logic %sword;\n  assign word = {",
                st_rtl_range(v->a, n * v->bits));
  for (int64_t e = n; e > 0;) {
    int64_t low = e - 1;
    while (low > 0 && unit[low - 1] == unit[low] && at[low - 1] == at[low] - 1)
      low--;
    const char *name = st_arena_printf(v->a, "part%" PRId64, unit[low]);
    if (e - low == m)
      st_str_printf(out, "%s", name);
    else if (v->bits == 1 && e - low == 1)
      st_str_printf(out, "%s[%" PRId64 "]", name, at[low]);
    else
      st_str_printf(out, "%s[%" PRId64 ":%" PRId64 "]", name,
                    (at[e - 1] + 1) * v->bits - 1, at[low] * v->bits);
    st_str_printf(out, low ? ",\n      " : "};\n");
    e = low;
  }
}

static void put_read(const Converter *v) {
  StStr *out = &v->x->body;
  int64_t groups = groups_of(v, &v->drain), units = v->units / groups;
  int64_t bits = st_itensor_token(v->drain.order) * v->bits;
  int latency = v->drain.p->latency;
  st_str_printf(out, "\n");
  if (groups > 1)
    st_str_printf(out, "  logic [31:0] read_group;\n"
                       "  always_ff @(posedge clk)\n"
                       "    if (drain_go) read_group <= drain_group;\n");
  for (int64_t n = 0; n < units; n++)
    put_choice(v, n, groups);
  put_word(v, units);
  st_str_printf(out,
                "  st_delay #(.WIDTH(%" PRId64 "), .LATENCY(%d)) to_end (\n"
                "      .clk, .en(drain_v[%d:1]), .d(word), .q(out0));\n",
                bits, latency - 1, latency);
}

/* ---- the whole -------------------------------------------------------------
 */

/* Declares `all`, the fill beats of a window, and `need`, those that drain's
 * next beat waits for. */
static void put_need(const Converter *v) {
  StRtlText *x = v->x;
  const StModule *m = x->plan->m;
  int64_t in = st_itensor_token(v->fill.order);
  int64_t out = st_itensor_token(v->drain.order), most = 1;
  for (int l = v->c->shared; l < v->fill.order->nloops; l++)
    most *= st_sym_max(v->fill.order->loop[l].trip, m->ctx, m->chunk);
  int bits = st_rtl_bits(most + out / in + 1);
  st_str_printf(&x->body,
                "\n  logic %sall, need;\n"
                "  always_ff @(posedge clk)\n    if (start) all <= %d'd1",
                st_rtl_range(v->a, bits), bits);
  for (int l = v->c->shared; l < v->fill.order->nloops; l++)
    if (!st_sym_eq(v->fill.order->loop[l].trip, st_sym_const(1)))
      st_str_printf(&x->body, " * %s",
                    st_rtl_value(x, v->fill.order->loop[l].trip, bits));
  st_str_printf(&x->body, ";\n");
  if (v->c->flow)
    st_str_printf(&x->body,
                  "  st_flow #(.IN(%" PRId64 "), .OUT(%" PRId64
                  "), .WIDTH(%d)) flow (\n"
                  "      .clk, .rst, .next(drain_go), .restart(drain_ends), "
                  ".all, .need);\n",
                  in, out, bits);
  else
    st_str_printf(&x->body, "  assign need = all;\n");
  st_str_printf(&x->body,
                "  st_window #(.BANKS(%d), .LATENCY(%d), .WIDTH(%d)) window (\n"
                "      .clk, .rst, .fill(fill_go), .fill_last(fill_ends), "
                ".drain(drain_go),\n      .drain_last(drain_ends), .need, "
                ".may_fill, .may_drain);\n",
                v->c->banks, x->plan->net->buffer_latency, bits);
}

static void put_side(Converter *v, Side *s, const char *allow) {
  bool *in = ST_NEW_N(v->a, bool, s->order->nloops + 1);
  for (int l = v->c->shared; l < s->order->nloops; l++)
    in[l] = true;
  s->f = st_rtl_frame(v->x, s->p, st_arena_printf(v->a, "%s_", s->name),
                      s->p->nloops, s->p->loop);
  st_rtl_frame_write(&s->f, allow);
  st_str_printf(&v->x->body, "  logic %s_ends;\n  assign %s_ends = %s;\n",
                s->name, s->name, st_rtl_all_last(&s->f, in));
  put_bank(v, s->name);
  put_address(v, s);
}

void st_rtl_converter(StRtlPlan *p, StRtlUnit *u) {
  StRtlText x = st_rtl_text(p, u);
  Converter v = analyse(p->a, u->op);
  v.x = &x;
  v.fill.p = u->process;
  v.drain.p = u->process + 1;
  st_rtl_in(&x, "in0", st_itensor_token(v.fill.order) * v.bits);
  st_rtl_out(&x, "out0", st_itensor_token(v.drain.order) * v.bits);
  st_rtl_port(&x, "output", 1, "busy");
  st_rtl_port(&x, "output", 1, "go");
  st_str_printf(&x.body, "  logic may_fill, may_drain;\n");
  put_side(&v, &v.fill, "may_fill");
  put_side(&v, &v.drain, "may_drain");
  put_need(&v);
  put_write(&v);
  put_read(&v);
  st_str_printf(&x.body, "\n  assign busy = fill_busy | drain_busy;\n"
                         "  assign go = fill_go | drain_go;\n");
  const char *what = st_arena_printf(
      p->a,
      "%s: %s of %" PRId64 " elements, tokens of %" PRId64
      " elements in, of %" PRId64 " out; %" PRId64 " memories side by side",
      u->name, v.c->banks > 1 ? "two windows" : "a window", v.c->window,
      st_itensor_token(v.fill.order), st_itensor_token(v.drain.order), v.units);
  u->text = st_rtl_finish(&x, u->name, what);
}

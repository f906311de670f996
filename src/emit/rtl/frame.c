/* What every process has: counters of its loops, the conditions under which a
 * beat moves tokens, the cycle of its issue. */
#include "emit/rtl/text.h"

#include <inttypes.h>
#include <string.h>

static int64_t most(const StRtlFrame *f, StSym s) {
  const StModule *m = f->x->plan->m;
  return st_sym_max(s, m->ctx, m->chunk);
}

StRtlFrame st_rtl_frame(StRtlText *x, const StProcess *p, const char *prefix,
                        int nloops, const StLoop *loop) {
  StRtlFrame f = {.x = x, .p = p, .prefix = prefix, .order = loop};
  f.counter = ST_NEW_N(x->a, int, nloops + 1);
  f.loop = ST_NEW_N(x->a, int, nloops + 1);
  f.bits = 1;
  for (int l = 0; l < nloops; l++) {
    StSym trip = loop[l].trip;
    f.counter[l] = -1;
    if (st_sym_eq(trip, st_sym_const(1)))
      continue;
    f.loop[f.n] = l;
    f.counter[l] = f.n++;
    int bits = st_rtl_bits(most(&f, trip));
    f.bits = bits > f.bits ? bits : f.bits;
  }
  for (int i = 0; i < p->nin + p->nout; i++) {
    const StEnd *e = i < p->nin ? &p->in[i] : &p->out[i - p->nin];
    if (e->guard_loop < 0)
      continue;
    int lo = st_rtl_bits(most(&f, e->lo)), hi = st_rtl_bits(most(&f, e->hi));
    f.bits = lo > f.bits ? lo : f.bits;
    f.bits = hi > f.bits ? hi : f.bits;
  }
  return f;
}

/* ---- conditions -----------------------------------------------------------
 */

const char *st_rtl_index(const StRtlFrame *f, int loop) {
  int c = f->counter[loop];
  if (c < 0)
    return st_arena_printf(f->x->a, "%d'd0", f->bits);
  if (f->n == 1)
    return st_arena_printf(f->x->a, "%sindex", f->prefix);
  return st_arena_printf(f->x->a, "%sindex%s", f->prefix,
                         st_rtl_slice(f->x->a, c, f->bits));
}

static const char * and (StArena * a, const char *x, const char *y) {
  return !strcmp(x, "1'b1")   ? y
         : !strcmp(y, "1'b1") ? x
                              : st_arena_printf(a, "%s & %s", x, y);
}

/* All bits of `flag` (zero, last) that belong to the loops. */
static const char *flags(const StRtlFrame *f, const char *flag, int level,
                         const bool *which) {
  StArena *a = f->x->a;
  const char *all = "1'b1";
  for (int c = 0; c < f->n; c++) {
    if (which ? !which[f->loop[c]] : f->loop[c] < level)
      continue;
    const char *bit = f->n == 1
                          ? st_arena_printf(a, "%s%s", f->prefix, flag)
                          : st_arena_printf(a, "%s%s[%d]", f->prefix, flag, c);
    all = and(a, all, bit);
  }
  return all;
}

const char *st_rtl_at_zero(const StRtlFrame *f, int level) {
  return flags(f, "zero", level, NULL);
}

const char *st_rtl_all_zero(const StRtlFrame *f, const bool *loop) {
  return flags(f, "zero", 0, loop);
}

const char *st_rtl_all_last(const StRtlFrame *f, const bool *loop) {
  return flags(f, "last", 0, loop);
}

const char *st_rtl_guard(const StRtlFrame *f, const StEnd *e) {
  StArena *a = f->x->a;
  const char *in = "1'b1";
  if (e->guard_loop < 0)
    return in;
  const char *index = st_rtl_index(f, e->guard_loop);
  if (most(f, e->lo) > 0)
    in = st_arena_printf(a, "%s >= %s", index,
                         st_rtl_value(f->x, e->lo, f->bits));
  if (st_sym_eq(e->hi, f->order[e->guard_loop].trip))
    return in;
  if (most(f, e->hi) <= 0)
    return "1'b0";
  return and(
      a, in,
      st_arena_printf(a, "%s < %s", index, st_rtl_value(f->x, e->hi, f->bits)));
}

static const char *fires(const StRtlFrame *f, const StEnd *e) {
  StArena *a = f->x->a;
  const char *when = flags(f, "zero", e->level, NULL);
  if (e->last)
    when = and(a, when, flags(f, "last", 0, e->last));
  return and(a, when, st_rtl_guard(f, e));
}

/* ---- instances ------------------------------------------------------------
 */

void st_rtl_frame_loops(const StRtlFrame *f, const char *next) {
  StRtlText *x = f->x;
  const char *p = f->prefix;
  int n = f->n ? f->n : 1;
  if (*p) /* without a prefix they are ports */
    st_str_printf(&x->body, "  logic %sbusy;\n", p);
  st_str_printf(&x->body, "  logic %s%sindex;\n",
                st_rtl_range(x->a, n * f->bits), p);
  st_str_printf(&x->body, "  logic %s%szero, %slast;\n", st_rtl_range(x->a, n),
                p, p);
  st_str_printf(&x->body,
                "  st_loops #(.N(%d), .WIDTH(%d)) %sloops (\n"
                "      .clk, .rst, .start, .trip({",
                n, f->bits, p);
  for (int c = n - 1; c >= 0; c--) {
    StSym trip = f->n ? f->order[f->loop[c]].trip : st_sym_const(1);
    st_str_printf(&x->body, "%s%s", st_rtl_value(x, trip, f->bits),
                  c ? ", " : "");
  }
  st_str_printf(&x->body,
                "}),\n      .next(%s), .busy(%sbusy), .index(%sindex), "
                ".zero(%szero),\n      .last(%slast));\n",
                next, p, p, p, p);
  st_rtl_unused(x, st_arena_printf(x->a, "%sindex", p));
  st_rtl_unused(x, st_arena_printf(x->a, "%szero", p));
  st_rtl_unused(x, st_arena_printf(x->a, "%slast", p));
}

/* "{out1_take, out0_take}" */
static void put_ends(const StRtlFrame *f, bool in, const char *tail) {
  const StProcess *p = f->p;
  StStr *out = &f->x->body;
  const StEnd *end = in ? p->in : p->out;
  int n = in ? p->nin : p->nout;
  st_str_printf(out, "{");
  for (int k = n - 1; k >= 0; k--) {
    if (tail)
      st_str_printf(out, "%s%d_%s", in ? "in" : "out", end[k].port, tail);
    else
      st_str_printf(out, "%s", fires(f, &end[k]));
    st_str_printf(out, k ? ", " : "");
  }
  st_str_printf(out, "}");
}

static void put_inputs(const StRtlFrame *f) {
  StStr *out = &f->x->body;
  if (!f->p->nin) {
    st_str_printf(out, "      .need(1'b0), .valid(1'b0), .pop(%snone),\n",
                  f->prefix);
    return;
  }
  st_str_printf(out, "      .need(");
  put_ends(f, true, NULL);
  st_str_printf(out, "),\n      .valid(");
  put_ends(f, true, "valid");
  st_str_printf(out, "), .pop(");
  put_ends(f, true, "pop");
  st_str_printf(out, "),\n");
}

static void put_outputs(const StRtlFrame *f) {
  StStr *out = &f->x->body;
  if (!f->p->nout) {
    st_str_printf(out,
                  "      .gives(1'b0), .credit(1'b0), .take(%snone), "
                  ".push(%snever),\n",
                  f->prefix, f->prefix);
    return;
  }
  st_str_printf(out, "      .gives(");
  put_ends(f, false, NULL);
  st_str_printf(out, "),\n      .credit(");
  put_ends(f, false, "credit");
  st_str_printf(out, "), .take(");
  put_ends(f, false, "take");
  st_str_printf(out, "), .push(");
  put_ends(f, false, "push");
  st_str_printf(out, "),\n");
}

static void declare(const StRtlFrame *f) {
  StRtlText *x = f->x;
  const char *p = f->prefix;
  const char *none = st_arena_printf(x->a, "%snone", p);
  const char *never = st_arena_printf(x->a, "%snever", p);
  if (*p)
    st_str_printf(&x->body, "  logic %sgo;\n", p);
  st_str_printf(&x->body, "  logic %s%sv;\n",
                st_rtl_range(x->a, f->p->latency + 1), p);
  st_rtl_unused(x, st_arena_printf(x->a, "%sv", p));
  if (!f->p->nin || !f->p->nout) {
    st_str_printf(&x->body, "  logic %s;\n", none);
    st_rtl_unused(x, none);
  }
  if (!f->p->nout) {
    st_str_printf(&x->body, "  logic %s;\n", never);
    st_rtl_unused(x, never);
  }
}

void st_rtl_frame_write(const StRtlFrame *f, const char *allow) {
  StRtlText *x = f->x;
  const StProcess *p = f->p;
  const char *go = st_arena_printf(x->a, "%sgo", f->prefix);
  st_str_printf(&x->body, "\n");
  declare(f);
  st_rtl_frame_loops(f, go);
  st_str_printf(&x->body,
                "  st_issue #(.NIN(%d), .NOUT(%d), .II(%d), .LATENCY(%d)) ",
                p->nin ? p->nin : 1, p->nout ? p->nout : 1, p->ii, p->latency);
  st_str_printf(&x->body,
                "%sissue (\n      .clk, .rst, .busy(%sbusy), .allow(%s),\n",
                f->prefix, f->prefix, allow);
  put_inputs(f);
  put_outputs(f);
  st_str_printf(&x->body, "      .go(%s), .v(%sv));\n", go, f->prefix);
}

void st_rtl_address(const StRtlFrame *f, const char *name, int bits,
                    const char *base, const int64_t *step, const char *next) {
  StRtlText *x = f->x;
  int n = f->n ? f->n : 1;
  st_str_printf(&x->body, "  logic %s%s;\n", st_rtl_range(x->a, bits), name);
  st_str_printf(&x->body,
                "  st_address #(.N(%d), .WIDTH(%d)) %s_of_beat (\n"
                "      .clk, .start, .base(%s),\n      .stride({",
                n, bits, name, base);
  for (int c = n - 1; c >= 0; c--)
    st_str_printf(&x->body, "%d'd%" PRId64 "%s", bits,
                  f->n ? step[f->loop[c]] : 0, c ? ", " : "");
  st_str_printf(&x->body, "}),\n      .next(%s), .last(%slast), .at(%s));\n",
                next, f->prefix, name);
}

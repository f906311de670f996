/* A converter: one loop that in every iteration fills, drains, or both, when
 * doc/machine.md allows it. It asks its streams whether they are ready instead
 * of blocking on one while the other could go on; which tokens leave does not
 * depend on the answers. */
#include "emit/hls/process.h"

#include <inttypes.h>
#include <string.h>

#include "emit/hls/text.h"
#include "ir/itensor.h"

typedef struct {
  const StHlsPlan *plan;
  StArena *a;
  const StConverter *c;
  const StOp *op;
  bool words;      /* the window holds tokens, else elements */
  int64_t size;    /* entries of a window */
  int64_t *stride; /* [rank] entries */
  StSym shift;     /* first entry that is drained */
  int64_t fill_token, drain_token;
  StHlsNest fill, drain; /* loops inside a window */
  int delay;             /* iterations from a fill to its drain */
} Converter;

static bool divides(StSym s, int64_t n) {
  return s.c % n == 0 && s.p % n == 0 && s.t % n == 0;
}

static StSym origin_shift(const StConverter *c, int d) {
  return st_sym_add(c->drain.origin[d], st_sym_scale(c->fill.origin[d], -1));
}

static bool steps_divide(const StItensor *o, int shared, int d) {
  for (int l = shared; l < o->nloops; l++)
    if (o->loop[l].dim == d && o->loop[l].step % o->elem[d] != 0)
      return false;
  return true;
}

/* Both sides move whole tokens of one shape, aligned to it. */
static bool holds_tokens(const StConverter *c) {
  for (int d = 0; d < c->fill.rank; d++) {
    int64_t e = c->fill.elem[d];
    if (c->drain.elem[d] != e || c->extent[d] % e != 0 ||
        !divides(origin_shift(c, d), e) ||
        !steps_divide(&c->fill, c->shared, d) ||
        !steps_divide(&c->drain, c->shared, d))
      return false;
  }
  return true;
}

static int64_t unit(const Converter *k, int d) {
  return k->words ? k->c->fill.elem[d] : 1;
}

static Converter prepare(const StHlsPlan *plan, const StOp *op) {
  const StConverter *c = &op->u.converter;
  Converter k = {.plan = plan, .a = plan->a, .c = c, .op = op, .size = 1};
  k.words = holds_tokens(c);
  k.stride = ST_NEW_N(k.a, int64_t, c->fill.rank + 1);
  for (int d = c->fill.rank; d-- > 0;) {
    k.stride[d] = k.size;
    k.size *= c->extent[d] / unit(&k, d);
    StSym by = origin_shift(c, d);
    int64_t u = unit(&k, d);
    by = (StSym){by.c / u, by.p / u, by.t / u};
    k.shift = st_sym_add(k.shift, st_sym_scale(by, k.stride[d]));
  }
  k.fill_token = st_itensor_token(&c->fill);
  k.drain_token = st_itensor_token(&c->drain);
  k.fill = st_hls_nest(plan, "f", c->fill.nloops - c->shared,
                       c->fill.loop + c->shared);
  k.drain = st_hls_nest(plan, "d", c->drain.nloops - c->shared,
                        c->drain.loop + c->shared);
  k.delay = plan->t->latency.buffer > 0 ? plan->t->latency.buffer : 1;
  return k;
}

/* Entry of a token's first element in its window. */
static const char *entry(const Converter *k, const StHlsNest *n, StSym base) {
  int64_t *coef = ST_NEW_N(k->a, int64_t, n->nloops + 1);
  for (int l = 0; l < n->nloops; l++) {
    int d = n->loop[l].dim;
    if (d >= 0)
      coef[l] = n->loop[l].step / unit(k, d) * k->stride[d];
  }
  return st_hls_sum(k->a, base, n->nloops, coef, n->index);
}

/* Entries of a token's elements, from its first. */
static void put_offsets(StStr *out, const Converter *k, const char *name,
                        const StItensor *o, int64_t n) {
  int64_t *at = ST_NEW_N(k->a, int64_t, n);
  for (int64_t e = 0; e < n; e++) {
    int64_t rest = e;
    for (int d = o->rank; d-- > 0; rest /= o->elem[d])
      at[e] += rest % o->elem[d] * k->stride[d];
  }
  st_hls_numbers(out, name, n, at);
}

static void declare_window(StStr *out, const Converter *k) {
  const StValue *v = k->op->result[0];
  const char *type =
      k->words ? st_hls_token(k->a, v) : st_hls_element(v->type.dtype);
  st_str_printf(out, "  static %s window[%d][%" PRId64 "];\n", type,
                k->c->banks, k->size);
  const char *impl = st_hls_storage(k->c->memory);
  if (k->c->memory == ST_MEM_REG)
    st_str_printf(
        out, "#pragma HLS ARRAY_PARTITION variable=window complete dim=0\n");
  else if (*impl)
    st_str_printf(out,
                  "#pragma HLS BIND_STORAGE variable=window type=ram_s2p "
                  "impl=%s\n",
                  impl);
  int64_t most =
      k->fill_token > k->drain_token ? k->fill_token : k->drain_token;
  if (!k->words && most > 1 && k->c->memory != ST_MEM_REG)
    st_str_printf(out,
                  "#pragma HLS ARRAY_PARTITION variable=window cyclic "
                  "factor=%" PRId64 " dim=2\n",
                  most);
  if (!k->words) {
    put_offsets(out, k, "int32_t fill_at", &k->c->fill, k->fill_token);
    put_offsets(out, k, "int32_t drain_at", &k->c->drain, k->drain_token);
  }
}

static void declare_state(StStr *out, const Converter *k) {
  StHlsNest shared = st_hls_nest(k->plan, "w", k->c->shared, k->c->fill.loop);
  st_str_printf(out, "  const int64_t windows = %s;\n",
                st_hls_nest_beats(&shared));
  st_str_printf(out, "  const int64_t fill_window = %s;\n",
                st_hls_nest_beats(&k->fill));
  st_str_printf(out, "  const int64_t drain_window = %s;\n",
                st_hls_nest_beats(&k->drain));
  st_str_printf(
      out, "  const int64_t fill_all = windows * fill_window;\n"
           "  const int64_t drain_all = windows * drain_window;\n"
           "  int64_t filled = 0, drained = 0; // tokens\n"
           "  int64_t full = 0;                // windows filled\n"
           "  int64_t done = drain_window == 0 ? windows : 0; // drained\n"
           "  int64_t in_fill = 0, in_drain = 0; // tokens of this window\n"
           "  int64_t before = 0; // tokens of the windows before\n"
           "  int32_t fill_bank = 0, drain_bank = 0;\n");
  st_str_printf(out,
                "  int64_t seen[%d] = {}; // filled, some iterations ago\n",
                k->delay);
  st_str_printf(out,
                "#pragma HLS ARRAY_PARTITION variable=seen complete dim=0\n");
  st_hls_nest_counters(out, &k->fill);
  st_hls_nest_counters(out, &k->drain);
}

/* Filled tokens of its window that the next drained token needs. */
static const char *need(const Converter *k) {
  if (!k->c->flow)
    return "fill_window";
  int64_t f = k->fill_token, d = k->drain_token;
  const char *n =
      f == d       ? "in_drain + 1"
      : d % f == 0 ? st_arena_printf(k->a, "(in_drain + 1) * %" PRId64, d / f)
                   : st_arena_printf(k->a,
                                     "((in_drain + 1) * %" PRId64 " + %" PRId64
                                     ") / %" PRId64,
                                     d, f - 1, f);
  return st_arena_printf(k->a, "st_hls_least(fill_window, %s)", n);
}

static void put_conditions(StStr *out, const Converter *k) {
  st_str_printf(out, "    const int64_t need = before + %s;\n", need(k));
  st_str_printf(out,
                "    const bool fill = filled < fill_all && full < done + %d &&"
                "\n                      !in0.empty();\n",
                k->c->banks);
  st_str_printf(out,
                "    const bool drain = drained < drain_all &&\n"
                "                       seen[%d] >= need && !out0.full();\n",
                k->delay - 1);
  st_str_printf(out,
                "    if (!fill && !drain && seen[%d] == filled)\n"
                "      ST_IDLE(in0, out0);\n",
                k->delay - 1);
}

static void put_bank(StStr *out, const char *bank, int banks) {
  if (banks > 1)
    st_str_printf(out, "        %s = %s == %d ? 0 : %s + 1;\n", bank, bank,
                  banks - 1, bank);
}

static void put_fill(StStr *out, const Converter *k) {
  const char *at = entry(k, &k->fill, st_sym_const(0));
  st_str_printf(out, "    if (fill) {\n");
  if (k->words) {
    st_str_printf(out, "      window[fill_bank][%s] = in0.read();\n", at);
  } else {
    st_str_printf(out,
                  "      const %s a0 = in0.read();\n"
                  "      for (int e = 0; e < %" PRId64 "; ++e) {\n"
                  "#pragma HLS UNROLL\n"
                  "        window[fill_bank][%s + fill_at[e]] = a0[e];\n"
                  "      }\n",
                  st_hls_token(k->a, k->op->operand[0]), k->fill_token, at);
  }
  st_str_printf(out, "      ++filled;\n");
  st_hls_nest_advance(out, &k->fill, 6);
  st_str_printf(out, "      if (++in_fill == fill_window) {\n"
                     "        in_fill = 0;\n"
                     "        ++full;\n");
  for (int l = 0; l < k->fill.nloops; l++)
    if (strcmp(k->fill.index[l], "0"))
      st_str_printf(out, "        %s = 0;\n", k->fill.index[l]);
  put_bank(out, "fill_bank", k->c->banks);
  st_str_printf(out, "      }\n    }\n");
}

static void put_drain(StStr *out, const Converter *k) {
  const char *at = entry(k, &k->drain, k->shift);
  st_str_printf(out, "    if (drain) {\n");
  if (k->words) {
    st_str_printf(out, "      out0.write(window[drain_bank][%s]);\n", at);
  } else {
    st_str_printf(out,
                  "      %s r0;\n"
                  "      for (int e = 0; e < %" PRId64 "; ++e) {\n"
                  "#pragma HLS UNROLL\n"
                  "        r0[e] = window[drain_bank][%s + drain_at[e]];\n"
                  "      }\n"
                  "      out0.write(r0);\n",
                  st_hls_token(k->a, k->op->result[0]), k->drain_token, at);
  }
  st_str_printf(out, "      ++drained;\n");
  st_hls_nest_advance(out, &k->drain, 6);
  st_str_printf(out, "      if (++in_drain == drain_window) {\n"
                     "        in_drain = 0;\n"
                     "        ++done;\n"
                     "        before += fill_window;\n");
  for (int l = 0; l < k->drain.nloops; l++)
    if (strcmp(k->drain.index[l], "0"))
      st_str_printf(out, "        %s = 0;\n", k->drain.index[l]);
  put_bank(out, "drain_bank", k->c->banks);
  st_str_printf(out, "      }\n    }\n");
}

void st_hls_converter(StStr *out, const StHlsPlan *plan,
                      const StHlsProcess *p) {
  Converter k = prepare(plan, p->op);
  declare_window(out, &k);
  declare_state(out, &k);
  st_str_printf(out,
                "  while (filled < fill_all || drained < drain_all) {\n"
                "#pragma HLS PIPELINE II=%d style=%s\n"
                "#pragma HLS DEPENDENCE variable=window inter RAW distance=%d "
                "true\n",
                p->op->ii > 0 ? p->op->ii : 1, st_hls_style(p), k.delay);
  put_conditions(out, &k);
  put_fill(out, &k);
  put_drain(out, &k);
  st_str_printf(out,
                "    for (int b = %d; b > 0; --b) {\n"
                "#pragma HLS UNROLL\n"
                "      seen[b] = seen[b - 1];\n"
                "    }\n"
                "    seen[0] = filled;\n"
                "  }\n",
                k.delay - 1);
}

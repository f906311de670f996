/* Modules, ports, numbers. */
#include "emit/rtl/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "emit/hls/text.h"

StRtlText st_rtl_text(StRtlPlan *p, StRtlUnit *u) {
  StRtlText x = {.plan = p, .unit = u, .a = p->a};
  st_str_init(&x.port);
  st_str_init(&x.body);
  st_str_init(&x.unused);
  return x;
}

const char *st_rtl_finish(StRtlText *x, const char *name, const char *comment) {
  StStr s;
  st_str_init(&s);
  st_hls_comment(&s, comment);
  st_str_printf(&s, "module %s (\n", name);
  st_str_printf(&s, "    input  logic clk,\n    input  logic rst,\n"
                    "    input  logic start");
  for (int i = 0; x->unit && i < x->unit->sum.n; i++) {
    StSym n = x->unit->sum.at[i];
    st_str_printf(&s, ",\n    input  logic %s%s",
                  st_rtl_range(x->a, st_rtl_sum_bits(x->plan->m, n)),
                  st_rtl_sum_name(x->a, n));
  }
  st_str_append(&s, x->port.data, x->port.len);
  st_str_printf(&s, "\n);\n");
  st_str_append(&s, x->body.data, x->body.len);
  if (x->nunused)
    st_str_printf(&s, "\n  logic unused;\n  assign unused = &{1'b0%s};\n",
                  x->unused.data);
  st_str_printf(&s, "endmodule\n");
  const char *text = st_arena_copy(x->a, s.data, s.len);
  st_str_free(&s);
  st_str_free(&x->port);
  st_str_free(&x->body);
  st_str_free(&x->unused);
  return text;
}

void st_rtl_port(StRtlText *x, const char *direction, int64_t bits,
                 const char *name) {
  st_str_printf(&x->port, ",\n    %-6s logic %s%s", direction,
                st_rtl_range(x->a, bits), name);
}

static void port_of(StRtlText *x, const char *direction, const char *name,
                    const char *tail) {
  st_rtl_port(x, direction, 1, st_arena_printf(x->a, "%s_%s", name, tail));
}

void st_rtl_in(StRtlText *x, const char *name, int64_t bits) {
  port_of(x, "input", name, "valid");
  port_of(x, "output", name, "pop");
  st_rtl_port(x, "input", bits, name);
}

void st_rtl_out(StRtlText *x, const char *name, int64_t bits) {
  port_of(x, "input", name, "credit");
  port_of(x, "output", name, "take");
  port_of(x, "output", name, "push");
  st_rtl_port(x, "output", bits, name);
}

void st_rtl_unused(StRtlText *x, const char *name) {
  st_str_printf(&x->unused,
                x->nunused++ % 6 == 5 ? ",\n                    %s" : ", %s",
                name);
}

/* ---- numbers ------------------------------------------------------------- */

const char *st_rtl_range(StArena *a, int64_t bits) {
  return bits == 1 ? "" : st_arena_printf(a, "[%" PRId64 ":0] ", bits - 1);
}

const char *st_rtl_slice(StArena *a, int64_t i, int64_t bits) {
  if (bits == 1)
    return st_arena_printf(a, "[%" PRId64 "]", i);
  return st_arena_printf(a, "[%" PRId64 ":%" PRId64 "]", (i + 1) * bits - 1,
                         i * bits);
}

int st_rtl_bits(int64_t most) {
  int bits = 1;
  while (most >> bits)
    bits++;
  return bits;
}

static void put_term(StStr *s, int64_t n, const char *what) {
  if (!n)
    return;
  st_str_printf(s, "_%s", n < 0 ? "minus_" : s->len > 1 ? "plus_" : "");
  if (!*what || (n != 1 && n != -1))
    st_str_printf(s, "%" PRId64, n < 0 ? -n : n);
  st_str_printf(s, "%s", what);
}

const char *st_rtl_sum_name(StArena *a, StSym n) {
  StStr s;
  st_str_init(&s);
  st_str_printf(&s, "n");
  put_term(&s, n.p, "p");
  put_term(&s, n.t, "t");
  put_term(&s, n.c, "");
  const char *name = st_arena_copy(a, s.data, s.len);
  st_str_free(&s);
  return name;
}

int st_rtl_sum_bits(const StModule *m, StSym s) {
  int64_t most = st_sym_max(s, m->ctx, m->chunk);
  return st_rtl_bits(most > 0 ? most : 0);
}

void st_rtl_sums_add(StArena *a, StRtlSums *v, StSym s) {
  for (int i = 0; i < v->n; i++)
    if (st_sym_eq(v->at[i], s))
      return;
  st_vec_push(a, v, s);
}

const char *st_rtl_value(StRtlText *x, StSym s, int bits) {
  if (st_sym_is_const(s))
    return st_arena_printf(x->a, "%d'd%" PRId64, bits, s.c > 0 ? s.c : 0);
  st_rtl_sums_add(x->a, &x->unit->sum, s);
  st_rtl_sums_add(x->a, &x->plan->sum, s);
  return st_arena_printf(x->a, "%d'(%s)", bits, st_rtl_sum_name(x->a, s));
}

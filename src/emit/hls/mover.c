/* Loads, stores and forks. An address is a sum over the loops' counters; loops
 * that continue each other are merged first, so that what lies in order is read
 * by one counter. */
#include "emit/hls/process.h"

#include <inttypes.h>
#include <string.h>

#include "emit/hls/text.h"
#include "ir/itensor.h"

typedef struct {
  StLoop *loop;
  int64_t *step; /* of the address */
  int n;
} Walk;

/* The loops of a stream; neighbours are one loop where the outer step is what
 * the inner loop covers. `keep`: from this level outward nothing merges. */
static Walk merged(StArena *a, const StItensor *o, const StHlsAddress *at,
                   bool merge) {
  Walk w = {ST_NEW_N(a, StLoop, o->nloops + 1),
            ST_NEW_N(a, int64_t, o->nloops + 1), 0};
  for (int l = 0; l < o->nloops; l++) {
    const StLoop *in = &o->loop[l];
    if (merge && st_sym_eq(in->trip, st_sym_const(1)))
      continue;
    StLoop *last = w.n ? &w.loop[w.n - 1] : NULL;
    bool joins = merge && last && st_sym_is_const(in->trip) &&
                 w.step[w.n - 1] == at->step[l] * in->trip.c;
    if (joins) {
      last->trip = st_sym_scale(last->trip, in->trip.c);
      w.step[w.n - 1] = at->step[l];
    } else {
      w.loop[w.n] = (StLoop){-1, in->trip, 1};
      w.step[w.n++] = at->step[l];
    }
  }
  return w;
}

/* offset[e] as a function of e: "e" where elements are side by side. */
static const char *element_offset(StStr *out, StArena *a,
                                  const StHlsAddress *at, int64_t n) {
  bool dense = true;
  for (int64_t e = 0; e < n; e++)
    dense &= at->offset[e] == e;
  if (dense)
    return n == 1 ? "0" : "e";
  int64_t step = at->offset[1] - at->offset[0];
  for (int64_t e = 0; e < n; e++)
    dense |= at->offset[e] != e * step;
  if (!dense)
    return st_arena_printf(a, "%" PRId64 " * e", step);
  st_hls_numbers(out, "int64_t offset", n, at->offset);
  return "offset[e]";
}

static const char *source_name(const StHlsPlan *plan, const StOp *op) {
  int port = st_hls_port_of(plan, op, 0);
  return port >= 0 ? plan->port.at[port].name
                   : st_hls_rom_name(plan, op->operand[0]->def);
}

/* ROMs hold floats as their bits. */
static const char *rom_element(StArena *a, const StOp *op, const char *x) {
  bool bits = op->operand[0]->def->kind == ST_OP_CONST &&
              op->result[0]->type.dtype == ST_F32;
  return bits ? st_arena_printf(a, "st_num_float(%s)", x) : x;
}

static void put_elements(StStr *out, int64_t n, const char *to,
                         const char *from) {
  if (n == 1) {
    st_str_printf(out, "    %s = %s;\n", to, from);
    return;
  }
  st_str_printf(out, "    for (int e = 0; e < %" PRId64 "; ++e) {\n", n);
  st_str_printf(out, "#pragma HLS UNROLL\n");
  st_str_printf(out, "      %s = %s;\n    }\n", to, from);
}

/* Pops an index when all loops from index_level inward are at 0. One outside
 * the memory gives zeros. */
static const char *fetch_index(StStr *out, const StHlsPlan *plan,
                               const StOp *op, const StHlsNest *nest,
                               const StHlsAddress *at, const char *address) {
  StArena *a = plan->a;
  const char *when = st_hls_nest_at_zero(nest, op->u.load.index_level);
  StSym n = st_load_rows(plan->m, op);
  if (strcmp(when, "true"))
    st_str_printf(out, "    if (%s)\n  ", when);
  st_str_printf(out,
                "    index = in1.read()[0];\n"
                "    const bool inside = index >= 0 && index < %s;\n",
                st_hls_sym(a, n));
  return st_arena_printf(a, "%" PRId64 " * (inside ? index : 0) + %s",
                         at->gather, address);
}

static const char *address_text(StArena *a, const StHlsAddress *at,
                                const StHlsNest *nest, const Walk *w) {
  return st_hls_sum(a, at->base, w->n, w->step, nest->index);
}

void st_hls_load(StStr *out, const StHlsPlan *plan, const StHlsProcess *p) {
  StArena *a = plan->a;
  const StOp *op = p->op;
  const StItensor *o = op->result[0]->type.order;
  int64_t n = st_itensor_token(o);
  StHlsAddress at = st_hls_address(plan, op);
  bool gathers = op->noperands > 1;
  Walk w = merged(a, o, &at, !gathers);
  StHlsNest nest = st_hls_nest(plan, "i", w.n, w.loop);
  const char *address = address_text(a, &at, &nest, &w);
  const char *name = source_name(plan, op);
  const char *offset = at.word > 1 ? "" : element_offset(out, a, &at, n);
  if (gathers)
    st_str_printf(out, "  int64_t index = 0;\n");
  st_hls_nest_counters(out, &nest);
  st_hls_nest_open(out, &nest, op->ii, st_hls_style(p));
  if (gathers)
    address = fetch_index(out, plan, op, &nest, &at, address);
  if (at.word > 1) {
    const char *token = st_hls_token(a, op->result[0]);
    st_str_printf(out,
                  gathers ? "    out0.write(inside ? %s[%s] : %s());\n"
                          : "    out0.write(%s[%s]);\n",
                  name, address, token);
  } else {
    st_str_printf(out, "    %s r0;\n", st_hls_token(a, op->result[0]));
    const char *plus = strcmp(offset, "0") ? " + " : "";
    const char *from = st_arena_printf(a, "%s[%s%s%s]", name, address, plus,
                                       *plus ? offset : "");
    from = rom_element(a, op, from);
    if (gathers)
      from = st_arena_printf(a, "inside ? %s : 0", from);
    put_elements(out, n, n == 1 ? "r0[0]" : "r0[e]", from);
    st_str_printf(out, "    out0.write(r0);\n");
  }
  st_hls_nest_advance(out, &nest, 4);
  st_str_printf(out, "  }\n");
}

void st_hls_store(StStr *out, const StHlsPlan *plan, const StHlsProcess *p) {
  StArena *a = plan->a;
  const StOp *op = p->op;
  const StItensor *o = op->operand[0]->type.order;
  int64_t n = st_itensor_token(o);
  StHlsAddress at = st_hls_address(plan, op);
  Walk w = merged(a, o, &at, true);
  StHlsNest nest = st_hls_nest(plan, "i", w.n, w.loop);
  const char *address = address_text(a, &at, &nest, &w);
  const char *name = plan->port.at[st_hls_port_of(plan, op, 0)].name;
  const char *offset = at.word > 1 ? "" : element_offset(out, a, &at, n);
  st_hls_nest_counters(out, &nest);
  st_hls_nest_open(out, &nest, op->ii, st_hls_style(p));
  if (at.word > 1) {
    st_str_printf(out, "    %s[%s] = in0.read();\n", name, address);
  } else {
    st_str_printf(out, "    const %s a0 = in0.read();\n",
                  st_hls_token(a, op->operand[0]));
    const char *plus = strcmp(offset, "0") ? " + " : "";
    put_elements(out, n,
                 st_arena_printf(a, "%s[%s%s%s]", name, address, plus,
                                 *plus ? offset : ""),
                 n == 1 ? "a0[0]" : "a0[e]");
  }
  st_hls_nest_advance(out, &nest, 4);
  st_str_printf(out, "  }\n");
}

void st_hls_fork(StStr *out, const StHlsPlan *plan, const StHlsProcess *p) {
  const StItensor *o = p->op->operand[0]->type.order;
  StHlsAddress at = {.step = ST_NEW_N(plan->a, int64_t, o->nloops + 1)};
  Walk w = merged(plan->a, o, &at, true);
  StHlsNest nest = st_hls_nest(plan, "i", w.n, w.loop);
  st_hls_nest_open(out, &nest, p->op->ii, st_hls_style(p));
  st_str_printf(out, "    const %s a0 = in0.read();\n",
                st_hls_token(plan->a, p->op->operand[0]));
  for (int r = 0; r < p->op->nresults; r++)
    st_str_printf(out, "    out%d.write(a0);\n", r);
  st_str_printf(out, "  }\n");
}

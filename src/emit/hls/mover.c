/* Loads, bundles, stores and forks. An address is a sum over the loops' counters; loops
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

/* offset[e] as a function of e: "e" where elements are side by side. A table if
 * need be has this name. */
static const char *element_offset(StStr *out, StArena *a,
                                  const StHlsAddress *at, int64_t n,
                                  const char *table) {
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
  st_hls_numbers(out, st_arena_printf(a, "int64_t %s", table), n, at->offset);
  return st_arena_printf(a, "%s[e]", table);
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
  StHlsAddress at = st_hls_address(plan, op, 0);
  bool gathers = op->noperands > 1;
  Walk w = merged(a, o, &at, !gathers);
  StHlsNest nest = st_hls_nest(plan, "i", w.n, w.loop);
  const char *address = address_text(a, &at, &nest, &w);
  const char *name = source_name(plan, op);
  const char *offset = at.word > 1 ? "" : element_offset(out, a, &at, n, "offset");
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

/* Lines two deeper, but for pragmas. */
static void put_deeper(StStr *out, const char *text) {
  while (*text) {
    const char *end = strchr(text, '\n') + 1;
    st_str_printf(out, *text == '#' ? "" : "  ");
    st_str_append(out, text, (size_t)(end - text));
    text = end;
  }
}

/* The first part that has the frames of part r: its counters are r's. */
static int frames_of(const StBundle *b, int r) {
  int s = 0;
  while (b->part[s].base != b->part[r].base ||
         b->part[s].slots != b->part[r].slots)
    s++;
  return s;
}

static const char *both(StArena *a, const char *x, const char *y) {
  return *x ? st_arena_printf(a, "%s && %s", x, y) : y;
}

/* The condition under which part r pushes. */
static const char *part_condition(StArena *a, const StOp *op, int r) {
  const StBundle *b = &op->u.bundle;
  const StBundlePart *p = &b->part[r];
  int s = frames_of(b, r);
  int64_t end = p->base + p->times * p->period;
  const char *when = "";
  if (p->base)
    when = st_arena_printf(a, "beat >= %" PRId64, p->base);
  if (end < st_bundle_beats(op))
    when = both(a, when, st_arena_printf(a, "beat < %" PRId64, end));
  if (p->first)
    when = both(a, when, st_arena_printf(a, "frame%d >= %" PRId64, s,
                                         p->first));
  if (p->last < p->period / p->slots)
    when = both(a, when, st_arena_printf(a, "frame%d < %" PRId64, s, p->last));
  if (p->per_frame < p->slots)
    when = both(a, when,
                st_arena_printf(a, "slot%d < %" PRId64, s, p->per_frame));
  return *when ? when : "true";
}

/* What part r does in a beat: into `out` what goes in front of the loop. */
static void put_part(StStr *out, StStr *loop, const StHlsPlan *plan,
                     const StOp *op, int r) {
  StArena *a = plan->a;
  const StValue *v = op->result[r];
  int64_t n = st_itensor_token(v->type.order);
  StHlsAddress at = st_hls_address(plan, op, r);
  Walk w = merged(a, v->type.order, &at, true);
  StHlsNest nest =
      st_hls_nest(plan, st_arena_printf(a, "i%d_", r), w.n, w.loop);
  const char *address = address_text(a, &at, &nest, &w);
  const char *name = plan->port.at[st_hls_port_of(plan, op, r)].name;
  StStr beat;
  st_str_init(&beat);
  st_hls_nest_counters(out, &nest);
  if (at.word > 1) {
    st_str_printf(&beat, "    out%d.write(%s[%s]);\n", r, name, address);
  } else {
    const char *offset = element_offset(out, a, &at, n,
                                        st_arena_printf(a, "offset%d", r));
    const char *plus = strcmp(offset, "0") ? " + " : "";
    st_str_printf(&beat, "    %s r%d;\n", st_hls_token(a, v), r);
    put_elements(&beat, n, st_arena_printf(a, n == 1 ? "r%d[0]" : "r%d[e]", r),
                 st_arena_printf(a, "%s[%s%s%s]", name, address, plus,
                                 *plus ? offset : ""));
    st_str_printf(&beat, "    out%d.write(r%d);\n", r, r);
  }
  st_hls_nest_advance(&beat, &nest, 4);
  st_str_printf(loop, "    if (%s) {\n", part_condition(a, op, r));
  put_deeper(loop, beat.data);
  st_str_printf(loop, "    }\n");
  st_str_free(&beat);
}

/* slot<s>, frame<s>: where the frames of part s are. */
static void put_frames(StStr *out, const StOp *op, int s) {
  const StBundlePart *p = &op->u.bundle.part[s];
  if (p->base)
    st_str_printf(out, "    if (beat >= %" PRId64 " && ", p->base);
  else
    st_str_printf(out, "    if (");
  st_str_printf(out,
                "++slot%d == %" PRId64 ") {\n"
                "      slot%d = 0;\n"
                "      if (++frame%d == %" PRId64 ")\n"
                "        frame%d = 0;\n    }\n",
                s, p->slots, s, s, p->period / p->slots, s);
}

void st_hls_bundle(StStr *out, const StHlsPlan *plan, const StHlsProcess *p) {
  const StOp *op = p->op;
  int64_t beats = st_bundle_beats(op);
  StStr loop;
  st_str_init(&loop);
  for (int r = 0; r < op->nresults; r++) {
    if (frames_of(&op->u.bundle, r) == r)
      st_str_printf(out, "  int64_t slot%d = 0, frame%d = 0;\n", r, r);
    put_part(out, &loop, plan, op, r);
  }
  st_str_printf(out,
                "  for (int64_t beat = 0; beat < %" PRId64 "; ++beat) {\n"
                "#pragma HLS PIPELINE II=%d\n%s",
                beats, op->ii > 0 ? op->ii : 1, loop.data);
  for (int r = 0; r < op->nresults; r++)
    if (frames_of(&op->u.bundle, r) == r)
      put_frames(out, op, r);
  st_str_printf(out, "  }\n");
  st_str_free(&loop);
}

void st_hls_store(StStr *out, const StHlsPlan *plan, const StHlsProcess *p) {
  StArena *a = plan->a;
  const StOp *op = p->op;
  const StItensor *o = op->operand[0]->type.order;
  int64_t n = st_itensor_token(o);
  StHlsAddress at = st_hls_address(plan, op, 0);
  Walk w = merged(a, o, &at, true);
  StHlsNest nest = st_hls_nest(plan, "i", w.n, w.loop);
  const char *address = address_text(a, &at, &nest, &w);
  const char *name = plan->port.at[st_hls_port_of(plan, op, 0)].name;
  const char *offset = at.word > 1 ? "" : element_offset(out, a, &at, n, "offset");
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

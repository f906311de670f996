/* A kernel: fetch what the beat needs, evaluate the lanes, fold, send. The
 * order of a fold is that of doc/machine.md: a balanced tree over the reduction
 * lanes, then an accumulator of the parallel position, at last a tree over its
 * ways. */
#include "emit/hls/process.h"

#include <inttypes.h>
#include <string.h>

#include "analysis/port.h"
#include "emit/hls/body.h"
#include "emit/hls/text.h"

typedef struct {
  const StHlsPlan *plan;
  const StHlsProcess *process;
  StArena *a;
  const StOp *op;
  const StNest *nest;
  StHlsNest loops;
  StKernelInfo info;
  StPortInfo *in, *out;
  bool accumulates; /* a reduction loop has more than one trip */
} Kernel;

/* ---- lanes ------------------------------------------------------------------
 */

/* table[lane] as an expression of l0, l1, ..; lanes for which it is -1 do not
 * matter. NULL if it is not a sum of multiples. */
static const char *linear(const Kernel *k, const int *table, int nlanes) {
  const StNest *n = k->nest;
  int64_t *coef = ST_NEW_N(k->a, int64_t, n->nlanes + 1);
  const char **term = ST_NEW_N(k->a, const char *, n->nlanes + 1);
  int stride = 1;
  for (int j = n->nlanes; j-- > 0; stride *= n->lane[j].size) {
    term[j] = st_arena_printf(k->a, "l%d", j);
    if (n->lane[j].size > 1 && table[stride] >= 0)
      coef[j] = table[stride] - table[0];
  }
  for (int i = 0; i < nlanes; i++) {
    int64_t rest = i, sum = table[0];
    for (int j = n->nlanes; j-- > 0; rest /= n->lane[j].size)
      sum += rest % n->lane[j].size * coef[j];
    if (table[i] >= 0 && table[i] != sum)
      return NULL;
  }
  return st_hls_sum(k->a, st_sym_const(table[0]), n->nlanes, coef, term);
}

static const char *lane_number(const Kernel *k) {
  int n = 1;
  for (int j = 0; j < k->nest->nlanes; j++)
    n *= k->nest->lane[j].size;
  int *identity = ST_NEW_N(k->a, int, n);
  for (int i = 0; i < n; i++)
    identity[i] = i;
  return linear(k, identity, n);
}

static void put_table(StStr *out, const Kernel *k, const char *name,
                      const int *table, int n) {
  int64_t *at = ST_NEW_N(k->a, int64_t, n);
  for (int i = 0; i < n; i++)
    at[i] = table[i] < 0 ? 0 : table[i];
  st_hls_numbers(out, st_arena_printf(k->a, "int16_t %s", name), n, at);
}

/* table[lane] as an expression, by way of a ROM `name` if it must be. */
static const char *lookup(StStr *out, const Kernel *k, const char *name,
                          const int *table, int n) {
  const char *r = linear(k, table, n);
  if (r)
    return r;
  put_table(out, k, name, table, n);
  return st_arena_printf(k->a, "%s[%s]", name, lane_number(k));
}

static int open_lanes(StStr *out, const Kernel *k) {
  int pad = 4;
  for (int j = 0; j < k->nest->nlanes; j++) {
    if (k->nest->lane[j].size == 1)
      continue;
    st_str_printf(out, "%*sfor (int l%d = 0; l%d < %d; ++l%d) {\n", pad, "", j,
                  j, k->nest->lane[j].size, j);
    st_str_printf(out, "#pragma HLS UNROLL\n");
    pad += 2;
  }
  return pad;
}

static void close_lanes(StStr *out, int pad) {
  while ((pad -= 2) >= 4)
    st_str_printf(out, "%*s}\n", pad, "");
}

/* C++ of every iteration dim. */
static const char **dims(const Kernel *k) {
  const StNest *n = k->nest;
  const char **r = ST_NEW_N(k->a, const char *, n->ndims + 1);
  int64_t *coef = ST_NEW_N(k->a, int64_t, n->nloops + n->nlanes + 1);
  const char **term = ST_NEW_N(k->a, const char *, n->nloops + n->nlanes + 1);
  for (int d = 0; d < n->ndims; d++) {
    int terms = 0;
    for (int l = 0; l < n->nloops; l++)
      if (n->loop[l].dim == d) {
        coef[terms] = n->loop[l].step;
        term[terms++] = k->loops.index[l];
      }
    for (int j = 0; j < n->nlanes; j++)
      if (n->lane[j].dim == d && n->lane[j].size > 1) {
        coef[terms] = 1;
        term[terms++] = st_arena_printf(k->a, "l%d", j);
      }
    r[d] = st_hls_sum(k->a, st_sym_const(0), terms, coef, term);
  }
  return r;
}

/* ---- ports ------------------------------------------------------------------
 */

static bool is_stream(const StValue *v) { return v->type.order != NULL; }

static const char *guard_text(const Kernel *k, const StPortInfo *port) {
  const char *i = k->loops.index[port->guard_loop];
  const char *lo = "", *hi = "";
  if (!st_sym_eq(port->lo, st_sym_const(0)))
    lo = st_arena_printf(k->a, "%s >= %s", i, st_hls_sym(k->a, port->lo));
  if (!st_sym_eq(port->hi, k->nest->loop[port->guard_loop].trip))
    hi = st_arena_printf(k->a, "%s < %s", i, st_hls_sym(k->a, port->hi));
  const char *both = *lo && *hi ? " && " : "";
  return *lo || *hi ? st_arena_printf(k->a, "%s%s%s", lo, both, hi) : "true";
}

static void declare_inputs(StStr *out, const Kernel *k) {
  for (int i = 0; i < k->op->noperands; i++)
    if (is_stream(k->op->operand[i]))
      st_str_printf(out, "  %s a%d = {};\n",
                    st_hls_token(k->a, k->op->operand[i]), i);
}

static void fetch_inputs(StStr *out, const Kernel *k) {
  for (int i = 0; i < k->op->noperands; i++) {
    if (!is_stream(k->op->operand[i]))
      continue;
    const char *when = st_hls_nest_at_zero(&k->loops, k->in[i].level);
    if (k->in[i].guard_loop >= 0) {
      st_str_printf(out, "    const bool g%d = %s;\n", i,
                    guard_text(k, &k->in[i]));
      when = !strcmp(when, "true")
                 ? st_arena_printf(k->a, "g%d", i)
                 : st_arena_printf(k->a, "g%d && %s", i, when);
    }
    if (strcmp(when, "true"))
      st_str_printf(out, "    if (%s)\n  ", when);
    st_str_printf(out, "    a%d = in%d.read();\n", i, i);
  }
}

static const char *zero_of(StDtype t) {
  return st_dtype_is_float(t) ? "0.0f" : t == ST_I1 ? "false" : "INT64_C(0)";
}

static const char **arguments(StStr *out, const Kernel *k) {
  const char **r = ST_NEW_N(k->a, const char *, k->op->noperands + 1);
  for (int i = 0; i < k->op->noperands; i++) {
    const StValue *v = k->op->operand[i];
    if (!is_stream(v))
      continue;
    const char *name = st_arena_printf(k->a, "at%d", i);
    const char *at = lookup(out, k, name, k->in[i].lane_elem, k->in[i].nlanes);
    r[i] = st_hls_from_element(k->a, v->type.dtype,
                               st_arena_printf(k->a, "a%d[%s]", i, at));
    if (k->in[i].guard_loop >= 0)
      r[i] = st_arena_printf(k->a, "g%d ? %s : %s", i, r[i],
                             zero_of(v->type.dtype));
  }
  return r;
}

static const char **tables(const Kernel *k) {
  const char **r = ST_NEW_N(k->a, const char *, k->op->noperands + 1);
  for (int i = 0; i < k->op->noperands; i++) {
    const StOp *def = k->op->operand[i]->def;
    int port = st_hls_port_of(k->plan, k->op, i);
    if (port >= 0)
      r[i] = k->plan->port.at[port].name;
    else if (def->kind == ST_OP_CONST)
      r[i] = st_hls_rom_name(k->plan, def);
  }
  return r;
}

/* ---- results ----------------------------------------------------------------
 */

static StDtype out_dtype(const Kernel *k, int r) {
  return k->nest->body.at[k->nest->out[r].yield].dtype;
}

static const char *send_condition(const Kernel *k, int r) {
  const char *last = k->info.reduces
                         ? st_hls_nest_last(&k->loops, k->info.is_red_loop)
                         : "true";
  if (k->out[r].guard_loop < 0)
    return last;
  const char *guard = guard_text(k, &k->out[r]);
  return !strcmp(last, "true") ? guard
                               : st_arena_printf(k->a, "%s && %s", last, guard);
}

static void send(StStr *out, const Kernel *k) {
  for (int r = 0; r < k->op->nresults; r++) {
    const char *when = send_condition(k, r);
    if (strcmp(when, "true"))
      st_str_printf(out, "    if (%s)\n  ", when);
    st_str_printf(out, "    out%d.write(r%d);\n", r, r);
  }
}

static void declare_results(StStr *out, const Kernel *k) {
  for (int r = 0; r < k->op->nresults; r++)
    st_str_printf(out, "    %s r%d;\n", st_hls_token(k->a, k->op->result[r]),
                  r);
}

/* Elements of the token by parallel lane, from those by lane. */
static const int *element_of_parallel(const Kernel *k, int r) {
  int *at = ST_NEW_N(k->a, int, k->info.par_lanes);
  for (int i = 0; i < k->out[r].nlanes; i++)
    if (k->out[r].lane_elem[i] >= 0)
      at[k->info.par_of_lane[i]] = k->out[r].lane_elem[i];
  return at;
}

static bool is_identity(const int *at, int n) {
  for (int i = 0; i < n; i++)
    if (at[i] != i)
      return false;
  return true;
}

/* ---- folds ------------------------------------------------------------------
 */

/* Accumulators of a kernel: a slot for each position of the parallel loops
 * inside the outermost reduction loop, at the largest trips. */
static int64_t slots(const Kernel *k, const char **position) {
  const StModule *m = k->plan->m;
  int64_t n = 1;
  int64_t *coef = ST_NEW_N(k->a, int64_t, k->nest->nloops + 1);
  for (int l = k->nest->nloops; l-- > k->info.outermost_red;) {
    if (k->info.is_red_loop[l])
      continue;
    coef[l] = n;
    n *= st_sym_max(k->nest->loop[l].trip, m->ctx, m->chunk);
  }
  *position =
      st_hls_sum(k->a, st_sym_const(0), k->nest->nloops, coef, k->loops.index);
  return n;
}

/* Accumulators of result r by the name `name`. */
static void declare_accumulators(StStr *out, const Kernel *k, const char *name,
                                 int r, int64_t positions) {
  st_str_printf(out, "  static %s %s%d[%d][%" PRId64 "][%d];\n",
                st_hls_scalar(out_dtype(k, r)), name, r, k->info.ways,
                positions, k->info.par_lanes);
  for (int dim = 1; dim <= 3; dim++)
    if (dim == 1 ? k->info.ways > 1 : dim == 3 || positions <= 16)
      st_str_printf(out,
                    "#pragma HLS ARRAY_PARTITION variable=%s%d complete "
                    "dim=%d\n",
                    name, r, dim);
}

/* The accumulators, and with several ways a copy for the tree, which reads what
 * was written in the beats just before. */
static void declare_folds(StStr *out, const Kernel *k) {
  const char *position;
  if (!k->accumulates)
    return;
  int64_t n = slots(k, &position);
  int64_t distance = st_kernel_distance(k->plan->m, k->op) * k->info.ways;
  for (int r = 0; r < k->op->nresults; r++) {
    declare_accumulators(out, k, "acc", r, n);
    if (distance > 1 && n * k->info.ways > 1)
      st_str_printf(out,
                    "#pragma HLS DEPENDENCE variable=acc%d inter RAW "
                    "distance=%" PRId64 " true\n",
                    r, distance);
    if (k->info.ways > 1)
      declare_accumulators(out, k, "sum", r, n);
  }
}

/* The tree over the ways, of the parallel lane p. */
static void fold_ways(StStr *out, const Kernel *k, int r, const char *name) {
  const char *type = st_hls_scalar(out_dtype(k, r));
  st_str_printf(out,
                "      sum%d[way][slot][p] = v;\n"
                "      if (last) {\n"
                "        %s all[%d];\n"
                "#pragma HLS ARRAY_PARTITION variable=all complete dim=1\n"
                "        for (int w = 0; w < %d; ++w) {\n"
                "#pragma HLS UNROLL\n"
                "          all[w] = w == way ? v : sum%d[w][slot][p];\n"
                "        }\n"
                "        v = st_some<%d, %s, %s>::fold(all, used);\n"
                "      }\n",
                r, type, k->info.ways, k->info.ways, r, k->info.ways, type,
                name);
}

static void fold(StStr *out, const Kernel *k, int r) {
  const char *type = st_hls_scalar(out_dtype(k, r));
  const int *at = element_of_parallel(k, r);
  bool direct = is_identity(at, k->info.par_lanes);
  if (!direct)
    put_table(out, k, st_arena_printf(k->a, "to%d", r), at, k->info.par_lanes);
  const char *name = st_arena_printf(k->a, "%s_fold%d", k->process->name, r);
  st_str_printf(out, "    for (int p = 0; p < %d; ++p) {\n", k->info.par_lanes);
  st_str_printf(out, "#pragma HLS UNROLL\n");
  st_str_printf(out, "      %s v = st_tree<%d, %s, %s>::fold(part%d[p]);\n",
                type, k->info.red_lanes, type, name, r);
  const char *way = k->info.ways > 1 ? "way" : "0";
  if (k->accumulates)
    st_str_printf(out,
                  "      if (!first)\n"
                  "        v = %s(acc%d[%s][slot][p], v);\n"
                  "      acc%d[%s][slot][p] = v;\n",
                  name, r, way, r, way);
  if (k->accumulates && k->info.ways > 1)
    fold_ways(out, k, r, name);
  const char *value = st_hls_to_element(k->a, out_dtype(k, r), "v");
  if (direct)
    st_str_printf(out, "      r%d[p] = %s;\n", r, value);
  else
    st_str_printf(out, "      r%d[to%d[p]] = %s;\n", r, r, value);
  st_str_printf(out, "    }\n");
}

static bool counts(const Kernel *k, int loop) {
  return k->info.is_red_loop[loop] && strcmp(k->loops.index[loop], "0");
}

/* Iterations of the reduction loops inside `level`. */
static const char *values_inside(const Kernel *k, int level) {
  const char *n = "INT64_C(1)";
  for (int l = level; l < k->nest->nloops; l++)
    if (counts(k, l))
      n = st_arena_printf(k->a, "%s * %s", n, k->loops.trip[l]);
  return n;
}

/* Before the beats. Every reduction loop has a counter that says how far it
 * turned the ways. */
static void declare_ways(StStr *out, const Kernel *k) {
  if (!k->accumulates || k->info.ways == 1)
    return;
  st_str_printf(out, "  const int used = (int)st_hls_least(%d, %s);\n",
                k->info.ways, values_inside(k, 0));
  for (int l = 0; l < k->nest->nloops; l++)
    if (counts(k, l))
      st_str_printf(out,
                    "  int turn%d = 0;\n"
                    "  const int step%d = (int)(%s %% %d);\n",
                    l, l, values_inside(k, l + 1), k->info.ways);
}

/* In a beat: its way, whether its value is the first there, and the last. */
static void find_way(StStr *out, const Kernel *k) {
  const char *value = NULL;
  st_str_printf(out, "    int way = 0;\n");
  for (int l = 0; l < k->nest->nloops; l++)
    if (counts(k, l)) {
      st_str_printf(out,
                    "    way += turn%d;\n"
                    "    if (way >= %d)\n"
                    "      way -= %d;\n",
                    l, k->info.ways, k->info.ways);
      value = value ? st_arena_printf(k->a, "(%s) * %s + %s", value,
                                      k->loops.trip[l], k->loops.index[l])
                    : st_arena_printf(k->a, "(int64_t)%s", k->loops.index[l]);
    }
  st_str_printf(out, "    const bool first = %s < %d;\n", value, k->info.ways);
  st_str_printf(out, "    const bool last = %s;\n",
                st_hls_nest_last(&k->loops, k->info.is_red_loop));
}

/* After the counters of the loops. */
static void turn_ways(StStr *out, const Kernel *k) {
  for (int l = 0; l < k->nest->nloops; l++) {
    if (!k->accumulates || k->info.ways == 1 || !counts(k, l))
      continue;
    const char *moved = st_hls_nest_at_zero(&k->loops, l + 1);
    bool always = !strcmp(moved, "true");
    st_str_printf(out, always ? "    {\n" : "    if (%s) {\n", moved);
    st_str_printf(out,
                  "      turn%d += step%d;\n"
                  "      if (turn%d >= %d)\n"
                  "        turn%d -= %d;\n"
                  "      if (%s == 0)\n"
                  "        turn%d = 0;\n"
                  "    }\n",
                  l, l, l, k->info.ways, l, k->info.ways, k->loops.index[l], l);
  }
}

static void fold_all(StStr *out, const Kernel *k) {
  const char *position;
  slots(k, &position);
  if (k->accumulates) {
    st_str_printf(out, "    const int64_t slot = %s;\n", position);
    if (k->info.ways > 1)
      find_way(out, k);
    else
      st_str_printf(out, "    const bool first = %s;\n",
                    st_hls_nest_first(&k->loops, k->info.is_red_loop));
  }
  for (int r = 0; r < k->op->nresults; r++)
    fold(out, k, r);
}

/* ---- the whole --------------------------------------------------------------
 */

static void yield(StStr *out, const Kernel *k, int pad, const char *const *to) {
  for (int r = 0; r < k->op->nresults; r++) {
    const char *v = st_arena_printf(k->a, "v%d", k->nest->out[r].yield);
    if (!k->info.reduces)
      v = st_hls_to_element(k->a, out_dtype(k, r), v);
    st_str_printf(out, "%*s%s = %s;\n", pad, "", to[r], v);
  }
}

/* Where a lane leaves its value: in the token, or in the parts of the fold. */
static const char **targets(StStr *out, const Kernel *k) {
  const char **to = ST_NEW_N(k->a, const char *, k->op->nresults + 1);
  for (int r = 0; r < k->op->nresults; r++) {
    const StPortInfo *port = &k->out[r];
    if (!k->info.reduces) {
      const char *name = st_arena_printf(k->a, "to%d", r);
      to[r] =
          st_arena_printf(k->a, "r%d[%s]", r,
                          lookup(out, k, name, port->lane_elem, port->nlanes));
      continue;
    }
    const char *p = linear(k, k->info.par_of_lane, port->nlanes);
    const char *q = linear(k, k->info.red_of_lane, port->nlanes);
    to[r] = st_arena_printf(k->a, "part%d[%s][%s]", r, p, q);
  }
  return to;
}

static void declare_parts(StStr *out, const Kernel *k) {
  for (int r = 0; r < k->op->nresults && k->info.reduces; r++) {
    st_str_printf(out, "    %s part%d[%d][%d];\n",
                  st_hls_scalar(out_dtype(k, r)), r, k->info.par_lanes,
                  k->info.red_lanes);
    st_str_printf(
        out, "#pragma HLS ARRAY_PARTITION variable=part%d complete dim=0\n", r);
  }
}

static Kernel prepare(const StHlsPlan *plan, const StHlsProcess *p) {
  Kernel k = {.plan = plan,
              .process = p,
              .a = plan->a,
              .op = p->op,
              .nest = &p->op->u.nest};
  k.loops = st_hls_nest(plan, "i", k.nest->nloops, k.nest->loop);
  k.info = st_kernel_info(k.a, k.op);
  k.in = ST_NEW_N(k.a, StPortInfo, k.op->noperands + 1);
  k.out = ST_NEW_N(k.a, StPortInfo, k.op->nresults + 1);
  for (int i = 0; i < k.op->noperands; i++)
    if (is_stream(k.op->operand[i]))
      k.in[i] = st_port_input(k.a, k.op, i);
  for (int r = 0; r < k.op->nresults; r++)
    k.out[r] = st_port_output(k.a, k.op, r);
  for (int l = 0; l < k.nest->nloops; l++)
    k.accumulates |= k.info.is_red_loop[l] && strcmp(k.loops.index[l], "0");
  return k;
}

void st_hls_kernel(StStr *out, const StHlsPlan *plan, const StHlsProcess *p) {
  Kernel k = prepare(plan, p);
  StHlsBody body = {.a = k.a,
                    .nest = k.nest,
                    .op = k.op,
                    .dim = dims(&k),
                    .table = tables(&k)};
  declare_inputs(out, &k);
  declare_folds(out, &k);
  body.arg = arguments(out, &k);
  const char **to = targets(out, &k);
  st_hls_nest_counters(out, &k.loops);
  declare_ways(out, &k);
  st_hls_nest_open(out, &k.loops, k.op->ii, st_hls_style(p));
  fetch_inputs(out, &k);
  declare_results(out, &k);
  declare_parts(out, &k);
  int pad = open_lanes(out, &k);
  st_hls_body(out, &body, pad);
  yield(out, &k, pad, to);
  close_lanes(out, pad);
  if (k.info.reduces)
    fold_all(out, &k);
  send(out, &k);
  st_hls_nest_advance(out, &k.loops, 4);
  turn_ways(out, &k);
  st_str_printf(out, "  }\n");
}

/* report --html: what the page shows (src/emit/html), gathered. */
#include "driver/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "check/check.h"
#include "driver/tally.h"
#include "emit/html/html.h"
#include "ir/itensor.h"
#include "sim/trace.h"

enum { BINS = 320 }; /* of the timeline */

/* ---- the graph ---------------------------------------------------------- */

static bool is_node(const StOp *op) {
  return op->kind != ST_OP_ARG && op->kind != ST_OP_CONST;
}

void st_report_label(StStr *out, const StOp *op) {
  const StNest *n = &op->u.nest;
  int said = 0;
  if (st_nest_reduces(n) && n->out[0].combine != ST_X_ARG) {
    st_str_printf(out, "%s over", st_scalar_name(n->out[0].combine));
    said++;
  }
  for (int i = n->body.n - 1; i >= 0 && said < 4; i--) {
    StScalarKind k = n->body.at[i].kind;
    if (k == ST_X_ARG || k == ST_X_CONST || k == ST_X_INDEX)
      continue;
    st_str_printf(out, "%s%s", out->len ? " " : "", st_scalar_name(k));
    said++;
  }
  if (!said)
    st_str_printf(out, "%s", n->out[0].guard.dim >= 0 ? "part" : "copy");
}

/* The loops, outermost first, one a line, and the lanes of a beat. */
static void print_schedule(StStr *out, const StOp *op) {
  const StNest *n = &op->u.nest;
  char trip[ST_SYM_TEXT];
  for (int l = 0; l < n->nloops; l++) {
    const StLoop *loop = &n->loop[l];
    const StDim *d = &n->dim[loop->dim];
    st_str_printf(out, "%*sd%d: %s times %lld%s\n", 2 * l, "", loop->dim,
                  st_sym_print(trip, loop->trip), (long long)loop->step,
                  d->iteration   ? "   layers"
                  : d->reduction ? "   folded"
                                 : "");
  }
  st_str_printf(out, "%*sa beat", 2 * n->nloops, "");
  for (int l = 0; l < n->nlanes; l++)
    st_str_printf(out, "%s d%d x %d%s", l ? "," : ", lanes", n->lane[l].dim,
                  n->lane[l].size,
                  n->dim[n->lane[l].dim].reduction ? " folded" : "");
  if (n->ways > 1)
    st_str_printf(out, ", %d accumulators", n->ways);
  st_str_printf(out, "\n");
}

static void add_text(json_t *to, const char *key, StStr *text) {
  json_object_set_new(to, key, json_string(text->data));
  st_str_clear(text);
}

static void add_kernel(json_t *node, const StOp *op) {
  const StNest *n = &op->u.nest;
  StStr text;
  st_str_init(&text);
  st_report_label(&text, op);
  add_text(node, "label", &text);
  print_schedule(&text, op);
  add_text(node, "schedule", &text);
  st_str_free(&text);
  if (n->ndims && n->dim[0].iteration && n->dim[0].extent.c > 1)
    json_object_set_new(node, "repeat", json_integer(n->dim[0].extent.c));
}

static void add_port(json_t *node, const StOp *op) {
  int channel = op->kind == ST_OP_LOAD    ? op->u.load.channel
                : op->kind == ST_OP_STORE ? op->u.store.channel
                                          : op->u.bundle.channel;
  int channels = op->kind == ST_OP_LOAD    ? op->u.load.channels
                 : op->kind == ST_OP_STORE ? op->u.store.channels
                                           : op->u.bundle.channels;
  json_object_set_new(node, "channel", json_integer(channel));
  json_object_set_new(node, "channels",
                      json_integer(channels > 1 ? channels : 1));
}

static json_t *node_json(const StBuild *b, const StOp *op, StArena *a) {
  StCost cost = st_target_op_cost(b->target, b->module, op);
  json_t *node =
      json_pack("{s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:o}", "id", op->id,
                "kind", st_op_name(op->kind), "name", op->name ? op->name : "",
                "die", op->die, "group", op->group, "ii", op->ii, "latency",
                op->latency, "cost", st_report_cost(&cost));
  if (op->loc.file)
    json_object_set_new(
        node, "place",
        json_string(st_arena_printf(a, "%s:%d", op->loc.file, op->loc.line)));
  StStr text;
  st_str_init(&text);
  st_op_print(&text, op);
  add_text(node, "text", &text);
  st_str_free(&text);
  if (op->kind == ST_OP_KERNEL)
    add_kernel(node, op);
  else if (op->kind == ST_OP_CONVERTER)
    json_object_set_new(node, "bytes",
                        json_integer(st_tally_converter_bytes(op)));
  else if (op->kind != ST_OP_FORK)
    add_port(node, op);
  return node;
}

static json_t *edge_json(const StTrace *t, const StStream *s) {
  const StValue *v = s->value;
  StStr type;
  st_str_init(&type);
  st_type_print(&type, &v->type);
  json_t *edge = json_pack(
      "{s:i, s:i, s:i, s:s, s:s, s:i, s:I, s:s, s:I, s:I, s:i}", "id", v->id,
      "from", t->net->process[s->producer].op->id, "to",
      t->net->process[s->consumer].op->id, "name", v->name ? v->name : "",
      "type", type.data, "port", v->result, "depth", (json_int_t)v->depth,
      "memory", st_memory_name(v->memory), "bits", (json_int_t)s->bits,
      "elements", (json_int_t)s->elements, "die", v->die);
  st_str_free(&type);
  json_object_set_new(edge, "dtype", json_string(st_dtype_name(v->type.dtype)));
  json_object_set_new(edge, "tokens",
                      json_integer(t->result->stream[s->id].tokens));
  json_object_set_new(edge, "fill",
                      json_integer(t->result->stream[s->id].max_fill));
  json_object_set_new(edge, "empty", json_integer(t->stream[s->id].empty));
  json_object_set_new(edge, "full", json_integer(t->stream[s->id].full));
  return edge;
}

/* ---- the step --------------------------------------------------------- */

/* Shares of `all`, a character each: 0 is '0', anything more at least '1'. */
static json_t *shares(StArena *a, const int64_t *v, int n, double all) {
  static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz-_";
  char *s = ST_NEW_N(a, char, n + 1);
  for (int i = 0; i < n; i++) {
    double d = all > 0 ? 63 * (double)v[i] / all : 0;
    int at = d > 63 ? 63 : v[i] > 0 && d < 1 ? 1 : (int)d;
    s[i] = digits[at];
  }
  return json_string(s);
}

static json_t *process_json(StArena *a, const StTrace *t, int p) {
  const StProcess *process = &t->net->process[p];
  const StProcessStats *s = &t->result->process[p];
  const StProcessTrace *trace = &t->process[p];
  const char *side = process->kind == ST_PROC_FILL    ? "fill"
                     : process->kind == ST_PROC_DRAIN ? "drain"
                                                      : "";
  double all = (double)t->per_bin;
  json_t *j = json_pack(
      "{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "node", process->op->id,
      "side", side, "beats", (json_int_t)s->beats, "first",
      (json_int_t)s->first, "last", (json_int_t)s->last, "wait_input",
      (json_int_t)s->wait_input, "wait_output", (json_int_t)s->wait_output,
      "partner", (json_int_t)trace->partner);
  json_object_set_new(j, "busy", shares(a, trace->busy, t->bins, all));
  json_object_set_new(j, "input", shares(a, trace->input, t->bins, all));
  json_object_set_new(j, "output", shares(a, trace->output, t->bins, all));
  return j;
}

static json_t *channels_json(StArena *a, const StBuild *b, const StTrace *t) {
  int n = t->result->nchannels;
  int64_t *bits = ST_NEW_N(a, int64_t, (n + 1) * t->bins);
  double peak = 1e9 * 8 * b->target->memory.gbps / b->target->clock_mhz / 1e6;
  json_t *list = json_array();
  st_trace_channels(t, bits);
  for (int c = 0; c < n; c++) {
    json_t *j = json_pack("{s:I, s:I}", "read", (json_int_t)t->result->read[c],
                          "written", (json_int_t)t->result->written[c]);
    json_object_set_new(
        j, "use",
        shares(a, bits + c * t->bins, t->bins, peak * (double)t->per_bin));
    json_array_append_new(list, j);
  }
  return list;
}

static json_t *step_json(StArena *a, const StBuild *b, const StTrace *t) {
  json_t *processes = json_array(), *edges = json_array();
  for (int p = 0; p < t->net->nprocesses; p++)
    json_array_append_new(processes, process_json(a, t, p));
  for (int s = 0; s < t->net->nstreams; s++)
    json_array_append_new(edges, edge_json(t, &t->net->stream[s]));
  return json_pack("{s:I, s:I, s:I, s:i, s:I, s:o, s:o, s:o, s:f}", "P",
                   (json_int_t)t->net->P, "T", (json_int_t)t->net->T, "cycles",
                   (json_int_t)t->cycles, "bins", t->bins, "per_bin",
                   (json_int_t)t->per_bin, "processes", processes, "edges",
                   edges, "channels", channels_json(a, b, t),
                   "channel_peak_gbps", b->target->memory.gbps);
}

/* ---- the whole ---------------------------------------------------------- */

/* What `check` prints. */
static json_t *certificate_json(const StBuild *b) {
  StDiag *diag = st_diag_new(NULL);
  StMap map;
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  ST_CHECK(out, "no stream in memory");
  bool ok = st_build_file(b, "certificate.txt", &map, diag);
  if (ok) {
    ok = st_check(b->module, b->target, map.data, map.size, diag, out);
    st_map_close(&map);
  }
  fclose(out);
  json_t *j =
      json_pack("{s:b, s:s}", "ok", ok, "text", ok ? text : st_diag_text(diag));
  free(text);
  st_diag_free(diag);
  return j;
}

static json_t *page_json(StArena *a, const StBuild *b, const StTrace *t) {
  const StModule *m = b->module;
  json_t *nodes = json_array();
  for (int i = 0; i < m->op.n; i++)
    if (is_node(m->op.at[i]))
      json_array_append_new(nodes, node_json(b, m->op.at[i], a));
  json_t *page =
      json_pack("{s:s, s:I, s:I}", "name", m->name ? m->name : "", "ctx",
                (json_int_t)m->ctx, "chunk", (json_int_t)m->chunk);
  json_object_set(page, "kind", json_object_get(b->info->v, "kind"));
  json_object_set_new(page, "report", st_report_json(b));
  json_object_set_new(page, "certificate", certificate_json(b));
  json_object_set_new(page, "nodes", nodes);
  json_object_set_new(page, "step", step_json(a, b, t));
  return page;
}

bool st_report_html(const StBuild *b, const char *path, StDiag *diag) {
  StArena *a = st_arena_new();
  StSim *sim = st_sim_new(b->module, b->target, diag);
  const StTrace *t =
      sim ? st_trace_step(a, sim, b->module->ctx / 2, 1, BINS, NULL) : NULL;
  bool ok = t != NULL;
  if (ok) {
    json_t *page = page_json(a, b, t);
    ok = st_emit_html(path, b->module->name, page, diag);
    json_decref(page);
  }
  st_sim_free(sim);
  st_arena_free(a);
  return ok;
}

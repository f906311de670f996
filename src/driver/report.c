/* report: a build as JSON, or as one table for people. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/port.h"
#include "base/json.h"
#include "base/str.h"
#include "driver/build.h"
#include "driver/command.h"
#include "driver/report.h"
#include "driver/synth.h"
#include "driver/tally.h"
#include "ir/itensor.h"
#include "target/dies.h"

static json_t *text_of(const char *s) {
  return s ? json_string(s) : json_null();
}

json_t *st_report_cost(const StCost *c) {
  return json_pack("{s:f, s:f, s:f, s:f, s:f}", "lut", c->lut, "ff", c->ff,
                   "dsp", c->dsp, "bram36", c->bram36, "uram", c->uram);
}

static json_t *kernels(const StBuild *b) {
  json_t *list = json_array();
  for (int i = 0; i < b->module->op.n; i++) {
    const StOp *op = b->module->op.at[i];
    if (op->kind != ST_OP_KERNEL)
      continue;
    json_t *k = json_pack("{s:i, s:o, s:i, s:i, s:i, s:i}", "id", op->id,
                          "name", text_of(op->name), "ii", op->ii, "latency",
                          op->latency, "group", op->group, "die", op->die);
    StCost c = st_target_op_cost(b->target, b->module, op);
    json_object_set_new(k, "resources", st_report_cost(&c));
    json_array_append_new(list, k);
  }
  return list;
}

static json_t *streams(const StBuild *b) {
  json_t *list = json_array();
  for (int i = 0; i < b->module->op.n; i++)
    for (int r = 0; r < b->module->op.at[i]->nresults; r++) {
      const StValue *v = b->module->op.at[i]->result[r];
      if (!v->type.order)
        continue;
      StStr type;
      st_str_init(&type);
      st_type_print(&type, &v->type);
      json_array_append_new(
          list,
          json_pack("{s:i, s:s, s:I, s:I, s:s, s:i}", "id", v->id, "type",
                    type.data, "depth", (json_int_t)v->depth, "width_bits",
                    (json_int_t)st_type_token_bits(&v->type), "memory",
                    st_memory_name(v->memory), "die", v->die));
      st_str_free(&type);
    }
  return list;
}

static json_t *converters(const StBuild *b) {
  json_t *list = json_array();
  for (int i = 0; i < b->module->op.n; i++) {
    const StOp *op = b->module->op.at[i];
    if (op->kind != ST_OP_CONVERTER)
      continue;
    const StConverter *c = &op->u.converter;
    const char *strategy = c->banks == 2 ? "ping-pong"
                           : c->flow     ? "flow-through"
                                         : "window";
    json_array_append_new(
        list, json_pack("{s:i, s:o, s:I, s:s, s:i, s:b, s:s}", "id", op->id,
                        "name", text_of(op->name), "bytes",
                        (json_int_t)st_tally_converter_bytes(op), "strategy",
                        strategy, "shared_loops", c->shared, "flow", c->flow,
                        "memory", st_memory_name(c->memory)));
  }
  return list;
}

/* An entry for each output. */
static void bundle_transfers(json_t *list, const StOp *op) {
  for (int r = 0; r < op->nresults; r++)
    json_array_append_new(
        list, json_pack("{s:i, s:s, s:o, s:i, s:i, s:i}", "id", op->id, "kind",
                        "bundle", "name", text_of(op->result[r]->name),
                        "channel", op->u.bundle.channel, "channels",
                        op->u.bundle.channels, "ii", op->ii));
}

static json_t *transfers(const StBuild *b) {
  json_t *list = json_array();
  for (int i = 0; i < b->module->op.n; i++) {
    const StOp *op = b->module->op.at[i];
    bool load = op->kind == ST_OP_LOAD;
    if (op->kind == ST_OP_BUNDLE)
      bundle_transfers(list, op);
    if (!load && op->kind != ST_OP_STORE)
      continue;
    json_array_append_new(
        list,
        json_pack("{s:i, s:s, s:o, s:i, s:i, s:i}", "id", op->id, "kind",
                  load ? "load" : "store", "name", text_of(op->name), "channel",
                  load ? op->u.load.channel : op->u.store.channel, "channels",
                  load ? op->u.load.channels : op->u.store.channels, "ii",
                  op->ii));
  }
  return list;
}

static json_t *groups(const StBuild *b) {
  int most = 0;
  for (int i = 0; i < b->module->op.n; i++)
    if (b->module->op.at[i]->group > most)
      most = b->module->op.at[i]->group;
  json_t *list = json_array();
  for (int g = 1; g <= most; g++) {
    int n = 0;
    for (int i = 0; i < b->module->op.n; i++)
      n += b->module->op.at[i]->group == g &&
           b->module->op.at[i]->kind == ST_OP_KERNEL;
    json_array_append_new(list, json_pack("{s:i, s:i}", "id", g, "kernels", n));
  }
  return list;
}

/* What each die takes, and the wires between it and the next. */
static json_t *dies(const StBuild *b) {
  const StTarget *t = b->target;
  StArena *scratch = st_arena_new();
  StCost *use = ST_NEW_N(scratch, StCost, t->dies);
  double *wires = ST_NEW_N(scratch, double, t->dies);
  json_t *list = json_array();
  st_dies_use(b->module, t, use, wires);
  for (int d = 0; d < t->dies; d++) {
    json_t *die = json_pack("{s:o, s:o}", "used", st_report_cost(&use[d]),
                            "available", st_report_cost(&t->die[d]));
    if (d + 1 < t->dies)
      json_object_set_new(
          die, "wires_to_next",
          json_pack("{s:f, s:f}", "used", wires[d], "available", t->die_wires));
    json_array_append_new(list, die);
  }
  st_arena_free(scratch);
  return list;
}

json_t *st_report_json(const StBuild *b) {
  StTally t = st_tally(b->module, b->target);
  json_t *r = json_object();
  json_object_set_new(r, "kernels", kernels(b));
  json_object_set_new(r, "streams", streams(b));
  json_object_set_new(r, "converters", converters(b));
  json_object_set_new(r, "groups", groups(b));
  json_object_set_new(r, "dma", transfers(b));
  json_object_set_new(r, "resources",
                      json_pack("{s:o, s:o}", "used", st_report_cost(&t.used),
                                "available",
                                st_report_cost(&b->target->device)));
  json_object_set_new(r, "dies", dies(b));
  json_object_set_new(r, "intermediate_bytes",
                      json_pack("{s:I, s:I}", "unfused",
                                (json_int_t)t.unfused_bytes, "fused",
                                (json_int_t)t.fused_bytes));
  json_object_set_new(r, "fifo_bits", json_integer(t.fifo_bits));
  json_object_set_new(r, "target", text_of(b->target->name));
  json_object_set_new(r, "clock_mhz", json_real(b->target->clock_mhz));
  json_object_set(r, "quantisation",
                  json_object_get(b->info->v, "quantisation"));
  json_object_set(r, "kv", json_object_get(b->info->v, "kv"));
  json_object_set(r, "passes", json_object_get(b->info->v, "passes"));
  json_object_set(r, "seconds", json_object_get(b->info->v, "seconds"));
  return r;
}

static void print_share(const char *what, double used, double available,
                        const char *unit) {
  if (available > 0)
    printf("  %-22s %12.1f of %9.1f %-5s  %5.1f %%\n", what, used, available,
           unit, 100 * used / available);
}

static void print_count(const char *what, double used, double available) {
  if (available > 0)
    printf("  %-22s %12.0f of %9.0f        %5.1f %%\n", what, used, available,
           100 * used / available);
}

static double memory_kbyte(const StCost *c) {
  return (36.0 * c->bram36 + 288.0 * c->uram) * 1024 / 8e3;
}

static void print_passes(const json_t *passes, double all) {
  size_t i;
  const json_t *pass;
  printf("\n  %-22s %12.1f ms\n", "compile time", 1e3 * all);
  json_array_foreach(passes, i, pass) {
    const char *name = json_string_value(json_object_get(pass, "name"));
    double seconds = json_number_value(json_object_get(pass, "seconds"));
    printf("    %-20s %12.1f ms\n", name ? name : "?", 1e3 * seconds);
  }
}

static double percent(double used, double available) {
  return available > 0 ? 100 * used / available : 0;
}

static void print_dies(const StBuild *b) {
  const StTarget *t = b->target;
  if (t->dies == 1)
    return;
  StArena *scratch = st_arena_new();
  StCost *use = ST_NEW_N(scratch, StCost, t->dies);
  double *wires = ST_NEW_N(scratch, double, t->dies);
  st_dies_use(b->module, t, use, wires);
  printf("\n  %-10s %8s %8s %8s %8s %8s %16s\n", "share of", "LUT", "FF", "DSP",
         "BRAM36", "URAM", "wires to next");
  for (int d = 0; d < t->dies; d++) {
    const StCost *u = &use[d], *h = &t->die[d];
    printf("  die %-6d %6.1f %% %6.1f %% %6.1f %% %6.1f %% %6.1f %%", d,
           percent(u->lut, h->lut), percent(u->ff, h->ff),
           percent(u->dsp, h->dsp), percent(u->bram36, h->bram36),
           percent(u->uram, h->uram));
    if (d + 1 < t->dies)
      printf(" %6.0f, %5.1f %%", wires[d], percent(wires[d], t->die_wires));
    printf("\n");
  }
  st_arena_free(scratch);
}

static const char *info_text(const StBuild *b, const char *key) {
  const char *text = json_string_value(json_object_get(b->info->v, key));
  return text ? text : "?";
}

static void print_table(const StBuild *b) {
  StTally t = st_tally(b->module, b->target);
  const StCost *u = &t.used, *d = &b->target->device;
  printf("%s on %s at %g MHz\n\n", b->module->name, b->target->name,
         b->target->clock_mhz);
  printf("  weights %s, caches %s\n", info_text(b, "quantisation"),
         info_text(b, "kv"));
  printf("  %d kernels, %d streams, %d converters, %d loads, %d bundles of "
         "loads, %d stores\n\n",
         t.kernels, t.streams, t.converters, t.loads, t.bundles, t.stores);
  print_share("on-chip memory", memory_kbyte(u), memory_kbyte(d), "kbyte");
  printf("  %-22s %12lld bits\n", "FIFOs", (long long)t.fifo_bits);
  printf("  %-22s %12lld bits\n", "converters",
         8 * (long long)t.converter_bytes);
  print_share("intermediate memory", (double)t.fused_bytes / 1e3,
              (double)t.unfused_bytes / 1e3, "kbyte");
  printf("  %-22s %12.1f kbyte\n", "  saved by fusion",
         (double)(t.unfused_bytes - t.fused_bytes) / 1e3);
  print_count("LUT", u->lut, d->lut);
  print_count("FF", u->ff, d->ff);
  print_count("DSP", u->dsp, d->dsp);
  print_count("BRAM36", u->bram36, d->bram36);
  print_count("URAM", u->uram, d->uram);
  print_dies(b);
  print_passes(json_object_get(b->info->v, "passes"),
               json_number_value(json_object_get(b->info->v, "seconds")));
}

static int usage(const char *what) {
  fprintf(stderr, "streamtensor: %s\n", what);
  return ST_EXIT_USAGE;
}

static void print_json(const StBuild *b) {
  json_t *r = st_report_json(b);
  json_dumpf(r, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
  printf("\n");
  json_decref(r);
}

/* ---- what Yosys makes of it -------------------------------------------- */

static json_t *synth_json(const StSynthRow *row, int n) {
  json_t *list = json_array();
  for (int i = 0; i < n; i++)
    json_array_append_new(
        list, json_pack("{s:s, s:o, s:o, s:o}", "name", row[i].name, "id",
                        row[i].op ? json_integer(row[i].op->id) : json_null(),
                        "estimate", st_report_cost(&row[i].estimate), "synthesised",
                        st_report_cost(&row[i].found)));
  return list;
}

static void print_synth_row(const char *name, const StCost *x,
                            const StCost *y) {
  printf("  %-34.34s %8.0f %8.0f %8.0f %8.0f %7.1f %7.1f %6.1f %6.1f\n", name,
         x->lut, y->lut, x->ff, y->ff, x->dsp, y->dsp, x->bram36 + 8 * x->uram,
         y->bram36 + 8 * y->uram);
}

static bool print_synth(const StBuild *b, bool json, StDiag *diag) {
  int n;
  const StSynthRow *row = st_synth(b, &n, diag);
  if (row && json) {
    json_t *all = st_report_json(b);
    json_object_set_new(all, "synth", synth_json(row, n));
    json_dumpf(all, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    printf("\n");
    json_decref(all);
  } else if (row) {
    printf("  estimated, then as Yosys synthesises it\n\n"
           "  %-34s %8s %8s %8s %8s %7s %7s %6s %6s\n", "unit", "LUT", "",
           "FF", "", "DSP", "", "BRAM36", "");
    for (int i = 0; i < n; i++)
      print_synth_row(row[i].name, &row[i].estimate, &row[i].found);
  }
  return row != NULL;
}

int st_command_report(int argc, char **argv) {
  const char *build, *html = NULL;
  bool json = false, synth = false;
  int n;
  const StOption options[] = {
      {"--json", NULL, &json, "everything, as JSON", NULL},
      {"--html", &html, NULL,
       "a page: graph, timeline of a token, memory, resources", "FILE"},
      {"--synth", NULL, &synth,
       "what Yosys makes of every kernel, beside the estimate", NULL}};
  int used = st_options_parse(
      argc, argv, "report BUILD [--json | --html FILE] [--synth]",
      "What was built.", options, 3, &build, 1, 1, &n);
  if (used)
    return used == 1 ? 0 : used;
  if ((json || synth) && html)
    return usage("report takes --html FILE or the others, not both");
  StDiag *diag = st_diag_new(stderr);
  StBuild *b = st_build_open(build, false, diag);
  bool ok = b != NULL;
  if (b && html)
    ok = st_report_html(b, html, diag);
  else if (b && synth)
    ok = print_synth(b, json, diag);
  else if (b && json)
    print_json(b);
  else if (b)
    print_table(b);
  st_build_close(b);
  st_diag_free(diag);
  return ok ? 0 : 1;
}

/* Yosys' statistics are of every module without what is inside its instances:
 * they are added up along the hierarchy. */
#include "driver/synth.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "device/hls_client.h"
#include "driver/tally.h"
#include "emit/rtl/rtl.h"

/* What a primitive takes. Those that are not here and are no module take
 * nothing of these: carries, multiplexers behind LUTs, buffers, inverters that
 * go into LUTs. */
static const struct {
  const char *cell;
  StCost cost;
} primitives[] = {
    {"LUT1", {.lut = 1}},
    {"LUT2", {.lut = 1}},
    {"LUT3", {.lut = 1}},
    {"LUT4", {.lut = 1}},
    {"LUT5", {.lut = 1}},
    {"LUT6", {.lut = 1}},
    {"FDRE", {.ff = 1}},
    {"FDSE", {.ff = 1}},
    {"FDCE", {.ff = 1}},
    {"FDPE", {.ff = 1}},
    {"SRL16E", {.lut = 1}},
    {"SRLC32E", {.lut = 1}},
    {"RAM32X1D", {.lut = 2}},
    {"RAM64X1D", {.lut = 2}},
    {"RAM128X1D", {.lut = 4}},
    {"RAM32M", {.lut = 4}},
    {"RAM64M", {.lut = 4}},
    {"RAM32M16", {.lut = 8}},
    {"RAM64M8", {.lut = 8}},
    {"DSP48E1", {.dsp = 1}},
    {"DSP48E2", {.dsp = 1}},
    {"RAMB18E1", {.bram36 = 0.5}},
    {"RAMB18E2", {.bram36 = 0.5}},
    {"RAMB36E1", {.bram36 = 1}},
    {"RAMB36E2", {.bram36 = 1}},
    {"URAM288", {.uram = 1}},
    {"CCU2C", {.lut = 2}},
    {"TRELLIS_FF", {.ff = 1}},
    {"TRELLIS_DPR16X4", {.lut = 6}},
    {"MULT18X18D", {.dsp = 1}},
    {"DP16KD", {.bram36 = 0.5}},
    {"PDPW16KD", {.bram36 = 0.5}},
};

/* ---- statistics ------------------------------------------------------------
 */

typedef struct {
  const char *cell;
  double count;
} Line;

typedef struct {
  const char *name;
  ST_VEC(Line) line;
  bool known;
  StCost cost; /* with all that is inside */
} Module;

typedef struct {
  StArena *a;
  ST_VEC(Module) module;
} Stat;

static Module *find(Stat *s, const char *name) {
  for (int i = 0; i < s->module.n; i++)
    if (!strcmp(s->module.at[i].name, name))
      return &s->module.at[i];
  return NULL;
}

/* The cost of a module of the design; that of a primitive. */
static StCost cost_of(Stat *s, const char *name) {
  Module *m = find(s, name);
  for (size_t i = 0; !m && i < sizeof primitives / sizeof *primitives; i++)
    if (!strcmp(primitives[i].cell, name))
      return primitives[i].cost;
  if (!m)
    return (StCost){0};
  for (int i = 0; !m->known && i < m->line.n; i++)
    m->cost = st_cost_add(m->cost, st_cost_scale(cost_of(s, m->line.at[i].cell),
                                                 m->line.at[i].count));
  m->known = true;
  return m->cost;
}

/* "   LUT4   12" or "   12 LUT4": older and newer versions. */
static void add_line(Stat *s, Module *m, const char *line) {
  char first[1024], second[1024], rest;
  if (sscanf(line, "%1023s %1023s %c", first, second, &rest) != 2)
    return;
  bool old = isdigit((unsigned char)second[0]);
  if (!old && !isdigit((unsigned char)first[0]))
    return;
  Line l = {st_arena_strdup(s->a, old ? first : second),
            atof(old ? second : first)};
  st_vec_push(s->a, &m->line, l);
}

/* Sections begin with "=== module ===". */
static void read_stat(Stat *s, char *text) {
  Module *m = NULL;
  char *rest;
  for (char *line = strtok_r(text, "\n", &rest); line;
       line = strtok_r(NULL, "\n", &rest)) {
    char *end = strstr(line, " ===");
    if (strncmp(line, "=== ", 4) != 0 || !end || end <= line + 4) {
      if (m)
        add_line(s, m, line);
      continue;
    }
    *end = '\0';
    Module next = {.name = st_arena_strdup(s->a, line + 4)};
    bool whole = !strcmp(next.name, "design hierarchy");
    if (!whole)
      st_vec_push(s->a, &s->module, next);
    m = whole ? NULL : &s->module.at[s->module.n - 1];
  }
}

static bool read_report(const StBuild *b, Stat *s, StDiag *diag) {
  StArena *a = b->arena;
  const char *dir = st_rtl_synth(a, b->module, b->target,
                                 st_path_join(a, b->dir, "rtl"), diag);
  const char *path = dir ? st_path_join(a, dir, ST_RTL_STAT) : NULL;
  StMap map;
  if (!path || !st_map_open(&map, path, diag))
    return false;
  read_stat(s, st_arena_copy(a, map.data, map.size));
  st_map_close(&map);
  if (find(s, "accelerator"))
    return true;
  st_error(diag, (StLoc){path, 0, 0}, "nothing is said of the accelerator");
  st_note(diag, "delete the file to run Yosys again");
  return false;
}

/* ---- rows ------------------------------------------------------------------
 */

static StCost fifos(const StBuild *b) {
  StTally all = st_tally(b->module, b->target);
  StCost sum = all.used;
  for (int i = 0; i < b->module->op.n; i++) {
    const StOp *op = b->module->op.at[i];
    if (op->kind != ST_OP_ARG && op->kind != ST_OP_CONST)
      sum = st_cost_add(
          sum, st_cost_scale(st_target_op_cost(b->target, b->module, op), -1));
  }
  return sum;
}

const StSynthRow *st_synth(const StBuild *b, int *n, StDiag *diag) {
  StArena *a = b->arena;
  Stat s = {.a = a};
  if (!read_report(b, &s, diag))
    return NULL;
  StSynthRow *row = ST_NEW_N(a, StSynthRow, b->module->op.n + 2);
  StCost all = cost_of(&s, "accelerator"), rest = all;
  *n = 0;
  for (int i = 0; i < b->module->op.n; i++) {
    const StOp *op = b->module->op.at[i];
    const char *name = st_rtl_unit_name(a, op);
    if (!find(&s, name))
      continue;
    row[*n] =
        (StSynthRow){name, op, st_target_op_cost(b->target, b->module, op),
                     cost_of(&s, name)};
    rest = st_cost_add(rest, st_cost_scale(row[*n].found, -1));
    (*n)++;
  }
  row[(*n)++] = (StSynthRow){"fifos", NULL, fifos(b), rest};
  row[(*n)++] =
      (StSynthRow){"total", NULL, st_tally(b->module, b->target).used, all};
  return row;
}

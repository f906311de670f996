/* Reading target files: one table says which keys there are, of what type, in
 * which range and where they go; operators come on top, by the names of
 * ir/scalar.def. Unknown keys, missing keys and values out of range are
 * located errors.
 */
#include "target/target.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "target/toml.h"

/* F_DIES: a number, of which each die has its part, or one for each. */
typedef enum {
  F_STRING,
  F_INT,
  F_INT64,
  F_DOUBLE,
  F_STORAGE,
  F_DIES
} FieldType;

typedef struct {
  const char *section, *key;
  FieldType type;
  size_t offset;
  double min, max;
} Field;

#define AT(member) offsetof(StTarget, member)
static const Field fields[] = {
    {"", "name", F_STRING, AT(name), 0, 0},
    {"", "part", F_STRING, AT(part), 0, 0},
    {"", "clock_mhz", F_DOUBLE, AT(clock_mhz), 1, 1e4},
    {"", "dies", F_INT, AT(dies), 1, 64},
    {"", "budget", F_DOUBLE, AT(budget), 0.01, 1},
    {"", "synth", F_STRING, AT(synth), 0, 0},
    {"device", "lut", F_DIES, AT(device.lut), 1, 1e9},
    {"device", "ff", F_DIES, AT(device.ff), 1, 1e9},
    {"device", "dsp", F_DIES, AT(device.dsp), 0, 1e9},
    {"device", "bram36", F_DIES, AT(device.bram36), 0, 1e9},
    {"device", "uram", F_DIES, AT(device.uram), 0, 1e9},
    {"device", "die_wires", F_DOUBLE, AT(die_wires), 0, 1e9},
    {"device", "memory_die", F_INT, AT(memory_die), 0, 63},
    {"memory", "kind", F_STORAGE, AT(memory.kind), 0, 0},
    {"memory", "channels", F_INT, AT(memory.channels), 0, 4096},
    {"memory", "channel_mb", F_INT64, AT(memory.channel_mb), 0, 1e9},
    {"memory", "gbps", F_DOUBLE, AT(memory.gbps), 0, 1e6},
    {"memory", "efficiency", F_DOUBLE, AT(memory.efficiency), 0.01, 1},
    {"memory", "latency_ns", F_DOUBLE, AT(memory.latency_ns), 0, 1e6},
    {"memory", "port_bits", F_INT, AT(memory.port_bits), 8, 1 << 16},
    {"latency", "reg", F_INT, AT(latency.fifo[ST_MEM_REG]), 1, 64},
    {"latency", "srl", F_INT, AT(latency.fifo[ST_MEM_SRL]), 1, 64},
    {"latency", "lutram", F_INT, AT(latency.fifo[ST_MEM_LUTRAM]), 1, 64},
    {"latency", "bram", F_INT, AT(latency.fifo[ST_MEM_BRAM]), 1, 64},
    {"latency", "uram", F_INT, AT(latency.fifo[ST_MEM_URAM]), 1, 64},
    {"latency", "buffer", F_INT, AT(latency.buffer), 1, 64},
    {"latency", "fill", F_INT, AT(latency.fill), 0, 1e4},
    {"latency", "drain", F_INT, AT(latency.drain), 0, 1e4},
    {"latency", "fork", F_INT, AT(latency.fork), 0, 1e4},
    {"latency", "load", F_INT, AT(latency.load), 0, 1e4},
    {"latency", "store", F_INT, AT(latency.store), 0, 1e4},
    {"latency", "issue", F_INT, AT(latency.issue), 0, 1e4},
    {"fifo", "srl_bits", F_INT, AT(fifo.srl_bits), 0, 1024},
    {"fifo", "srl_depth", F_INT, AT(fifo.srl_depth), 0, 1 << 20},
    {"fifo", "lutram_bits", F_INT, AT(fifo.lutram_bits), 1, 1024},
    {"fifo", "lutram_depth", F_INT, AT(fifo.lutram_depth), 1, 1024},
    {"fifo", "lutram_max", F_INT64, AT(fifo.lutram_max), 0, 1e9},
    {"fifo", "uram_fill", F_DOUBLE, AT(fifo.uram_fill), 0, 1},
    {"fifo", "control_lut", F_DOUBLE, AT(fifo.control_lut), 0, 1e4},
    {"fifo", "control_ff", F_DOUBLE, AT(fifo.control_ff), 0, 1e4},
    {"dma", "lut", F_DOUBLE, AT(dma.lut), 0, 1e6},
    {"dma", "ff", F_DOUBLE, AT(dma.ff), 0, 1e6},
    {"dma", "bram36", F_DOUBLE, AT(dma.bram36), 0, 1e4},
    {"dot", "chain", F_INT, AT(dot.chain), 1, 127},
    {"dot", "latency", F_INT, AT(dot.latency), 1, 200},
    {"dot", "lut", F_DOUBLE, AT(dot.product.lut), 0, 1e4},
    {"dot", "ff", F_DOUBLE, AT(dot.product.ff), 0, 1e4},
    {"dot", "dsp", F_DOUBLE, AT(dot.product.dsp), 0, 100},
    {"dot", "soft_lut", F_DOUBLE, AT(dot.soft.lut), 0, 1e4},
    {"dot", "soft_ff", F_DOUBLE, AT(dot.soft.ff), 0, 1e4},
    {"pcie", "gbps", F_DOUBLE, AT(pcie.gbps), 1e-9, 1e6},
    {"pcie", "latency_us", F_DOUBLE, AT(pcie.latency_us), 0, 1e6},
    {"power", "static_w", F_DOUBLE, AT(power.static_w), 0, 1e4},
    {"power", "lut_uw", F_DOUBLE, AT(power.lut_uw), 0, 1e4},
    {"power", "ff_uw", F_DOUBLE, AT(power.ff_uw), 0, 1e4},
    {"power", "dsp_uw", F_DOUBLE, AT(power.dsp_uw), 0, 1e4},
    {"power", "bram36_uw", F_DOUBLE, AT(power.bram36_uw), 0, 1e4},
    {"power", "uram_uw", F_DOUBLE, AT(power.uram_uw), 0, 1e4},
    {"power", "memory_pj_bit", F_DOUBLE, AT(power.memory_pj_bit), 0, 1e4},
};
#undef AT
enum { NFIELDS = sizeof(fields) / sizeof(fields[0]) };

static const char *const storage_names[ST_STORAGE_COUNT] = {
    [ST_STORAGE_HBM] = "hbm",
    [ST_STORAGE_DDR] = "ddr",
    [ST_STORAGE_ONCHIP] = "onchip",
};
static const char *const class_names[ST_CLASS_COUNT] = {
    [ST_CLASS_F16] = "op.f16", [ST_CLASS_F32] = "op.f32",
    [ST_CLASS_I8] = "op.i8",   [ST_CLASS_I16] = "op.i16",
    [ST_CLASS_I32] = "op.i32", [ST_CLASS_I64] = "op.i64",
    [ST_CLASS_ANY] = "op.any",
};

typedef struct {
  StArena *arena;
  StTarget *t;
  StDiag *diag;
  const StTomlItem *item[NFIELDS]; /* NULL: not there */
  bool ok;
} Loader;

static void complain(Loader *l, const StTomlItem *item, const char *what) {
  st_error(l->diag, item->loc, "'%s' %s", item->key, what);
  l->ok = false;
}

static void set_string(Loader *l, const Field *f, const StTomlItem *item) {
  char *to = (char *)l->t + f->offset;
  if (item->kind != ST_TOML_STRING) {
    complain(l, item, "needs a string in double quotes");
    return;
  }
  if (f->type == F_STRING) {
    memcpy(to, &item->string, sizeof item->string);
    return;
  }
  for (int s = 0; s < ST_STORAGE_COUNT; s++)
    if (!strcmp(storage_names[s], item->string)) {
      l->t->memory.kind = (StStorage)s;
      return;
    }
  complain(l, item, "must be \"hbm\", \"ddr\" or \"onchip\"");
}

static void set_number(Loader *l, const Field *f, const StTomlItem *item) {
  char *to = (char *)l->t + f->offset;
  if (item->kind != ST_TOML_NUMBER) {
    complain(l, item, "needs a number");
    return;
  }
  double x = item->number[0];
  if (x < f->min || x > f->max) {
    st_error(l->diag, item->loc, "'%s' must lie between %g and %g", item->key,
             f->min, f->max);
    l->ok = false;
  } else if (f->type == F_DOUBLE) {
    memcpy(to, &x, sizeof x);
  } else if (x != floor(x)) {
    complain(l, item, "must be a whole number");
  } else if (f->type == F_INT) {
    int i = (int)x;
    memcpy(to, &i, sizeof i);
  } else {
    int64_t i = (int64_t)x;
    memcpy(to, &i, sizeof i);
  }
}

static void set_operator(Loader *l, int class, const StTomlItem *item) {
  int k = 0;
  while (k < ST_X_COUNT && strcmp(st_scalar_name((StScalarKind)k), item->key))
    k++;
  if (k == ST_X_COUNT) {
    complain(l, item, "is no scalar operation");
    return;
  }
  if (item->kind != ST_TOML_LIST || item->n != 4) {
    complain(l, item, "needs [latency, LUT, FF, DSP]");
    return;
  }
  const double *x = item->number;
  if (x[0] < 0 || x[0] > 1e4 || x[0] != floor(x[0]) || x[1] < 0 || x[2] < 0 ||
      x[3] < 0) {
    complain(l, item, "needs a whole latency and costs that are not negative");
    return;
  }
  l->t->has_op[class][k] = true;
  l->t->op[class][k] =
      (StOperator){(int)x[0], {.lut = x[1], .ff = x[2], .dsp = x[3]}};
}

static int find_field(const StTomlItem *item) {
  int f = 0;
  while (f < NFIELDS && (strcmp(fields[f].section, item->section) ||
                         strcmp(fields[f].key, item->key)))
    f++;
  return f;
}

static void set_item(Loader *l, const StTomlItem *item) {
  for (int c = 0; c < ST_CLASS_COUNT; c++)
    if (!strcmp(class_names[c], item->section)) {
      set_operator(l, c, item);
      return;
    }
  int f = find_field(item);
  if (f == NFIELDS) {
    st_error(l->diag, item->loc, "a target has no key '%s%s%s'", item->section,
             *item->section ? "." : "", item->key);
    l->ok = false;
    return;
  }
  l->item[f] = item;
  if (fields[f].type == F_STRING || fields[f].type == F_STORAGE)
    set_string(l, &fields[f], item);
  else if (fields[f].type != F_DIES)
    set_number(l, &fields[f], item);
}

static void set_share(Loader *l, const Field *f, const StTomlItem *item,
                      StCost *die) {
  int n = l->t->dies;
  bool parts = item->kind == ST_TOML_LIST;
  if (item->kind == ST_TOML_STRING || (parts && item->n != n)) {
    st_error(l->diag, item->loc,
             "'%s' needs a number, or a list of one for each of %d dies",
             item->key, n);
    l->ok = false;
    return;
  }
  double sum = 0;
  for (int d = 0; d < n; d++) {
    double x = parts ? item->number[d] : item->number[0] / n;
    memcpy((char *)&die[d] + (f->offset - offsetof(StTarget, device)), &x,
           sizeof x);
    sum += x;
    if (x < 0) {
      complain(l, item, "must not be negative");
      return;
    }
  }
  if (sum < f->min || sum > f->max) {
    st_error(l->diag, item->loc, "'%s' must lie between %g and %g in all",
             item->key, f->min, f->max);
    l->ok = false;
  }
  memcpy((char *)l->t + f->offset, &sum, sizeof sum);
}

static void set_dies(Loader *l, StLoc loc) {
  StCost *die = ST_NEW_N(l->arena, StCost, l->t->dies);
  for (int f = 0; f < NFIELDS; f++)
    if (fields[f].type == F_DIES)
      set_share(l, &fields[f], l->item[f], die);
  l->t->die = die;
  if (l->t->memory_die >= l->t->dies) {
    st_error(l->diag, loc, "'memory_die' is %d and there are %d dies",
             l->t->memory_die, l->t->dies);
    l->ok = false;
  }
}

static StClass next_class(StClass c) {
  switch (c) {
  case ST_CLASS_F16:
    return ST_CLASS_F32;
  case ST_CLASS_I8:
    return ST_CLASS_I16;
  case ST_CLASS_I16:
    return ST_CLASS_I32;
  case ST_CLASS_I32:
    return ST_CLASS_I64;
  case ST_CLASS_F32:
  case ST_CLASS_I64:
  case ST_CLASS_ANY:
  case ST_CLASS_COUNT:
    break;
  }
  return ST_CLASS_ANY;
}

/* Fill every class from the wider one, and refuse what no class has. */
static void complete_operators(Loader *l, StLoc loc) {
  static const StClass order[] = {ST_CLASS_I64, ST_CLASS_I32, ST_CLASS_I16,
                                  ST_CLASS_I8,  ST_CLASS_F32, ST_CLASS_F16};
  for (int k = 0; k < ST_X_COUNT; k++) {
    bool any = k == ST_X_ARG || k == ST_X_CONST; /* wires: no entry needed */
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
      StClass c = order[i], wider = next_class(c);
      if (!l->t->has_op[c][k] && l->t->has_op[wider][k]) {
        l->t->has_op[c][k] = true;
        l->t->op[c][k] = l->t->op[wider][k];
      }
      any |= l->t->has_op[c][k];
    }
    if (!any) {
      st_error(l->diag, loc, "no [op.*] section has the operator '%s'",
               st_scalar_name((StScalarKind)k));
      l->ok = false;
    }
  }
}

const StTarget *st_target_parse(StArena *arena, const char *file,
                                const char *text, size_t n, StDiag *diag) {
  StToml toml;
  StTarget *t = ST_NEW(arena, StTarget);
  Loader l = {.arena = arena, .t = t, .diag = diag, .ok = true};
  StLoc loc = {st_arena_strdup(arena, file), 1, 1};
  l.ok = st_toml_parse(arena, loc.file, text, n, &toml, diag);
  for (int i = 0; i < toml.n; i++)
    set_item(&l, &toml.at[i]);
  for (int f = 0; f < NFIELDS && l.ok; f++)
    if (!l.item[f]) {
      st_error(diag, loc, "the target lacks '%s' in [%s]", fields[f].key,
               *fields[f].section ? fields[f].section : "the beginning");
      l.ok = false;
    }
  if (l.ok)
    set_dies(&l, loc);
  if (l.ok)
    complete_operators(&l, loc);
  if (l.ok && (t->memory.kind == ST_STORAGE_ONCHIP) != !t->memory.channels) {
    st_error(diag, loc, "\"onchip\" has 0 memory channels, others at least 1");
    l.ok = false;
  }
  if (l.ok && t->memory.channels && st_target_channel_bits(t) < 1) {
    st_error(diag, loc, "a memory channel moves less than a bit a cycle");
    l.ok = false;
  }
  st_diag_add_source(diag, loc.file, NULL, 0); /* the arena may go first */
  if (!l.ok)
    return NULL;
  t->path = loc.file;
  t->latency.fifo[ST_MEM_AUTO] = t->latency.fifo[ST_MEM_REG];
  t->latency.fifo[ST_MEM_ROM] = t->latency.fifo[ST_MEM_BRAM];
  t->latency.fifo[ST_MEM_HBM] = st_target_memory_latency(t);
  return t;
}

/* ---- finding the file --------------------------------------------------- */

typedef ST_VEC(char *) Names;

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the target files in `dir`, sorted. */
static Names list_targets(StArena *arena, const char *dir) {
  Names v = {0};
  DIR *d = opendir(dir);
  if (!d)
    return v;
  for (const struct dirent *e; (e = readdir(d));) {
    size_t len = strlen(e->d_name);
    if (len > 5 && !strcmp(e->d_name + len - 5, ".toml")) {
      char *name = st_arena_printf(arena, "%.*s", (int)len - 5, e->d_name);
      st_vec_push(arena, &v, name);
    }
  }
  closedir(d);
  if (v.n)
    qsort(v.at, (size_t)v.n, sizeof v.at[0], by_name);
  return v;
}

/* The directory `targets` in `from` or the nearest directory above it that has
 * target files; NULL: none. */
static const char *search_up(StArena *arena, const char *from) {
  char *dir = st_arena_strdup(arena, from);
  for (;;) {
    char *found = st_arena_printf(arena, "%s/targets", dir);
    if (list_targets(arena, found).n)
      return found;
    char *slash = strrchr(dir, '/');
    if (!slash)
      return NULL;
    *slash = '\0';
  }
}

static const char *find_directory(StArena *arena) {
  const char *env = getenv("STREAMTENSOR_TARGETS");
  if (env && *env)
    return env;
  char path[PATH_MAX + 1];
  ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
  const char *found = NULL;
  if (n > 0) {
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    *slash = '\0';
    found = search_up(arena, path);
  }
  if (!found && getcwd(path, PATH_MAX))
    found = search_up(arena, path);
  return found;
}

const StTarget *st_target_load(StArena *arena, const char *name, StDiag *diag) {
  size_t len = strlen(name);
  const char *path = name;
  if (!strchr(name, '/') && (len < 5 || strcmp(name + len - 5, ".toml"))) {
    const char *dir = find_directory(arena);
    Names v = {0};
    if (dir)
      v = list_targets(arena, dir);
    if (!v.n) {
      st_error(diag, (StLoc){0}, "no target files in %s",
               dir ? dir : "a directory 'targets' above the program");
      st_note(diag, "set STREAMTENSOR_TARGETS to their directory or give the "
                    "path of a target file");
      return NULL;
    }
    path = st_arena_printf(arena, "%s/%s.toml", dir, name);
    if (access(path, F_OK)) {
      StStr known;
      st_str_init(&known);
      for (int i = 0; i < v.n; i++)
        st_str_printf(&known, "%s%s", i ? ", " : "", v.at[i]);
      st_error(diag, (StLoc){0}, "unknown target '%s'", name);
      st_note(diag, "known targets: %s", known.data);
      st_str_free(&known);
      return NULL;
    }
  }
  size_t n;
  const char *text = st_file_read(arena, path, &n, diag);
  return text ? st_target_parse(arena, path, text, n, diag) : NULL;
}

/* Writing and opening builds. */
#include "driver/build.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/str.h"
#include "driver/fit.h"
#include "driver/progress.h"

/* ---- compiling
 * ----------------------------------------------------------------- */

/* With the last, nothing is wider than one element. */
static const StAttempt attempts[] = {
    {1, 1, 0.94},    {1, 0.99, 0.92}, {1, 0.98, 0.92}, {1, 1, 0.88},
    {1, 0.97, 0.94}, {1, 0.94, 0.9},  {1, 0.87, 0.9},  {1, 0.75, 0.8},
    {2, 1, 0.85},    {4, 1, 0.85},    {16, 1, 0.85},   {1e12, 1, 0.85},
};

const StAttempt *st_build_attempt(int number) {
  int n = (int)(sizeof attempts / sizeof *attempts);
  return number < n ? &attempts[number] : NULL;
}

int st_build_next(int number, const char *resource) {
  bool memory = !strcmp(resource, "BRAM36") || !strcmp(resource, "URAM");
  const StAttempt *x = &attempts[number], *y;
  for (number++; !memory && (y = st_build_attempt(number)); number++)
    if (y->slack > x->slack || y->kernels < x->kernels)
      break;
  return number;
}

bool st_design_parse(const char *factors, const char *chunk, StDesign *d,
                     StDiag *diag) {
  char rest;
  if (factors) {
    double *f = d->factor;
    bool ok =
        sscanf(factors, "%lf,%lf,%lf%c", &f[0], &f[1], &f[2], &rest) == 3;
    for (int i = 0; i < 3; i++)
      ok = ok && f[i] >= 0.01 && f[i] <= 1e6;
    if (!ok) {
      st_error(diag, (StLoc){0}, "'%s' is not three factors", factors);
      st_note(diag, "give three numbers from 0.01 to 1e6, for example 1,1.4,2");
      return false;
    }
  }
  long long n;
  if (!chunk)
    return true;
  if (sscanf(chunk, "%lld%c", &n, &rest) == 1 && n >= 1 && n <= INT32_MAX) {
    d->chunk = n;
    return true;
  }
  st_error(diag, (StLoc){0}, "'%s' is not a number of tokens", chunk);
  st_note(diag, "--chunk takes a whole number, at most the package's chunk");
  return false;
}

bool st_design_check(const StDesign *d, const StPackage *p, StDiag *diag) {
  if (d->chunk <= p->sig.chunk)
    return true;
  st_error(diag, (StLoc){p->dir, 0, 0},
           "a step of %lld tokens is more than the package's %lld",
           (long long)d->chunk, (long long)p->sig.chunk);
  st_note(diag, "export the model with a larger --chunk");
  return false;
}

/* What is in which type. */
typedef struct {
  StScheme scheme;
  StKv kv;
} Schemes;

/* What passes make besides the module. */
typedef struct {
  StStr certificate;
  StQuantised quantised;
} Extras;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool put_file(StDirTx *tx, const char *name, const void *data, size_t n,
                     StDiag *diag) {
  return st_file_write(st_dirtx_path(tx, name), data, n, diag);
}

/* build.json */
static bool put_info(StDirTx *tx, const StCompileOptions *o, const StPackage *p,
                     const StTarget *t, StKv kv, const StCompileReport *r,
                     StDiag *diag) {
  char path[PATH_MAX];
  if (!realpath(p->dir, path))
    snprintf(path, sizeof path, "%s", p->dir);
  json_t *passes = json_array();
  for (int i = 0; i < r->npasses; i++)
    json_array_append_new(passes,
                          json_pack("{s:s, s:f}", "name", r->pass[i].name,
                                    "seconds", r->pass[i].seconds));
  json_t *info =
      json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:f, s:o}", "format",
                "streamtensor-build", "version", 1, "package", path, "target",
                t->name, "quantisation", o->quantisation, "kv", st_kv_name(kv), "kind",
                p->kind == ST_PACKAGE_CAUSAL_LM ? "causal-lm" : "module",
                "seconds", r->seconds, "passes", passes);
  char *text = json_dumps(info, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
  bool ok = put_file(tx, ST_BUILD_MARKER, text, strlen(text), diag);
  free(text);
  json_decref(info);
  return ok;
}

static bool copy_file(StDirTx *tx, const char *name, const char *path,
                      StDiag *diag) {
  StMap map;
  if (!st_map_open(&map, path, diag))
    return false;
  bool ok = put_file(tx, name, map.data, map.size, diag);
  st_map_close(&map);
  return ok;
}

static bool put_tokenizer(StDirTx *tx, const StPackage *p, StDiag *diag) {
  static const char *const name[] = {"tokenizer.json", "chat.json"};
  bool ok = true;
  for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
    char *path = st_path_join(p->arena, p->dir, name[i]);
    if (st_path_exists(path))
      ok &= copy_file(tx, name[i], path, diag);
  }
  return ok;
}

static bool put_weights(StDirTx *tx, const StPackage *p, const StModule *m,
                        const StQuantised *quantised, StDiag *diag) {
  return !quantised->n || !p->weights ||
         st_weights_write(st_dirtx_path(tx, ST_WEIGHTS_FILE), p, m, quantised,
                          diag);
}

static bool put_build(const StCompileOptions *o, const StPackage *p,
                      const StModule *m, const StTarget *t, StKv kv,
                      const Extras *extras, const StCompileReport *r,
                      StDiag *diag) {
  StDirTx *tx = st_dirtx_begin(o->build, ST_BUILD_MARKER, diag);
  if (!tx)
    return false;
  StStr text;
  st_str_init(&text);
  st_module_print(&text, m);
  bool ok = put_file(tx, "design.st", text.data, text.len, diag) &&
            put_file(tx, "certificate.txt", extras->certificate.data,
                     extras->certificate.len, diag) &&
            put_weights(tx, p, m, &extras->quantised, diag) &&
            copy_file(tx, "target.toml", t->path, diag) &&
            put_tokenizer(tx, p, diag) && put_info(tx, o, p, t, kv, r, diag);
  st_str_free(&text);
  if (ok)
    return st_dirtx_commit(tx);
  st_dirtx_abort(tx);
  return false;
}

/* The module of an attempt; NULL after an error. */
static StModule *compile_once(const StPackage *p, const StTarget *t,
                               Schemes s, const StAttempt *attempt,
                               const double *factor, Extras *extras,
                               StCompileReport *r, StProgress *progress,
                               StDiag *diag) {
  double start = now();
  st_progress_design(progress);
  StModule *m = st_import_linalg(&p->sig, p->text, diag);
  r->pass[0] = (StPassTime){"import", now() - start};
  r->npasses = 1;
  if (!m)
    return NULL;
  st_str_clear(&extras->certificate);
  extras->quantised = (StQuantised){0};
  StPassContext ctx = {.target = t,
                       .slack = attempt->slack,
                       .kernels = attempt->kernels,
                       .memory = attempt->memory,
                       .factor = {factor[0], factor[1], factor[2]},
                       .scheme = s.scheme,
                       .own = p->grid,
                       .kv = s.kv,
                       .diag = diag,
                       .certificate = &extras->certificate,
                       .quantised = &extras->quantised};
  StPipelineOptions options = {.before = st_progress_pass, .user = progress};
  int n = 0;
  bool ok = st_pipeline_run(m, &ctx, NULL, 0, &options, r->pass + 1, &n);
  r->npasses += n;
  if (ok)
    return m;
  st_module_free(m);
  return NULL;
}

/* The fastest design that fits, or the one with the given factors; NULL after
 * an error. */
static StModule *compile_fitting(const StPackage *p, const StTarget *t,
                                 Schemes schemes, const double *factor,
                                 Extras *extras, StCompileReport *r,
                                 StProgress *progress, StDiag *diag) {
  bool given = factor[0] > 0;
  const StAttempt *attempt;
  for (int i = 0; (attempt = st_build_attempt(i)) != NULL;) {
    StModule *m =
        compile_once(p, t, schemes, attempt, factor, extras, r, progress, diag);
    if (!m)
      return NULL;
    StShortage s = st_fit_shortage(m, t);
    if (!s.resource)
      return m;
    i = st_build_next(i, s.resource);
    const StAttempt *next = st_build_attempt(i);
    if (!next || (given && next->slack > attempt->slack)) {
      st_fit_refuse(m, t, &s, given, diag);
      i = INT_MAX;
    }
    st_module_free(m);
  }
  return NULL;
}

bool st_build_write(const StCompileOptions *o, StCompileReport *r,
                    StDiag *diag) {
  double start = now();
  *r = (StCompileReport){0};
  Schemes s;
  if (!st_scheme_parse(o->quantisation, &s.scheme, diag) ||
      !st_kv_parse(o->kv, &s.scheme, &s.kv, diag))
    return false;
  StPackage *p = st_package_open(o->package, diag);
  if (!p)
    return false;
  const StTarget *t = st_design_check(&o->design, p, diag)
                          ? st_target_load(p->arena, o->target, diag)
                          : NULL;
  if (o->design.chunk)
    p->sig.chunk = o->design.chunk;
  Extras extras = {0};
  st_str_init(&extras.certificate);
  StProgress progress;
  st_progress_start(&progress, o->progress);
  StModule *m = t ? compile_fitting(p, t, s, o->design.factor, &extras, r,
                                    &progress, diag)
                  : NULL;
  r->seconds = now() - start;
  bool ok = m && put_build(o, p, m, t, s.kv, &extras, r, diag);
  st_module_free(m);
  st_str_free(&extras.certificate);
  st_package_close(p);
  return ok;
}

/* ---- opening
 * ---------------------------------------------------------------------- */

bool st_build_file(const StBuild *b, const char *name, StMap *map,
                   StDiag *diag) {
  return st_map_open(map, st_path_join(b->arena, b->dir, name), diag);
}

/* Beats of an operation in a step: more take more than an hour in hardware, and
 * nothing that is compiled comes near. */
static const double most_beats = 1e13;

static double count_beats(const StModule *m, const StOp *op) {
  double n = 1;
  if (op->kind == ST_OP_KERNEL)
    for (int i = 0; i < op->u.nest.nloops; i++)
      n *= (double)st_sym_max(op->u.nest.loop[i].trip, m->ctx, m->chunk);
  for (int r = 0; r < op->nresults; r++) {
    const StItensor *o = op->result[r]->type.order;
    double tokens = 1;
    for (int i = 0; o && i < o->nloops; i++)
      tokens *= (double)st_sym_max(o->loop[i].trip, m->ctx, m->chunk);
    n = tokens > n ? tokens : n;
  }
  return n;
}

static bool check_dies(const StOp *op, const StTarget *t, const char *path,
                       StDiag *diag) {
  int most = op->die;
  for (int r = 0; r < op->nresults; r++)
    most = op->result[r]->die > most ? op->result[r]->die : most;
  if (most < t->dies)
    return true;
  st_error(diag, (StLoc){.file = path}, "%s #%d is on die %d, and %s has %d",
           st_op_name(op->kind), op->id, most, t->name, t->dies);
  st_note(diag, "the file is damaged; compile again");
  return false;
}

/* A design that was not damaged is of a size that the target can hold and
 * finish. */
static bool check_size(const StBuild *b, const char *path, StDiag *diag) {
  const StModule *m = b->module;
  for (int i = 0; i < m->op.n; i++)
    if (!check_dies(m->op.at[i], b->target, path, diag))
      return false;
  for (int i = 0; i < m->op.n; i++) {
    double n = count_beats(m, m->op.at[i]);
    if (n <= most_beats)
      continue;
    st_error(diag, (StLoc){.file = path},
             "%s #%d takes %.0f beats in a step, which is not sensible",
             st_op_name(m->op.at[i]->kind), m->op.at[i]->id, n);
    st_note(diag, "the file is damaged; compile again");
    return false;
  }
  return st_memory_check(m, b->target, (StLoc){.file = path}, diag);
}

static bool read_module(StBuild *b, StDiag *diag) {
  StMap map;
  if (!st_build_file(b, "design.st", &map, diag))
    return false;
  char *path = st_path_join(b->arena, b->dir, "design.st");
  b->module = st_module_parse(path, map.data, map.size, diag);
  st_map_close(&map);
  return b->module && st_module_verify(b->module, "reading the build", diag) &&
         check_size(b, path, diag);
}

static bool read_info(StBuild *b, bool with_package, StDiag *diag) {
  const char *package, *format;
  b->info = st_json_open(b->arena,
                         st_path_join(b->arena, b->dir, ST_BUILD_MARKER), diag);
  if (!b->info || !st_json_get_string(b->info, "format", &format) ||
      !st_json_get_string(b->info, "package", &package))
    return false;
  b->target = st_target_load(
      b->arena, st_path_join(b->arena, b->dir, "target.toml"), diag);
  if (!b->target || !with_package)
    return b->target != NULL;
  b->package = st_package_open(package, diag);
  if (!b->package)
    st_note(diag, "the build needs its package; compile it again if the "
                  "package was moved");
  return b->package != NULL;
}

static bool has_params(const StModule *m) {
  for (int i = 0; i < m->arg.n; i++)
    if (m->arg.at[i].role == ST_ROLE_PARAM)
      return true;
  return false;
}

static bool read_weights(StBuild *b, StDiag *diag) {
  const char *path = st_path_join(b->arena, b->dir, ST_WEIGHTS_FILE);
  if (st_path_exists(path)) {
    b->weights = st_safetensors_open(path, diag);
    if (!b->weights)
      return false;
  }
  if (!b->package->weights && has_params(b->module))
    return true;
  b->param = st_weights_bind(b->arena, b->module, b->weights, b->package, diag);
  return b->param != NULL;
}

StBuild *st_build_open(const char *dir, bool with_package, StDiag *diag) {
  StArena *a = st_arena_new();
  StBuild *b = ST_NEW(a, StBuild);
  b->arena = a;
  b->dir = st_arena_strdup(a, dir);
  bool ok = st_path_is_dir(dir);
  if (!ok) {
    st_error(diag, (StLoc){dir, 0, 0}, "there is no such build");
    st_note(diag, "make one: streamtensor compile PKG -o %s", dir);
  } else if (!st_path_exists(st_path_join(a, dir, ST_BUILD_MARKER))) {
    st_error(diag, (StLoc){dir, 0, 0},
             "the directory is not a build: it has "
             "no " ST_BUILD_MARKER);
    ok = false;
  }
  if (ok && read_info(b, with_package, diag) && read_module(b, diag) &&
      (!with_package || read_weights(b, diag)))
    return b;
  st_build_close(b);
  return NULL;
}

void st_build_close(StBuild *b) {
  if (!b)
    return;
  st_module_free(b->module);
  st_safetensors_close(b->weights);
  st_package_close(b->package);
  st_json_close(b->info);
  st_arena_free(b->arena);
}

/* The C interface: sessions on builds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "device/device.h"
#include "driver/build.h"
#include "driver/trace.h"
#include "streamtensor/streamtensor.h"

struct StSession {
  StBuild *build;
  StDiag *diag;
  StArena *arena;
  StMemoryImage *image;
  StDevice *device;
  int64_t position;
  StStep last;
  ST_VEC(StTraceStep) steps;
  int tokens_arg, logits_ret; /* -1: not a causal LM */
};

static void tell(const StDiag *diag, char *error, size_t size) {
  if (error && size)
    snprintf(error, size, "%s", st_diag_text(diag));
}

static bool open_device(StSession *s, const char *name) {
  StDeviceKind kind;
  if (!st_device_parse(name ? name : "sim", &kind)) {
    st_error(s->diag, (StLoc){0}, "there is no device '%s'", name);
    st_note(s->diag, "devices: sim, interp, hls, rtl, timing");
    return false;
  }
  const StModule *m = s->build->module;
  const StParam *param = s->build->param;
  if (!param && kind != ST_DEVICE_TIMING) {
    st_error(s->diag, (StLoc){s->build->package->dir, 0, 0},
             "the package has no weights");
    st_note(s->diag, "export it without --config-only, or with "
                     "--random-weights SEED");
    return false;
  }
  s->image = st_memory_new(s->arena, m);
  for (int i = 0; i < m->arg.n; i++)
    if (param && param[i].tensor)
      st_memory_bind(s->image, i, param[i].tensor->data);
  s->device = st_device_open(kind, m, s->build->target, s->image, param,
                             s->build->dir, s->diag);
  return s->device != NULL;
}

StSession *st_session_open(const char *build, const char *device, char *error,
                           size_t size) {
  StArena *a = st_arena_new();
  StSession *s = ST_NEW(a, StSession);
  s->arena = a;
  s->diag = st_diag_new(NULL);
  s->last = (StStep){-1, -1};
  s->build = st_build_open(build, true, s->diag);
  if (s->build && open_device(s, device)) {
    s->tokens_arg = st_package_arg(s->build->package, ST_ROLE_TOKENS);
    s->logits_ret = st_package_ret(s->build->package, ST_ROLE_LOGITS);
    return s;
  }
  tell(s->diag, error, size);
  st_session_close(s);
  return NULL;
}

void st_session_close(StSession *s) {
  if (!s)
    return;
  st_device_close(s->device);
  st_build_close(s->build);
  st_diag_free(s->diag);
  st_arena_free(s->arena);
}

int64_t st_session_vocab(const StSession *s) {
  return s->build->package->vocab;
}
int64_t st_session_context(const StSession *s) {
  return s->build->module->ctx;
}
int64_t st_session_chunk(const StSession *s) {
  return s->build->module->chunk;
}
int64_t st_session_bos(const StSession *s) { return s->build->package->bos; }
double st_session_clock_mhz(const StSession *s) {
  return s->build->target->clock_mhz;
}
double st_session_memory_peak(const StSession *s) {
  const StTarget *t = s->build->target;
  return 1e9 * t->memory.gbps * t->memory.channels;
}
int64_t st_session_eos(const StSession *s, int i) {
  const StPackage *p = s->build->package;
  return i >= 0 && i < p->neos ? p->eos[i] : -1;
}
int64_t st_session_position(const StSession *s) { return s->position; }
int64_t st_session_cycles(const StSession *s) { return s->last.cycles; }
int64_t st_session_bytes(const StSession *s) { return s->last.bytes; }

void st_session_reset(StSession *s) {
  s->position = 0;
  s->steps.n = 0;
  st_memory_reset(s->image);
}

static bool check_step(StSession *s, const int64_t *tokens, int n) {
  const StModule *m = s->build->module;
  if (s->tokens_arg < 0 || s->logits_ret < 0) {
    st_error(s->diag, (StLoc){0}, "the build is not a language model");
    st_note(s->diag, "use streamtensor run");
    return false;
  }
  if (n < 1 || n > m->chunk) {
    st_error(s->diag, (StLoc){0}, "a step takes 1 to %lld tokens, not %d",
             (long long)m->chunk, n);
    return false;
  }
  if (s->position + n > m->ctx) {
    st_error(s->diag, (StLoc){0},
             "the context is full: %lld tokens and %d more do not fit in %lld",
             (long long)s->position, n, (long long)m->ctx);
    st_note(s->diag, "export the model with a larger --ctx");
    return false;
  }
  for (int i = 0; i < n; i++)
    if (tokens[i] < 0 || tokens[i] >= s->build->package->vocab) {
      st_error(s->diag, (StLoc){0}, "token %lld is not in the vocabulary of "
                                    "%lld tokens",
               (long long)tokens[i], (long long)s->build->package->vocab);
      return false;
    }
  return true;
}

int st_session_step(StSession *s, const int64_t *tokens, int n, float *logits,
                    char *error, size_t size) {
  StDiag *old = s->diag;
  if (!check_step(s, tokens, n)) {
    tell(old, error, size);
    return 1;
  }
  memcpy(s->image->own[s->tokens_arg], tokens, (size_t)n * sizeof *tokens);
  if (!st_device_step(s->device, s->position, n, &s->last)) {
    tell(old, error, size);
    return 1;
  }
  st_vec_push(s->arena, &s->steps, ((StTraceStep){s->position, n}));
  s->position += n;
  memcpy(logits, s->image->ret[s->logits_ret],
         (size_t)s->build->package->vocab * sizeof *logits);
  return 0;
}

/* ---- any module ---------------------------------------------------------------------- */

static const char *shape_text(StArena *a, StDtype dtype, int rank,
                              const int64_t *shape) {
  StStr text;
  st_str_init(&text);
  st_str_printf(&text, "%s [", st_dtype_name(dtype));
  for (int d = 0; d < rank; d++)
    st_str_printf(&text, "%s%lld", d ? ", " : "", (long long)shape[d]);
  const char *s = st_arena_printf(a, "%s]", text.data);
  st_str_free(&text);
  return s;
}

static const int64_t *port_shape(StArena *a, const StPort *p) {
  int64_t *shape = ST_NEW_N(a, int64_t, p->rank + 1);
  for (int d = 0; d < p->rank; d++)
    shape[d] = p->shape[d].c;
  return shape;
}

static bool take_input(StSession *s, StArena *a, const StSafetensors *in,
                       int i) {
  const StPort *p = &s->build->module->arg.at[i];
  const StTensor *t = st_safetensors_find(in, p->name);
  StLoc at = {st_safetensors_path(in), 0, 0};
  const int64_t *shape = port_shape(a, p);
  const char *want = shape_text(a, p->dtype, p->rank, shape);
  if (!t) {
    st_error(s->diag, at, "there is no input '%s', %s", p->name, want);
    return false;
  }
  if (t->dtype != p->dtype || t->rank != p->rank ||
      memcmp(t->shape, shape, (size_t)p->rank * sizeof *shape) != 0) {
    st_error(s->diag, at, "input '%s' is %s; the module was exported with %s",
             p->name, shape_text(a, t->dtype, t->rank, t->shape),
             want);
    return false;
  }
  memcpy(s->image->own[i], t->data, (size_t)t->bytes);
  return true;
}

static bool put_results(StSession *s, StArena *a, const char *path) {
  const StModule *m = s->build->module;
  StTensor *t = ST_NEW_N(a, StTensor, m->ret.n + 1);
  for (int i = 0; i < m->ret.n; i++) {
    const StPort *p = &m->ret.at[i];
    t[i] = (StTensor){.name = p->name, .dtype = p->dtype, .rank = p->rank,
                      .shape = port_shape(a, p),
                      .data = s->image->ret[i],
                      .bytes = s->image->ret_bytes[i]};
  }
  return st_safetensors_write(path, t, m->ret.n, s->diag);
}

static bool run_once(StSession *s, StArena *a, const char *in,
                     const char *out) {
  if (s->build->module->chunk) {
    st_error(s->diag, (StLoc){s->build->dir, 0, 0},
             "the build is a language model");
    st_note(s->diag, "use streamtensor generate");
    return false;
  }
  StSafetensors *file = st_safetensors_open(in, s->diag);
  if (!file)
    return false;
  bool ok = true;
  for (int i = 0; i < s->build->module->arg.n; i++)
    if (s->build->module->arg.at[i].role != ST_ROLE_PARAM)
      ok &= take_input(s, a, file, i);
  st_safetensors_close(file);
  if (!ok || !st_device_step(s->device, 0, 1, &s->last))
    return false;
  s->steps.n = 0;
  st_vec_push(s->arena, &s->steps, ((StTraceStep){0, 1}));
  return put_results(s, a, out);
}

int st_session_run(StSession *s, const char *in, const char *out, char *error,
                   size_t size) {
  StArena *scratch = st_arena_new();
  bool ok = run_once(s, scratch, in, out);
  st_arena_free(scratch);
  if (ok)
    return 0;
  tell(s->diag, error, size);
  return 1;
}

int st_session_trace(StSession *s, const char *path, char *error,
                     size_t size) {
  if (st_trace_write(s->build, s->steps.at, s->steps.n, path, s->diag))
    return 0;
  tell(s->diag, error, size);
  return 1;
}

int st_compile(const char *package, const char *build, const char *target,
               const char *quantisation, const char *kv, char *error,
               size_t size) {
  StDiag *diag = st_diag_new(NULL);
  StCompileOptions o = {.package = package,
                        .build = build,
                        .target = target ? target : "u55c",
                        .quantisation = quantisation ? quantisation : "f32",
                        .kv = kv};
  StCompileReport r;
  bool ok = st_build_write(&o, &r, diag);
  if (!ok)
    tell(diag, error, size);
  st_diag_free(diag);
  return ok ? 0 : 1;
}

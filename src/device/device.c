/* Devices. */
#include "device/device.h"

#include <string.h>

#include "base/file.h"
#include "device/hls_client.h"
#include "interp/stream.h"
#include "sim/sim.h"

struct StDevice {
  StDeviceKind kind;
  StArena *arena;
  const StModule *m;
  StMemoryImage *image;
  StDiag *diag;
  StSim *sim;
  StStreamInterp *interp;
  /* hls */
  const char *dir;
  StHlsWeight *weight;
  int nweights;
  StHlsClient *client;
};

bool st_device_parse(const char *name, StDeviceKind *kind) {
  static const char *const names[ST_DEVICE_COUNT] = {"sim", "interp", "hls",
                                                      "rtl", "timing"};
  for (int i = 0; i < ST_DEVICE_COUNT; i++)
    if (!strcmp(names[i], name)) {
      *kind = (StDeviceKind)i;
      return true;
    }
  return false;
}

/* Where the parameters lie in their files. */
static void list_weights(StDevice *d, const StParam *param) {
  d->weight = ST_NEW_N(d->arena, StHlsWeight, d->m->arg.n + 1);
  for (int i = 0; i < d->m->arg.n; i++) {
    const StParam *p = &param[i];
    if (!p->tensor)
      continue;
    d->weight[d->nweights++] = (StHlsWeight){
        .arg = i, .path = st_safetensors_path(p->file),
        .offset = st_safetensors_offset(p->file, p->tensor),
        .bytes = p->tensor->bytes};
  }
}

StDevice *st_device_open(StDeviceKind kind, const StModule *m,
                         const StTarget *t, StMemoryImage *image,
                         const StParam *param, const char *dir,
                         StDiag *diag) {
  StArena *a = st_arena_new();
  StDevice *d = ST_NEW(a, StDevice);
  *d = (StDevice){.kind = kind, .arena = a, .m = m, .image = image,
                  .diag = diag};
  bool ok = false;
  if (kind == ST_DEVICE_SIM || kind == ST_DEVICE_TIMING) {
    d->sim = st_sim_new(m, t, diag);
    ok = d->sim != NULL;
  } else if (kind == ST_DEVICE_INTERP) {
    d->interp = st_stream_interp_new(a, m, diag);
    ok = d->interp != NULL;
  } else {
    list_weights(d, param);
    d->dir = kind == ST_DEVICE_RTL
                 ? st_rtl_build(a, m, t, st_path_join(a, dir, "rtl"), diag)
                 : st_hls_build(a, m, t, st_path_join(a, dir, "hls"), diag);
    if (d->dir)
      d->client = st_hls_client_start(d->dir, d->weight, d->nweights, diag);
    ok = d->client != NULL;
  }
  if (ok)
    return d;
  st_device_close(d);
  return NULL;
}

void st_device_close(StDevice *d) {
  if (!d)
    return;
  st_sim_free(d->sim);
  st_hls_client_stop(d->client);
  st_arena_free(d->arena);
}

static bool step_sim(StDevice *d, int64_t P, int64_t T, StStep *out) {
  const StSimResult *r;
  StMemoryImage *image = d->kind == ST_DEVICE_TIMING ? NULL : d->image;
  if (!st_sim_step(d->sim, image, P, T, &r))
    return false;
  out->cycles = r->cycles;
  out->bytes = 0;
  for (int c = 0; c <= r->nchannels; c++)
    out->bytes += r->read[c] + r->written[c];
  return true;
}

/* Bytes of a port in a step of T tokens after P. */
static int64_t step_bytes(const StPort *p, int64_t P, int64_t T) {
  int64_t n = (int64_t)st_dtype_bytes(p->dtype);
  for (int i = 0; i < p->rank; i++)
    n *= st_sym_eval(p->shape[i], P, T);
  return n;
}

static bool step_client(StDevice *d, int64_t P, int64_t T, StStep *step) {
  StHlsInput *in = ST_NEW_N(d->arena, StHlsInput, d->m->arg.n + 1);
  int nin = 0, nout;
  for (int i = 0; i < d->m->arg.n; i++) {
    const StPort *p = &d->m->arg.at[i];
    if (p->role == ST_ROLE_PARAM || p->role == ST_ROLE_CACHE)
      continue;
    in[nin++] = (StHlsInput){i, d->image->arg[i], step_bytes(p, P, T)};
  }
  const StHlsOutput *out;
  if (!st_hls_client_step(d->client, P, T, in, nin, &out, &nout, d->diag))
    return false;
  step->cycles = st_hls_client_cycles(d->client);
  for (int i = 0; i < nout; i++)
    memcpy(d->image->ret[out[i].ret], out[i].data, (size_t)out[i].bytes);
  return true;
}

bool st_device_step(StDevice *d, int64_t P, int64_t T, StStep *out) {
  *out = (StStep){-1, -1};
  switch (d->kind) {
  case ST_DEVICE_SIM:
  case ST_DEVICE_TIMING:
    return step_sim(d, P, T, out);
  case ST_DEVICE_INTERP:
    return st_stream_interp_step(d->interp, d->image, P, T);
  case ST_DEVICE_HLS:
  case ST_DEVICE_RTL:
    return step_client(d, P, T, out);
  case ST_DEVICE_COUNT:
    break;
  }
  return false;
}

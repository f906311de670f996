/* See hls_fixture.h. */
#include "hls_fixture.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/num.h"
#include "emit/hls/hls.h"
#include "scratch.h"
#include "sim_graph.h"

int set_up(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->arena = st_arena_new();
  f->diag = st_diag_new(stderr);
  f->target = st_target_load(f->arena, "targets/u55c.toml", f->diag);
  f->dir = scratch_make(f->arena);
  *state = f;
  return f->target ? 0 : 1;
}

int tear_down(void **state) {
  Fixture *f = *state;
  scratch_remove(f->dir);
  st_diag_free(f->diag);
  st_arena_free(f->arena);
  free(f);
  return 0;
}

/* ---- running ----------------------------------------------------------------
 */

void shell(StArena *a, const char *command) {
  int status = system(command);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fail_msg("%s", st_arena_printf(a, "failed: %s", command));
}

/* Emits and compiles; the directory. */
const char *build(Fixture *f, const StModule *m, const char *compiler) {
  const char *dir =
      st_arena_printf(f->arena, "%s/%s-%s", f->dir, m->name, compiler);
  assert_true(st_emit_hls(m, f->target, dir, f->diag));
  shell(f->arena,
        st_arena_printf(f->arena,
                        "make -s -C '%s' csim CXX=%s "
                        "CXXFLAGS='-O1 -Wextra -Werror -Wno-unused-parameter'",
                        dir, compiler));
  return dir;
}

static const char *vendor_headers(StArena *a) {
  glob_t found;
  const char *dir = getenv("STREAMTENSOR_HLS_HEADERS");
  if (dir)
    return dir;
  if (glob(".venv/lib/python3*/site-packages/hls4ml/templates/vivado/ap_types",
           0, NULL, &found) != 0)
    fail_msg("hls4ml is not in .venv: run scripts/setup.sh");
  dir = st_arena_strdup(a, found.gl_pathv[0]);
  globfree(&found);
  return dir;
}

const char *build_vendor(Fixture *f, const StModule *m, const char *compiler) {
  StArena *a = f->arena;
  const char *dir =
      st_arena_printf(a, "%s/%s-vendor-%s", f->dir, m->name, compiler);
  char *headers = realpath(vendor_headers(a), NULL);
  char *tasks = realpath("test/emit/vendor", NULL);
  assert_true(st_emit_hls(m, f->target, dir, f->diag));
  shell(a, st_arena_printf(
               a,
               "cd '%s' && mkdir build && %s -std=c++14 -O1 -Wall -Werror "
               "-Wno-unknown-pragmas -ffp-contract=off -DST_HLS_AP_INT "
               "-DST_NUM_SOFT "
               "-DHLS_STREAM_THREAD_SAFE -isystem '%s' -isystem '%s' -I. "
               "$(ls *.cpp | grep -v host.cpp) csim/*.cpp -lpthread -o "
               "build/csim-run",
               dir, compiler, headers, tasks));
  free(headers);
  free(tasks);
  return dir;
}

int64_t port_elements(const StPort *p, int64_t P, int64_t T) {
  int64_t n = 1;
  for (int i = 0; i < p->rank; i++)
    n *= st_sym_eval(p->shape[i], P, T);
  return n;
}

static bool comes_with_step(const StPort *p) {
  return p->role != ST_ROLE_PARAM && p->role != ST_ROLE_CACHE;
}

/* One step; data[k] is argument k. Result r in result[r]. */
void step(Fixture *f, StHlsClient *c, const StModule *m, int64_t P, int64_t T,
          const void *const *data, const void **result) {
  StHlsInput in[64];
  const StHlsOutput *out;
  int nin = 0, nout;
  for (int k = 0; k < m->arg.n; k++)
    if (comes_with_step(&m->arg.at[k]))
      in[nin++] = (StHlsInput){k, data[k],
                               port_elements(&m->arg.at[k], P, T) *
                                   st_dtype_bytes(m->arg.at[k].dtype)};
  assert_true(st_hls_client_step(c, P, T, in, nin, &out, &nout, f->diag));
  for (int i = 0; i < nout; i++) {
    const StPort *p = &m->ret.at[out[i].ret];
    assert_int_equal(out[i].bytes,
                     port_elements(p, P, T) * st_dtype_bytes(p->dtype));
    result[out[i].ret] = out[i].data;
  }
}

float *random_floats(StArena *a, uint64_t *seed, int64_t n) {
  float *x = ST_NEW_N(a, float, n + 1);
  for (int64_t i = 0; i < n; i++)
    x[i] = (float)graph_random(seed, 2001) / 1000.0f - 1.0f;
  return x;
}

const void **random_arguments(StArena *a, uint64_t *seed, const StModule *m) {
  const void **data = ST_NEW_N(a, const void *, m->arg.n + 1);
  for (int k = 0; k < m->arg.n; k++)
    data[k] =
        random_floats(a, seed, port_elements(&m->arg.at[k], m->ctx, m->chunk));
  return data;
}

void assert_bits(const float *x, const float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (st_num_bits(x[i]) != st_num_bits(y[i]))
      fail_msg("element %d: %a, expected %a", (int)i, (double)x[i],
               (double)y[i]);
}

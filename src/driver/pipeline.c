/* The one list of passes. HACKING.md explains each in a line. */
#include "driver/pipeline.h"

#include <string.h>
#include <time.h>

#include "base/str.h"

static const StPass passes[] = {
    {"simplify", "fold bodies, drop what reaches no result",
     st_pass_simplify},
    {"quantize", "products with weights in integers (-q)", st_pass_quantize},
    {"quantize-cache", "keys and values of earlier positions in 8 or 16 bits",
     st_pass_quantize_cache},
    {"factor-dims", "split dims until no view, slice or concat is left",
     st_pass_factor_dims},
    {"roll-layers", "one block of hardware for repeated layers",
     st_pass_roll_layers},
    {"fuse-elementwise", "inline parallel ops into their users' bodies",
     st_pass_fuse_elementwise},
    {"expand-repeat", "a block's iteration becomes a dim; split off gathers",
     st_pass_expand_repeat},
    {"tile", "loop order, lanes and interleaving of every op", st_pass_tile},
    {"stream", "kernels, streams, loads, stores, forks, converters",
     st_pass_stream},
    {"fuse-kernels", "groups of kernels under the on-chip memory limit",
     st_pass_fuse_kernels},
    {"bundle-loads", "parameters read over most channels at once",
     st_pass_bundle_loads},
    {"allocate", "channels, II and latency", st_pass_allocate},
    {"size-fifos", "depths by linear programming, with a certificate",
     st_pass_size_fifos},
    {"place", "a die for every op and FIFO", st_pass_place},
};

const StPass *st_pipeline_passes(int *n) {
  *n = (int)(sizeof passes / sizeof passes[0]);
  return passes;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool is_named(const char *const *names, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (!strcmp(names[i], name))
      return true;
  return names == NULL;
}

/* print, parse, print gives the same bytes. */
static bool check_round_trip(const StModule *m, const char *after,
                             StDiag *diag) {
  StStr first, second;
  st_str_init(&first);
  st_str_init(&second);
  st_module_print(&first, m);
  StModule *again = st_module_parse(after, first.data, first.len, diag);
  bool ok = again != NULL;
  if (ok) {
    st_module_print(&second, again);
    ok = first.len == second.len &&
         !memcmp(first.data, second.data, first.len);
    if (!ok)
      st_error(diag, (StLoc){0}, "the text after %s does not round-trip",
               after);
    st_module_free(again);
  }
  st_str_free(&first);
  st_str_free(&second);
  return ok;
}

static void print_module(const StModule *m, const char *after, FILE *to) {
  StStr text;
  st_str_init(&text);
  st_module_print(&text, m);
  fprintf(to, "// after %s\n", after);
  fwrite(text.data, 1, text.len, to);
  st_str_free(&text);
}

static bool run_one(StModule *m, const StPassContext *ctx, const StPass *pass,
                    const StPipelineOptions *o) {
  if (!pass->run(m, ctx))
    return false;
  const char *p = o->print_after;
  if (p && (!strcmp(p, "all") || !strcmp(p, pass->name)))
    print_module(m, pass->name, o->print_to);
  if (!st_module_verify(m, pass->name, ctx->diag))
    return false;
  return !o->round_trip || check_round_trip(m, pass->name, ctx->diag);
}

bool st_pipeline_run(StModule *m, const StPassContext *ctx,
                     const char *const *names, int nnames,
                     const StPipelineOptions *options, StPassTime *times,
                     int *ntimes) {
  int n, done = 0;
  const StPass *list = st_pipeline_passes(&n);
  bool ok = true;
  for (int i = 0; i < n && ok; i++) {
    if (!is_named(names, nnames, list[i].name))
      continue;
    double start = now();
    if (options->before)
      options->before(options->user, list[i].name);
    ok = run_one(m, ctx, &list[i], options);
    if (times)
      times[done++] = (StPassTime){list[i].name, now() - start};
    if (options->stop_after && !strcmp(options->stop_after, list[i].name))
      break;
  }
  if (ntimes)
    *ntimes = done;
  return ok;
}

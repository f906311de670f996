/* estimate: cycles and resources of designs. With --lines a process answers for
 * many: `explore` asks it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "driver/command.h"
#include "driver/estimate.h"

static json_t *cost_json(const StCost *c) {
  return json_pack("{s:f, s:f, s:f, s:f, s:f}", "lut", c->lut, "ff", c->ff,
                   "dsp", c->dsp, "bram36", c->bram36, "uram", c->uram);
}

static void print_json(json_t *j) {
  json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
  printf("\n");
  fflush(stdout);
  json_decref(j);
}

static void print_result(const StDesignResult *r) {
  print_json(json_pack("{s:b, s:f, s:f, s:f, s:o, s:[f, f, f]}", "fits", r->fits, "cycles",
                       r->cycles, "decode", r->decode, "prefill", r->prefill,
                       "used", cost_json(&r->used), "factors", r->factor[0],
                       r->factor[1], r->factor[2]));
}

static void print_package(const StEstimator *e) {
  const StTarget *t = st_estimator_target(e);
  print_json(json_pack("{s:I, s:I, s:s, s:f, s:f, s:o}", "ctx",
                       (json_int_t)st_estimator_context(e), "chunk",
                       (json_int_t)st_estimator_chunk(e), "target", t->name,
                       "clock_mhz", t->clock_mhz, "budget", t->budget,
                       "available", cost_json(&t->device)));
}

/* "W,C,R CHUNK HOW", with "-" for what is not given and HOW "estimated" or
 * "compiled". */
static bool answer(const StEstimator *e, char *line, const StWorkload *w,
                   StDiag *diag) {
  const char *factors = strtok(line, " \n"), *chunk = strtok(NULL, " \n");
  const char *how = strtok(NULL, " \n");
  StDesign d = {0};
  StDesignResult r;
  if (!how) {
    st_error(diag, (StLoc){0}, "a line has factors, a chunk, and how");
    st_note(diag, "for example: 1,1.4,2 16 estimated");
    return false;
  }
  bool ok = st_design_parse(strcmp(factors, "-") ? factors : NULL,
                            strcmp(chunk, "-") ? chunk : NULL, &d, diag) &&
            st_estimator_run(e, &d, w, !strcmp(how, "compiled"), &r, diag);
  if (ok)
    print_result(&r);
  return ok;
}

static bool answer_lines(const StEstimator *e, const StWorkload *w,
                         StDiag *diag) {
  char line[256];
  bool ok = true;
  print_package(e);
  while (ok && fgets(line, sizeof line, stdin))
    ok = answer(e, line, w, diag);
  return ok;
}

static bool parse_count(const char *text, const char *option, int64_t most,
                        int64_t *n, StDiag *diag) {
  char *end;
  long long got = strtoll(text, &end, 10);
  if (*text && !*end && got >= 0 && got <= most) {
    *n = got;
    return true;
  }
  st_error(diag, (StLoc){0}, "%s '%s' is not a number of tokens from 0 to %lld",
           option, text, (long long)most);
  st_note(diag, "prompt and tokens have to fit in the context");
  return false;
}

/* The workload fits the context. */
static bool set_workload(const StEstimator *e, const char *prompt,
                         const char *tokens, StWorkload *w, StDiag *diag) {
  int64_t ctx = st_estimator_context(e);
  int64_t most = ctx ? ctx : INT32_MAX, usual = ctx / 8 < 128 ? ctx / 8 : 128;
  *w = (StWorkload){usual, usual};
  return (!prompt || parse_count(prompt, "--prompt", most, &w->prompt, diag)) &&
         (!tokens || parse_count(tokens, "--tokens", most - w->prompt,
                                 &w->tokens, diag));
}

int st_command_estimate(int argc, char **argv) {
  const char *package, *target = "u55c", *scheme = "f32", *factors = NULL;
  const char *kv = NULL, *chunk = NULL, *prompt = NULL, *tokens = NULL;
  bool compiled = false, lines = false;
  int n;
  const StOption options[] = {
      {"-t", &target, NULL, "target (default u55c)", "TARGET"},
      {"-q", &scheme, NULL, "quantisation (default f32)", "Q"},
      {"--kv", &kv, NULL, "caches, as of compile", "KV"},
      {"--factors", &factors, NULL, "as of compile", "W,C,R"},
      {"--chunk", &chunk, NULL, "as of compile", "T"},
      {"--prompt", &prompt, NULL,
       "tokens read in chunks (default: an eighth of the context, at most 128)",
       "N"},
      {"--tokens", &tokens, NULL,
       "tokens made after them (default: as many)", "N"},
      {"--compiled", NULL, &compiled,
       "size FIFOs, place and simulate instead of estimating", NULL},
      {"--lines", NULL, &lines,
       "answer lines of standard input: W,C,R T estimated|compiled", NULL},
  };
  int used = st_options_parse(
      argc, argv, "estimate PKG [options]",
      "Print as JSON what a design would take.", options,
      sizeof options / sizeof *options, &package, 1, 1, &n);
  if (used)
    return used == 1 ? 0 : used;
  StDiag *diag = st_diag_new(stderr);
  StEstimator *e = st_estimator_open(package, target, scheme, kv, diag);
  StWorkload w;
  StDesign d = {0};
  StDesignResult r;
  bool ok = e && set_workload(e, prompt, tokens, &w, diag);
  if (ok && lines) {
    ok = answer_lines(e, &w, diag);
  } else if (ok) {
    ok = st_design_parse(factors, chunk, &d, diag) &&
         st_estimator_run(e, &d, &w, compiled, &r, diag);
    if (ok)
      print_result(&r);
  }
  st_estimator_close(e);
  st_diag_free(diag);
  return ok ? 0 : 1;
}

/* See estimate.h. */
#include "driver/estimate.h"

#include <string.h>

#include "base/str.h"
#include "driver/fit.h"
#include "driver/tally.h"
#include "import/package.h"
#include "sim/sim.h"
#include "solve/estimate.h"

/* The last pass that does not depend on the design. */
static const char shared_end[] = "expand-repeat";
/* The last that an estimate needs. */
static const char estimate_end[] = "allocate";

struct StEstimator {
  StPackage *package;
  const StTarget *target;
  StScheme scheme;
  StKv kv;
  StStr text; /* of the module after the shared passes */
  const char *rest[32]; /* passes */
  int nrest;
};

static StPassContext context_of(const StEstimator *e, StDiag *diag) {
  return (StPassContext){.target = e->target, .scheme = e->scheme,
                         .own = e->package->grid, .kv = e->kv, .diag = diag};
}

static bool run_shared(StEstimator *e, StDiag *diag) {
  StModule *m = st_import_linalg(&e->package->sig, e->package->text, diag);
  StPassContext ctx = context_of(e, diag);
  StPipelineOptions options = {.stop_after = shared_end};
  int n;
  const StPass *pass = st_pipeline_passes(&n);
  bool ok = m && st_pipeline_run(m, &ctx, NULL, 0, &options, NULL, NULL);
  if (ok)
    st_module_print(&e->text, m);
  st_module_free(m);
  int i = 0;
  while (strcmp(pass[i].name, shared_end))
    i++;
  while (++i < n)
    e->rest[e->nrest++] = pass[i].name;
  return ok;
}

StEstimator *st_estimator_open(const char *package, const char *target,
                               const char *quantisation, const char *kv,
                               StDiag *diag) {
  StPackage *p = st_package_open(package, diag);
  if (!p)
    return NULL;
  StEstimator *e = ST_NEW(p->arena, StEstimator);
  e->package = p;
  st_str_init(&e->text);
  if (st_scheme_parse(quantisation, &e->scheme, diag) &&
      st_kv_parse(kv, &e->scheme, &e->kv, diag) &&
      (e->target = st_target_load(p->arena, target, diag)) &&
      run_shared(e, diag))
    return e;
  st_estimator_close(e);
  return NULL;
}

void st_estimator_close(StEstimator *e) {
  if (!e)
    return;
  st_str_free(&e->text);
  st_package_close(e->package);
}

const StTarget *st_estimator_target(const StEstimator *e) { return e->target; }
int64_t st_estimator_chunk(const StEstimator *e) {
  return e->package->sig.chunk;
}
int64_t st_estimator_context(const StEstimator *e) {
  return e->package->sig.ctx;
}

/* ---- steps -------------------------------------------------------------- */

typedef struct {
  int64_t P, T, times;
} Step;

/* Steps of the workload, each kind at the middle of its range: cycles grow with
 * P in nearly a line. */
static int choose_steps(const StModule *m, const StWorkload *w, Step *step) {
  if (!m->ctx) {
    step[0] = (Step){0, 1, 1};
    return 1;
  }
  int n = 0;
  int64_t prefills = (w->prompt + m->chunk - 1) / m->chunk;
  int64_t T = w->prompt < m->chunk ? w->prompt : m->chunk;
  if (w->tokens > 0)
    step[n++] = (Step){w->prompt + (w->tokens - 1) / 2, 1, w->tokens};
  if (prefills > 0)
    step[n++] = (Step){(w->prompt - T) / 2, T, prefills};
  return n;
}

static void add_step(StDesignResult *r, const Step *s, int64_t cycles) {
  r->cycles += (double)s->times * (double)cycles;
  *(s->T == 1 ? &r->decode : &r->prefill) = (double)cycles;
}

static bool simulate(const StEstimator *e, const StModule *m, const Step *step,
                     int n, StDesignResult *r, StDiag *diag) {
  StSim *sim = st_sim_new(m, e->target, diag);
  bool ok = sim != NULL;
  for (int i = 0; i < n && ok; i++) {
    const StSimResult *out;
    ok = st_sim_step(sim, NULL, step[i].P, step[i].T, &out);
    if (ok)
      add_step(r, &step[i], out->cycles);
  }
  st_sim_free(sim);
  return ok;
}

/* ---- resources ---------------------------------------------------------- */

/* Of the budget; the control of FIFOs, and small ones, take the rest. */
static const double without_fifos = 0.95;

static bool is_within(StCost need, StCost have) {
  return need.lut <= have.lut && need.ff <= have.ff && need.dsp <= have.dsp &&
         need.bram36 <= have.bram36 && need.uram <= have.uram;
}

static void tally_ops(const StEstimator *e, const StModule *m,
                      StDesignResult *r) {
  for (int i = 0; i < m->op.n; i++)
    r->used = st_cost_add(r->used,
                          st_target_op_cost(e->target, m, m->op.at[i]));
  StCost have = st_cost_scale(e->target->device, e->target->budget);
  have.lut *= without_fifos;
  have.ff *= without_fifos;
  have.bram36 *= without_fifos;
  r->fits = is_within(r->used, have);
}

static void tally_all(const StEstimator *e, const StModule *m,
                      StDesignResult *r) {
  r->used = st_tally(m, e->target).used;
  r->lacks = st_fit_shortage(m, e->target).resource;
  r->fits = !r->lacks;
}

/* ---- one design --------------------------------------------------------- */

/* The module of a design; NULL after errors. */
static StModule *make(const StEstimator *e, const StDesign *d,
                      const StAttempt *attempt, bool compiled, double *chosen,
                      StDiag *diag) {
  StModule *m = st_module_parse("design", e->text.data, e->text.len, diag);
  if (!m)
    return NULL;
  StPassContext ctx = context_of(e, diag);
  ctx.slack = attempt->slack;
  ctx.kernels = attempt->kernels;
  ctx.memory = attempt->memory;
  ctx.chosen = chosen;
  memcpy(ctx.factor, d->factor, sizeof ctx.factor);
  if (d->chunk)
    m->chunk = d->chunk;
  StPipelineOptions options = {.stop_after = compiled ? NULL : estimate_end};
  if (st_pipeline_run(m, &ctx, e->rest, e->nrest, &options, NULL, NULL))
    return m;
  st_module_free(m);
  return NULL;
}

static bool estimate(const StEstimator *e, const StModule *m, const Step *step,
                     int n, StDesignResult *r) {
  for (int i = 0; i < n; i++)
    add_step(r, &step[i],
             st_estimate_cycles(m, e->target, step[i].P, step[i].T));
  return true;
}

bool st_estimator_run(const StEstimator *e, const StDesign *d,
                      const StWorkload *w, bool compiled, StDesignResult *r,
                      StDiag *diag) {
  *r = (StDesignResult){0};
  bool ok = st_design_check(d, e->package, diag), done = false;
  for (int i = 0; ok && !done;) {
    *r = (StDesignResult){0};
    const StAttempt *attempt = st_build_attempt(i);
    StModule *m = make(e, d, attempt, compiled, r->factor, diag);
    if (!m)
      return false;
    Step step[2];
    int n = choose_steps(m, w, step);
    (compiled ? tally_all : tally_ops)(e, m, r);
    i = st_build_next(i, r->lacks ? r->lacks : "");
    const StAttempt *next = st_build_attempt(i);
    done = r->fits || !next ||
           (d->factor[0] > 0 && next->slack > attempt->slack);
    if (done)
      ok = compiled ? simulate(e, m, step, n, r, diag)
                    : estimate(e, m, step, n, r);
    st_module_free(m);
  }
  return ok;
}

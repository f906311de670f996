/* See fit.h. */
#include "driver/fit.h"

#include <string.h>

#include "ir/itensor.h"
#include "target/dies.h"

enum { RESOURCES = 5 };
static const char *const names[RESOURCES] = {"LUT", "FF", "DSP", "BRAM36",
                                             "URAM"};
static const char wires_name[] = "wires";

static double part_of(const StCost *c, int resource) {
  const double all[RESOURCES] = {c->lut, c->ff, c->dsp, c->bram36, c->uram};
  return all[resource];
}

static double share_of(double need, double have) {
  return have > 0 ? need / have : need > 0 ? 1e9 : 0;
}

/* Takes a resource into account. */
static void consider(StShortage *s, const StTarget *t, double *most,
                     const char *name, double need, double have, int die) {
  if (share_of(need, have) <= *most)
    return;
  *most = share_of(need, have);
  *s = (StShortage){name, need, have * t->budget, die, NULL, 0};
}

/* What an op takes on a die, and the FIFOs there that it reads. */
static StCost taken_by(const StModule *m, const StTarget *t, const StOp *op,
                       int die) {
  StCost sum = {0};
  if (die < 0 || op->die == die)
    sum = st_target_op_cost(t, m, op);
  for (int k = 0; k < op->noperands; k++) {
    const StValue *v = op->operand[k];
    if (v->type.order && (die < 0 || v->die == die))
      sum = st_cost_add(sum,
                        st_target_fifo_cost(t, v->memory,
                                            st_type_token_bits(&v->type),
                                            v->depth));
  }
  return sum;
}

static void find_user(StShortage *s, const StModule *m, const StTarget *t) {
  for (int r = 0; r < RESOURCES; r++)
    for (int i = 0; i < m->op.n && s->resource == names[r]; i++) {
      StCost c = taken_by(m, t, m->op.at[i], s->die);
      if (part_of(&c, r) <= s->most)
        continue;
      s->most = part_of(&c, r);
      s->user = m->op.at[i];
    }
}

StShortage st_fit_shortage(const StModule *m, const StTarget *t) {
  StArena *scratch = st_arena_new();
  StCost *use = ST_NEW_N(scratch, StCost, t->dies), sum = {0};
  double *wires = ST_NEW_N(scratch, double, t->dies);
  double most = t->budget;
  StShortage s = {0};
  st_dies_use(m, t, use, wires);
  for (int d = 0; d < t->dies; d++)
    sum = st_cost_add(sum, use[d]);
  for (int r = 0; r < RESOURCES; r++)
    consider(&s, t, &most, names[r], part_of(&sum, r),
             part_of(&t->device, r), -1);
  bool each = t->dies > 1 && !s.resource;
  for (int d = 0; d < t->dies && each; d++) {
    for (int r = 0; r < RESOURCES; r++)
      consider(&s, t, &most, names[r], part_of(&use[d], r),
               part_of(&t->die[d], r), d);
    if (d + 1 < t->dies)
      consider(&s, t, &most, wires_name, wires[d], t->die_wires, d);
  }
  find_user(&s, m, t);
  st_arena_free(scratch);
  return s;
}

static const char *place_of(StArena *a, const StTarget *t,
                            const StShortage *s) {
  if (s->die < 0)
    return t->name;
  if (!strcmp(s->resource, wires_name))
    return st_arena_printf(a, "%s between die %d and die %d", t->name, s->die,
                           s->die + 1);
  return st_arena_printf(a, "die %d of %s", s->die, t->name);
}

void st_fit_refuse(const StModule *m, const StTarget *t, const StShortage *s,
                   bool given, StDiag *diag) {
  StArena *scratch = st_arena_new();
  st_error(diag, (StLoc){0},
           "the design does not fit %s: %.0f %s needed, %.0f within the budget "
           "of %.0f %%, with %s",
           place_of(scratch, t, s), s->need, s->resource, s->have,
           100 * t->budget,
           given ? "these factors" : "vectors of one element");
  if (s->user && s->user->loc.file)
    st_note(diag, "%.0f %s of these are for the %s from %s:%d", s->most,
            s->resource, st_op_name(s->user->kind), s->user->loc.file,
            s->user->loc.line);
  if (given)
    st_note(diag, "larger factors make smaller kernels; without --factors the "
                  "compiler finds some that fit");
  if (m->ctx)
    st_note(diag,
            "buffers grow with --ctx (now %lld) and --chunk (now %lld): export "
            "with smaller ones, or compile for a larger target (-t)",
            (long long)m->ctx, (long long)m->chunk);
  else
    st_note(diag, "compile for a larger target (-t)");
  st_arena_free(scratch);
}

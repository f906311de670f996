/* Writing and finding the parameters of a build. */
#include "driver/weights.h"

#include "quant/grid.h"

/* ---- writing ------------------------------------------------------------- */

static StTensor new_tensor(StArena *a, const StPort *p) {
  int64_t *shape = ST_NEW_N(a, int64_t, p->rank + 1);
  int64_t n = 1;
  for (int d = 0; d < p->rank; d++)
    n *= shape[d] = p->shape[d].c;
  StDtype dtype = p->dtype == ST_I4 ? ST_I8 : p->dtype; /* a byte a code */
  return (StTensor){.name = p->name,
                    .dtype = dtype,
                    .rank = p->rank,
                    .shape = shape,
                    .bytes = n * st_dtype_bytes(dtype)};
}

bool st_weights_write(const char *path, const StPackage *package,
                      const StModule *m, const StQuantised *quantised,
                      StDiag *diag) {
  StArena *a = st_arena_new();
  int n = 0;
  StTensor *all = ST_NEW_N(a, StTensor, 3 * quantised->n + 1);
  for (int i = 0; i < quantised->n; i++) {
    const StQuantTensor *t = &quantised->at[i];
    StTensor codes = new_tensor(a, &m->arg.at[t->codes]);
    StTensor scales = new_tensor(a, &m->arg.at[t->scales]);
    int8_t *to = st_arena_alloc(a, (size_t)codes.bytes);
    uint16_t *scale = st_arena_alloc(a, (size_t)scales.bytes);
    uint16_t *min = NULL;
    if (t->mins >= 0) {
      StTensor mins = new_tensor(a, &m->arg.at[t->mins]);
      mins.data = min = st_arena_alloc(a, (size_t)mins.bytes);
      all[n++] = mins;
    }
    st_grid_quantise(&t->grid, package->param[t->source]->data, to, scale, min);
    codes.data = to;
    scales.data = scale;
    all[n++] = codes;
    all[n++] = scales;
  }
  bool ok = st_safetensors_write(path, all, n, diag);
  st_arena_free(a);
  return ok;
}

/* ---- finding ---------------------------------------------------------------
 */

/* Codes of 4 bits lie in bytes. */
static bool has_type(const StTensor *t, const StPort *p) {
  StDtype dtype = p->dtype == ST_I4 ? ST_I8 : p->dtype;
  if (t->dtype != dtype || t->rank != p->rank)
    return false;
  for (int d = 0; d < t->rank; d++)
    if (!st_sym_eq(st_sym_const(t->shape[d]), p->shape[d]))
      return false;
  return true;
}

static bool is_code(const StTensor *t) {
  const int8_t *c = t->data;
  for (int64_t i = 0; i < t->bytes; i++)
    if (c[i] < -8 || c[i] > 7)
      return false;
  return true;
}

static bool bind_one(StParam *to, const StPort *p, const StSafetensors *own,
                     const StPackage *package, StDiag *diag) {
  const StSafetensors *files[] = {own, package->weights};
  for (int i = 0; i < 2 && !to->tensor; i++)
    if (files[i])
      *to = (StParam){st_safetensors_find(files[i], p->name), files[i]};
  StLoc at = {package->dir, 0, 0};
  const char *wrong = NULL;
  if (!to->tensor)
    wrong = "is in neither the build nor its package";
  else if (!has_type(to->tensor, p))
    wrong = "has another type or shape than the design";
  else if (p->dtype == ST_I4 && !is_code(to->tensor))
    wrong = "has codes beyond 4 bits";
  if (!wrong)
    return true;
  if (to->tensor)
    at.file = st_safetensors_path(to->file);
  st_error(diag, at, "parameter '%s' %s", p->name, wrong);
  st_note(diag, to->tensor && to->file == package->weights
                    ? "export the model again"
                    : "compile the package again");
  return false;
}

StParam *st_weights_bind(StArena *a, const StModule *m,
                         const StSafetensors *own, const StPackage *package,
                         StDiag *diag) {
  StParam *param = ST_NEW_N(a, StParam, m->arg.n + 1);
  bool ok = true;
  for (int i = 0; i < m->arg.n; i++)
    if (m->arg.at[i].role == ST_ROLE_PARAM)
      ok &= bind_one(&param[i], &m->arg.at[i], own, package, diag);
  return ok ? param : NULL;
}

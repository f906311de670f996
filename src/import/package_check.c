/* Checks of a package's declaration: in itself, and against its weights. */
#include "import/package_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const StJson *arg_at(const StJson *root, int i) {
  return st_json_item(st_json_find(root, "arguments"), i);
}

static const StJson *ret_at(const StJson *root, int i) {
  return st_json_item(st_json_find(root, "results"), i);
}

static const char *shape_text(StArena *a, int rank, const StSym *shape) {
  StStr s;
  char buf[ST_SYM_TEXT];
  st_str_init(&s);
  for (int i = 0; i < rank; i++)
    st_str_printf(&s, "%s%s", i ? ", " : "", st_sym_print(buf, shape[i]));
  char *text = st_arena_printf(a, "[%s]", s.data);
  st_str_free(&s);
  return text;
}

/* ---- ports ------------------------------------------------------------ */

typedef struct {
  const char *name;
  int index;
} Named;

static int by_name(const void *x, const void *y) {
  const Named *a = x, *b = y;
  int c = strcmp(a->name, b->name);
  return c ? c : a->index - b->index;
}

static bool check_names(const StPackage *p, const StJson *root) {
  StArena *a = st_arena_new();
  int n = p->sig.nargs;
  Named *named = ST_NEW_N(a, Named, n);
  for (int i = 0; i < n; i++)
    named[i] = (Named){p->sig.arg[i].name, i};
  if (n)
    qsort(named, (size_t)n, sizeof *named, by_name);
  bool ok = true;
  for (int i = 1; i < n; i++) {
    if (strcmp(named[i - 1].name, named[i].name))
      continue;
    st_json_error(arg_at(root, named[i].index),
                  "a second argument with the name \"%s\"", named[i].name);
    ok = false;
  }
  st_arena_free(a);
  return ok;
}

static int count(const StPort *port, int n, StRole role) {
  int found = 0;
  for (int i = 0; i < n; i++)
    found += port[i].role == role;
  return found;
}

/* How many arguments or results of a role a language model has. */
static bool check_roles(const StPackage *p, const StJson *root) {
  static const struct {
    StRole role;
    bool result;
    int least, most;
  } rules[] = {{ST_ROLE_TOKENS, false, 1, 1},
               {ST_ROLE_POSITION, false, 0, 1},
               {ST_ROLE_LOGITS, true, 1, 1}};
  bool ok = true;
  if (p->kind == ST_PACKAGE_MODULE)
    return true;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    bool result = rules[i].result;
    int n = count(result ? p->sig.ret : p->sig.arg,
                  result ? p->sig.nrets : p->sig.nargs, rules[i].role);
    if (n >= rules[i].least && n <= rules[i].most)
      continue;
    st_json_error(st_json_find(root, result ? "results" : "arguments"),
                  "%d with the role %s; a language model has one", n,
                  st_role_name(rules[i].role));
    ok = false;
  }
  return ok;
}

/* Rows are the cache's, T of them where the cache has P. */
static bool check_rows(const StPackage *p, const StJson *root, int i) {
  const StPort *rows = &p->sig.ret[i], *cache = &p->sig.arg[rows->cache];
  bool ok = rows->rank == cache->rank && rows->dtype == cache->dtype;
  for (int d = 0; ok && d < rows->rank; d++) {
    bool context = d == rows->axis;
    ok = context ? st_sym_eq(rows->shape[d], (StSym){.t = 1}) &&
                       st_sym_eq(cache->shape[d], (StSym){.p = 1})
                 : st_sym_eq(rows->shape[d], cache->shape[d]);
  }
  if (!ok)
    st_json_error(ret_at(root, i),
                  "rows %s %s do not extend the cache %s %s along dim %d, "
                  "where they must have T and the cache P",
                  st_dtype_name(rows->dtype),
                  shape_text(p->arena, rows->rank, rows->shape),
                  st_dtype_name(cache->dtype),
                  shape_text(p->arena, cache->rank, cache->shape), rows->axis);
  return ok;
}

static bool check_caches(const StPackage *p, const StJson *root) {
  int *extended = ST_NEW_N(p->arena, int, p->sig.nargs);
  bool ok = true;
  for (int i = 0; i < p->sig.nrets; i++) {
    if (p->sig.ret[i].role != ST_ROLE_CACHE_ROWS)
      continue;
    extended[p->sig.ret[i].cache]++;
    ok &= check_rows(p, root, i);
  }
  for (int i = 0; i < p->sig.nargs; i++) {
    if (p->sig.arg[i].role != ST_ROLE_CACHE || extended[i] == 1)
      continue;
    st_json_error(arg_at(root, i),
                  "%d results extend this cache; there must be one",
                  extended[i]);
    ok = false;
  }
  return ok;
}

static bool check_params(const StPackage *p, const StJson *root) {
  bool ok = true;
  for (int i = 0; i < p->sig.nargs; i++) {
    const StPort *arg = &p->sig.arg[i];
    bool fixed = true;
    for (int d = 0; d < arg->rank; d++)
      fixed &= st_sym_is_const(arg->shape[d]);
    if (arg->role != ST_ROLE_PARAM || fixed)
      continue;
    st_json_error(arg_at(root, i),
                  "the shape %s of a parameter must not depend on P and T",
                  shape_text(p->arena, arg->rank, arg->shape));
    ok = false;
  }
  return ok;
}

bool st_package_check_ports(const StPackage *p, const StJson *root) {
  bool ok = check_names(p, root);
  ok &= check_roles(p, root);
  ok &= check_caches(p, root);
  return check_params(p, root) && ok;
}

/* ---- weights ---------------------------------------------------------- */

static bool same_shape(const StPort *arg, const StTensor *t) {
  if (arg->rank != t->rank)
    return false;
  for (int d = 0; d < t->rank; d++)
    if (arg->shape[d].c != t->shape[d])
      return false;
  return true;
}

/* What is wrong with the tensor of an argument; NULL: nothing. */
static const char *mismatch(const StPackage *p, const StPort *arg,
                            const StTensor *t) {
  StArena *a = p->arena;
  const char *want = st_arena_printf(a, "%s %s", st_dtype_name(arg->dtype),
                                     shape_text(a, arg->rank, arg->shape));
  if (!t)
    return st_arena_printf(a, "tensor '%s' (%s) is missing", arg->name, want);
  if (arg->dtype == t->dtype && same_shape(arg, t))
    return NULL;
  return st_arena_printf(a, "tensor '%s' is %s %s, but the model takes %s",
                         arg->name, st_dtype_name(t->dtype),
                         st_shape_text(a, t->rank, t->shape), want);
}

/* Says that a tensor of the weights is not what an argument needs. */
static void refuse_tensor(const StPackage *p, const StJson *root, int arg,
                          const char *wrong, StDiag *diag) {
  StLoc at = st_json_loc(arg_at(root, arg));
  st_error(diag, (StLoc){.file = st_safetensors_path(p->weights)}, "%s", wrong);
  st_note(diag,
          "%s:%d declares it; export the model again, together with its "
          "weights",
          at.file, at.line);
}

/* A tensor of the grid of an argument is there with its type: codes if
 * `elements`, else one number a group. */
static bool check_grid_tensor(StPackage *p, const StJson *root, int arg,
                              const char *what, bool elements, StDiag *diag) {
  const StGrid *g = &p->grid[arg];
  StSym *shape = ST_NEW_N(p->arena, StSym, g->rank + 2);
  StPort port = {.dtype = elements ? ST_I8 : ST_F16, .shape = shape};
  port.name = st_arena_printf(p->arena, "%s.%s", p->sig.arg[arg].name, what);
  for (int d = 0; d < g->rank; d++)
    if (d != g->axis)
      shape[port.rank++] = st_sym_const(g->shape[d]);
  shape[port.rank++] = st_sym_const(g->shape[g->axis] / g->group);
  if (elements)
    shape[port.rank++] = st_sym_const(g->group);
  const char *wrong =
      mismatch(p, &port, st_safetensors_find(p->weights, port.name));
  if (wrong)
    refuse_tensor(p, root, arg, wrong, diag);
  return !wrong;
}

static bool check_grid(StPackage *p, const StJson *root, int arg,
                       StDiag *diag) {
  const StGrid *g = &p->grid[arg];
  bool ok = true;
  if (g->bits) {
    ok &= check_grid_tensor(p, root, arg, "codes", true, diag);
    ok &= check_grid_tensor(p, root, arg, "scales", false, diag);
  }
  if (g->mins)
    ok &= check_grid_tensor(p, root, arg, "mins", false, diag);
  return ok;
}

bool st_package_check_weights(StPackage *p, const StJson *root, StDiag *diag) {
  bool ok = true;
  for (int i = 0; i < p->sig.nargs; i++) {
    const StPort *arg = &p->sig.arg[i];
    if (arg->role != ST_ROLE_PARAM)
      continue;
    const StTensor *t = st_safetensors_find(p->weights, arg->name);
    const char *wrong = mismatch(p, arg, t);
    p->param[i] = t;
    if (wrong)
      refuse_tensor(p, root, i, wrong, diag);
    ok &= !wrong && check_grid(p, root, i, diag);
  }
  return ok;
}

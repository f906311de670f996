/* Reads model.json: every key that is used is checked, unknown ones are left
 * to later versions of the exporter. */
#include "import/package.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "import/package_check.h"
#include "quant/scheme.h"

enum { VERSION = 1 };

static const int64_t most_ctx = INT64_C(1) << 24;

typedef struct {
  StPackage *p;
  StDiag *diag;
  const StJson *root;
  StPort *arg; /* p->sig.arg */
  bool ok;
} Reader;

/* ---- types ------------------------------------------------------------ */

static bool read_dtype(const StJson *v, StDtype *out) {
  const char *name;
  if (!st_json_string(v, &name))
    return false;
  if (st_dtype_parse(name, strlen(name), out))
    return true;
  st_json_error(v,
                "\"%s\" is not an element type (f32, f16, bf16, f64, i1, "
                "i4, i8, i16, i32, i64)",
                name);
  return false;
}

static bool read_extent(const Reader *r, const StJson *v, StSym *out) {
  const char *text;
  int64_t n;
  if (json_is_integer(v->v)) {
    if (!st_json_int(v, 0, INT64_C(1) << 40, &n))
      return false;
    *out = st_sym_const(n);
    return true;
  }
  if (!st_json_string(v, &text))
    return false;
  if (!*text || st_sym_parse(text, strlen(text), out) != strlen(text)) {
    st_json_error(v,
                  "\"%s\" is not an extent: a number, or a sum of numbers, "
                  "P and T such as \"P+T\"",
                  text);
    return false;
  }
  const StSignature *s = &r->p->sig;
  if (s->ctx == 0 && !st_sym_is_const(*out)) {
    st_json_error(v,
                  "\"%s\" needs \"ctx\" and \"chunk\", the maxima of P + T "
                  "and of T",
                  text);
    return false;
  }
  if (st_sym_min(*out, s->ctx, s->chunk) < 0 ||
      st_sym_max(*out, s->ctx, s->chunk) > INT64_C(1) << 40) {
    st_json_error(v, "the extent \"%s\" is negative or too large for some step",
                  text);
    return false;
  }
  return true;
}

static bool read_shape(const Reader *r, const StJson *v, StPort *port) {
  if (!st_json_array(v))
    return false;
  port->rank = st_json_count(v);
  if (port->rank > ST_TENSOR_MAX_RANK) {
    st_json_error(v, "more than %d dimensions", ST_TENSOR_MAX_RANK);
    return false;
  }
  port->shape = ST_NEW_N(r->p->arena, StSym, port->rank);
  bool ok = true;
  for (int i = 0; i < port->rank; i++)
    ok &= read_extent(r, st_json_item(v, i), &port->shape[i]);
  return ok;
}

/* ---- arguments and results -------------------------------------------- */

static bool read_role(const StJson *v, bool result, StRole *out) {
  const char *name;
  if (!st_json_string(v, &name))
    return false;
  for (int k = 0; k < ST_ROLE_COUNT; k++) {
    if ((k >= ST_ROLE_LOGITS) == result &&
        !strcmp(name, st_role_name((StRole)k))) {
      *out = (StRole)k;
      return true;
    }
  }
  st_json_error(v, "\"%s\" is not the role of %s", name,
                result ? "a result (logits, output, cache-rows)"
                       : "an argument (param, input, position, tokens, cache)");
  return false;
}

static bool read_port(const Reader *r, const StJson *v, bool result,
                      StPort *port) {
  *port = (StPort){.cache = -1, .axis = -1};
  if (!st_json_object(v))
    return false;
  bool ok = st_json_get_string(v, "name", &port->name);
  ok &= read_role(st_json_need(v, "role"), result, &port->role);
  ok &= read_dtype(st_json_need(v, "dtype"), &port->dtype);
  ok &= read_shape(r, st_json_need(v, "shape"), port);
  if (ok)
    port->name = st_arena_strdup(r->p->arena, port->name);
  return ok;
}

/* The cache that rows extend, by name or by number, and along which dim. */
static bool read_rows(const Reader *r, const StJson *v, StPort *port) {
  const StJson *which = st_json_need(v, "argument");
  const StSignature *s = &r->p->sig;
  const char *name = NULL;
  int64_t at = -1, axis;
  if (!which)
    return false;
  if (json_is_string(which->v)) {
    st_json_string(which, &name);
    for (int i = 0; i < s->nargs; i++)
      if (s->arg[i].name && !strcmp(s->arg[i].name, name))
        at = i;
  } else if (!st_json_int(which, 0, s->nargs - 1, &at)) {
    return false;
  }
  if (at < 0 || s->arg[at].role != ST_ROLE_CACHE) {
    st_json_error(which, "this is not an argument with the role cache");
    return false;
  }
  port->cache = (int)at;
  if (!st_json_get_int(v, "axis", 0, port->rank - 1, &axis))
    return false;
  port->axis = r->arg[at].axis = (int)axis;
  return true;
}

/* The grid of a parameter: {"bits", "group", "axis", "mins"}. */
static bool read_grid(const Reader *r, const StJson *v, const StPort *port,
                      StGrid *grid) {
  const StJson *at = st_json_find(v, "grid");
  int64_t bits, axis, group;
  if (!at)
    return true;
  int64_t *shape = ST_NEW_N(r->p->arena, int64_t, port->rank + 1);
  if (port->role != ST_ROLE_PARAM || port->dtype != ST_F32 || !port->rank) {
    st_json_error(at, "only parameters in f32 lie on a grid");
    return false;
  }
  if (!st_json_get_int(at, "bits", 4, 8, &bits) ||
      !st_json_get_int(at, "axis", 0, port->rank - 1, &axis) ||
      !st_json_get_int(at, "group", 1, ST_GROUP_MAX, &group) ||
      !st_json_get_bool(at, "mins", &grid->mins))
    return false;
  for (int i = 0; i < port->rank; i++)
    shape[i] = port->shape[i].c;
  if ((bits != 4 && bits != 8) || shape[axis] % group) {
    st_json_error(at,
                  "codes have 4 or 8 bits, and a group divides the %" PRId64
                  " elements along its axis",
                  shape[axis]);
    return false;
  }
  *grid = (StGrid){port->rank, shape, (int)axis, group, (int)bits, grid->mins};
  return true;
}

static bool read_grids(const Reader *r) {
  const StSignature *s = &r->p->sig;
  const StJson *list = st_json_find(r->root, "arguments");
  bool ok = true;
  for (int i = 0; i < s->nargs; i++)
    ok &= read_grid(r, st_json_item(list, i), &s->arg[i], &r->p->grid[i]);
  return ok;
}

static StPort *read_ports(Reader *r, const char *key, bool result, int *n) {
  const StJson *list = st_json_need(r->root, key);
  *n = 0;
  if (!st_json_array(list)) {
    r->ok = false;
    return NULL;
  }
  *n = st_json_count(list);
  StPort *port = ST_NEW_N(r->p->arena, StPort, *n);
  for (int i = 0; i < *n; i++) {
    const StJson *v = st_json_item(list, i);
    bool ok = read_port(r, v, result, &port[i]);
    if (ok && port[i].role == ST_ROLE_CACHE_ROWS)
      ok = read_rows(r, v, &port[i]);
    r->ok &= ok;
  }
  return port;
}

/* ---- the whole -------------------------------------------------------- */

static bool read_version(const Reader *r) {
  const char *format;
  int64_t version;
  const StJson *v = st_json_need(r->root, "version");
  if (!st_json_get_string(r->root, "format", &format))
    return false;
  if (strcmp(format, "streamtensor-package")) {
    st_json_error(st_json_find(r->root, "format"),
                  "\"%s\" is not the format \"streamtensor-package\"", format);
    return false;
  }
  if (!st_json_int(v, 1, INT32_MAX, &version))
    return false;
  if (version != VERSION) {
    st_json_error(v, "version %" PRId64 " of packages is not known, only %d",
                  version, VERSION);
    st_note(r->diag, "export the model again with this version");
    return false;
  }
  return true;
}

static bool read_kind(const Reader *r) {
  const char *kind;
  if (!st_json_get_string(r->root, "kind", &kind))
    return false;
  bool lm = !strcmp(kind, "causal-lm");
  if (!lm && strcmp(kind, "module")) {
    st_json_error(st_json_find(r->root, "kind"),
                  "\"%s\" is neither \"causal-lm\" nor \"module\"", kind);
    return false;
  }
  r->p->kind = lm ? ST_PACKAGE_CAUSAL_LM : ST_PACKAGE_MODULE;
  return true;
}

/* ctx and chunk, with which the symbols' own maxima must agree. */
static bool read_symbols(const Reader *r) {
  StSignature *s = &r->p->sig;
  const StJson *ctx = st_json_find(r->root, "ctx");
  const StJson *chunk = st_json_find(r->root, "chunk");
  if (!ctx && !chunk && r->p->kind == ST_PACKAGE_MODULE)
    return true;
  if (!st_json_get_int(r->root, "ctx", 0, most_ctx, &s->ctx) ||
      !st_json_get_int(r->root, "chunk", s->ctx > 0, s->ctx, &s->chunk))
    return false;
  const StJson *t = st_json_find(st_json_find(r->root, "symbols"), "T");
  int64_t max;
  if (!t || s->ctx == 0)
    return true;
  if (!st_json_get_int(t, "max", 1, most_ctx, &max))
    return false;
  if (max != s->chunk)
    st_json_error(t, "its maximum is %" PRId64 ", but \"chunk\" is %" PRId64,
                  max, s->chunk);
  return max == s->chunk;
}

/* Configurations often name tokens that the vocabulary does not have: those
 * never occur. */
static bool add_eos(const Reader *r, const StJson *v) {
  int64_t token;
  if (!st_json_int(v, INT64_MIN, INT64_MAX, &token))
    return false;
  if (token >= 0 && token < r->p->vocab)
    r->p->eos[r->p->neos++] = token;
  return true;
}

/* "eos" is a token, a list of tokens, or null. */
static bool read_eos(const Reader *r) {
  StPackage *p = r->p;
  const StJson *v = st_json_find(r->root, "eos");
  if (!v)
    return true;
  bool list = json_is_array(v->v), ok = true;
  int n = list ? st_json_count(v) : 1;
  p->eos = ST_NEW_N(p->arena, int64_t, n);
  for (int i = 0; i < n; i++)
    ok &= add_eos(r, list ? st_json_item(v, i) : v);
  return ok;
}

static bool read_tokens(const Reader *r) {
  StPackage *p = r->p;
  p->bos = -1;
  if (p->kind == ST_PACKAGE_MODULE)
    return true;
  if (!st_json_get_int(r->root, "vocab", 1, INT32_MAX, &p->vocab))
    return false;
  const StJson *bos = st_json_find(r->root, "bos");
  if (bos && !st_json_int(bos, INT64_MIN, INT64_MAX, &p->bos))
    return false;
  if (p->bos < 0 || p->bos >= p->vocab)
    p->bos = -1;
  return read_eos(r);
}

/* The path of a file in the package that `key` names, `fallback` without. */
static const char *file_of(Reader *r, const char *key, const char *fallback) {
  const StJson *v = st_json_find(r->root, key);
  const char *name = fallback;
  if (v && st_json_string(v, &name) && strchr(name, '/')) {
    st_json_error(v, "\"%s\" is not a file of the package", name);
    r->ok = false;
  }
  return st_path_join(r->p->arena, r->p->dir, name);
}

static void read_files(Reader *r) {
  StPackage *p = r->p;
  const StJson *source = st_json_find(r->root, "source");
  const StJson *name = st_json_find(source, "architecture");
  const char *text = NULL;
  r->ok &= st_json_get_string(r->root, "entry", &text);
  p->sig.entry = text ? st_arena_strdup(p->arena, text) : NULL;
  if (name && st_json_string(name, &text))
    p->source = st_arena_strdup(p->arena, text);
  p->text = file_of(r, "text", "model.mlir");
  if (!st_path_exists(p->text)) {
    st_error(r->diag, (StLoc){.file = p->text},
             "the text of the model is missing");
    st_note(r->diag, "export the model again");
    r->ok = false;
  }
  const StJson *weights = st_json_need(r->root, "weights");
  if (!weights) {
    r->ok = false;
  } else if (!st_json_is_null(weights)) {
    p->weights = st_safetensors_open(
        file_of(r, "weights", "weights.safetensors"), r->diag);
    r->ok &= p->weights != NULL;
  }
}

static void read_package(Reader *r) {
  StPackage *p = r->p;
  r->ok = st_json_object(r->root) && read_version(r) && read_kind(r) &&
          read_symbols(r);
  if (!r->ok)
    return;
  r->ok &= read_tokens(r);
  p->sig.arg = r->arg = read_ports(r, "arguments", false, &p->sig.nargs);
  p->sig.ret = read_ports(r, "results", true, &p->sig.nrets);
  p->param = ST_NEW_N(p->arena, const StTensor *, p->sig.nargs);
  p->grid = ST_NEW_N(p->arena, StGrid, p->sig.nargs);
  if (r->ok)
    r->ok = st_package_check_ports(p, r->root) && read_grids(r);
  read_files(r);
  if (r->ok && p->weights)
    r->ok = st_package_check_weights(p, r->root, r->diag);
}

/* The directory's last component, as the name of the module. */
static const char *name_of(StArena *a, const char *dir) {
  char *name = st_arena_strdup(a, dir);
  for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--)
    name[n - 1] = 0;
  const char *base = st_path_base(name);
  return *base ? base : "model";
}

StPackage *st_package_open(const char *dir, StDiag *diag) {
  StArena *a = st_arena_new();
  StPackage *p = ST_NEW(a, StPackage);
  *p = (StPackage){.arena = a, .dir = st_arena_strdup(a, dir)};
  p->sig.name = name_of(a, dir);
  Reader r = {.p = p, .diag = diag};
  const char *path = st_path_join(a, dir, "model.json");
  if (!st_path_is_dir(dir) || !st_path_exists(path)) {
    st_error(diag, (StLoc){.file = dir}, "not a package: %s",
             st_path_is_dir(dir) ? "it has no model.json"
                                 : "there is no such directory");
    st_note(diag, "`streamtensor export` makes packages");
  } else {
    r.root = st_json_open(a, path, diag);
  }
  if (r.root)
    read_package(&r);
  st_json_close(r.root);
  if (r.ok)
    return p;
  st_package_close(p);
  return NULL;
}

void st_package_close(StPackage *p) {
  if (!p)
    return;
  st_safetensors_close(p->weights);
  st_arena_free(p->arena);
}

int st_package_arg(const StPackage *p, StRole role) {
  for (int i = 0; i < p->sig.nargs; i++)
    if (p->sig.arg[i].role == role)
      return i;
  return -1;
}

int st_package_ret(const StPackage *p, StRole role) {
  for (int i = 0; i < p->sig.nrets; i++)
    if (p->sig.ret[i].role == role)
      return i;
  return -1;
}

/* JSON values that know their place. jansson parses; the place of a value is
 * found again, when a message needs it, by walking the text to it. */
#include "base/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

struct StJsonDoc {
  StArena *arena;
  StDiag *diag;
  const char *file, *text;
  size_t len;
  json_t *root;
};

/* Line and column of a byte of the text. */
static StLoc loc_at(const char *file, const char *text, size_t at) {
  StLoc loc = {file, 1, 1};
  for (size_t i = 0; i < at; i++) {
    loc.col = text[i] == '\n' ? 1 : loc.col + 1;
    loc.line += text[i] == '\n';
  }
  return loc;
}

const StJson *st_json_parse(StArena *a, const char *file, const char *text,
                            size_t len, StDiag *diag) {
  json_error_t e;
  st_diag_add_source(diag, file, text, len);
  json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
  if (!v) {
    size_t at = e.position > 0 ? (size_t)e.position - 1 : 0;
    st_error(diag, loc_at(file, text, at < len ? at : len),
             "this is not valid JSON: %s", e.text);
    st_diag_add_source(diag, file, NULL, 0);
    return NULL;
  }
  StJsonDoc *doc = ST_NEW(a, StJsonDoc);
  *doc = (StJsonDoc){a, diag, st_arena_strdup(a, file), text, len, v};
  StJson *root = ST_NEW(a, StJson);
  *root = (StJson){.doc = doc, .v = v};
  return root;
}

const StJson *st_json_open(StArena *a, const char *path, StDiag *diag) {
  size_t len = 0;
  char *text = st_file_read(a, path, &len, diag);
  return text ? st_json_parse(a, path, text, len, diag) : NULL;
}

void st_json_close(const StJson *root) {
  if (!root)
    return;
  st_diag_add_source(root->doc->diag, root->doc->file, NULL, 0);
  json_decref(root->doc->root);
}

/* ---- places ----------------------------------------------------------- */

/* The text is known to be valid: no ends need to be looked for. */
static const char *skip_space(const char *s) {
  while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r' || *s == ',' ||
         *s == ':')
    s++;
  return s;
}

static const char *skip_string(const char *s) {
  for (s++; *s != '"'; s++)
    s += *s == '\\';
  return s + 1;
}

static const char *skip_value(const char *s) {
  int depth = 0;
  do {
    s = skip_space(s);
    if (*s == '"') {
      s = skip_string(s);
    } else if (*s == '{' || *s == '[') {
      depth++;
      s++;
    } else if (*s == '}' || *s == ']') {
      depth--;
      s++;
    } else {
      s += strcspn(s, " \t\n\r,:]}");
    }
  } while (depth > 0);
  return s;
}

/* The how-manieth member of its object `key` is. */
static int key_position(json_t *object, const char *key) {
  int n = 0;
  void *it = json_object_iter(object);
  for (; it; it = json_object_iter_next(object, it), n++)
    if (!strcmp(json_object_iter_key(it), key))
      break;
  return n;
}

static const char *find_text(const StJson *v) {
  if (!v->parent)
    return skip_space(v->doc->text);
  const char *s = skip_space(find_text(v->parent) + 1);
  int n = v->key ? key_position(v->parent->v, v->key) : v->index;
  for (int i = 0; i < n; i++) {
    if (v->key)
      s = skip_space(skip_string(s));
    s = skip_space(skip_value(s));
  }
  return v->key ? skip_space(skip_string(s)) : s;
}

StLoc st_json_loc(const StJson *v) {
  const StJsonDoc *doc = v->doc;
  return loc_at(doc->file, doc->text, (size_t)(find_text(v) - doc->text));
}

const char *st_json_path(const StJson *v) {
  StArena *a = v->doc->arena;
  if (!v->parent)
    return "";
  const char *up = st_json_path(v->parent);
  if (!v->key)
    return st_arena_printf(a, "%s[%d]", up, v->index);
  return st_arena_printf(a, "%s%s%s", up, *up ? "." : "", v->key);
}

void st_json_error(const StJson *v, const char *fmt, ...) {
  StStr text;
  st_str_init(&text);
  if (v->parent)
    st_str_printf(&text, "%s: ", st_json_path(v));
  va_list args;
  va_start(args, fmt);
  st_str_vprintf(&text, fmt, args);
  va_end(args);
  st_error(v->doc->diag, st_json_loc(v), "%s", text.data);
  st_str_free(&text);
}

/* ---- structure -------------------------------------------------------- */

const StJson *st_json_find(const StJson *object, const char *key) {
  json_t *v = object ? json_object_get(object->v, key) : NULL;
  if (!v || json_is_null(v))
    return NULL;
  StJson *child = ST_NEW(object->doc->arena, StJson);
  *child = (StJson){.doc = object->doc, .v = v, .parent = object};
  child->key = st_arena_strdup(object->doc->arena, key);
  return child;
}

const StJson *st_json_need(const StJson *object, const char *key) {
  if (!object)
    return NULL;
  json_t *v = json_object_get(object->v, key);
  if (!v) {
    st_json_error(object, "\"%s\" is missing", key);
    return NULL;
  }
  StJson *child = ST_NEW(object->doc->arena, StJson);
  *child = (StJson){.doc = object->doc, .v = v, .parent = object};
  child->key = st_arena_strdup(object->doc->arena, key);
  return child;
}

const StJson *st_json_item(const StJson *array, int i) {
  StJson *child = ST_NEW(array->doc->arena, StJson);
  *child = (StJson){.doc = array->doc, .parent = array, .index = i};
  child->v = json_array_get(array->v, (size_t)i);
  ST_CHECK(child->v, "no item %d in %s", i, st_json_path(array));
  return child;
}

int st_json_count(const StJson *v) {
  if (!v)
    return 0;
  return (int)(json_is_object(v->v) ? json_object_size(v->v)
                                    : json_array_size(v->v));
}

/* ---- values ----------------------------------------------------------- */

static bool expected(const StJson *v, const char *what) {
  static const char *const names[] = {
      [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
      [JSON_STRING] = "a string",  [JSON_INTEGER] = "an integer",
      [JSON_REAL] = "a number",    [JSON_TRUE] = "true",
      [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
  st_json_error(v, "expected %s, not %s", what, names[json_typeof(v->v)]);
  return false;
}

bool st_json_is_null(const StJson *v) { return v && json_is_null(v->v); }

bool st_json_object(const StJson *v) {
  return v && (json_is_object(v->v) || expected(v, "an object"));
}

bool st_json_array(const StJson *v) {
  return v && (json_is_array(v->v) || expected(v, "an array"));
}

bool st_json_string(const StJson *v, const char **out) {
  if (!v || (!json_is_string(v->v) && !expected(v, "a string")))
    return false;
  *out = json_string_value(v->v);
  return true;
}

bool st_json_bool(const StJson *v, bool *out) {
  if (!v || (!json_is_boolean(v->v) && !expected(v, "true or false")))
    return false;
  *out = json_is_true(v->v);
  return true;
}

bool st_json_int(const StJson *v, int64_t lo, int64_t hi, int64_t *out) {
  if (!v || (!json_is_integer(v->v) && !expected(v, "an integer")))
    return false;
  int64_t x = json_integer_value(v->v);
  if (x < lo || x > hi) {
    st_json_error(v, "%" PRId64 " is not from %" PRId64 " to %" PRId64, x, lo,
                  hi);
    return false;
  }
  *out = x;
  return true;
}

bool st_json_number(const StJson *v, double *out) {
  if (!v || (!json_is_number(v->v) && !expected(v, "a number")))
    return false;
  *out = json_number_value(v->v);
  return true;
}

bool st_json_get_string(const StJson *object, const char *key,
                        const char **out) {
  return st_json_string(st_json_need(object, key), out);
}

bool st_json_get_bool(const StJson *object, const char *key, bool *out) {
  return st_json_bool(st_json_need(object, key), out);
}

bool st_json_get_int(const StJson *object, const char *key, int64_t lo,
                     int64_t hi, int64_t *out) {
  return st_json_int(st_json_need(object, key), lo, hi, out);
}

bool st_json_get_number(const StJson *object, const char *key, double *out) {
  return st_json_number(st_json_need(object, key), out);
}

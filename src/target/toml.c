/* Line by line: a header, an item, or nothing. Errors name the column and the
 * line is skipped, so that one run reports every bad line. */
#include "target/toml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  StArena *arena;
  StDiag *diag;
  const char *file;
  int line;
  char *start; /* of the line, NUL-terminated */
  char *at;
  const char *section;
  bool ok;
  StToml *out;
} Reader;

static StLoc here(const Reader *r) {
  return (StLoc){r->file, r->line, (int)(r->at - r->start) + 1};
}

static bool fail(Reader *r, const char *what) {
  st_error(r->diag, here(r), "%s", what);
  r->ok = false;
  return false;
}

static void skip_blanks(Reader *r) {
  while (*r->at == ' ' || *r->at == '\t' || *r->at == '\r')
    r->at++;
}

static bool at_end(Reader *r) {
  skip_blanks(r);
  return *r->at == '\0' || *r->at == '#';
}

/* A bare name: letters, digits, '_', '-', and '.' if `dots`. NULL: none. */
static const char *read_name(Reader *r, bool dots) {
  skip_blanks(r);
  const char *first = r->at;
  while (isalnum((unsigned char)*r->at) || *r->at == '_' || *r->at == '-' ||
         (dots && *r->at == '.'))
    r->at++;
  if (r->at == first)
    return NULL;
  return st_arena_printf(r->arena, "%.*s", (int)(r->at - first), first);
}

static bool read_header(Reader *r) {
  r->at++;
  const char *name = read_name(r, true);
  if (!name)
    return fail(r, "expected the name of a section after '['");
  skip_blanks(r);
  if (*r->at != ']')
    return fail(r, "expected ']' after the name of the section");
  r->at++;
  r->section = name;
  return at_end(r) || fail(r, "nothing may follow a section's header");
}

static bool read_number(Reader *r, double *x) {
  skip_blanks(r);
  /* strtod alone would take "inf", "nan" and hexadecimal numbers. */
  size_t len = strspn(r->at, "+-0123456789.eE");
  char *end = r->at;
  if (len)
    *x = strtod(r->at, &end);
  if (!len || end != r->at + len)
    return fail(r, "expected a number");
  r->at = end;
  return true;
}

static bool read_list(Reader *r, StTomlItem *item) {
  ST_VEC(double) v = {0};
  item->kind = ST_TOML_LIST;
  r->at++;
  for (;;) {
    double x = 0;
    if (!read_number(r, &x))
      return false;
    st_vec_push(r->arena, &v, x);
    skip_blanks(r);
    if (*r->at == ']')
      break;
    if (*r->at != ',')
      return fail(r, "expected ',' or ']' in the list");
    r->at++;
  }
  r->at++;
  item->n = v.n;
  item->number = v.at;
  return true;
}

static bool read_value(Reader *r, StTomlItem *item) {
  skip_blanks(r);
  if (*r->at == '[')
    return read_list(r, item);
  if (*r->at == '"') {
    char *end = strchr(r->at + 1, '"');
    if (!end)
      return fail(r, "the string has no closing quote");
    item->kind = ST_TOML_STRING;
    item->string =
        st_arena_printf(r->arena, "%.*s", (int)(end - r->at - 1), r->at + 1);
    r->at = end + 1;
    return true;
  }
  item->kind = ST_TOML_NUMBER;
  item->n = 1;
  item->number = ST_NEW(r->arena, double);
  return read_number(r, item->number);
}

static bool read_item(Reader *r) {
  StTomlItem item = {.section = r->section};
  skip_blanks(r);
  item.loc = here(r);
  item.key = read_name(r, false);
  if (!item.key)
    return fail(r, "expected 'key = value' or '[section]'");
  skip_blanks(r);
  if (*r->at != '=')
    return fail(r, "expected '=' after the key");
  r->at++;
  if (!read_value(r, &item))
    return false;
  if (!at_end(r))
    return fail(r, "nothing may follow the value");
  for (int i = 0; i < r->out->n; i++) {
    const StTomlItem *old = &r->out->at[i];
    if (!strcmp(old->key, item.key) && !strcmp(old->section, item.section)) {
      st_error(r->diag, item.loc, "'%s' is set twice", item.key);
      st_note(r->diag, "the first time in line %d", old->loc.line);
      return r->ok = false;
    }
  }
  st_vec_push(r->arena, r->out, item);
  return true;
}

bool st_toml_parse(StArena *arena, const char *file, const char *text, size_t n,
                   StToml *out, StDiag *diag) {
  Reader r = {.arena = arena,
              .diag = diag,
              .file = file,
              .section = "",
              .ok = true,
              .out = out};
  *out = (StToml){0};
  st_diag_add_source(diag, file, text, n);
  for (size_t pos = 0; pos < n;) {
    const char *nl = memchr(text + pos, '\n', n - pos);
    size_t len = nl ? (size_t)(nl - text) - pos : n - pos;
    r.line++;
    r.start = st_arena_alloc(arena, len + 1);
    memcpy(r.start, text + pos, len);
    r.at = r.start;
    if (memchr(r.start, '\0', len))
      fail(&r, "the line holds a NUL byte");
    else if (!at_end(&r)) {
      if (*r.at == '[')
        read_header(&r);
      else
        read_item(&r);
    }
    pos += len + 1;
  }
  return r.ok;
}

/* The text before MLIR sees it: what MLIR 19 would misread is rewritten,
 * operations it does not know are listed with their places, and resource
 * blobs are decoded (the C API has no bounds-checked access to them).
 *
 * Newer printers give linalg.matmul its own `indexing_maps`, which 19 accepts
 * in the generic form and then ignores:
 *   "linalg.matmul"(%a, %b, %c) <{indexing_maps = [...], ...}> ({...})
 * becomes a "linalg.generic" with the same maps, iterators and body.
 */
#include "import/linalg.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"

/* ---- searching ---------------------------------------------------------- */

static const char *find(const char *at, const char *end, const char *what) {
  size_t n = strlen(what);
  for (; (size_t)(end - at) >= n && at < end; at++) {
    const char *p = memchr(at, what[0], (size_t)(end - at) - n + 1);
    if (!p)
      return NULL;
    if (memcmp(p, what, n) == 0)
      return p;
    at = p;
  }
  return NULL;
}

static const char *line_end(const char *at, const char *end) {
  const char *p = memchr(at, '\n', (size_t)(end - at));
  return p ? p : end;
}

static StLoc loc_at(const StText *t, const char *at) {
  StLoc loc = {t->path, 1, 1};
  for (const char *p = t->data; p < at; p++) {
    loc.col++;
    if (*p == '\n')
      loc.line++, loc.col = 1;
  }
  return loc;
}

/* ---- loading ------------------------------------------------------------ */

static const struct {
  const char *name, *iterators;
} matmul[] = {
    {"\"linalg.matmul\"(", "ppr"},
    {"\"linalg.batch_matmul\"(", "pppr"},
    {"\"linalg.batch_reduce_matmul\"(", "rppr"},
};

typedef ST_VEC(char) Buffer;

static void put(StArena *a, Buffer *b, const char *from, const char *to) {
  for (; from < to; from++)
    st_vec_push(a, b, *from);
}

static void puts_to(StArena *a, Buffer *b, const char *s) {
  put(a, b, s, s + strlen(s));
}

/* Copy one line that has `name` at `at` and its maps at `maps`. */
static void rewrite_line(StArena *a, Buffer *b, const char *line,
                         const char *end, const char *at, size_t name,
                         const char *iterators, const char *maps) {
  put(a, b, line, at);
  puts_to(a, b, "\"linalg.generic\"(");
  put(a, b, at + name, maps);
  puts_to(a, b, "iterator_types = [");
  for (const char *it = iterators; *it; it++) {
    puts_to(a, b, it == iterators ? "" : ", ");
    puts_to(a, b,
            *it == 'p' ? "#linalg.iterator_type<parallel>"
                       : "#linalg.iterator_type<reduction>");
  }
  puts_to(a, b, "], ");
  put(a, b, maps, end);
}

static bool rewrite_matmul(StArena *a, Buffer *b, const char *line,
                           const char *end) {
  const char *maps = find(line, end, "indexing_maps = [");
  for (size_t i = 0; maps && i < sizeof matmul / sizeof *matmul; i++) {
    const char *at = find(line, end, matmul[i].name);
    if (at) {
      rewrite_line(a, b, line, end, at, strlen(matmul[i].name),
                   matmul[i].iterators, maps);
      return true;
    }
  }
  return false;
}

static bool is_misread(const char *line, const char *end) {
  return find(line, end, "matmul indexing_maps") != NULL;
}

/* One pass over the lines in front of the resources. */
static bool rewrite(StText *t) {
  StArena *a = t->arena;
  const char *stop = t->data + t->resources;
  if (!find(t->data, stop, "matmul"))
    return true;
  Buffer b = {0};
  bool ok = true, changed = false;
  for (const char *line = t->data, *next; line < stop; line = next) {
    const char *end = line_end(line, stop);
    next = end < stop ? end + 1 : stop;
    if (is_misread(line, end)) {
      st_error(t->diag, loc_at(t, line),
               "MLIR 19 cannot read a named matmul with its own indexing maps");
      st_note(t->diag, "generalise named operations when exporting "
                       "(linalg-generalize-named-ops)");
      ok = false;
    }
    if (rewrite_matmul(a, &b, line, next))
      changed = true;
    else
      put(a, &b, line, next);
  }
  if (!changed)
    return ok;
  size_t head = (size_t)b.n;
  put(a, &b, stop, t->data + t->len);
  st_vec_push(a, &b, '\0');
  t->data = b.at;
  t->len = (size_t)b.n - 1;
  t->resources = head;
  return ok;
}

bool st_text_load(StText *t, const char *path, StArena *arena, StArena *keep,
                  StDiag *diag) {
  *t = (StText){.path = st_arena_strdup(keep, path),
                .arena = arena,
                .keep = keep,
                .diag = diag};
  st_text_open(t);
  t->data = st_file_read(arena, path, &t->len, diag);
  if (!t->data)
    return false;
  st_diag_add_source(diag, t->path, t->data, t->len);
  const char *end = t->data + t->len;
  t->resources = t->len;
  for (const char *p = t->data; (p = find(p, end, "\n{-#")) != NULL; p++)
    t->resources = (size_t)(p - t->data);
  return rewrite(t);
}

/* ---- unknown operations ------------------------------------------------- */

/* The operation that the statement on this line names, or an empty string. */
static MlirStringRef statement(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t'))
    at++;
  if (at < end && *at == '%') {
    const char *eq = find(at, end, " = ");
    if (!eq)
      return (MlirStringRef){at, 0};
    at = eq + 3;
  }
  bool quoted = at < end && *at == '"';
  at += quoted;
  const char *p = at;
  bool dot = false;
  while (p < end && (isalnum((unsigned char)*p) || strchr("_.$-", *p)))
    dot |= *p++ == '.';
  bool named = p < end && p > at && isalpha((unsigned char)*at) && dot;
  if (quoted)
    named = named && end - p > 1 && p[0] == '"' && p[1] == '(';
  else
    named = named && *p != '=' && !(end - p > 2 && memcmp(p, " = ", 3) == 0);
  return (MlirStringRef){at, named ? (size_t)(p - at) : 0};
}

static bool is_registered(const StText *t, MlirStringRef name) {
  const char *dot = memchr(name.data, '.', name.length);
  MlirStringRef space = {name.data, (size_t)(dot - name.data)};
  return !mlirDialectIsNull(mlirContextGetOrLoadDialect(t->ctx, space)) &&
         mlirContextIsRegisteredOperation(t->ctx, name);
}

void st_text_statements(const StText *t, StStatements *out) {
  const char *stop = t->data + t->resources;
  int number = 1;
  for (const char *line = t->data, *next; line < stop; line = next, number++) {
    const char *end = line_end(line, stop);
    next = end < stop ? end + 1 : stop;
    MlirStringRef name = statement(line, end);
    if (name.length == 0)
      continue;
    StStatement s = {.name = name,
                     .loc = {t->path, number, (int)(name.data - line) + 1},
                     .rest = name.data,
                     .known = is_registered(t, name)};
    st_vec_push(t->arena, out, s);
  }
}

/* Where the statement ends: at the end of its line, or, if that opens a
 * region, of the line with the same indentation that closes it. */
static const char *statement_end(const StText *t, const char *at) {
  const char *stop = t->data + t->len, *line = at;
  while (line > t->data && line[-1] != '\n')
    line--;
  size_t indent = strspn(line, " ");
  const char *end = line_end(at, stop);
  if (end == at || end[-1] != '{')
    return end;
  while (end < stop) {
    line = end + 1;
    end = line_end(line, stop);
    if (strspn(line, " ") == indent && line[indent] == '}')
      break;
  }
  return end;
}

StLoc st_text_statement_loc(StText *t, const StStatement *s) {
  const char *end = statement_end(t, s->rest), *line = end, *loc = NULL;
  while (line > s->rest && line[-1] != '\n')
    line--;
  for (const char *p = line; (p = find(p, end, " loc(")) != NULL; p++)
    loc = p;
  if (!loc)
    return s->loc;
  StLoc from = st_text_location(
      t, st_arena_printf(t->arena, "%.*s", (int)(end - loc), loc), true);
  return from.file ? from : s->loc;
}

/* ---- locations ---------------------------------------------------------- */

typedef struct {
  StText *t;
  StLoc first, user; /* the innermost frame; the innermost of the user's */
} Frames;

/* Frames inside the framework, or without a file, say nothing about a model. */
static bool is_framework(const char *file) {
  return file[0] == '<' || strncmp(file, "torch/", 6) == 0 ||
         strstr(file, "/torch/") != NULL;
}

/* A quoted string at `at` (the opening quote); returns what follows it. */
static const char *unquote(StArena *a, const char *at, const char **out) {
  Buffer b = {0};
  for (at++; *at && *at != '"'; at++) {
    char c = *at;
    if (c == '\\' && at[1]) {
      unsigned hex = 0;
      if (isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2])) {
        for (int i = 1; i <= 2; i++) {
          int h = tolower((unsigned char)at[i]);
          hex = hex * 16 + (unsigned)(h <= '9' ? h - '0' : h - 'a' + 10);
        }
        c = (char)hex;
        at++;
      } else {
        c = at[1];
      }
      at++;
    }
    st_vec_push(a, &b, c);
  }
  st_vec_push(a, &b, '\0');
  *out = b.at;
  return *at ? at + 1 : at;
}

static int number(const char **at) {
  int x = 0;
  for (; isdigit((unsigned char)**at); ++*at)
    x = x < 100000000 ? x * 10 + (**at - '0') : x;
  return x;
}

static void collect(Frames *f, const char *at, bool aliases, int depth);

/* `#loc12`: what its definition line says. */
static const char *collect_alias(Frames *f, const char *at, int depth) {
  const char *end = at + 1;
  while (isalnum((unsigned char)*end) || *end == '_')
    end++;
  StArena *a = f->t->arena;
  const char *key = st_arena_printf(a, "%.*s = loc(", (int)(end - at), at);
  const char *stop = f->t->data + f->t->len, *def = f->t->data;
  for (; (def = find(def, stop, key)) != NULL; def++)
    if (def == f->t->data || def[-1] == '\n')
      break;
  if (def && depth < 32) {
    const char *body = def + strlen(key);
    collect(
        f, st_arena_printf(a, "%.*s", (int)(line_end(body, stop) - body), body),
        true, depth + 1);
  }
  return end;
}

/* The same name in the arena that outlives the text. */
static const char *kept_file(StText *t, const char *name) {
  if (strcmp(name, t->path) == 0)
    return t->path;
  for (int i = 0; i < t->file.n; i++)
    if (strcmp(t->file.at[i], name) == 0)
      return t->file.at[i];
  st_vec_push(t->arena, &t->file, st_arena_strdup(t->keep, name));
  return t->file.at[t->file.n - 1];
}

static void collect(Frames *f, const char *at, bool aliases, int depth) {
  while (*at && !f->user.file) {
    if (*at == '#' && aliases) {
      at = collect_alias(f, at, depth);
      continue;
    }
    if (*at != '"') {
      at++;
      continue;
    }
    StLoc loc = {0};
    at = unquote(f->t->arena, at, &loc.file);
    if (at[0] != ':' || !isdigit((unsigned char)at[1]))
      continue;
    at++;
    loc.line = number(&at);
    if (*at == ':') {
      at++;
      loc.col = number(&at);
    }
    loc.file = kept_file(f->t, loc.file);
    if (!f->first.file)
      f->first = loc;
    if (!is_framework(loc.file))
      f->user = loc;
  }
}

StLoc st_text_location(StText *t, const char *printed, bool aliases) {
  Frames f = {.t = t};
  collect(&f, printed, aliases, 0);
  return f.user.file ? f.user : f.first;
}

/* ---- resources ---------------------------------------------------------- */

static int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

const uint8_t *st_text_resource(const StText *t, const char *name, size_t *n) {
  const char *end = t->data + t->len;
  const char *key = st_arena_printf(t->arena, "%s: \"0x", name);
  const char *at = t->data + t->resources;
  for (; (at = find(at, end, key)) != NULL; at++)
    if (isspace((unsigned char)at[-1]) || at[-1] == '{')
      break;
  if (!at)
    return NULL;
  at += strlen(key);
  const char *stop = at;
  while (stop < end && hex_digit(*stop) >= 0)
    stop++;
  size_t bytes = (size_t)(stop - at) / 2;
  if (stop == end || *stop != '"' || (stop - at) % 2 != 0 || bytes < 4)
    return NULL;
  uint8_t *out = st_arena_alloc(t->arena, bytes);
  for (size_t i = 4; i < bytes; i++)
    out[i - 4] =
        (uint8_t)(hex_digit(at[2 * i]) * 16 + hex_digit(at[2 * i + 1]));
  *n = bytes - 4;
  return out;
}

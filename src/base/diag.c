/* Messages to people, with the line of the source that they are about. */
#include "base/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum {
  LINE_WIDTH = 100,   /* bytes of a source line that are shown */
  LINE_BEFORE = 60,   /* of these, before the caret, if the line is longer */
  READ_MOST = 1 << 20 /* a line that is longer is not looked for in a file */
};

typedef struct {
  const char *file, *text; /* text NULL: forgotten */
  size_t len;
} Source;

struct StDiag {
  FILE *out;
  int errors;
  bool quiet; /* the last message was left out: so are its notes */
  StArena *arena;
  ST_VEC(Source) source;
  StStr text;
  StLoc first; /* place of the first error, and its message */
  const char *message;
};

StDiag *st_diag_new(FILE *out) {
  StArena *a = st_arena_new();
  StDiag *d = ST_NEW(a, StDiag);
  d->arena = a;
  d->out = out;
  d->message = "";
  st_str_init(&d->text);
  return d;
}

void st_diag_free(StDiag *d) {
  if (!d)
    return;
  st_str_free(&d->text);
  st_arena_free(d->arena);
}

int st_diag_errors(const StDiag *d) { return d->errors; }

const char *st_diag_text(const StDiag *d) { return d->text.data; }

const char *st_diag_first(const StDiag *d, StLoc *loc) {
  *loc = d->first;
  return d->message;
}

static Source *find_source(const StDiag *d, const char *file) {
  for (int i = 0; i < d->source.n; i++)
    if (!strcmp(d->source.at[i].file, file))
      return &d->source.at[i];
  return NULL;
}

void st_diag_add_source(StDiag *d, const char *file, const char *text,
                        size_t len) {
  Source *old = find_source(d, file);
  if (old) {
    old->text = text;
    old->len = len;
  } else if (text) {
    Source s = {st_arena_strdup(d->arena, file), text, len};
    st_vec_push(d->arena, &d->source, s);
  }
}

/* ---- the source line -------------------------------------------------- */

static bool line_of_text(StStr *line, const char *text, size_t len, int n) {
  const char *at = text, *end = text + len;
  for (int i = 1; i < n && at; i++) {
    at = memchr(at, '\n', (size_t)(end - at));
    at = at ? at + 1 : NULL;
  }
  if (!at || at == end)
    return false;
  const char *stop = memchr(at, '\n', (size_t)(end - at));
  st_str_append(line, at, (size_t)((stop ? stop : end) - at));
  return true;
}

/* For files that nobody added, such as the user's Python sources. */
static bool line_of_file(StStr *line, const char *file, int n) {
  FILE *f = fopen(file, "r");
  if (!f)
    return false;
  int at = 1, c = 0;
  while (at <= n && line->len < READ_MOST && (c = getc(f)) != EOF) {
    char byte = (char)c;
    if (at == n && c != '\n')
      st_str_append(line, &byte, 1);
    at += c == '\n';
  }
  fclose(f);
  return line->len > 0 && line->len < READ_MOST;
}

/* The line of `loc` and a caret under its column; of a long line the part
 * around the column. */
static void show_source(StStr *out, const StDiag *d, StLoc loc) {
  if (!loc.file || loc.line < 1)
    return;
  StStr line;
  st_str_init(&line);
  const Source *s = find_source(d, loc.file);
  bool found = s && s->text ? line_of_text(&line, s->text, s->len, loc.line)
                            : line_of_file(&line, loc.file, loc.line);
  if (found) {
    size_t col = loc.col > 0 ? (size_t)loc.col - 1 : 0;
    size_t from = line.len > LINE_WIDTH && col > LINE_BEFORE && col <= line.len
                      ? col - LINE_BEFORE
                      : 0;
    size_t n = line.len - from < LINE_WIDTH ? line.len - from : LINE_WIDTH;
    for (size_t i = 0; i < n; i++) {
      unsigned char c = (unsigned char)line.data[from + i];
      line.data[from + i] = c < 32 || c == 127 ? ' ' : (char)c;
    }
    st_str_append(out, line.data + from, n);
    st_str_append(out, "\n", 1);
    if (loc.col > 0 && col - from <= n)
      st_str_printf(out, "%*s^\n", (int)(col - from), "");
  }
  st_str_free(&line);
}

/* ---- messages --------------------------------------------------------- */

static void remember(StDiag *d, StLoc loc, const char *message) {
  d->first = loc;
  d->first.file = loc.file ? st_arena_strdup(d->arena, loc.file) : NULL;
  d->message = st_arena_strdup(d->arena, message);
}

static void emit(StDiag *d, StLoc loc, const char *kind, const char *fmt,
                 va_list args) {
  size_t from = d->text.len;
  if (loc.file) {
    st_str_printf(&d->text, "%s:", loc.file);
    if (loc.line > 0)
      st_str_printf(&d->text, "%d:", loc.line);
    if (loc.line > 0 && loc.col > 0)
      st_str_printf(&d->text, "%d:", loc.col);
    st_str_append(&d->text, " ", 1);
  }
  st_str_printf(&d->text, "%s: ", kind);
  size_t message = d->text.len;
  st_str_vprintf(&d->text, fmt, args);
  if (d->errors == 1 && !*d->message && !strcmp(kind, "error"))
    remember(d, loc, d->text.data + message);
  st_str_append(&d->text, "\n", 1);
  show_source(&d->text, d, loc);
  if (d->out) {
    fwrite(d->text.data + from, 1, d->text.len - from, d->out);
    fflush(d->out);
  }
}

static void say(StDiag *d, const char *kind, const char *fmt, ...)
    ST_PRINTF(3, 4);

static void say(StDiag *d, const char *kind, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  emit(d, (StLoc){0}, kind, fmt, args);
  va_end(args);
}

void st_error(StDiag *d, StLoc loc, const char *fmt, ...) {
  d->errors++;
  d->quiet = d->errors > ST_DIAG_LIMIT;
  if (d->errors == ST_DIAG_LIMIT + 1)
    say(d, "note", "more errors follow, which are not shown");
  if (d->quiet)
    return;
  va_list args;
  va_start(args, fmt);
  emit(d, loc, "error", fmt, args);
  va_end(args);
}

void st_warning(StDiag *d, StLoc loc, const char *fmt, ...) {
  d->quiet = d->errors > ST_DIAG_LIMIT;
  if (d->quiet)
    return;
  va_list args;
  va_start(args, fmt);
  emit(d, loc, "warning", fmt, args);
  va_end(args);
}

void st_note(StDiag *d, const char *fmt, ...) {
  if (d->quiet)
    return;
  va_list args;
  va_start(args, fmt);
  emit(d, (StLoc){0}, "note", fmt, args);
  va_end(args);
}

void st_fatal(const char *fmt, ...) {
  va_list args;
  fflush(stdout);
  va_start(args, fmt);
  fputs("streamtensor: fatal: ", stderr);
  vfprintf(stderr, fmt, args);
  fputs("\n", stderr);
  va_end(args);
  exit(ST_EXIT_OURS);
}

void st_bug(const char *file, int line, const char *fmt, ...) {
  va_list args;
  fflush(stdout);
  va_start(args, fmt);
  fprintf(stderr, "streamtensor: internal error at %s:%d: ", file, line);
  vfprintf(stderr, fmt, args);
  fputs("\nThis is a defect of streamtensor, not of your model. Please report "
        "it, with the command that you ran.\n",
        stderr);
  va_end(args);
  exit(ST_EXIT_OURS);
}

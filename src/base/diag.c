/* Diagnostics. */
#include "base/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

enum { MOST_ERRORS = 20 };

typedef struct {
  const char *file, *text;
  size_t len;
} Source;

struct StDiag {
  FILE *out;
  int errors;
  bool quiet; /* the last message was left out: so are its notes */
  StArena *arena;
  ST_VEC(Source) source;
  StStr text;
};

StDiag *st_diag_new(FILE *out) {
  StArena *a = st_arena_new();
  StDiag *d = ST_NEW(a, StDiag);
  d->arena = a;
  d->out = out;
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

void st_diag_add_source(StDiag *d, const char *file, const char *text,
                        size_t len) {
  Source s = {st_arena_strdup(d->arena, file), text, len};
  st_vec_push(d->arena, &d->source, s);
}

/* The line of `loc` and a caret under its column. */
static void show_source(StStr *out, const StDiag *d, StLoc loc) {
  const Source *s = NULL;
  for (int i = 0; i < d->source.n; i++)
    if (!strcmp(d->source.at[i].file, loc.file))
      s = &d->source.at[i];
  if (!s || loc.line < 1)
    return;
  const char *at = s->text, *end = s->text + s->len;
  for (int line = 1; line < loc.line && at < end; line++) {
    const char *next = memchr(at, '\n', (size_t)(end - at));
    at = next ? next + 1 : end;
  }
  if (at == end)
    return;
  const char *stop = memchr(at, '\n', (size_t)(end - at));
  int len = (int)((stop ? stop : end) - at);
  int show = len < 160 ? len : 160;
  for (int i = 0; i < show; i++) {
    char c = at[i];
    st_str_append(out, (unsigned char)c < 32 || c == 127 ? " " : &c, 1);
  }
  st_str_append(out, "\n", 1);
  if (loc.col >= 1 && loc.col <= show + 1)
    st_str_printf(out, "%*s^\n", loc.col - 1, "");
}

static void emit(StDiag *d, StLoc loc, const char *kind, const char *fmt,
                 va_list args) {
  StStr line;
  st_str_init(&line);
  if (loc.file) {
    st_str_printf(&line, "%s:", loc.file);
    if (loc.line > 0)
      st_str_printf(&line, "%d:", loc.line);
    if (loc.line > 0 && loc.col > 0)
      st_str_printf(&line, "%d:", loc.col);
    st_str_append(&line, " ", 1);
  }
  st_str_printf(&line, "%s: ", kind);
  char text[2048];
  vsnprintf(text, sizeof text, fmt, args);
  st_str_printf(&line, "%s\n", text);
  if (loc.file)
    show_source(&line, d, loc);
  st_str_append(&d->text, line.data, line.len);
  if (d->out)
    fwrite(line.data, 1, line.len, d->out);
  st_str_free(&line);
}

void st_error(StDiag *d, StLoc loc, const char *fmt, ...) {
  d->errors++;
  d->quiet = d->errors > MOST_ERRORS;
  if (d->errors == MOST_ERRORS + 1) {
    static const char more[] = "note: further errors are left out\n";
    st_str_append(&d->text, more, sizeof more - 1);
    if (d->out)
      fputs(more, d->out);
  }
  if (d->quiet)
    return;
  va_list args;
  va_start(args, fmt);
  emit(d, loc, "error", fmt, args);
  va_end(args);
}

void st_warning(StDiag *d, StLoc loc, const char *fmt, ...) {
  d->quiet = false;
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

_Noreturn void st_fatal(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  fputs("streamtensor: fatal: ", stderr);
  vfprintf(stderr, fmt, args);
  fputs("\n", stderr);
  va_end(args);
  exit(70);
}

_Noreturn void st_bug(const char *file, int line, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  fprintf(stderr, "streamtensor: internal error at %s:%d: ", file, line);
  vfprintf(stderr, fmt, args);
  fputs("\nThis is a defect of streamtensor, not of your model; please report "
        "it with the command that you ran.\n",
        stderr);
  va_end(args);
  exit(70);
}

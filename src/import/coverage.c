/* Coverage: the statements of the text are counted without parsing, so that
 * operations that MLIR does not know are in the table too; verdicts come from
 * a trial import.
 */
#include "import/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "import/linalg.h"

static StCoverageRow *row_of(StCoverage *c, StArena *a, const char *op) {
  for (int i = 0; i < c->row.n; i++)
    if (strcmp(c->row.at[i].op, op) == 0)
      return &c->row.at[i];
  StCoverageRow row = {.op = st_arena_strdup(a, op)};
  st_vec_push(a, &c->row, row);
  return &c->row.at[c->row.n - 1];
}

static void add_place(StCoverageRow *row, StLoc loc) {
  for (int i = 0; i < row->nplaces; i++)
    if (row->place[i].file == loc.file && row->place[i].line == loc.line)
      return;
  if (loc.file && row->nplaces < ST_COVERAGE_PLACES)
    row->place[row->nplaces++] = loc;
}

static void count(StCoverage *c, StText *t, StArena *a,
                  const StStatements *all) {
  for (int i = 0; i < all->n; i++) {
    const StStatement *s = &all->at[i];
    const char *name =
        st_arena_printf(t->arena, "%.*s", (int)s->name.length, s->name.data);
    StCoverageRow *row = row_of(c, a, name);
    row->count++;
    c->operations++;
    if (row->nplaces < ST_COVERAGE_PLACES)
      add_place(row, st_text_statement_loc(t, s));
  }
}

/* Verdicts of a trial import. An operation that came from another may have no
 * row yet. */
static void judge(StCoverage *c, StArena *a, const StImport *imp) {
  for (int i = 0; i < imp->issue.n; i++) {
    const StIssue *issue = &imp->issue.at[i];
    StCoverageRow *row = row_of(c, a, issue->op);
    if (!row->count)
      row->count = 1;
    if (!row->reason) {
      row->reason = st_arena_strdup(a, issue->reason);
      row->nplaces = 0;
    }
    add_place(row, issue->loc);
  }
}

static int by_verdict(const void *x, const void *y) {
  const StCoverageRow *a = x, *b = y;
  if (!a->reason != !b->reason)
    return a->reason ? -1 : 1;
  if (a->count != b->count)
    return a->count > b->count ? -1 : 1;
  return strcmp(a->op, b->op);
}

static void finish(StCoverage *c) {
  if (c->row.n > 0)
    qsort(c->row.at, (size_t)c->row.n, sizeof *c->row.at, by_verdict);
  c->unsupported = 0;
  for (int i = 0; i < c->row.n; i++)
    c->unsupported += c->row.at[i].reason != NULL;
}

void st_coverage_refuse(StCoverage *c, StArena *arena, const StDiag *said) {
  StLoc loc;
  const char *message = st_diag_first(said, &loc);
  const char *colon = strstr(message, ": ");
  int n = colon ? (int)(colon - message) : 0;
  StCoverageRow *row = row_of(
      c, arena, colon ? st_arena_printf(arena, "%.*s", n, message) : "module");
  row->count += row->count == 0;
  row->reason = st_arena_strdup(arena, colon ? colon + 2 : message);
  row->nplaces = 0;
  if (loc.file)
    loc.file = st_arena_strdup(arena, loc.file);
  add_place(row, loc);
  finish(c);
}

StCoverage *st_coverage(StArena *arena, const StSignature *sig,
                        const char *path, StDiag *diag) {
  StCoverage *c = ST_NEW(arena, StCoverage);
  StArena *scratch = st_arena_new();
  StModule *m = st_module_new("coverage");
  StText text;
  bool ok = st_text_load(&text, path, scratch, arena, diag);
  if (ok) {
    StStatements all = {0};
    StImport imp = st_import_new(&text, m, sig);
    st_text_statements(&text, &all);
    count(c, &text, arena, &all);
    ok = st_import_strangers(&imp, &all) || st_import_run(&imp);
    judge(c, arena, &imp);
  }
  st_text_close(&text);
  st_module_free(m);
  st_arena_free(scratch);
  finish(c);
  return ok ? c : NULL;
}

/* ---- output ------------------------------------------------------------- */

void st_coverage_print(StStr *out, const StCoverage *c) {
  st_str_printf(out, "%-28s %7s  %s\n", "operation", "count", "verdict");
  for (int i = 0; i < c->row.n; i++) {
    const StCoverageRow *r = &c->row.at[i];
    st_str_printf(out, "%-28s %7d  %s%s\n", r->op, r->count,
                  r->reason ? "unsupported: " : "supported",
                  r->reason ? r->reason : "");
    for (int k = 0; r->reason && k < r->nplaces; k++)
      st_str_printf(out, "%36s  at %s:%d\n", "", r->place[k].file,
                    r->place[k].line);
  }
  if (c->unsupported)
    st_str_printf(out, "%d of %d kinds of operation are not supported\n",
                  c->unsupported, c->row.n);
  else
    st_str_printf(out, "all %d operations of %d kinds are supported\n",
                  c->operations, c->row.n);
}

static void print_string(StStr *out, const char *s) {
  st_str_printf(out, "\"");
  for (; *s; s++) {
    unsigned char ch = (unsigned char)*s;
    if (ch == '"' || ch == '\\')
      st_str_printf(out, "\\%c", ch);
    else if (ch < 0x20)
      st_str_printf(out, "\\u%04x", ch);
    else
      st_str_append(out, s, 1);
  }
  st_str_printf(out, "\"");
}

static void print_places(StStr *out, const StCoverageRow *r) {
  for (int k = 0; k < r->nplaces; k++) {
    st_str_printf(out, "%s{\"file\": ", k ? ", " : "");
    print_string(out, r->place[k].file);
    st_str_printf(out, ", \"line\": %d, \"col\": %d}", r->place[k].line,
                  r->place[k].col);
  }
}

void st_coverage_json(StStr *out, const StCoverage *c) {
  st_str_printf(out,
                "{\n  \"supported\": %s,\n  \"operations\": %d,\n"
                "  \"ops\": [",
                c->unsupported ? "false" : "true", c->operations);
  for (int i = 0; i < c->row.n; i++) {
    const StCoverageRow *r = &c->row.at[i];
    st_str_printf(out, "%s\n    {\"op\": ", i ? "," : "");
    print_string(out, r->op);
    st_str_printf(out,
                  ", \"count\": %d, \"supported\": %s, \"reason\": ", r->count,
                  r->reason ? "false" : "true");
    if (r->reason)
      print_string(out, r->reason);
    else
      st_str_printf(out, "null");
    st_str_printf(out, ", \"places\": [");
    print_places(out, r);
    st_str_printf(out, "]}");
  }
  st_str_printf(out, "\n  ]\n}\n");
}

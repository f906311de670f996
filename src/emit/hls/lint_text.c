/* The rules that are checked on the text of accelerator.cpp, by a reader of the
 * little C++ that it consists of: the functions of the processes with their
 * parameters and bodies, and the statements of the top function. */
#include "emit/hls/lint.h"

#include <ctype.h>
#include <string.h>

typedef struct {
  const char *at;
  size_t n;
} Span;

typedef struct {
  Span name, parameters, body;
  bool is_void;
} Function;

typedef struct {
  Span name;
  bool has_depth;
  int writer, reader; /* call; -1: none */
} Stream;

typedef struct {
  Span name; /* of the function */
  bool task;
  Span arguments; /* after the function's name */
  const Function *function;
} Call;

typedef struct {
  const char *file, *text;
  size_t size;
  StArena *a;
  StDiag *diag;
  bool ok;
  ST_VEC(Function) function;
  ST_VEC(Stream) stream;
  ST_VEC(Call) call;
} Lint;

/* ---- reading ----------------------------------------------------------------
 */

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool same(Span x, Span y) {
  return x.n == y.n && !memcmp(x.at, y.at, x.n);
}

static Span span(const char *s) { return (Span){s, strlen(s)}; }

static Span trim(Span s) {
  while (s.n && isspace((unsigned char)*s.at))
    s.at++, s.n--;
  while (s.n && isspace((unsigned char)s.at[s.n - 1]))
    s.n--;
  return s;
}

static bool starts(Span s, const char *with) {
  size_t n = strlen(with);
  return s.n >= n && !memcmp(s.at, with, n);
}

/* The first place of a text in a span. */
static const char *find(Span s, const char *what) {
  size_t n = strlen(what);
  for (size_t i = 0; i + n <= s.n; i++)
    if (!memcmp(s.at + i, what, n))
      return s.at + i;
  return NULL;
}

/* The same as a whole word. */
static const char *find_word(Span s, const char *what) {
  size_t n = strlen(what);
  for (size_t i = 0; i + n <= s.n; i++)
    if (!memcmp(s.at + i, what, n) && (i == 0 || !is_word(s.at[i - 1])) &&
        (i + n == s.n || !is_word(s.at[i + n])))
      return s.at + i;
  return NULL;
}

static Span last_word(Span s) {
  s = trim(s);
  size_t n = 0;
  while (n < s.n && is_word(s.at[s.n - 1 - n]))
    n++;
  return (Span){s.at + s.n - n, n};
}

/* What is between the bracket at `open` and its partner. */
static Span inside(const Lint *l, const char *open) {
  const char *end = l->text + l->size, *p = open;
  int depth = 0;
  for (; p < end; p++) {
    depth += *p == '(' || *p == '{';
    depth -= *p == ')' || *p == '}';
    if (depth == 0)
      break;
  }
  return (Span){open + 1, p > open ? (size_t)(p - open - 1) : 0};
}

/* Takes the next part up to a comma that is in no brackets. */
static bool next_part(Span *rest, Span *part) {
  if (rest->n == 0)
    return false;
  int depth = 0;
  size_t i = 0;
  for (; i < rest->n; i++) {
    char c = rest->at[i];
    depth += c == '(' || c == '<';
    depth -= c == ')' || c == '>';
    if (c == ',' && depth == 0)
      break;
  }
  *part = trim((Span){rest->at, i});
  size_t used = i < rest->n ? i + 1 : i;
  rest->at += used;
  rest->n -= used;
  return true;
}

static void report(Lint *l, const char *at, const char *rule, Span name,
                   const char *what) {
  int line = 1;
  for (const char *p = l->text; p < at; p++)
    line += *p == '\n';
  st_error(l->diag, (StLoc){l->file, line, 0}, "%s: %.*s %s", rule, (int)name.n,
           name.at, what);
  l->ok = false;
}

/* ---- functions --------------------------------------------------------------
 */

/* Every "static TYPE name(" at the start of a line. */
static void read_functions(Lint *l) {
  Span rest = {l->text, l->size};
  const char *p;
  while ((p = find(rest, "\nstatic ")) != NULL) {
    rest.n -= (size_t)(p + 8 - rest.at);
    rest.at = p + 8;
    const char *open = find(rest, "(");
    if (!open)
      return;
    Span head = trim((Span){rest.at, (size_t)(open - rest.at)});
    Function f = {.name = last_word(head), .is_void = starts(head, "void ")};
    f.parameters = inside(l, open);
    Span after = {f.parameters.at,
                  (size_t)(l->text + l->size - f.parameters.at)};
    const char *brace = find(after, "{");
    if (!brace)
      return;
    f.body = inside(l, brace);
    st_vec_push(l->a, &l->function, f);
  }
}

static const Function *function_named(const Lint *l, Span name) {
  for (int i = 0; i < l->function.n; i++)
    if (same(l->function.at[i].name, name))
      return &l->function.at[i];
  return NULL;
}

/* Whether the body reads or writes the parameter. */
static bool uses(const Function *f, Span parameter, const char *access) {
  Span rest = f->body;
  while (rest.n > parameter.n) {
    bool hit =
        !memcmp(rest.at, parameter.at, parameter.n) && !is_word(rest.at[-1]) &&
        starts((Span){rest.at + parameter.n, rest.n - parameter.n}, access);
    if (hit)
      return true;
    rest.at++;
    rest.n--;
  }
  return false;
}

static bool is_stream(Span parameter) {
  return starts(parameter, "hls::stream<");
}

static bool is_pointer(Span parameter) { return find(parameter, "*") != NULL; }

/* ---- the region
 * --------------------------------------------------------------- */

static void add_stream(Lint *l, Span statement) {
  const char *open = find(statement, "(");
  size_t n = open ? (size_t)(open - statement.at) : statement.n;
  Stream s = {
      .name = last_word((Span){statement.at, n}), .writer = -1, .reader = -1};
  st_vec_push(l->a, &l->stream, s);
}

static void add_call(Lint *l, Span statement, bool task) {
  const char *open = find(statement, "(");
  Span list = inside(l, open), first;
  Call c = {.task = task,
            .name =
                last_word((Span){statement.at, (size_t)(open - statement.at)})};
  if (task || same(c.name, span("ST_PROCESS"))) {
    next_part(&list, &first);
    c.name = first;
  }
  c.arguments = list;
  c.function = function_named(l, c.name);
  if (!c.function)
    report(l, statement.at, "HLS-5", c.name, "is not a process of this file");
  else
    st_vec_push(l->a, &l->call, c);
}

static void read_statement(Lint *l, Span s) {
  const char *task = find(s, "hls::task ");
  const char *stream = find(s, "hls::stream<");
  const char *open = find(s, "(");
  bool plain = open && is_word(open[-1]) &&
               last_word((Span){s.at, (size_t)(open - s.at)}).at == s.at;
  static const char *const words[] = {"if",     "for",    "while", "do",
                                      "switch", "return", "goto"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (find_word(s, words[i])) {
      report(l, s.at, "HLS-5", span(words[i]), "is in the dataflow region");
      return;
    }
  if (stream && (starts(s, "static ") || starts(s, "hls_thread_local ")))
    add_stream(l, s);
  else if (task)
    add_call(l, s, true);
  else if (plain)
    add_call(l, s, false);
  else
    report(l, s.at, "HLS-5", (Span){s.at, s.n < 40 ? s.n : 40},
           "is no declaration and no call");
}

static Stream *stream_named(Lint *l, Span name) {
  for (int i = 0; i < l->stream.n; i++)
    if (same(l->stream.at[i].name, name))
      return &l->stream.at[i];
  return NULL;
}

/* variable=NAME of a pragma. */
static Span option(Span pragma, const char *key) {
  const char *p = find(pragma, key);
  if (!p)
    return (Span){pragma.at, 0};
  p += strlen(key);
  size_t n = 0;
  while (p + n < pragma.at + pragma.n && is_word(p[n]))
    n++;
  return (Span){p, n};
}

static void read_pragma(Lint *l, Span pragma) {
  if (!starts(pragma, "#pragma HLS STREAM "))
    return;
  Stream *s = stream_named(l, option(pragma, "variable="));
  Span depth = option(pragma, "depth=");
  if (s && depth.n && *depth.at != '0')
    s->has_depth = true;
}

static void read_region(Lint *l, Span body) {
  const char *p = body.at, *end = body.at + body.n;
  while (p < end) {
    while (p < end && isspace((unsigned char)*p))
      p++;
    if (p == end)
      return;
    char stop = *p == '#' || (*p == '/' && p[1] == '/') ? '\n' : ';';
    size_t n = 0;
    while (p + n < end && p[n] != stop)
      n++;
    Span s = trim((Span){p, n});
    if (*p == '#')
      read_pragma(l, s);
    else if (stop == ';')
      read_statement(l, s);
    p += n + (p + n < end);
  }
}

/* ---- rules
 * -------------------------------------------------------------------- */

static void connect(Lint *l, int call, Span parameter, Span argument) {
  const Call *c = &l->call.at[call];
  Span name = last_word(parameter);
  Stream *s = stream_named(l, argument);
  bool reads = uses(c->function, name, ".read(");
  bool writes = uses(c->function, name, ".write(");
  if (!s) {
    report(l, argument.at, "HLS-1", argument, "is not a stream of the region");
    return;
  }
  if ((reads && s->reader >= 0) || (writes && s->writer >= 0) ||
      (reads && writes))
    report(l, argument.at, "HLS-1", argument,
           "has more than one producer or consumer");
  if (reads)
    s->reader = call;
  if (writes)
    s->writer = call;
}

static void check_call(Lint *l, int i) {
  const Call *c = &l->call.at[i];
  Span parameters = c->function->parameters, arguments = c->arguments;
  Span parameter, argument;
  while (next_part(&parameters, &parameter) &&
         next_part(&arguments, &argument)) {
    if (is_stream(parameter))
      connect(l, i, parameter, argument);
    else if (c->task)
      report(l, c->name.at, "HLS-7", c->name,
             "is a task with an argument that is no stream");
  }
}

static void check_stream(Lint *l, const Stream *s) {
  if (!s->has_depth)
    report(l, s->name.at, "HLS-3", s->name, "has no depth");
  if (s->writer < 0 || s->reader < 0) {
    report(l, s->name.at, "HLS-1", s->name,
           s->writer < 0 ? "has no producer" : "has no consumer");
    return;
  }
  bool tasks = l->call.at[s->writer].task && l->call.at[s->reader].task;
  if (s->writer >= s->reader && !tasks)
    report(l, s->name.at, "HLS-6", s->name,
           "goes back, and not from a task to a task");
}

static bool has_pointer(const Function *f) { return is_pointer(f->parameters); }

static void check_function(Lint *l, const Function *f) {
  static const char *const exits[] = {"break", "goto", "return"};
  if (!f->is_void)
    report(l, f->name.at, "HLS-8", f->name, "returns a value");
  for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++)
    if (find_word(f->body, exits[i]))
      report(l, f->name.at, "HLS-8", f->name, "leaves a loop in the middle");
  if (has_pointer(f) && find(f->body, "style=frp"))
    report(l, f->name.at, "HLS-10", f->name,
           "touches memory in a free-running pipeline");
}

/* Every INTERFACE pragma's bundle once. */
static void check_bundles(Lint *l, Span body) {
  ST_VEC(Span) seen = {0};
  Span rest = body;
  const char *p;
  while ((p = find(rest, "bundle=")) != NULL) {
    rest.n -= (size_t)(p + 7 - rest.at);
    rest.at = p + 7;
    Span name = {p + 7, 0};
    while (name.n < rest.n && is_word(name.at[name.n]))
      name.n++;
    for (int i = 0; i < seen.n; i++)
      if (same(seen.at[i], name))
        report(l, name.at, "HLS-9", name, "is the bundle of two pointers");
    st_vec_push(l->a, &seen, name);
  }
}

bool st_hls_lint_text(const char *file, const char *text, size_t size,
                      StDiag *diag) {
  StArena *a = st_arena_new();
  Lint l = {.file = file,
            .text = text,
            .size = size,
            .a = a,
            .diag = diag,
            .ok = true};
  st_diag_add_source(diag, file, text, size);
  read_functions(&l);
  const char *top =
      find((Span){text, size}, "\nextern \"C\" void accelerator(");
  const char *open = top ? strchr(top, '{') : NULL;
  if (open) {
    Span body = inside(&l, open);
    read_region(&l, body);
    check_bundles(&l, body);
    for (int i = 0; i < l.call.n; i++) {
      check_call(&l, i);
      check_function(&l, l.call.at[i].function);
    }
    for (int i = 0; i < l.stream.n; i++)
      check_stream(&l, &l.stream.at[i]);
  } else {
    report(&l, text, "HLS-5", span("accelerator"), "is not in the text");
  }
  st_diag_add_source(diag, file, NULL, 0);
  st_arena_free(a);
  return l.ok;
}

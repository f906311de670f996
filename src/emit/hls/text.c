/* Names, types, sums, comments and the loop over beats. */
#include "emit/hls/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/itensor.h"

const char *st_hls_ident(StArena *a, const char *name) {
  enum { LONGEST = 28 };
  size_t n = 0, from = 0;
  char *s = st_arena_alloc(a, 2 * strlen(name ? name : "") + 1);
  for (bool gap = false; name && *name; name++) {
    bool upper = *name >= 'A' && *name <= 'Z';
    char c = upper ? (char)(*name - 'A' + 'a') : *name;
    bool part = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (part && gap && n > 0)
      s[n++] = '_';
    if (part)
      s[n++] = c;
    gap = !part;
  }
  if (n > LONGEST) /* what is special of a name is at its end */
    for (from = n - LONGEST; s[from - 1] != '_' && from + 8 < n; from++)
      ;
  return s + from;
}

const char *st_hls_element(StDtype t) {
  switch (t) {
  case ST_F32:
    return "float";
  case ST_F16:
    return "st_f16";
  case ST_BF16:
    return "st_bf16";
  case ST_F64:
    return "double";
  case ST_I1:
    return "st_i1";
  case ST_I4:
    return "st_i4";
  case ST_I8:
    return "int8_t";
  case ST_I16:
    return "int16_t";
  case ST_I32:
    return "int32_t";
  case ST_I64:
    return "int64_t";
  }
  return "";
}

const char *st_hls_scalar(StDtype t) {
  return st_dtype_is_float(t) ? "float" : t == ST_I1 ? "bool" : "int64_t";
}

const char *st_hls_token(StArena *a, const StValue *v) {
  return st_arena_printf(a, "st_vec<%s, %" PRId64 ">",
                         st_hls_element(v->type.dtype),
                         st_itensor_token(v->type.order));
}

const char *st_hls_from_element(StArena *a, StDtype t, const char *element) {
  if (t == ST_F16 || t == ST_BF16)
    return st_arena_printf(a, "st_num_from_%s(%s)", st_dtype_name(t), element);
  if (t == ST_I1)
    return st_arena_printf(a, "%s != 0", element);
  return t == ST_F32 ? element : st_arena_printf(a, "(int64_t)%s", element);
}

const char *st_hls_to_element(StArena *a, StDtype t, const char *value) {
  if (t == ST_F16 || t == ST_BF16)
    return st_arena_printf(a, "st_num_to_%s(%s)", st_dtype_name(t), value);
  if (t == ST_F32)
    return value;
  return st_arena_printf(a, "(%s)%s", st_hls_element(t), value);
}

const char *st_hls_sym_text(StArena *a, StSym s) {
  char text[ST_SYM_TEXT];
  return st_arena_strdup(a, st_sym_print(text, s));
}

const char *st_hls_sym(StArena *a, StSym s) {
  int terms = (s.c != 0) + (s.p != 0) + (s.t != 0);
  const char *text = st_hls_sym_text(a, s);
  bool plain = terms <= 1 && *text != '-';
  return plain ? text : st_arena_printf(a, "(%s)", text);
}

const char *st_hls_sum(StArena *a, StSym base, int n, const int64_t *coef,
                       const char *const *term) {
  const char *r = "";
  for (int i = 0; i < n; i++) {
    if (coef[i] == 0 || !strcmp(term[i], "0"))
      continue;
    const char *plus = !*r ? "" : " + ";
    const char *wide = coef[i] >= 4096 ? "LL" : ""; /* counters have 32 bits */
    r = coef[i] == 1 ? st_arena_printf(a, "%s%s%s", r, plus, term[i])
                     : st_arena_printf(a, "%s%s%" PRId64 "%s * %s", r, plus,
                                       coef[i], wide, term[i]);
  }
  if (!*r)
    return st_hls_sym(a, base);
  if (st_sym_eq(base, st_sym_const(0)))
    return r;
  if (st_sym_is_const(base) && base.c < 0)
    return st_arena_printf(a, "%s - %" PRId64, r, -base.c);
  return st_arena_printf(a, "%s + %s", r, st_hls_sym(a, base));
}

void st_hls_numbers(StStr *out, const char *declaration, int64_t n,
                    const int64_t *at) {
  int column = 4;
  st_str_printf(out, "  static const %s[%" PRId64 "] = {\n    ", declaration,
                n);
  for (int64_t i = 0; i < n; i++) {
    char text[24];
    int k = snprintf(text, sizeof text, "%" PRId64 "%s", at[i],
                     i + 1 < n ? "," : "");
    if (column + k + 1 > 80) {
      st_str_printf(out, "\n    ");
      column = 4;
    }
    st_str_printf(out, "%s%s", column > 4 ? " " : "", text);
    column += k + (column > 4);
  }
  st_str_printf(out, "};\n");
}

void st_hls_comment(StStr *out, const char *text) {
  while (*text) {
    size_t line = strcspn(text, "\n"), done = 0;
    while (done < line) {
      size_t room = done ? 75 : 77, n = line - done;
      if (n > room)
        for (n = room; n > 20 && text[done + n] != ' '; n--)
          ;
      st_str_printf(out, "//%s %.*s\n", done ? "  " : "", (int)n, text + done);
      done += n;
      while (done < line && text[done] == ' ')
        done++;
    }
    if (line == 0)
      st_str_printf(out, "//\n");
    text += line + (text[line] == '\n');
  }
}

/* ---- loops over beats -------------------------------------------------------
 */

static bool is_once(StSym trip) { return st_sym_eq(trip, st_sym_const(1)); }

StHlsNest st_hls_nest(const StHlsPlan *p, const char *prefix, int nloops,
                      const StLoop *loop) {
  StHlsNest n = {.a = p->a, .plan = p, .nloops = nloops, .loop = loop};
  n.index = ST_NEW_N(p->a, const char *, nloops + 1);
  n.trip = ST_NEW_N(p->a, const char *, nloops + 1);
  for (int l = 0; l < nloops; l++) {
    bool once = is_once(loop[l].trip);
    n.index[l] = once ? "0" : st_arena_printf(p->a, "%s%d", prefix, l);
    n.trip[l] = st_hls_sym(p->a, loop[l].trip);
  }
  return n;
}

const char *st_hls_nest_beats(const StHlsNest *n) {
  const char *r = "";
  int64_t c = 1;
  for (int l = 0; l < n->nloops; l++) {
    if (st_sym_is_const(n->loop[l].trip))
      c *= n->loop[l].trip.c;
    else
      r = st_arena_printf(n->a, "%s * %s", r, n->trip[l]);
  }
  return st_arena_printf(n->a, "(int64_t)%" PRId64 "%s", c, r);
}

void st_hls_nest_counters(StStr *out, const StHlsNest *n) {
  const char *sep = "  int32_t ";
  for (int l = 0; l < n->nloops; l++)
    if (strcmp(n->index[l], "0")) {
      st_str_printf(out, "%s%s = 0", sep, n->index[l]);
      sep = ", ";
    }
  if (*sep == ',')
    st_str_printf(out, ";\n");
}

static int64_t beats_at(const StHlsNest *n, bool most) {
  const StModule *m = n->plan->m;
  int64_t r = 1;
  for (int l = 0; l < n->nloops; l++)
    r *= most ? st_sym_max(n->loop[l].trip, m->ctx, m->chunk)
              : st_sym_min(n->loop[l].trip, m->ctx, m->chunk);
  return r;
}

void st_hls_nest_open(StStr *out, const StHlsNest *n, int ii,
                      const char *style) {
  st_str_printf(out, "  const int64_t beats = %s;\n", st_hls_nest_beats(n));
  st_str_printf(out, "  for (int64_t beat = 0; beat < beats; ++beat) {\n");
  st_str_printf(out, "#pragma HLS PIPELINE II=%d%s%s\n", ii > 0 ? ii : 1,
                *style ? " style=" : "", style);
  st_str_printf(out,
                "#pragma HLS LOOP_TRIPCOUNT min=%" PRId64 " max=%" PRId64 "\n",
                beats_at(n, false), beats_at(n, true));
}

void st_hls_nest_advance(StStr *out, const StHlsNest *n, int pad) {
  int depth = 0;
  int first = 0;
  while (first < n->nloops && !strcmp(n->index[first], "0"))
    first++;
  for (int l = n->nloops; l-- > first;) {
    if (!strcmp(n->index[l], "0"))
      continue;
    int at = pad + 2 * depth;
    if (l == first) {
      st_str_printf(out, "%*s++%s;\n", at, "", n->index[l]);
      continue;
    }
    st_str_printf(out, "%*sif (++%s == %s) {\n", at, "", n->index[l],
                  n->trip[l]);
    st_str_printf(out, "%*s%s = 0;\n", at + 2, "", n->index[l]);
    depth++;
  }
  while (depth-- > 0)
    st_str_printf(out, "%*s}\n", pad + 2 * depth, "");
}

static const char *conjunction(StArena *a, const char *x, const char *y) {
  return *x ? st_arena_printf(a, "%s && %s", x, y) : y;
}

const char *st_hls_nest_at_zero(const StHlsNest *n, int level) {
  const char *r = "";
  for (int l = level; l < n->nloops; l++)
    if (strcmp(n->index[l], "0"))
      r = conjunction(n->a, r, st_arena_printf(n->a, "%s == 0", n->index[l]));
  return *r ? r : "true";
}

const char *st_hls_nest_first(const StHlsNest *n, const bool *which) {
  const char *r = "";
  for (int l = 0; l < n->nloops; l++)
    if (which[l] && strcmp(n->index[l], "0"))
      r = conjunction(n->a, r, st_arena_printf(n->a, "%s == 0", n->index[l]));
  return *r ? r : "true";
}

const char *st_hls_nest_last(const StHlsNest *n, const bool *which) {
  const char *r = "";
  for (int l = 0; l < n->nloops; l++)
    if (which[l] && strcmp(n->index[l], "0")) {
      const char *end =
          st_hls_sym_text(n->a, st_sym_add(n->loop[l].trip, st_sym_const(-1)));
      r = conjunction(n->a, r,
                      st_arena_printf(n->a, "%s == %s", n->index[l], end));
    }
  return *r ? r : "true";
}

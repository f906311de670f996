/* Names of quantisation schemes. */
#include "quant/scheme.h"

#include <fnmatch.h>
#include <string.h>

static const struct {
  const char *name;
  StScheme scheme;
} schemes[] = {
    {"f32", {0, 0, false, NULL}},
    {"w4a8", {4, ST_GROUP_DEFAULT, false, NULL}},
    {"w8a8", {8, ST_GROUP_DEFAULT, false, NULL}},
};

/* ":GROUP" and ":min", each or both, up to `end`. */
static bool parse_options(const char *text, const char *end, StScheme *s) {
  int64_t group = 0;
  s->mins = end - text >= 4 && !strncmp(end - 4, ":min", 4);
  end -= s->mins ? 4 : 0;
  if (text == end)
    return s->mins;
  for (const char *at = text + 1; at < end; at++) {
    if (*at < '0' || *at > '9' || group > ST_GROUP_MAX)
      return false;
    group = 10 * group + (*at - '0');
  }
  s->group = group;
  return *text == ':' && group >= ST_GROUP_MIN && group <= ST_GROUP_MAX;
}

/* A scheme without rules, all of the text up to `end`. */
static bool parse_one(const char *text, const char *end, StScheme *out) {
  size_t n = strcspn(text, ":,");
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    if (strlen(schemes[i].name) != n || strncmp(text, schemes[i].name, n))
      continue;
    *out = schemes[i].scheme;
    return text + n == end ||
           (out->weight_bits && parse_options(text + n, end, out));
  }
  return false;
}

/* The rule at `text`, up to `end`. */
static bool parse_rule(const char *text, const char *end, StSchemeRule *out) {
  const char *is = memchr(text, '=', (size_t)(end - text));
  if (!is || is == text || is - text >= ST_PATTERN_MAX)
    return false;
  memcpy(out->pattern, text, (size_t)(is - text));
  out->pattern[is - text] = 0;
  return parse_one(is + 1, end, &out->scheme);
}

static const char *end_of(const char *text) {
  return text + strcspn(text, ",");
}

static bool refuse(const char *text, const char *end, StDiag *diag) {
  st_error(diag, (StLoc){0}, "there is no quantisation '%.*s'",
           (int)(end - text), text);
  st_note(diag,
          "use f32, w4a8 or w8a8; the last two may name the group of elements "
          "with one scale, %d to %d, and have minimums: w4a8:32:min; others "
          "for parameters by their names follow: w4a8,lm_head.*=w8a8",
          ST_GROUP_MIN, ST_GROUP_MAX);
  return false;
}

bool st_scheme_parse(const char *text, StScheme *out, StDiag *diag) {
  const char *end = end_of(text);
  if (!parse_one(text, end, out))
    return refuse(text, end, diag);
  out->rules = *end ? end + 1 : NULL;
  while (*end) {
    const char *at = end + 1;
    StSchemeRule rule;
    end = end_of(at);
    if (!parse_rule(at, end, &rule))
      return refuse(at, end, diag);
  }
  return true;
}

bool st_scheme_rule(const StScheme *s, int i, StSchemeRule *out) {
  const char *at = s->rules;
  for (; at && i > 0; i--) {
    at = end_of(at);
    at = *at ? at + 1 : NULL;
  }
  return at && parse_rule(at, end_of(at), out);
}

bool st_scheme_matches(const StSchemeRule *rule, const char *name) {
  return fnmatch(rule->pattern, name, 0) == 0;
}

StScheme st_scheme_of(const StScheme *s, const char *name) {
  StScheme found = *s;
  StSchemeRule rule;
  for (int i = 0; st_scheme_rule(s, i, &rule); i++)
    if (st_scheme_matches(&rule, name))
      found = rule.scheme;
  found.rules = NULL;
  return found;
}

static const char *const kvs[] = {
    [ST_KV_F32] = "f32", [ST_KV_F16] = "f16", [ST_KV_INT8] = "int8"};

bool st_kv_parse(const char *text, const StScheme *scheme, StKv *out,
                 StDiag *diag) {
  if (!text) {
    *out = scheme->weight_bits ? ST_KV_INT8 : ST_KV_F32;
    return true;
  }
  for (int i = 0; i <= ST_KV_INT8; i++)
    if (!strcmp(text, kvs[i])) {
      *out = (StKv)i;
      return true;
    }
  st_error(diag, (StLoc){0}, "there is no type of caches '%s'", text);
  st_note(diag, "use f32, f16 or int8");
  return false;
}

const char *st_kv_name(StKv kv) { return kvs[kv]; }

int64_t st_scheme_group(const StScheme *s, int64_t extent) {
  if (extent <= s->group)
    return extent;
  for (int64_t g = s->group; g >= ST_GROUP_MIN; g--)
    if (extent % g == 0)
      return g;
  return 0;
}

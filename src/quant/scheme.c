/* Names of quantisation schemes. */
#include "quant/scheme.h"

#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  StScheme scheme;
} schemes[] = {
    {"f32", {0, 0, 0}},
    {"w4a8", {4, 8, ST_GROUP_DEFAULT}},
    {"w8a8", {8, 8, ST_GROUP_DEFAULT}},
};

static bool refuse(const char *text, StDiag *diag) {
  st_error(diag, (StLoc){0}, "there is no quantisation '%s'", text);
  st_note(diag,
          "use f32, w4a8 or w8a8; the last two may name the group of elements "
          "with one scale, %d to %d: w4a8:32",
          ST_GROUP_MIN, ST_GROUP_MAX);
  return false;
}

bool st_scheme_parse(const char *text, StScheme *out, StDiag *diag) {
  size_t len = strcspn(text, ":");
  size_t n = sizeof schemes / sizeof *schemes;
  for (size_t i = 0; i < n; i++) {
    if (strlen(schemes[i].name) != len || strncmp(text, schemes[i].name, len))
      continue;
    *out = schemes[i].scheme;
    if (!text[len])
      return true;
    char *end;
    long group = strtol(text + len + 1, &end, 10);
    bool digit = text[len + 1] >= '0' && text[len + 1] <= '9';
    if (!out->weight_bits || !digit || *end || group < ST_GROUP_MIN ||
        group > ST_GROUP_MAX)
      break;
    out->group = group;
    return true;
  }
  return refuse(text, diag);
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

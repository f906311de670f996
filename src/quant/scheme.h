/* Quantisation schemes, as `compile -q` names them (doc/quantisation.md). */
#ifndef ST_QUANT_SCHEME_H
#define ST_QUANT_SCHEME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

enum {
  ST_GROUP_MIN = 16,
  ST_GROUP_MAX = 1024,
  ST_GROUP_DEFAULT = 128,
  ST_ACTIVATION_BITS = 8, /* of what weights in integers are multiplied with */
  ST_PATTERN_MAX = 256    /* characters of a rule's pattern, with its end */
};

typedef struct {
  int weight_bits;   /* 4 or 8; 0: weights stay what they are */
  int64_t group;     /* elements that share a scale, at most */
  bool mins;         /* a minimum for each group as well */
  const char *rules; /* for parameters of some names: a part of the text that
                        was parsed, which has to outlive it; NULL: none */
} StScheme;

/* What the parameters get whose names match. */
typedef struct {
  char pattern[ST_PATTERN_MAX]; /* as of a shell: * ? [..] */
  StScheme scheme;              /* without rules */
} StSchemeRule;

/* "f32"; "w4a8" or "w8a8", with ":32" for another group, with ":min" for
 * minimums; then any number of ",PATTERN=" and one of these. False after an
 * error that lists them. */
bool st_scheme_parse(const char *text, StScheme *out, StDiag *diag);

/* Rule i; false: there are no more. */
bool st_scheme_rule(const StScheme *s, int i, StSchemeRule *out);
bool st_scheme_matches(const StSchemeRule *rule, const char *name);
/* Of the parameter: that of the last rule that it matches, else s. */
StScheme st_scheme_of(const StScheme *s, const char *name);

/* What caches hold: `compile --kv`. */
typedef enum { ST_KV_F32, ST_KV_F16, ST_KV_INT8 } StKv;

/* "f32", "f16", "int8"; NULL: int8 if the scheme's weights are integers, else
 * f32. False after an error that lists them. */
bool st_kv_parse(const char *text, const StScheme *scheme, StKv *out,
                 StDiag *diag);
const char *st_kv_name(StKv kv);

/* The group for products over `extent` elements: the largest divisor that the
 * scheme allows; 0: none of at least ST_GROUP_MIN (or the whole extent). */
int64_t st_scheme_group(const StScheme *s, int64_t extent);

#endif

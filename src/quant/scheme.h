/* Quantisation schemes, as `compile -q` names them (doc/quantisation.md). */
#ifndef ST_QUANT_SCHEME_H
#define ST_QUANT_SCHEME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

enum { ST_GROUP_MIN = 16, ST_GROUP_MAX = 1024, ST_GROUP_DEFAULT = 128 };

typedef struct {
  int weight_bits;     /* 4 or 8; 0: weights stay what they are */
  int activation_bits; /* 8; 0 without weight_bits */
  int64_t group;       /* elements that share a scale, at most */
} StScheme;

/* "f32"; "w4a8" or "w8a8", with ":32" for another group. False after an
 * error that lists them. */
bool st_scheme_parse(const char *text, StScheme *out, StDiag *diag);

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

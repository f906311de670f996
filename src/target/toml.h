/* The subset of TOML that target files use: [section] headers (dotted names are
 * kept as they are), `key = value` with a string in double quotes without
 * escapes, a number, or a list of numbers on one line; comments with '#'.
 */
#ifndef ST_TARGET_TOML_H
#define ST_TARGET_TOML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"

typedef enum { ST_TOML_STRING, ST_TOML_NUMBER, ST_TOML_LIST } StTomlKind;

typedef struct {
  StTomlKind kind;
  StLoc loc;           /* of the key */
  const char *section; /* "" before the first header */
  const char *key;
  const char *string;
  int n;          /* NUMBER: 1 */
  double *number; /* [n] */
} StTomlItem;

typedef ST_VEC(StTomlItem) StToml;

/* Items in the order of the file, in the arena; no key twice in a section.
 * False after located errors. */
bool st_toml_parse(StArena *arena, const char *file, const char *text, size_t n,
                   StToml *out, StDiag *diag);

#endif

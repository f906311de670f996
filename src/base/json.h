/* Reading JSON with errors at line and column: a thin layer over jansson. A
 * value knows where it is in its document, so that a message about it shows
 * the place. Getters report, and return false, when the value is absent or not
 * what is asked for; a NULL value counts as absent and reported.
 */
#ifndef ST_BASE_JSON_H
#define ST_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

typedef struct StJsonDoc StJsonDoc;

typedef struct StJson {
  StJsonDoc *doc;
  json_t *v;                   /* not owned */
  const struct StJson *parent; /* NULL: the root */
  const char *key;             /* in the parent, if that is an object */
  int index;                   /* in the parent, if that is an array */
} StJson;

/* NULL after an error at its place; duplicate keys are errors. Values live in
 * the arena, strings until close. `text` serves messages and must live until
 * close. */
const StJson *st_json_parse(StArena *a, const char *file, const char *text,
                            size_t len, StDiag *diag);
const StJson *st_json_open(StArena *a, const char *path, StDiag *diag);
void st_json_close(const StJson *root); /* NULL is fine */

StLoc st_json_loc(const StJson *v);
/* "arguments[3].shape[0]", for messages. */
const char *st_json_path(const StJson *v);
void st_json_error(const StJson *v, const char *fmt, ...) ST_PRINTF(2, 3);

/* NULL if absent or null, without a message. */
const StJson *st_json_find(const StJson *object, const char *key);
/* NULL after a message if absent; null is a value here. */
const StJson *st_json_need(const StJson *object, const char *key);
const StJson *st_json_item(const StJson *array, int i); /* 0 <= i < count */
int st_json_count(const StJson *v); /* of an array or object, else 0 */

bool st_json_is_null(const StJson *v);
bool st_json_object(const StJson *v);
bool st_json_array(const StJson *v);
bool st_json_string(const StJson *v, const char **out); /* lives with the doc */
bool st_json_bool(const StJson *v, bool *out);
bool st_json_int(const StJson *v, int64_t lo, int64_t hi, int64_t *out);
bool st_json_number(const StJson *v, double *out);

/* The same for a member that must be there. */
bool st_json_get_string(const StJson *object, const char *key,
                        const char **out);
bool st_json_get_bool(const StJson *object, const char *key, bool *out);
bool st_json_get_int(const StJson *object, const char *key, int64_t lo,
                     int64_t hi, int64_t *out);
bool st_json_get_number(const StJson *object, const char *key, double *out);

#endif

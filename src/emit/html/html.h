/* The page of a build: a program that draws JSON, and the JSON. */
#ifndef ST_EMIT_HTML_HTML_H
#define ST_EMIT_HTML_HTML_H

#include "base/json.h"

/* Writes the page to `path`; files/report.js says what is in `data`. False
 * after an error. */
bool st_emit_html(const char *path, const char *title, const json_t *data,
                  StDiag *diag);

#endif

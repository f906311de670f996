/* What a build consists of, for programs and for people. */
#ifndef ST_DRIVER_REPORT_H
#define ST_DRIVER_REPORT_H

#include "base/json.h"
#include "base/str.h"
#include "driver/build.h"

/* `report --json`; the caller's. */
json_t *st_report_json(const StBuild *b);
json_t *st_report_cost(const StCost *c);

/* What a kernel computes, in a few words: how it folds, and the last operators
 * of its body. */
void st_report_label(StStr *out, const StOp *kernel);

/* Writes `report --html`: one page that needs nothing else. It has all of
 * st_report_json, the graph of the design, what the certificate's checker says,
 * and a step of one token, simulated, at half the context. False after an
 * error. */
bool st_report_html(const StBuild *b, const char *path, StDiag *diag);

#endif

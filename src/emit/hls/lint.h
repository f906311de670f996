/* The documented rules of a dataflow region, checked on the module before
 * anything is written and on the text before it leaves. Every message names its
 * rule; doc/hls.md lists the rules with their sources.
 */
#ifndef ST_EMIT_HLS_LINT_H
#define ST_EMIT_HLS_LINT_H

#include "ir/ir.h"

typedef struct {
  const char *id;     /* "HLS-1" */
  const char *text;   /* what must hold */
  const char *source; /* where that is documented */
} StHlsRule;

const StHlsRule *st_hls_rules(int *n);

/* False after located errors. */
bool st_hls_lint(const StModule *m, StDiag *diag);
/* The same for the text of accelerator.cpp, `file` in messages. */
bool st_hls_lint_text(const char *file, const char *text, size_t size,
                      StDiag *diag);

#endif

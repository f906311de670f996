/* Passes: each transforms a module in place (HACKING.md has the pipeline). */
#ifndef ST_PASS_PASS_H
#define ST_PASS_PASS_H

#include "ir/ir.h"
#include "target/target.h"

typedef struct {
  const StTarget *target; /* NULL before a target is needed */
  int lanes;              /* vector width that `tile` aims at, elements */
  StDiag *diag;           /* where errors go */
  struct StStr *certificate; /* of size-fifos; NULL: not wanted */
} StPassContext;

typedef struct {
  const char *name;    /* as in src/pass/<name>.c, with '-' for '_' */
  const char *summary; /* one line */
  /* False after an error was reported. */
  bool (*run)(StModule *m, const StPassContext *ctx);
} StPass;

bool st_pass_simplify(StModule *m, const StPassContext *ctx);
bool st_pass_factor_dims(StModule *m, const StPassContext *ctx);
bool st_pass_roll_layers(StModule *m, const StPassContext *ctx);
bool st_pass_fuse_elementwise(StModule *m, const StPassContext *ctx);
bool st_pass_expand_repeat(StModule *m, const StPassContext *ctx);
bool st_pass_tile(StModule *m, const StPassContext *ctx);
bool st_pass_stream(StModule *m, const StPassContext *ctx);
bool st_pass_fuse_kernels(StModule *m, const StPassContext *ctx);
bool st_pass_allocate(StModule *m, const StPassContext *ctx);
bool st_pass_size_fifos(StModule *m, const StPassContext *ctx);

#endif

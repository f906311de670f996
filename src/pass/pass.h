/* Passes: each transforms a module in place (HACKING.md has the pipeline). */
#ifndef ST_PASS_PASS_H
#define ST_PASS_PASS_H

#include "ir/ir.h"
#include "quant/grid.h"
#include "quant/scheme.h"
#include "target/target.h"

/* A parameter that quantize replaced: its data is to be computed from the
 * weights of the package. */
typedef struct {
  int source;        /* argument of the package */
  int codes, scales; /* arguments of the module */
  int mins;          /* the same; -1: none */
  StGrid grid;
} StQuantTensor;
typedef ST_VEC(StQuantTensor) StQuantised;

typedef struct {
  const StTarget *target; /* NULL before a target is needed */
  int lanes;    /* elements of every vector; 0: what `tile` finds best */
  double slack; /* factor on the time that `tile` gives to ops; 0: 1 */
  double kernels; /* of what kernels may have within the budget; 0: all */
  double memory;  /* of the memory within the budget, for FIFOs; 0: all */
  double factor[3]; /* on the times of products with parameters, of other
                       products, of rows; 0: what `tile` finds best */
  double *chosen;      /* [3] gets the factors that `tile` took; NULL: not
                          wanted */
  StScheme scheme;        /* of weights and what is multiplied with them */
  StKv kv;                /* of caches */
  const StGrid *own; /* [arguments] grids on which the package's parameters lie
                        already, bits 0: none; NULL: none at all. Their codes
                        and scales are found by the names that quantize gives */
  StQuantised *quantised; /* gets what quantize replaced; NULL: not wanted.
                             In the module's arena */
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
bool st_pass_quantize(StModule *m, const StPassContext *ctx);
bool st_pass_quantize_cache(StModule *m, const StPassContext *ctx);
bool st_pass_factor_dims(StModule *m, const StPassContext *ctx);
bool st_pass_roll_layers(StModule *m, const StPassContext *ctx);
bool st_pass_fuse_elementwise(StModule *m, const StPassContext *ctx);
bool st_pass_expand_repeat(StModule *m, const StPassContext *ctx);
bool st_pass_tile(StModule *m, const StPassContext *ctx);
bool st_pass_stream(StModule *m, const StPassContext *ctx);
bool st_pass_fuse_kernels(StModule *m, const StPassContext *ctx);
bool st_pass_bundle_loads(StModule *m, const StPassContext *ctx);
bool st_pass_allocate(StModule *m, const StPassContext *ctx);
bool st_pass_size_fifos(StModule *m, const StPassContext *ctx);
bool st_pass_place(StModule *m, const StPassContext *ctx);

/* Ops that reach no result go. */
void st_pass_drop_dead(StModule *m);

/* Are arguments and results small enough for the target's memory? Else an
 * error at `loc`. */
bool st_memory_check(const StModule *m, const StTarget *t, StLoc loc,
                     StDiag *diag);

#endif

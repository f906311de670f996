/* A package: what the exporter writes and the compiler reads. A directory with
 *   model.json           the step function's arguments and results, symbols
 *   model.mlir           its linalg-on-tensors text
 *   weights.safetensors  the parameters; may be absent (a configuration only)
 * doc/package.md has the keys of model.json.
 */
#ifndef ST_IMPORT_PACKAGE_H
#define ST_IMPORT_PACKAGE_H

#include "base/safetensors.h"
#include "import/import.h"
#include "quant/grid.h"

typedef enum { ST_PACKAGE_CAUSAL_LM, ST_PACKAGE_MODULE } StPackageKind;

typedef struct {
  StArena *arena;
  const char *dir;
  StPackageKind kind;
  StSignature sig;    /* roles, types, ctx and chunk; `name` is the package's */
  const char *text;   /* path of the text */
  const char *source; /* the model's class, for people; NULL: not known */
  int64_t vocab;      /* CAUSAL_LM: number of tokens; else 0 */
  int64_t bos;        /* -1: none */
  int neos;
  int64_t *eos;           /* [neos] tokens that end a text */
  StSafetensors *weights; /* NULL: a configuration only */
  const StTensor **param; /* [sig.nargs] data of PARAM arguments, NULL of the
                             others; all NULL without weights */
  StGrid *grid;           /* [sig.nargs] the grid on which a PARAM lies, bits 0:
                             none. Tensors NAME.codes (i8), NAME.scales and, with
                             minimums, NAME.mins (f16) of the weights hold it */
} StPackage;

/* NULL after located errors: the declaration is checked in itself, and every
 * parameter against the weights. The text is not read. */
StPackage *st_package_open(const char *dir, StDiag *diag);
void st_package_close(StPackage *p); /* NULL is fine */

/* Index of the only argument (or result) of that role; -1 if there is none. */
int st_package_arg(const StPackage *p, StRole role);
int st_package_ret(const StPackage *p, StRole role);

#endif

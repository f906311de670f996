/* From linalg-on-tensors text (as Torch-MLIR prints it) to tensor-level IR.
 * doc/import.md says what is accepted and what each operation becomes.
 */
#ifndef ST_IMPORT_IMPORT_H
#define ST_IMPORT_IMPORT_H

#include "ir/ir.h"

/* What the package declares about the step function. */
typedef struct {
  const char *name;   /* of the module that is made */
  int64_t ctx, chunk; /* maxima of P + T and of T; 0: no symbols */
  int nargs, nrets;
  const StPort *arg; /* [nargs], in the order of the function's arguments */
  const StPort *ret; /* [nrets] */
  const char *entry; /* the function; NULL: the only one, or `main` */
} StSignature;

/* The function in the file `path` as a tensor-level module; NULL after located
 * errors, which name every unsupported operation. `sig` gives arguments and
 * results their roles, and `?` extents their symbols; it must agree with the
 * types in the text. Without it (NULL) the arguments are inputs arg0, arg1, ...
 * and a `?` extent is an error. */
StModule *st_import_linalg(const StSignature *sig, const char *path,
                           StDiag *diag);

#endif

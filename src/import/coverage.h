/* Operator coverage: what a text consists of and what of it can be compiled,
 * before anything else runs.
 */
#ifndef ST_IMPORT_COVERAGE_H
#define ST_IMPORT_COVERAGE_H

#include "import/import.h"

enum { ST_COVERAGE_PLACES = 4 };

/* One kind of operation, structural or in a loop's body. */
typedef struct {
  const char *op; /* MLIR's name, or what a pass calls it */
  int count;
  const char *reason; /* why it is not supported; NULL: it is */
  int nplaces; /* places kept; of the unsupported ones if there are any */
  StLoc place[ST_COVERAGE_PLACES];
} StCoverageRow;

typedef struct {
  ST_VEC(StCoverageRow) row;   /* unsupported first, then by count and name */
  int operations, unsupported; /* operations in all; rows with a reason */
} StCoverage;

/* NULL after errors: the text cannot be read. Everything is in `arena`. */
StCoverage *st_coverage(StArena *arena, const StSignature *sig,
                        const char *path, StDiag *diag);
/* Enter what a later step said of the module, its first error: the operation,
 * with ": " before the reason. */
void st_coverage_refuse(StCoverage *c, StArena *arena, const StDiag *said);
struct StStr;
void st_coverage_print(struct StStr *out, const StCoverage *c);
void st_coverage_json(struct StStr *out, const StCoverage *c);

#endif

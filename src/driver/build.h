/* A build: the directory that `compile` writes and everything else reads.
 *   design.st        the hardware level module (doc/ir.md)
 *   certificate.txt  the proof of its FIFO depths (doc/fifo-sizing.md)
 *   target.toml      a copy of the target's file
 *   build.json       where the package is, the target, passes and their times
 *   weights.safetensors  codes and scales of quantised weights, if there are
 *   tokenizer.json   of the package, if it has one
 *   chat.json        the same */
#ifndef ST_DRIVER_BUILD_H
#define ST_DRIVER_BUILD_H

#include "base/file.h"
#include "driver/pipeline.h"
#include "driver/weights.h"

#define ST_BUILD_MARKER "build.json"

/* What may be chosen of a design; zeros: what the compiler finds best. */
typedef struct {
  double factor[3]; /* of StPassContext */
  int64_t chunk;    /* most tokens of a step, at most the package's */
} StDesign;

typedef struct {
  const char *package;      /* directory */
  const char *build;        /* directory to write */
  const char *target;       /* name or file */
  const char *quantisation; /* as st_scheme_parse knows it */
  const char *kv;           /* as st_kv_parse knows it; may be NULL */
  StDesign design;
  FILE *progress; /* lines while it takes long; NULL: none */
} StCompileOptions;

/* What a compilation tells. */
typedef struct {
  StPassTime pass[32];
  int npasses;
  double seconds;
} StCompileReport;

/* "1,1.4,2" to factors, a number to the chunk; NULL leaves either alone. False
 * after an error. */
bool st_design_parse(const char *factors, const char *chunk, StDesign *d,
                     StDiag *diag);
/* False after an error: the chunk is larger than the package's. */
bool st_design_check(const StDesign *d, const StPackage *p, StDiag *diag);

/* The first design that fits is taken of those of several attempts: FIFOs in
 * less of the memory within the budget and kernels in less of all, so that dies
 * can be filled, then more time for all ops (not if factors are given). */
typedef struct {
  double slack, kernels, memory; /* as in StPassContext */
} StAttempt;

/* NULL after the last. */
const StAttempt *st_build_attempt(int number);
/* The number of the attempt after one that has too much of a resource: less
 * FIFOs help only where memory is short. */
int st_build_next(int number, const char *resource);

/* False after located errors; then `build` is as it was. */
bool st_build_write(const StCompileOptions *o, StCompileReport *report,
                    StDiag *diag);

typedef struct {
  StArena *arena;
  const char *dir;
  StModule *module;
  const StTarget *target;
  StPackage *package; /* NULL if not asked for */
  StSafetensors *weights; /* of the build; NULL: it has none */
  StParam *param; /* [module->arg.n]; NULL: not asked for, or there are
                     parameters and no weights */
  const struct StJson *info; /* build.json */
} StBuild;

/* NULL after located errors. with_package: its parameters too. */
StBuild *st_build_open(const char *dir, bool with_package, StDiag *diag);
void st_build_close(StBuild *b); /* NULL is fine */

/* The text of a file of the build, mapped. */
bool st_build_file(const StBuild *b, const char *name, StMap *map,
                   StDiag *diag);

#endif

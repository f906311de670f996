/* Parameters of a build: those of the package as they are, and a file of the
 * build's own with what quantisation made of others. */
#ifndef ST_DRIVER_WEIGHTS_H
#define ST_DRIVER_WEIGHTS_H

#include "device/device.h"
#include "import/package.h"
#include "pass/pass.h"

#define ST_WEIGHTS_FILE "weights.safetensors"

/* Computes codes and scales from the package's weights and writes them to
 * `path`. False after an error. */
bool st_weights_write(const char *path, const StPackage *package,
                      const StModule *m, const StQuantised *quantised,
                      StDiag *diag);

/* The data of every parameter of the module, by name: from `own` (may be NULL),
 * else from the package. [m->arg.n] in the arena, empty for what is no
 * parameter; NULL after located errors: missing, another type or shape. */
StParam *st_weights_bind(StArena *a, const StModule *m,
                         const StSafetensors *own, const StPackage *package,
                         StDiag *diag);

#endif

/* A device runs steps of a design on a memory image: the simulator, the
 * interpreter, the compiled C++, the RTL under Verilator; or the simulator
 * without values, which reads and writes no memory and needs no parameters. */
#ifndef ST_DEVICE_DEVICE_H
#define ST_DEVICE_DEVICE_H

#include "base/safetensors.h"
#include "device/memory.h"
#include "target/target.h"

typedef enum { ST_DEVICE_SIM, ST_DEVICE_INTERP, ST_DEVICE_HLS,
               ST_DEVICE_RTL, ST_DEVICE_TIMING, ST_DEVICE_COUNT } StDeviceKind;

typedef struct StDevice StDevice;

/* The data of a parameter and the file that it is mapped from. */
typedef struct {
  const StTensor *tensor; /* NULL: not a parameter */
  const StSafetensors *file;
} StParam;

typedef struct {
  int64_t cycles; /* -1: the device does not tell */
  int64_t bytes;  /* to and from memory; -1: likewise */
} StStep;

/* False if there is no such device. */
bool st_device_parse(const char *name, StDeviceKind *kind);

/* NULL after an error. Everything given must outlive the device. `dir`: the
 * build, where the hls and rtl devices keep what they compile; param:
 * [m->arg.n]. */
StDevice *st_device_open(StDeviceKind kind, const StModule *m,
                         const StTarget *t, StMemoryImage *image,
                         const StParam *param, const char *dir,
                         StDiag *diag);
void st_device_close(StDevice *d); /* NULL is fine */

/* T tokens after P: arguments are read from the image, results left there. */
bool st_device_step(StDevice *d, int64_t P, int64_t T, StStep *out);

#endif

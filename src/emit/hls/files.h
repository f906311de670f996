/* Files of a design that are the same for all of them, inside the program. */
#ifndef ST_EMIT_HLS_FILES_H
#define ST_EMIT_HLS_FILES_H

#include <stddef.h>

typedef struct {
  const char *name; /* path inside the design's directory */
  const char *begin, *end;
} StHlsAsset;

const StHlsAsset *st_hls_assets(int *n);

#endif

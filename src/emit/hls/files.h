/* Files of a design that are the same for all of them, inside the program. */
#ifndef ST_EMIT_HLS_FILES_H
#define ST_EMIT_HLS_FILES_H

#include <stddef.h>

typedef struct {
  const char *name; /* path inside the design's directory */
  const char *begin, *end;
} StHlsAsset;

const StHlsAsset *st_hls_assets(int *n);

/* The assembler puts the file at `path`, which it looks for in the include
 * path, into the object as st_file_`id` .. st_file_`id`_end. */
#define ST_ASSET_DECLARE(id, path, name)                                       \
  extern const char st_file_##id[] __attribute__((visibility("hidden")));      \
  extern const char st_file_##id##_end[]                                       \
      __attribute__((visibility("hidden")));                                   \
  __asm__(".section .rodata\n"                                                 \
          ".globl st_file_" #id ", st_file_" #id "_end\n"                      \
          ".hidden st_file_" #id ", st_file_" #id "_end\n"                     \
          "st_file_" #id ":\n"                                                 \
          ".incbin \"" path "\"\n"                                             \
          "st_file_" #id "_end:\n"                                             \
          ".byte 0\n"                                                          \
          ".previous\n");
/* An StHlsAsset of it. */
#define ST_ASSET_ENTRY(id, path, name) {name, st_file_##id, st_file_##id##_end},

#endif

/* The files come from src/emit/hls/files and src/base, put into the object by
 * the assembler, which looks for them in the include path. */
#include "emit/hls/files.h"

#define ASSETS(X)                                                              \
  X(makefile, "emit/hls/files/Makefile", "Makefile")                           \
  X(call_h, "emit/hls/files/csim/call.h", "csim/call.h")                       \
  X(stream_h, "emit/hls/files/csim/hls_stream.h", "csim/hls_stream.h")         \
  X(task_h, "emit/hls/files/csim/hls_task.h", "csim/hls_task.h")               \
  X(main_cpp, "emit/hls/files/csim/main.cpp", "csim/main.cpp")                 \
  X(csim_cpp, "emit/hls/files/csim/st_csim.cpp", "csim/st_csim.cpp")           \
  X(csim_h, "emit/hls/files/csim/st_csim.h", "csim/st_csim.h")                 \
  X(design_h, "emit/hls/files/design.h", "design.h")                           \
  X(host_cpp, "emit/hls/files/host.cpp", "host.cpp")                           \
  X(image_cpp, "emit/hls/files/image.cpp", "image.cpp")                        \
  X(image_h, "emit/hls/files/image.h", "image.h")                              \
  X(num_h, "base/num.h", "num.h")                                              \
  X(serve_cpp, "emit/hls/files/serve.cpp", "csim/serve.cpp")                   \
  X(serve_h, "emit/hls/files/serve.h", "csim/serve.h")                         \
  X(tables_h, "base/num_tables.h", "num_tables.h")                             \
  X(hls_h, "emit/hls/files/st_hls.h", "st_hls.h")

#define DECLARE(id, path, name)                                                \
  extern const char st_hls_file_##id[] __attribute__((visibility("hidden")));  \
  extern const char st_hls_file_##id##_end[]                                   \
      __attribute__((visibility("hidden")));                                   \
  __asm__(".section .rodata\n"                                                 \
          ".globl st_hls_file_" #id ", st_hls_file_" #id "_end\n"              \
          ".hidden st_hls_file_" #id ", st_hls_file_" #id "_end\n"             \
          "st_hls_file_" #id ":\n"                                             \
          ".incbin \"" path "\"\n"                                             \
          "st_hls_file_" #id "_end:\n"                                         \
          ".byte 0\n"                                                          \
          ".previous\n");
ASSETS(DECLARE)

#define ENTRY(id, path, name) {name, st_hls_file_##id, st_hls_file_##id##_end},

const StHlsAsset *st_hls_assets(int *n) {
  static const StHlsAsset assets[] = {ASSETS(ENTRY)};
  *n = (int)(sizeof assets / sizeof assets[0]);
  return assets;
}

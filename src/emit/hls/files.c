/* The files come from src/emit/hls/files and src/base. */
#include "emit/hls/files.h"

#define ASSETS(X)                                                              \
  X(hls_makefile, "emit/hls/files/Makefile", "Makefile")                       \
  X(hls_call_h, "emit/hls/files/csim/call.h", "csim/call.h")                   \
  X(hls_stream_h, "emit/hls/files/csim/hls_stream.h", "csim/hls_stream.h")     \
  X(hls_task_h, "emit/hls/files/csim/hls_task.h", "csim/hls_task.h")           \
  X(hls_main_cpp, "emit/hls/files/csim/main.cpp", "csim/main.cpp")             \
  X(hls_csim_cpp, "emit/hls/files/csim/st_csim.cpp", "csim/st_csim.cpp")       \
  X(hls_csim_h, "emit/hls/files/csim/st_csim.h", "csim/st_csim.h")             \
  X(hls_design_h, "emit/hls/files/design.h", "design.h")                       \
  X(hls_host_cpp, "emit/hls/files/host.cpp", "host.cpp")                       \
  X(hls_image_cpp, "emit/hls/files/image.cpp", "image.cpp")                    \
  X(hls_image_h, "emit/hls/files/image.h", "image.h")                          \
  X(hls_num_h, "base/num.h", "num.h")                                          \
  X(hls_serve_cpp, "emit/hls/files/serve.cpp", "csim/serve.cpp")               \
  X(hls_serve_h, "emit/hls/files/serve.h", "csim/serve.h")                     \
  X(hls_tables_h, "base/num_tables.h", "num_tables.h")                         \
  X(hls_hls_h, "emit/hls/files/st_hls.h", "st_hls.h")

ASSETS(ST_ASSET_DECLARE)

const StHlsAsset *st_hls_assets(int *n) {
  static const StHlsAsset assets[] = {ASSETS(ST_ASSET_ENTRY)};
  *n = (int)(sizeof assets / sizeof assets[0]);
  return assets;
}

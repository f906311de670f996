/* The library and the program around a design. */
#include "emit/rtl/files.h"

#define SV(X, dir, name)                                                       \
  X(rtl_##name, "../rtl/" #dir "/" #name ".sv", "lib/" #name ".sv")

#define LIBRARY(X)                                                             \
  SV(X, axi, st_axi_channel)                                                   \
  SV(X, axi, st_axi_control)                                                   \
  SV(X, axi, st_axi_read)                                                      \
  SV(X, axi, st_axi_write)                                                     \
  SV(X, axi, st_clock_gate)                                                    \
  SV(X, board, st_best)                                                        \
  SV(X, board, st_cache)                                                       \
  SV(X, board, st_terminal)                                                    \
  SV(X, board, st_uart_rx)                                                     \
  SV(X, board, st_uart_tx)                                                     \
  SV(X, flow, st_accum)                                                        \
  SV(X, flow, st_address)                                                      \
  SV(X, flow, st_fifo)                                                         \
  SV(X, flow, st_flow)                                                         \
  SV(X, flow, st_fork)                                                         \
  SV(X, flow, st_frames)                                                       \
  SV(X, flow, st_gather)                                                       \
  SV(X, flow, st_hold)                                                         \
  SV(X, flow, st_issue)                                                        \
  SV(X, flow, st_load)                                                         \
  SV(X, flow, st_loops)                                                        \
  SV(X, flow, st_ram)                                                          \
  SV(X, flow, st_ring)                                                         \
  SV(X, flow, st_srl)                                                          \
  SV(X, flow, st_store)                                                        \
  SV(X, flow, st_used)                                                         \
  SV(X, flow, st_valid)                                                        \
  SV(X, flow, st_way)                                                          \
  SV(X, flow, st_window)                                                       \
  SV(X, num, st_circular)                                                      \
  SV(X, num, st_combine)                                                       \
  SV(X, num, st_cubic)                                                         \
  SV(X, num, st_delay)                                                         \
  SV(X, num, st_dot)                                                           \
  SV(X, num, st_exp)                                                           \
  SV(X, num, st_exp2_fix)                                                      \
  SV(X, num, st_fadd)                                                          \
  SV(X, num, st_fcmp)                                                          \
  SV(X, num, st_fdiv)                                                          \
  SV(X, num, st_fextreme)                                                      \
  SV(X, num, st_fmul)                                                          \
  SV(X, num, st_fodd)                                                          \
  SV(X, num, st_fpow)                                                          \
  SV(X, num, st_frint)                                                         \
  SV(X, num, st_fround16)                                                      \
  SV(X, num, st_fsign)                                                         \
  SV(X, num, st_fsqrt)                                                         \
  SV(X, num, st_ftoi)                                                          \
  SV(X, num, st_fwiden16)                                                      \
  SV(X, num, st_idiv)                                                          \
  SV(X, num, st_imul)                                                          \
  SV(X, num, st_itof)                                                          \
  SV(X, num, st_log)                                                           \
  SV(X, num, st_log2_fix)                                                      \
  SV(X, num, st_num)                                                           \
  SV(X, num, st_rsqrt)                                                         \
  SV(X, num, st_tree)                                                          \
  SV(X, rom, st_const)                                                         \
  SV(X, rom, st_rom_cos)                                                       \
  SV(X, rom, st_rom_erf)                                                       \
  SV(X, rom, st_rom_exp2)                                                      \
  SV(X, rom, st_rom_log2)                                                      \
  SV(X, rom, st_rom_rsqrt)                                                     \
  SV(X, rom, st_rom_sin)                                                       \
  SV(X, rom, st_rom_tanh)

#define ASSETS(X)                                                              \
  LIBRARY(X)                                                                   \
  X(rtl_makefile, "emit/rtl/files/Makefile", "Makefile")                       \
  X(rtl_main_cpp, "emit/rtl/files/main.cpp", "sim/main.cpp")                   \
  X(rtl_axi_cpp, "emit/rtl/files/axi.cpp", "sim/axi.cpp")                      \
  X(rtl_axi_h, "emit/rtl/files/axi.h", "sim/axi.h")                            \
  X(rtl_ports_h, "emit/rtl/files/ports.h", "sim/ports.h")                      \
  X(rtl_design_h, "emit/hls/files/design.h", "sim/design.h")                   \
  X(rtl_image_cpp, "emit/hls/files/image.cpp", "sim/image.cpp")                \
  X(rtl_image_h, "emit/hls/files/image.h", "sim/image.h")                      \
  X(rtl_serve_cpp, "emit/hls/files/serve.cpp", "sim/serve.cpp")                \
  X(rtl_serve_h, "emit/hls/files/serve.h", "sim/serve.h")

#define BOARD(X) X(rtl_board_cpp, "emit/rtl/files/board.cpp", "sim/board.cpp")

ASSETS(ST_ASSET_DECLARE)
BOARD(ST_ASSET_DECLARE)

const StHlsAsset *st_rtl_assets(int *n) {
  static const StHlsAsset assets[] = {ASSETS(ST_ASSET_ENTRY)};
  *n = (int)(sizeof assets / sizeof assets[0]);
  return assets;
}

const StHlsAsset *st_rtl_board_assets(int *n) {
  static const StHlsAsset assets[] = {BOARD(ST_ASSET_ENTRY)};
  *n = (int)(sizeof assets / sizeof assets[0]);
  return assets;
}

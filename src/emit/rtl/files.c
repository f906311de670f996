/* The library and the program around a design, put into the object by the
 * assembler, which looks for them in the include path. */
#include "emit/rtl/files.h"

#define SV(dir, name)                                                          \
  X(name, "../rtl/" #dir "/" #name ".sv", "lib/" #name ".sv")

#define LIBRARY                                                                \
  SV(flow, st_accum)                                                           \
  SV(flow, st_address) SV(flow, st_fifo) SV(flow, st_flow) SV(                 \
      flow, st_fork) SV(flow, st_frames) SV(flow, st_gather) SV(flow, st_hold) \
      SV(flow, st_issue) SV(flow, st_load) SV(flow, st_loops) SV(              \
          flow, st_ram) SV(flow, st_ring) SV(flow, st_srl) SV(flow, st_store)  \
          SV(flow, st_used) SV(flow, st_valid) SV(flow, st_way) SV(            \
              flow, st_window) SV(num, st_circular) SV(num, st_combine)        \
              SV(num, st_cubic) SV(num, st_delay) SV(num, st_dot) SV(          \
                  num, st_exp) SV(num, st_exp2_fix) SV(num, st_fadd)           \
                  SV(num, st_fcmp) SV(num, st_fdiv) SV(num, st_fextreme) SV(   \
                      num, st_fmul) SV(num, st_fodd) SV(num, st_fpow)          \
                      SV(num, st_frint) SV(num, st_fround16) SV(               \
                          num, st_fsign) SV(num, st_fsqrt) SV(num, st_ftoi)    \
                          SV(num, st_fwiden16) SV(num, st_idiv) SV(            \
                              num, st_imul) SV(num, st_itof) SV(num, st_log)   \
                              SV(num, st_log2_fix) SV(num, st_num)             \
                                  SV(num, st_rsqrt) SV(num, st_tree)           \
                                      SV(rom, st_const) SV(rom, st_rom_cos)    \
                                          SV(rom,                              \
                                             st_rom_erf) SV(rom, st_rom_exp2)  \
                                              SV(rom, st_rom_log2)             \
                                                  SV(rom, st_rom_rsqrt)        \
                                                      SV(rom, st_rom_sin)      \
                                                          SV(rom, st_rom_tanh)

#define ASSETS                                                                 \
  LIBRARY                                                                      \
  X(makefile, "emit/rtl/files/Makefile", "Makefile")                           \
  X(main_cpp, "emit/rtl/files/main.cpp", "sim/main.cpp")                       \
  X(ports_h, "emit/rtl/files/ports.h", "sim/ports.h")                          \
  X(design_h, "emit/hls/files/design.h", "sim/design.h")                       \
  X(image_cpp, "emit/hls/files/image.cpp", "sim/image.cpp")                    \
  X(image_h, "emit/hls/files/image.h", "sim/image.h")                          \
  X(serve_cpp, "emit/hls/files/serve.cpp", "sim/serve.cpp")                    \
  X(serve_h, "emit/hls/files/serve.h", "sim/serve.h")

#define X(id, path, name)                                                      \
  extern const char st_rtl_file_##id[] __attribute__((visibility("hidden")));  \
  extern const char st_rtl_file_##id##_end[]                                   \
      __attribute__((visibility("hidden")));                                   \
  __asm__(".section .rodata\n"                                                 \
          ".globl st_rtl_file_" #id ", st_rtl_file_" #id "_end\n"              \
          ".hidden st_rtl_file_" #id ", st_rtl_file_" #id "_end\n"             \
          "st_rtl_file_" #id ":\n"                                             \
          ".incbin \"" path "\"\n"                                             \
          "st_rtl_file_" #id "_end:\n"                                         \
          ".byte 0\n"                                                          \
          ".previous\n");
ASSETS
#undef X

#define X(id, path, name) {name, st_rtl_file_##id, st_rtl_file_##id##_end},

const StHlsAsset *st_rtl_assets(int *n) {
  static const StHlsAsset assets[] = {ASSETS};
  *n = (int)(sizeof assets / sizeof assets[0]);
  return assets;
}

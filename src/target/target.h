/* A target: what a device offers and what things cost on it. Read from
 * targets/NAME.toml (doc/target.md lists the keys); everything that decides a
 * latency, a cost or a rate comes from there.
 *
 * Units: times in cycles of `clock_mhz` unless a name says ns; BRAM in blocks
 * of 36 kbit (halves are blocks of 18 kbit), URAM in blocks of 288 kbit.
 */
#ifndef ST_TARGET_TARGET_H
#define ST_TARGET_TARGET_H

#include "ir/ir.h"

typedef struct {
  double lut, ff, dsp, bram36, uram;
} StCost;

typedef struct {
  int latency; /* from the operands to the result */
  StCost cost; /* one operator, a new operation every cycle */
} StOperator;

/* Operators are listed by the width class of their type; a class that lacks
 * one takes it from the next: F16 -> F32 -> ANY, I8 -> I32 -> I64 -> ANY. */
typedef enum {
  ST_CLASS_F16, /* f16, bf16 */
  ST_CLASS_F32, /* f32 (and f64) */
  ST_CLASS_I8,  /* i1, i4, i8 */
  ST_CLASS_I16,
  ST_CLASS_I32,
  ST_CLASS_I64,
  ST_CLASS_ANY,
  ST_CLASS_COUNT
} StClass;

/* Where arguments, constants and results of the step function live. */
typedef enum {
  ST_STORAGE_HBM,
  ST_STORAGE_DDR,
  ST_STORAGE_ONCHIP, /* block RAM: every load and store has a port of its own */
  ST_STORAGE_COUNT
} StStorage;

typedef struct {
  const char *path; /* of its file */
  const char *name;
  const char *part; /* the vendor's name of the device */
  const char *synth; /* Yosys' command of the device's family */
  double clock_mhz;
  int dies;          /* in a row: each is joined to the next */
  const StCost *die; /* [dies] */
  StCost device;     /* all dies together */
  double die_wires;  /* between a die and the next */
  int memory_die;    /* beside which the memory lies */
  double budget; /* share of each resource of a die that a design may use */

  struct {
    StStorage kind;
    int channels; /* independent ports (HBM: pseudo-channels); 0: ONCHIP */
    int64_t channel_mb;
    double gbps;       /* 1e9 bytes a second, one channel, peak */
    double efficiency; /* what long linear bursts reach of the peak */
    double latency_ns; /* from a read request to its data */
    int port_bits;     /* widest token that a load or store moves in one beat */
  } memory;

  struct {
    int fifo[ST_MEM_COUNT]; /* pushed at t, poppable from t + this */
    int buffer;             /* converter: fill beat to drain beat */
    int fill, drain, fork;  /* issue of a beat to the push of its tokens */
    int load, store;        /* the engine; memory latency comes on top */
    int issue;              /* kernel: registers around the body */
  } latency;

  struct {
    int srl_bits;       /* bits of one LUT as shift register; 0: has none */
    int srl_depth;      /* deepest FIFO made of shift registers */
    int lutram_bits;    /* bits of one LUT as RAM */
    int lutram_depth;   /* words of its smallest unit */
    int64_t lutram_max; /* bits of the largest FIFO made of it */
    double uram_fill;   /* URAM if at least this share of its bits is used */
    double control_lut, control_ff; /* counters and flags of one FIFO */
  } fifo;

  StCost dma; /* engine of one load or store */
  struct { /* sums of products of at most 8 by 8 bits */
    int chain;    /* products that are summed one after another */
    int latency;  /* of such a chain */
    StCost product; /* one of its products, the addition included */
    StCost soft;    /* the same without a multiplier */
  } dot;

  struct {
    double gbps;       /* host to card, 1e9 bytes a second */
    double latency_us; /* of one transfer */
  } pcie;

  struct { /* estimates; doc/target.md has the sources */
    double static_w;
    double lut_uw, ff_uw, dsp_uw, bram36_uw, uram_uw; /* each, a MHz, busy */
    double memory_pj_bit; /* each bit read or written in HBM or DDR */
  } power;

  bool has_op[ST_CLASS_COUNT][ST_X_COUNT];
  StOperator op[ST_CLASS_COUNT][ST_X_COUNT];
} StTarget;

/* The target `name`: a path if it has a '/' or ends in ".toml", else
 * NAME.toml in the first directory `targets` found in: the environment's
 * STREAMTENSOR_TARGETS (itself), the directory of this executable and those
 * above it, the working directory and those above it. NULL after an error (an
 * unknown name lists the known ones). */
const StTarget *st_target_load(StArena *arena, const char *name, StDiag *diag);
/* The same from text; `file` names it in messages. */
const StTarget *st_target_parse(StArena *arena, const char *file,
                                const char *text, size_t n, StDiag *diag);

/* The class of an operator: dtype is that of the result; of CMPF and CMPI that
 * of the arguments. */
StClass st_target_class(StDtype dtype);
/* Never fails: a target file defines every operator that its devices have, and
 * LEAF expressions without an entry cost nothing. */
const StOperator *st_target_operator(const StTarget *t, StScalarKind k,
                                     StDtype dtype);
int st_target_op_latency(const StTarget *t, StScalarKind k, StDtype dtype);

/* The operator of an expression of a body: a multiplier of integers is as wide
 * as the bits that the values of its operands can need. */
const StOperator *st_target_expr(const StTarget *t, const StBody *body,
                                 const StExpr *e);
int st_target_expr_bits(const StBody *body, const StExpr *e);
/* The result is a sum of products of at most 8 by 8 bits. */
bool st_target_is_dot(const StBody *body, const StOutput *out);

/* Kernel: from the issue of a beat to the push of its results: registers, the
 * critical path of the body, the tree over the reduction lanes, the
 * accumulation and the tree over the ways, the latest output deciding. At least
 * 1. */
int st_target_body_latency(const StTarget *t, const StOp *kernel);
/* Bits of block RAM and URAM of the device. */
double st_target_memory_bits(const StTarget *t);
/* Stream level op: what StOp.latency should be. */
int st_target_latency(const StTarget *t, const StOp *op);

/* All lanes of a kernel, trees and accumulation; adders of the tree are shared
 * by nothing. Without FIFOs. Other ops: engines and buffers (a converter's
 * windows in the memory that it names). */
StCost st_target_op_cost(const StTarget *t, const StModule *m, const StOp *op);

/* The same for a generic that has a schedule. */
StCost st_target_nest_cost(const StTarget *t, const StModule *m,
                           const StOp *op);

/* Lanes whose products are summed as those of integers of at most 8 bits;
 * 0: op makes no such sums. */
int64_t st_target_dot_lanes(const StOp *op);
/* Makes integer products of ops of a kind on a die (-1: any) of LUTs, first
 * those of the op that has most in multipliers, until `over` multipliers are
 * saved or none is left. How many. */
int64_t st_target_soften(const StTarget *t, StModule *m, StOpKind kind, int die,
                      double over);

int st_target_fifo_latency(const StTarget *t, StMemory mem);
/* What a FIFO of `depth` tokens of `bits` is best made of. */
StMemory st_target_fifo_memory(const StTarget *t, int64_t bits, int64_t depth);
/* A memory of `words` words of `bits`, with one write and one read port. */
StCost st_target_memory_cost(const StTarget *t, StMemory mem, int64_t bits,
                             int64_t words);
/* A FIFO: its memory and its control. ST_MEM_AUTO: as chosen above. */
StCost st_target_fifo_cost(const StTarget *t, StMemory mem, int64_t bits,
                           int64_t depth);

StCost st_cost_add(StCost a, StCost b);
StCost st_cost_scale(StCost a, double by);

/* Bits that one channel moves a cycle, at its efficiency; INT64_MAX when
 * everything is on chip. */
int64_t st_target_channel_bits(const StTarget *t);
/* Cycles from a read request to its data. */
int st_target_memory_latency(const StTarget *t);

#endif

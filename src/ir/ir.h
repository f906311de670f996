/* The intermediate representation: one module, three levels (doc/ir.md).
 *
 * Tensor level: ops on tensors in SSA form, in an order in which every operand
 * is defined before its use (the second operand of `carry` excepted).
 * Stream level: kernels, converters, forks, loads and stores joined by streams;
 * each stream has one producer and one consumer (doc/machine.md).
 * Hardware level: the same ops with `depth`, `memory`, `ii`, `latency`, ...
 * decided.
 *
 * Everything lives in the module's arena. Ops and values have dense ids, so
 * that an analysis is an array. Nothing depends on addresses.
 */
#ifndef ST_IR_IR_H
#define ST_IR_IR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/dtype.h"
#include "base/sym.h"

typedef enum {
#define X(e, name, level, operands, results, summary) ST_OP_##e,
#include "ir/ops.def"
#undef X
  ST_OP_COUNT
} StOpKind;

typedef enum {
#define X(e, name, args, kind, summary) ST_X_##e,
#include "ir/scalar.def"
#undef X
  ST_X_COUNT
} StScalarKind;

typedef enum { /* of cmpf and cmpi; MLIR's names */
  ST_P_OEQ, ST_P_OGT, ST_P_OGE, ST_P_OLT, ST_P_OLE, ST_P_ONE, ST_P_ORD,
  ST_P_UEQ, ST_P_UGT, ST_P_UGE, ST_P_ULT, ST_P_ULE, ST_P_UNE, ST_P_UNO,
  ST_P_EQ, ST_P_NE, ST_P_SLT, ST_P_SLE, ST_P_SGT, ST_P_SGE,
  ST_P_IULT, ST_P_IULE, ST_P_IUGT, ST_P_IUGE,
  ST_P_COUNT
} StPredicate;

typedef struct StOp StOp;
typedef struct StValue StValue;

/* off + sum of coef * dim. Terms are sorted by dim, coefficients not 0. */
typedef struct {
  int dim; /* iteration dim of the op */
  int64_t coef;
} StTerm;
typedef struct {
  StSym off;
  int n;
  StTerm *term;
} StAffine;

/* ---- types ---------------------------------------------------------- */

/* One loop of an iteration space. Of a stream type: `dim` is the data dim that
 * the loop advances by `step` elements, -1 if it advances none (what is inside
 * is streamed again). Of a kernel: `dim` is the iteration dim. */
typedef struct {
  int dim;
  StSym trip;
  int64_t step;
} StLoop;

/* The order of a stream (doc/itensor.md): for every iteration of the loops,
 * outermost first, one token: the box of `elem` elements at
 *   origin[d] + sum over the loops l with dim d of index(l) * step(l)
 * of a tensor of `rank` dims. Elements of a token are in row-major order. */
typedef struct {
  int rank;
  int64_t *elem; /* [rank] shape of a token, at least 1 each */
  StSym *origin; /* [rank] */
  int nloops;
  StLoop *loop; /* outermost first */
} StItensor;

typedef struct {
  StDtype dtype;
  int rank;
  StSym *shape;     /* [rank]; the tensor, also of a stream */
  StItensor *order; /* NULL: a tensor; else a stream of that tensor */
} StType;

typedef enum { ST_MEM_AUTO, ST_MEM_REG, ST_MEM_SRL, ST_MEM_LUTRAM, ST_MEM_BRAM,
               ST_MEM_URAM, ST_MEM_ROM, ST_MEM_HBM, ST_MEM_COUNT } StMemory;

struct StValue {
  int id;
  StOp *def;
  int result;       /* which result of def */
  const char *name; /* for people; may be NULL; never decides anything */
  StType type;
  int64_t depth;    /* stream: tokens its FIFO holds; 0 not decided */
  StMemory memory;  /* stream: what its FIFO is made of */
  int die;          /* stream: where its FIFO is */
};

/* ---- scalar bodies --------------------------------------------------- */

typedef struct {
  StScalarKind kind;
  StDtype dtype;       /* of the result */
  int arg[3];          /* earlier expressions; -1 unused */
  int operand;         /* ARG, EXTRACT: operand of the op */
  uint64_t bits;       /* CONST: the value's bits, low bits first */
  StPredicate pred;    /* CMPF, CMPI */
  StAffine affine;     /* INDEX, over the iteration dims */
  int nindices;        /* EXTRACT: expressions (i64), one a tensor dim */
  int *indices;
} StExpr;

typedef ST_VEC(StExpr) StBody; /* in order: arguments come first */

/* ---- payloads --------------------------------------------------------- */

typedef struct {
  StSym extent;
  bool reduction;
  bool iteration;   /* of a repeat: its loop is the outermost */
  const char *name; /* for people; may be NULL */
} StDim;

/* The range lo <= dim < hi in which an access takes place; dim -1: always.
 * Outside it an input has the value 0 and fetches nothing, an output writes
 * nothing. */
typedef struct {
  int dim;
  StSym lo, hi;
} StGuard;

typedef struct {
  StAffine *map; /* [rank of the operand]: element of this iteration */
  StGuard guard;
} StInput;

typedef struct {
  int yield;            /* expression of the body */
  StScalarKind combine; /* with reduction dims: ADDF MULF MAX.. ADDI ANDI ..;
                           without: ST_X_ARG, the value is written as it is */
  StAffine *map;        /* [rank of the result], parallel dims only */
  StGuard guard;
} StOutput;

typedef struct {
  int dim;
  int size; /* lanes side by side: the dim's value is loops' + lane */
} StLane;

/* GENERIC and KERNEL. For every point of the dims' box the body is evaluated;
 * a result with `combine` folds the values over the reduction dims (there is no
 * initial value: the first value starts the fold).
 * KERNEL adds the schedule: one beat for every iteration of `loop`; a beat
 * evaluates all lanes (row-major over `lane`). Each dim's extent is the product
 * of its loops' trips and lanes. Order of a fold: see doc/machine.md. */
typedef struct {
  int ndims;
  StDim *dim;
  StInput *in;   /* [operands of the op] */
  StBody body;
  StOutput *out; /* [results of the op] */
  int nloops;    /* KERNEL: the schedule */
  StLoop *loop;
  int nlanes;
  StLane *lane;
  int64_t soft; /* of the products of a beat (lanes of a sum of products of
                   integers): how many are made of LUTs, not of multipliers */
  int ways; /* accumulators of a position, used in turn; 0 is as 1, and more
               are for folds that have a reduction loop */
} StNest;

typedef struct { /* ARG, RESULT, STORE: positions in the step function */
  int n;         /* 1, or one for every iteration of the op's repeat */
  int *index;
} StIndexList;

typedef struct { /* CONST */
  int n;         /* 1, or one tensor for every iteration of the op's repeat */
  bool splat;    /* data holds one element for each of the n */
  const void *data; /* little endian, i1 as bytes, the n one after another */
  int64_t bytes;
} StConst;

typedef struct { /* SLICE */
  StSym *offset; /* [rank] */
  int64_t *stride;
} StSlice;

/* CONVERTER. fill and drain describe the input's and the output's order, with
 * loops split so that the first `shared` of both are equal: for each iteration
 * of those a window (tile) is filled once and drained once. */
typedef struct {
  StItensor fill, drain;
  int shared;
  int banks;      /* 1, or 2: the next window fills while this one drains */
  bool flow;      /* drain follows fill element by element (first pass in the
                     same order); else it waits for the whole window */
  int64_t window; /* elements in one bank, at the largest extents */
  int64_t extent[8]; /* shape of the window a data dim, largest extents */
  StMemory memory;
} StConverter;

/* LOAD: operand 0 an ARG or CONST, operand 1 (optional) a stream of indices.
 * Tokens in the order of the result's type; `gather` is the data dim whose
 * position comes from the index stream (-1: none), whose tokens are single
 * elements. Address of an element: sum of position * stride. */
typedef struct {
  int gather;
  int index_level; /* an index is fetched a beat of the loops outside this */
  int layer_dim;   /* data dim that selects the argument of the list; -1 */
  int64_t *stride; /* [rank], elements; 0 for the layer dim */
  int channel;     /* memory channel, the first of several; -1 not decided */
  int channels;    /* that a token is spread over; 0 is as 1 */
} StLoad;

/* BUNDLE: one output. It pushes a token in the beats
 *   base + r * period + f * slots + s
 *   with 0 <= r < times, first <= f < last, 0 <= s < per_frame,
 * tokens in the order of the result's type, addresses as in StLoad. base and
 * period are multiples of slots, and base one of period if times > 1. Outputs
 * whose beats base .. base + times * period - 1 overlap have the same base,
 * period and times (a section); those whose frames overlap the same slots. */
typedef struct {
  int layer_dim;
  int64_t *stride;
  int64_t base, period, times;
  int64_t slots;       /* beats in a frame */
  int64_t first, last; /* frames of a period */
  int64_t per_frame;   /* tokens, 1 .. slots */
} StBundlePart;

/* BUNDLE: operand k, an ARG, is read into result k by a program of
 * st_bundle_beats beats over the channels channel .. channel + channels - 1,
 * which work in lockstep. */
typedef struct {
  int channel; /* the first; -1 not decided */
  int channels;
  StBundlePart *part; /* [results] */
} StBundle;

/* STORE: operand 0 the stream; `index` the results it writes. */
typedef struct {
  StIndexList index;
  int layer_dim; /* as in StLoad, selects the result of the list; -1 */
  int64_t *stride;
  int channel;
  int channels; /* as in StLoad */
} StStore;

struct StOp {
  int id;
  StOpKind kind;
  StLoc loc;
  const char *name;  /* for people; never decides anything */
  int scope;         /* 0, or 1 + index into module->repeat (tensor level) */
  int noperands;
  StValue **operand;
  int nresults;
  StValue **result;
  union {
    StIndexList index; /* ARG, RESULT */
    StConst constant;  /* CONST */
    StNest nest;       /* GENERIC, KERNEL */
    StSlice slice;     /* SLICE */
    int axis;          /* CONCAT */
    StConverter converter;
    StLoad load;
    StBundle bundle;
    StStore store;
  } u;
  /* stream level; 0 not decided */
  int ii;            /* cycles between beats (CONVERTER: of both sides) */
  int latency;       /* from the issue of a beat to its tokens' push */
  int group;         /* kernels fused in one accelerator pass */
  int die;
};

/* ---- the module -------------------------------------------------------- */

typedef enum { ST_ROLE_PARAM, ST_ROLE_INPUT, ST_ROLE_POSITION, ST_ROLE_TOKENS,
               ST_ROLE_CACHE, ST_ROLE_LOGITS, ST_ROLE_OUTPUT,
               ST_ROLE_CACHE_ROWS, ST_ROLE_COUNT } StRole;

/* An argument or a result of the step function, as the package declares it. */
typedef struct {
  const char *name;
  StRole role;
  StDtype dtype;
  int rank;
  StSym *shape;
  int cache; /* CACHE_ROWS: the cache argument that the rows extend, else -1 */
  int axis;  /* CACHE, CACHE_ROWS: the dim of the context, else -1 */
} StPort;

typedef struct {
  int64_t trip; /* the block runs this many times */
} StRepeat;

typedef struct {
  StArena *arena;
  const char *name;
  int64_t ctx;   /* maximum of P + T; 0: no symbols */
  int64_t chunk; /* maximum of T; 0: no symbols */
  const char *target; /* NULL until a target is chosen */
  ST_VEC(StPort) arg;
  ST_VEC(StPort) ret;
  ST_VEC(StRepeat) repeat;
  ST_VEC(StOp *) op;       /* in order; op->id is NOT the position */
  int next_op, next_value; /* ids given out so far */
} StModule;

/* ---- building ---------------------------------------------------------- */

/* A new module in an arena of its own; st_module_free releases everything. */
StModule *st_module_new(const char *name);
void st_module_free(StModule *m);

/* An op that is not yet in the module's order; operands are copied, results
 * have zero types for the caller to fill in. */
StOp *st_op_new(StModule *m, StOpKind kind, StLoc loc, int noperands,
                StValue *const *operands, int nresults);
void st_op_append(StModule *m, StOp *op);
/* Give ops and values dense ids in order (after ops were dropped). */
void st_module_renumber(StModule *m);

/* Replace every use of `from` (in m->op) by `to`. Linear in the module; passes
 * that replace many values keep a table and use st_module_remap. */
void st_value_replace(StModule *m, StValue *from, StValue *to);
/* map[value id] = replacement or NULL; chains are followed. */
void st_module_remap(StModule *m, StValue *const *map);

StType st_type_tensor(StArena *a, StDtype dtype, int rank, const StSym *shape);
/* Positions that memory holds of a dim: the most there can be, the whole
 * context where there are P. */
int64_t st_module_stored_extent(const StModule *m, StSym extent);
/* Positions that the index of a gathering load chooses from: the extent of the
 * table's dim in whose stride the index counts. */
StSym st_load_rows(const StModule *m, const StOp *load);
/* Elements of a tensor type at the largest extents. */
int64_t st_type_max_elements(const StModule *m, const StType *t);

StAffine st_affine_const(StSym off);
StAffine st_affine_dim(StArena *a, int dim);
StAffine st_affine_add(StArena *a, StAffine x, StAffine y);
StAffine st_affine_scale(StArena *a, StAffine x, int64_t by);
bool st_affine_eq(const StAffine *x, const StAffine *y);
/* The dim d if x is exactly d + off (coefficient 1), else -1 (constant: -2). */
int st_affine_single(const StAffine *x);

/* Beats of a BUNDLE: up to the end of the last period. */
int64_t st_bundle_beats(const StOp *op);
bool st_nest_reduces(const StNest *n); /* has a reduction dim */
int st_expr_push(StModule *m, StBody *body, StExpr e); /* its position */
int st_scalar_args(StScalarKind k);                    /* -1: see indices */
const char *st_scalar_name(StScalarKind k);
const char *st_op_name(StOpKind k);
const char *st_predicate_name(StPredicate p);
const char *st_memory_name(StMemory m);
const char *st_role_name(StRole r);

/* ---- text (doc/ir.md has the grammar) ----------------------------------- */

struct StStr;
/* The complete text form. print, parse, print gives the same bytes. */
void st_module_print(struct StStr *out, const StModule *m);
/* An op alone, a type alone. */
void st_op_print(struct StStr *out, const StOp *op);
void st_type_print(struct StStr *out, const StType *t);
/* NULL after located errors. `file` names the text in messages. */
StModule *st_module_parse(const char *file, const char *text, size_t n,
                          StDiag *diag);
/* Checks every invariant of the module's ops; false after located errors.
 * `after` names the pass that made the module, for the messages. */
bool st_module_verify(const StModule *m, const char *after, StDiag *diag);

#endif

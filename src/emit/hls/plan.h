/* What of a module becomes what of the C++: processes in the order of the
 * region, streams, pointers of the top function, memories.
 */
#ifndef ST_EMIT_HLS_PLAN_H
#define ST_EMIT_HLS_PLAN_H

#include "ir/ir.h"
#include "target/target.h"

typedef struct {
  const StOp *op;
  const char *name;    /* of the function */
  bool task;           /* hls::task; else a function that the region calls */
  int component;       /* of the graph; equal: they feed back into each other */
  bool cyclic;         /* its component has a cycle */
  const char *body;    /* C++ of its function, without the braces */
  bool uses_p, uses_t; /* the body names P, T */
} StHlsProcess;

/* A memory outside: some arguments (or results) one after another. */
typedef struct {
  StDtype dtype;
  int64_t elements; /* of one argument, every dim at its largest extent */
  int count;
  const int *arg; /* [count] arguments, NULL: only results lie here */
  const int *ret; /* [count] results that are read back from here, or NULL */
} StHlsMemory;

/* A pointer of the top function; exactly one process uses it. */
typedef struct {
  const StOp *op; /* LOAD, BUNDLE, STORE, or KERNEL with a table */
  int operand;    /* BUNDLE, KERNEL: which */
  const char *name;
  int memory;  /* index */
  int channel; /* -1 not decided */
  int channels; /* that it is spread over */
  int word;    /* elements that the pointer's type has */
} StHlsPort;

typedef struct {
  const StModule *m;
  const StTarget *t;
  StArena *a;
  int nprocesses;
  StHlsProcess *process; /* producers before consumers, but for cycles */
  int *process_of_op;    /* [m->next_op] or -1 */
  bool has_tasks;
  ST_VEC(StHlsMemory) memory;
  ST_VEC(StHlsPort) port;
  ST_VEC(const StOp *) rom; /* CONST ops in use */
} StHlsPlan;

/* In the arena; NULL after errors. */
StHlsPlan *st_hls_plan(StArena *a, const StModule *m, const StTarget *t,
                       StDiag *diag);

/* The same without the rules of HLS: what the RTL shares with it is where
 * arguments and results lie. */
StHlsPlan *st_hls_layout(StArena *a, const StModule *m, const StTarget *t,
                         StDiag *diag);

/* True for ops that become processes. */
bool st_hls_is_process(const StOp *op);
/* True if the op reads or writes memory outside (not a constant). */
bool st_hls_touches_memory(const StOp *op);
/* Strongly connected components of the streams' graph: [m->op.n], by position;
 * numbers are in order of the flow. *cyclic: [components]. */
int *st_hls_components(StArena *a, const StModule *m, bool **cyclic);

/* Index into plan->port, -1: none. */
int st_hls_port_of(const StHlsPlan *p, const StOp *op, int operand);
/* "s12_scores" */
const char *st_hls_stream_name(const StHlsPlan *p, const StValue *v);
/* "rom_7_table" */
const char *st_hls_rom_name(const StHlsPlan *p, const StOp *op);
/* Position of each operand's or result's allocated extent. */
int64_t st_hls_allocated(const StModule *m, StSym extent);

/* ---- addresses ----------------------------------------------------------- */

/* Address of a token in a memory: base + sum of step[l] * index of loop l, in
 * words of `word` elements (1: element e of the token is offset[e] further). */
typedef struct {
  StSym base;
  int64_t *step; /* [loops of the stream] */
  int word;
  int64_t *offset; /* [elements of a token] */
  int64_t gather;  /* LOAD: elements (words) by which an index advances */
} StHlsAddress;

/* part: output of a BUNDLE; else 0. */
StHlsAddress st_hls_address(const StHlsPlan *p, const StOp *op, int part);

#endif

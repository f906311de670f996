/* The module as the check sees it: for given P and T, which beats of which
 * process move the tokens of which stream. Written from doc/machine.md, apart
 * from src/analysis/process.c. */
#ifndef ST_CHECK_NET_H
#define ST_CHECK_NET_H

#include "ir/ir.h"
#include "target/target.h"

/* The beats base + sum of index(l) * stride(l), for 0 <= index(l) < count(l),
 * outermost first: those in which an end moves a token. */
typedef struct {
  int64_t tokens; /* product of the counts; 0: none */
  int64_t base;
  int n;
  struct {
    int64_t count, stride;
  } * dim;
} StCheckEnd;

typedef enum { ST_SIDE_ONLY, ST_SIDE_FILL, ST_SIDE_DRAIN } StCheckSide;

/* Processes are numbered in the order of the ops, a converter's two sides one
 * after the other. */
typedef struct {
  const StOp *op;
  StCheckSide side;
  int ii, latency;
  int64_t beats;
  int64_t windows, window; /* sides of a converter: how many, beats in one */
} StCheckProcess;

typedef struct {
  const StValue *value;
  int producer, consumer; /* -1: none */
  int fifo_latency;
  StCheckEnd out, in;
} StCheckStream;

typedef struct {
  int nprocesses, nstreams;
  StCheckProcess *process;
  StCheckStream *stream;
} StCheckNet;

/* In the arena. False after an error: something is not decided, or a bundle
 * asks for more than its channels move. */
bool st_check_net(StArena *a, const StModule *m, const StTarget *t, int64_t P,
                  int64_t T, StDiag *diag, StCheckNet *net);

#endif

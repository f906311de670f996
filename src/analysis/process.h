/* A stream level module as a net of processes joined by streams, for timing
 * (doc/machine.md): a converter gives two processes, every other op one. For
 * given P and T a process issues a fixed number of beats in a fixed order, and
 * whether beat n moves a token over an end of a stream depends on n alone; the
 * walker below tells it in runs of equal beats.
 *
 * The net is made once; st_process_bind fixes P and T, as often as wanted.
 */
#ifndef ST_ANALYSIS_PROCESS_H
#define ST_ANALYSIS_PROCESS_H

#include "ir/ir.h"

typedef enum {
  ST_PROC_KERNEL,
  ST_PROC_FORK,
  ST_PROC_LOAD,
  ST_PROC_BUNDLE, /* without loops: its parts say which beats push */
  ST_PROC_STORE,
  ST_PROC_FILL,  /* input side of a converter; the drain follows it */
  ST_PROC_DRAIN, /* output side */
} StProcessKind;

/* Holds in beat n if lo <= n mod cycle < hi. */
typedef struct {
  int64_t cycle, lo, hi;
} StCond;

/* A process's end of a stream. */
typedef struct {
  int stream; /* index into the net's streams */
  int port;   /* operand (input) or result (output) of the op */
  /* In terms of the loops: loops from `level` inward are at 0, the loops marked
   * in `last` at their last iteration, lo <= index of guard_loop < hi. */
  int level;
  const bool *last; /* [nloops]; NULL: none */
  int guard_loop;   /* -1: none */
  StSym lo, hi;
  const StBundlePart *part; /* BUNDLE; else NULL */
  /* After st_process_bind: a token moves in beats in which all of these hold
   * (no condition: in every beat). */
  int nconds;
  StCond *cond;
  int64_t tokens; /* moved in all */
} StEnd;

typedef struct {
  int id;
  StProcessKind kind;
  const StOp *op;
  int ii;      /* at least 1 */
  int latency; /* issue of a beat to the push of its tokens */
  int nloops;
  const StLoop *loop; /* outermost first */
  int nin, nout;
  StEnd *in, *out;
  int partner; /* FILL: its drain, DRAIN: its fill; else -1 */
  int shared;  /* FILL, DRAIN: loops outside a window; else 0 */
  /* After st_process_bind. */
  int64_t *trip;   /* [nloops] */
  int64_t beats;   /* product of the trips; BUNDLE: of its program */
  int64_t window;  /* FILL, DRAIN: beats in a window; else beats */
  int64_t windows; /* FILL, DRAIN: how many; else 1 */
} StProcess;

typedef struct {
  int id;
  const StValue *value;
  int producer, out; /* process and index into its `out` */
  int consumer, in;
  int fifo_latency; /* pushed at t, poppable from t + this */
  int64_t depth;    /* tokens; 0: not decided */
  int64_t elements; /* in a token */
  int64_t bits;     /* in a token */
} StStream;

typedef struct {
  const StModule *module;
  int nprocesses;
  StProcess *process; /* in the order of the ops; a fill before its drain */
  int nstreams;
  StStream *stream;     /* in the order of the values' producers */
  int *stream_of_value; /* [module->next_value] or -1 */
  int buffer_latency;   /* fill beat to drain beat of a converter */
  int64_t P, T;         /* what is bound */
} StProcessNet;

/* The net of a verified stream level module, in the arena; nothing is bound.
 * fifo_latency: [ST_MEM_COUNT]. Ops whose `ii` is not decided get 1. */
StProcessNet *st_process_net(StArena *a, const StModule *m,
                             const int *fifo_latency, int buffer_latency);
void st_process_bind(StProcessNet *net, int64_t P, int64_t T);

/* DRAIN: fill beats of the same window that must be issued (buffer_latency
 * earlier) before drain beat b of a window; bound net. */
int64_t st_process_drain_need(const StProcessNet *net, const StProcess *drain,
                              int64_t b);

/* Short name for messages: the op's name or kind and id, "/fill", "/drain". */
const char *st_process_name(StArena *a, const StProcess *p);
const char *st_stream_name(StArena *a, const StStream *s);

/* How often the `period` beats before `beat` can be repeated from `beat` on:
 * all moving tokens over the same ends as the beat `period` before. */
int64_t st_process_repeats(const StProcess *p, int64_t beat, int64_t period);

/* ---- walking the beats -------------------------------------------------- */

typedef struct {
  int64_t until; /* the state holds for the beats before this one */
  bool fires;
} StWalkEnd;

/* Position in the beats of a process of a bound net. */
typedef struct {
  const StProcess *process;
  int64_t beat;       /* the next one; process->beats: at the end */
  int64_t window, at; /* its window, and its position there */
  int64_t run; /* beats from `beat` on that move tokens over the same ends and
                  lie in one window; 0 at the end */
  StWalkEnd *end; /* [nin + nout], inputs first */
  int nin, nout;  /* ends over which the beats of this run move a token */
  int *in, *out;  /* which, in order (indices into process->in, ->out) */
} StWalker;

/* A walker for process p, in the arena; start before use and after a bind. */
StWalker st_walker_new(StArena *a, const StProcess *p);
void st_walker_start(StWalker *w);
/* Issues k beats, k <= run. */
void st_walker_advance(StWalker *w, int64_t k);
/* As many beats further on, whatever they are. */
void st_walker_skip(StWalker *w, int64_t k);

#endif

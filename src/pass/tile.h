/* What the files of `tile` share (doc/passes.md). */
#ifndef ST_PASS_TILE_H
#define ST_PASS_TILE_H

#include "ir/itensor.h"
#include "pass/pass.h"

/* How a value comes out of its producer. */
typedef struct {
  const StItensor *order; /* NULL: its producer has no schedule yet */
  int want;               /* data dim that its users want outermost; -1: none */
  int inner;   /* data dim that a user walks inside the context; -1: none */
  int slow;    /* data dim along which it comes bit by bit while a contraction
                  works; -1: all of it in a burst, after a barrier */
  int level;   /* barriers (whole rows that had to be there) before it */
  double pace; /* cycles of one iteration in which it comes */
} StTileFlow;

/* Factors on the least times of ops, by kind. */
typedef struct {
  double weights;  /* contractions with parameters */
  double computed; /* contractions of two computed values (attention) */
  double rows;     /* ops on rows that come in a burst */
} StTileSlack;

typedef struct {
  StModule *m;
  const StPassContext *ctx;
  StArena *scratch;
  StArena *arena;   /* of schedules: the module's, but in trials */
  StTileFlow *flow; /* [value id] */
  StTileSlack slack;
  double *haste;    /* [op id] factor on the lanes of an op */
  bool batch_lanes; /* products of blocks have lanes of the batch before N */
  int tokens;       /* of the step that is looked at */
  int *level;       /* [op id] barriers before the op works */
  double *time; /* [op id] cycles of one iteration that a product with weights
                   should take */
  double phase; /* the same for other contractions */
  double row;   /* the same for an op on rows that come in a burst */
  double memory_block, memory_rest; /* cycles that reading the parameters of an
                                       iteration, and all others, takes */
} StTile;

typedef struct {
  ST_VEC(StLoop) loop;
  ST_VEC(StLane) lane;
  bool *done; /* [ndims] has its loops */
} StTilePlan;

/* A sum of products of S[batch, M, K] and F[batch, N, K]. */
typedef struct {
  int s, f; /* operands: S is streamed again, F (the larger) flows once */
  int nb, nm, nn, nk;
  int *b, *m, *n, *k; /* dims, natural order, extents of T last */
} StContraction;

enum { ST_TILE_LEVELS = 64 }; /* barriers that are told apart */

/* ---- plans (tile_plan.c) ----------------------------------------------- */

bool st_tile_is_tokens(StSym s); /* grows with T alone */
bool st_tile_is_guarded(const StOp *op, int dim);
int st_tile_lane(const StTilePlan *p, int dim);
/* Lanes for up to `want` elements from the listed dims, the last first. What
 * is still wanted. */
int64_t st_tile_take_lanes(const StTile *t, const StOp *op, StTilePlan *p,
                           const int *dims, int n, int64_t want);
void st_tile_push_loop(const StTile *t, StTilePlan *p, int dim, StSym trip,
                       int64_t step);
/* The whole dim (but for its lanes) as one loop. */
void st_tile_whole_loop(const StTile *t, const StOp *op, StTilePlan *p,
                        int dim);
/* Loops for the dims that have none yet; then the plan becomes op's. */
void st_tile_commit(const StTile *t, StOp *op, StTilePlan *p);

/* ---- contractions (tile_contract.c) ------------------------------------ */

bool st_tile_find_contraction(const StTile *t, const StOp *op,
                              StContraction *c);
void st_tile_plan_contraction(const StTile *t, const StOp *op,
                              const StContraction *c, StTilePlan *p);

/* A schedule for every op by slack and haste (tile.c), and the best of these
 * (tile_search.c). */
void st_tile_schedule(StTile *t);
void st_tile_search(StTile *t);

/* ---- budgets (tile_budget.c) ------------------------------------------- */

/* Batch dim that the contraction walks inside the context, so that sums take
 * turns; -1: none. */
int st_tile_turns(const StOp *op, const StContraction *c);
/* Sets `want` and `inner` of every value, from its users. */
void st_tile_find_wants(StTile *t);
/* Sets level from a schedule of all ops: lanes do not change it. */
void st_tile_set_levels(StTile *t);
/* Sets time, phase, row and memory from the memory's rate and the levels. */
void st_tile_set_budget(StTile *t);
/* Whether op runs once for each iteration of a repeat. */
bool st_tile_iterates(const StOp *op);
/* The level at which an op works. */
int st_tile_level(const StTile *t, const StOp *op);
/* Whether op is a contraction with parameters. */
bool st_tile_is_product(const StTile *t, const StOp *op);
/* At `tokens` tokens and an eighth of the context. */
int64_t st_tile_extent(const StTile *t, StSym x);
/* Beats of one iteration. */
double st_tile_beats(const StTile *t, const StOp *op);
/* Points of one iteration at `tokens` tokens and an eighth of the context. */
double st_tile_points(const StTile *t, const StOp *op);
/* Lanes that keep op within its time. c: NULL if it is no contraction. */
int64_t st_tile_want_lanes(const StTile *t, const StOp *op,
                           const StContraction *c);
/* Nest dim along which the latest of the operands comes slowly; -1: none. */
int st_tile_slow_dim(const StTile *t, const StOp *op);
/* Sets the flow of a view: row-major order keeps what comes slowly along the
 * first dim. */
void st_tile_set_view_flow(StTile *t, const StOp *op);
/* Sets the flow of op's results, whose schedule is decided. */
void st_tile_set_flow(StTile *t, const StOp *op, const StContraction *c);

/* ---- the whole (tile_estimate.c) --------------------------------------- */

/* Cycles of a step of one token, roughly; of schedules that the memory limits,
 * the faster ones are less. */
double st_tile_estimate(StTile *t);

#endif

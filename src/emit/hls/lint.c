/* The rules and those that are checked on the module. */
#include "emit/hls/lint.h"

#include <string.h>

#include "emit/hls/plan.h"

const StHlsRule *st_hls_rules(int *n) {
  static const StHlsRule rules[] = {
      {"HLS-1", "a stream has one producer and one consumer",
       "UG1399, Limitations of Control-Driven Task-Level Parallelism"},
      {"HLS-2", "a process that touches memory is in no cycle of streams",
       "UG1399, Tasks and Dataflow; UG1448 214-169"},
      {"HLS-3", "every stream has a depth", "UG1399, pragma HLS stream"},
      {"HLS-4", "one process writes a memory, and it is in one channel",
       "UG1448 214-169"},
      {"HLS-5", "a region has declarations, pragmas and calls only",
       "UG1399, Limitations of Control-Driven Task-Level Parallelism"},
      {"HLS-6", "data flows forward, except between tasks",
       "UG1399, Tasks and Dataflow; UG1448 214-169"},
      {"HLS-7", "a task has streams only", "UG1399, Tasks and Dataflow"},
      {"HLS-8", "a process returns nothing and its loops have one exit",
       "UG1399, Limitations of Control-Driven Task-Level Parallelism"},
      {"HLS-9", "an m_axi bundle belongs to one process",
       "UG1399, Limitations of Control-Driven Task-Level Parallelism"},
      {"HLS-10", "a free-running pipeline touches no memory",
       "UG1448, Pipeline Styles"},
      {"HLS-11", "elements and operations are those that the text has",
       "doc/hls.md"},
  };
  *n = (int)(sizeof rules / sizeof rules[0]);
  return rules;
}

/* ---- streams ----------------------------------------------------------------
 */

static bool check_stream(const StModule *m, const StValue *v, int readers,
                         StDiag *diag) {
  (void)m;
  const char *name = v->name ? v->name : "";
  if (readers != 1) {
    st_error(diag, v->def->loc,
             "HLS-1: stream %d %s has %d consumers, must "
             "have one",
             v->id, name, readers);
    return false;
  }
  if (v->depth < 1) {
    st_error(diag, v->def->loc,
             "HLS-3: stream %d %s has no depth: run "
             "size-fifos",
             v->id, name);
    return false;
  }
  return true;
}

static bool check_streams(StArena *a, const StModule *m, StDiag *diag) {
  int *readers = ST_NEW_N(a, int, m->next_value + 1);
  bool ok = true;
  for (int i = 0; i < m->op.n; i++)
    for (int k = 0; k < m->op.at[i]->noperands; k++)
      readers[m->op.at[i]->operand[k]->id]++;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    for (int r = 0; r < op->nresults; r++)
      if (op->result[r]->type.order)
        ok &= check_stream(m, op->result[r], readers[op->result[r]->id], diag);
  }
  return ok;
}

static bool check_cycles(StArena *a, const StModule *m, StDiag *diag) {
  bool *cyclic, ok = true;
  int *component = st_hls_components(a, m, &cyclic);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (!cyclic[component[i]] || !st_hls_touches_memory(op))
      continue;
    st_error(diag, op->loc,
             "HLS-2: %s %d touches memory and depends on "
             "itself: neither a task nor a function of the region can do that",
             st_op_name(op->kind), op->id);
    ok = false;
  }
  return ok;
}

/* ---- memories ---------------------------------------------------------------
 */

static const int *list_of(const StOp *op, int *n) {
  if (op->kind == ST_OP_STORE) {
    *n = op->u.store.index.n;
    return op->u.store.index.index;
  }
  *n = op->operand[0]->def->u.index.n;
  return op->operand[0]->def->u.index.index;
}

static bool check_writers(StArena *a, const StModule *m, StDiag *diag) {
  bool ok = true;
  const StOp **writer = ST_NEW_N(a, const StOp *, m->ret.n + 1);
  int *channel = ST_NEW_N(a, int, m->arg.n + 1); /* of a cache, plus 2 */
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    int n;
    bool store = op->kind == ST_OP_STORE;
    if (!store &&
        (op->kind != ST_OP_LOAD || op->operand[0]->def->kind != ST_OP_ARG))
      continue;
    const int *list = list_of(op, &n);
    for (int k = 0; k < n; k++) {
      int cache = store ? m->ret.at[list[k]].cache : list[k];
      bool rows = store && m->ret.at[list[k]].role == ST_ROLE_CACHE_ROWS;
      if (store && writer[list[k]]) {
        st_error(diag, op->loc, "HLS-4: result %s is written by two stores",
                 m->ret.at[list[k]].name);
        ok = false;
      }
      if (store)
        writer[list[k]] = op;
      if (store ? !rows : m->arg.at[cache].role != ST_ROLE_CACHE)
        continue;
      int c = (store ? op->u.store.channel : op->u.load.channel) + 2;
      if (channel[cache] && channel[cache] != c) {
        st_error(diag, op->loc, "HLS-4: cache %s is in the channels %d and %d",
                 m->arg.at[cache].name, channel[cache] - 2, c - 2);
        ok = false;
      }
      channel[cache] = c;
    }
  }
  return ok;
}

/* ---- what the text can say
 * --------------------------------------------------- */

static bool check_type(const StOp *op, const StType *t, StDiag *diag) {
  if (t->dtype != ST_F64)
    return true;
  st_error(diag, op->loc, "HLS-11: %s %d has elements of type f64",
           st_op_name(op->kind), op->id);
  return false;
}

static bool check_ops(const StModule *m, StDiag *diag) {
  bool ok = true;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    bool stored = op->kind == ST_OP_ARG || op->kind == ST_OP_CONST;
    if (!stored && !st_hls_is_process(op)) {
      st_error(diag, op->loc,
               "HLS-11: %s %d is not an operation between "
               "streams: run the passes up to stream",
               st_op_name(op->kind), op->id);
      return false;
    }
    for (int r = 0; r < op->nresults; r++)
      ok &= check_type(op, &op->result[r]->type, diag);
  }
  return ok;
}

bool st_hls_lint(const StModule *m, StDiag *diag) {
  StArena *a = st_arena_new();
  bool ok = check_ops(m, diag);
  if (ok) {
    ok &= check_streams(a, m, diag);
    ok &= check_cycles(a, m, diag);
    ok &= check_writers(a, m, diag);
  }
  st_arena_free(a);
  return ok;
}

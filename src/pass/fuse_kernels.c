/* fuse-kernels: which ops run together in one pass of the accelerator.
 *
 * Ops that streams join are one group: no intermediate tensor between them
 * leaves the chip. Parts of a module that share nothing but stored tensors are
 * groups of their own. A group that does not fit the device is not cut, which
 * would send tensors through memory: `compile` tries narrower lanes and then
 * refuses (doc/passes.md). Groups are numbered from 1 in the order of ops. */
#include "pass/pass.h"

static int find(int *parent, int i) {
  while (parent[i] != i)
    i = parent[i] = parent[parent[i]];
  return i;
}

static bool is_run(const StOp *op) {
  return op->kind != ST_OP_ARG && op->kind != ST_OP_CONST;
}

bool st_pass_fuse_kernels(StModule *m, const StPassContext *ctx) {
  (void)ctx;
  StArena *scratch = st_arena_new();
  int *parent = ST_NEW_N(scratch, int, m->next_op + 1);
  int *number = ST_NEW_N(scratch, int, m->next_op + 1);
  for (int i = 0; i < m->next_op; i++)
    parent[i] = i;
  for (int i = 0; i < m->op.n; i++)
    for (int k = 0; k < m->op.at[i]->noperands; k++)
      if (is_run(m->op.at[i]->operand[k]->def))
        parent[find(parent, m->op.at[i]->id)] =
            find(parent, m->op.at[i]->operand[k]->def->id);
  int groups = 0;
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (!is_run(op))
      continue;
    int root = find(parent, op->id);
    if (!number[root])
      number[root] = ++groups;
    op->group = number[root];
  }
  st_arena_free(scratch);
  return true;
}

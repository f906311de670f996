/* How fast the simulator is, on a stack of matrix-vector products that run side
 * by side: cycles alone, for several depths, and values as well.
 * Usage: bench_sim [rows [columns [lanes]]] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "analysis/port.h"
#include "device/memory.h"
#include "sim/sim.h"

enum { STAGES = 24, INNER = 8 };

static const StLoc nowhere = {0};

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static StValue *add_arg(StModule *m, int rank, const StSym *shape) {
  StOp *op = st_op_new(m, ST_OP_ARG, nowhere, 0, NULL, 1);
  StPort port = {.name = "x",
                 .role = ST_ROLE_INPUT,
                 .dtype = ST_F32,
                 .rank = rank,
                 .cache = -1,
                 .axis = -1};
  op->result[0]->type = st_type_tensor(m->arena, ST_F32, rank, shape);
  port.shape = op->result[0]->type.shape;
  op->u.index = (StIndexList){1, ST_NEW(m->arena, int)};
  op->u.index.index[0] = m->arg.n;
  st_vec_push(m->arena, &m->arg, port);
  st_op_append(m, op);
  return op->result[0];
}

static int64_t *row_major(StModule *m, const StType *t) {
  int64_t *stride = ST_NEW_N(m->arena, int64_t, t->rank), next = 1;
  for (int d = t->rank - 1; d >= 0; d--) {
    stride[d] = next;
    next *= t->shape[d].c;
  }
  return stride;
}

static void set_order(StModule *m, StValue *v, StItensor order) {
  v->type.order = ST_NEW(m->arena, StItensor);
  *v->type.order = order;
}

static StValue *add_load(StModule *m, StValue *arg, StItensor order) {
  StOp *op = st_op_new(m, ST_OP_LOAD, nowhere, 1, &arg, 1);
  op->u.load = (StLoad){.gather = -1,
                        .layer_dim = -1,
                        .channel = -1,
                        .stride = row_major(m, &arg->type)};
  op->result[0]->type = arg->type;
  set_order(m, op->result[0], order);
  st_op_append(m, op);
  return op->result[0];
}

static void add_store(StModule *m, StValue *v) {
  StOp *op = st_op_new(m, ST_OP_STORE, nowhere, 1, &v, 0);
  StPort port = {.name = "y",
                 .role = ST_ROLE_OUTPUT,
                 .dtype = ST_F32,
                 .rank = v->type.rank,
                 .shape = v->type.shape,
                 .cache = -1,
                 .axis = -1};
  op->u.store = (StStore){
      .layer_dim = -1, .channel = -1, .stride = row_major(m, &v->type)};
  op->u.store.index = (StIndexList){1, ST_NEW(m->arena, int)};
  op->u.store.index.index[0] = m->ret.n;
  st_vec_push(m->arena, &m->ret, port);
  st_op_append(m, op);
}

/* y[o] = sum over i of x[i] * w[o, i]: loops o / (INNER * lanes), i, INNER. */
static StNest product(StModule *m, int64_t rows, int64_t columns, int lanes) {
  StArena *a = m->arena;
  StNest n = {.ndims = 2, .nloops = 3, .nlanes = 1};
  n.dim = ST_NEW_N(a, StDim, 2);
  n.dim[0] = (StDim){.extent = st_sym_const(rows)};
  n.dim[1] = (StDim){.extent = st_sym_const(columns), .reduction = true};
  n.loop = ST_NEW_N(a, StLoop, 3);
  n.loop[0] = (StLoop){0, st_sym_const(rows / (lanes * INNER)), lanes * INNER};
  n.loop[1] = (StLoop){1, st_sym_const(columns), 1};
  n.loop[2] = (StLoop){0, st_sym_const(INNER), lanes};
  n.lane = ST_NEW(a, StLane);
  *n.lane = (StLane){0, lanes};
  n.in = ST_NEW_N(a, StInput, 2);
  n.out = ST_NEW(a, StOutput);
  for (int i = 0; i < 2; i++) {
    n.in[i].map = ST_NEW_N(a, StAffine, 2);
    n.in[i].guard.dim = -1;
    st_expr_push(m, &n.body,
                 (StExpr){.kind = ST_X_ARG, .operand = i, .arg = {-1, -1, -1}});
  }
  n.in[0].map[0] = st_affine_dim(a, 1);
  n.in[1].map[0] = st_affine_dim(a, 0);
  n.in[1].map[1] = st_affine_dim(a, 1);
  n.out->map = ST_NEW(a, StAffine);
  n.out->map[0] = st_affine_dim(a, 0);
  n.out->guard.dim = -1;
  n.out->combine = ST_X_ADDF;
  n.out->yield =
      st_expr_push(m, &n.body, (StExpr){.kind = ST_X_MULF, .arg = {0, 1, -1}});
  return n;
}

static StModule *make_module(int64_t rows, int64_t columns, int lanes) {
  StModule *m = st_module_new("bench");
  const StSym x[] = {st_sym_const(columns)}, y[] = {st_sym_const(rows)};
  const StSym w[] = {y[0], x[0]};
  for (int s = 0; s < STAGES; s++) {
    StValue *in[] = {add_arg(m, 1, x), add_arg(m, 2, w)};
    StOp *op = st_op_new(m, ST_OP_KERNEL, nowhere, 2, in, 1);
    op->u.nest = product(m, rows, columns, lanes);
    op->result[0]->type = st_type_tensor(m->arena, ST_F32, 1, y);
    for (int i = 0; i < 2; i++)
      op->operand[i] = add_load(m, in[i], st_port_input(m->arena, op, i).order);
    st_op_append(m, op);
    set_order(m, op->result[0], st_port_output(m->arena, op, 0).order);
    add_store(m, op->result[0]);
  }
  return m;
}

static void decide(StModule *m, int64_t depth) {
  for (int i = 0; i < m->op.n; i++) {
    m->op.at[i]->ii = 1;
    m->op.at[i]->latency = 12;
    for (int r = 0; r < m->op.at[i]->nresults; r++)
      m->op.at[i]->result[r]->depth = depth;
  }
}

static bool measure(StModule *m, const StTarget *t, StMemoryImage *image,
                    StDiag *diag, double macs) {
  StSim *sim = st_sim_new(m, t, diag);
  const StSimResult *r;
  double start = seconds(), took = 0, beats = 0;
  int runs = 0;
  for (; took < 0.5; took = seconds() - start, runs++)
    if (!sim || !st_sim_step(sim, image, 0, 1, &r))
      return false;
  for (int i = 0; i < st_sim_net(sim)->nprocesses; i++)
    beats += (double)r->process[i].beats;
  printf("%s: %7.1f M beats/s, %7.1f M MAC/s, %6.3f ms a step of %lld cycles\n",
         image ? "values" : "cycles", beats * runs / took * 1e-6,
         macs * runs / took * 1e-6, took / runs * 1e3, (long long)r->cycles);
  st_sim_free(sim);
  return true;
}

int main(int argc, char **argv) {
  int64_t rows = argc > 1 ? atoll(argv[1]) : 256;
  int64_t columns = argc > 2 ? atoll(argv[2]) : 64;
  int lanes = argc > 3 ? atoi(argv[3]) : 8;
  StDiag *diag = st_diag_new(stderr);
  StModule *m = make_module(rows, columns, lanes);
  const StTarget *t = st_target_load(m->arena, "u55c", diag);
  StMemoryImage *image = st_memory_new(m->arena, m);
  double macs = (double)(rows * columns) * STAGES;
  static const int64_t depths[] = {1, 2, 4, 16, 64, 512};
  bool ok = t != NULL;
  for (size_t d = 0; ok && d < sizeof depths / sizeof depths[0]; d++) {
    decide(m, depths[d]);
    printf("depth %3lld, ", (long long)depths[d]);
    ok = measure(m, t, NULL, diag, macs);
  }
  printf("depth 512, ");
  ok = ok && measure(m, t, image, diag, macs);
  st_module_free(m);
  st_diag_free(diag);
  return ok ? 0 : 1;
}

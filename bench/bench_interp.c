/* How fast the interpreters are: one expression on arrays of slots, a product
 * of matrices at the tensor and at the stream level.
 * Usage: bench_interp [rows [columns]] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "analysis/port.h"
#include "interp/scalar.h"
#include "interp/stream.h"
#include "interp/tensor.h"

static const StLoc nowhere = {0};

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- expressions ------------------------------------------------------- */

static void measure_kind(StScalarKind kind, int n) {
  static float a[512], b[512], r[512];
  for (int i = 0; i < n; i++) {
    a[i] = 0.5f + 0.01f * (float)i;
    b[i] = 1.5f - 0.002f * (float)i;
  }
  StExpr e = {.kind = kind, .dtype = ST_F32};
  const void *args[] = {a, b};
  double start = seconds(), took = 0;
  long runs = 0;
  for (; took < 0.05; took = seconds() - start, runs += 1000)
    for (int i = 0; i < 1000; i++)
      st_slots_apply(&e, ST_F32, n, args, r);
  printf("%10.1f", 1e9 * took / (double)runs);
}

static void measure_expressions(void) {
  static const StScalarKind kinds[] = {ST_X_ADDF,  ST_X_SUBF,     ST_X_MULF,
                                       ST_X_DIVF,  ST_X_MAXIMUMF, ST_X_EXP,
                                       ST_X_RSQRT, ST_X_TANH};
  static const int sizes[] = {1, 8, 64, 512};
  printf("ns a call   n =      1         8        64       512\n");
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    printf("%-12s", st_scalar_name(kinds[k]));
    for (int s = 0; s < 4; s++)
      measure_kind(kinds[k], sizes[s]);
    printf("\n");
  }
}

/* ---- modules ----------------------------------------------------------- */

static StPort port_of(const StType *t, StRole role) {
  return (StPort){.name = "x",
                  .role = role,
                  .dtype = t->dtype,
                  .rank = t->rank,
                  .shape = t->shape,
                  .cache = -1,
                  .axis = -1};
}

static StIndexList list_of(StModule *m, int i) {
  StIndexList l = {1, ST_NEW(m->arena, int)};
  l.index[0] = i;
  return l;
}

static StValue *add_arg(StModule *m, int rank, const StSym *shape) {
  StOp *op = st_op_new(m, ST_OP_ARG, nowhere, 0, NULL, 1);
  op->result[0]->type = st_type_tensor(m->arena, ST_F32, rank, shape);
  op->u.index = list_of(m, m->arg.n);
  st_vec_push(m->arena, &m->arg, port_of(&op->result[0]->type, ST_ROLE_INPUT));
  st_op_append(m, op);
  return op->result[0];
}

/* y[o] = sum over i of x[i] * w[o, i], by loops o / lanes and i. */
static StNest product(StModule *m, int64_t rows, int64_t columns, int lanes) {
  StArena *a = m->arena;
  StNest n = {.ndims = 2,
              .nloops = 2,
              .nlanes = 1,
              .dim = ST_NEW_N(a, StDim, 2),
              .loop = ST_NEW_N(a, StLoop, 2),
              .lane = ST_NEW(a, StLane),
              .in = ST_NEW_N(a, StInput, 2),
              .out = ST_NEW(a, StOutput)};
  n.dim[0] = (StDim){.extent = st_sym_const(rows)};
  n.dim[1] = (StDim){.extent = st_sym_const(columns), .reduction = true};
  n.loop[0] = (StLoop){0, st_sym_const(rows / lanes), lanes};
  n.loop[1] = (StLoop){1, st_sym_const(columns), 1};
  *n.lane = (StLane){0, lanes};
  for (int i = 0; i < 2; i++) {
    n.in[i] = (StInput){ST_NEW_N(a, StAffine, 2), {.dim = -1}};
    st_expr_push(m, &n.body,
                 (StExpr){.kind = ST_X_ARG, .operand = i, .arg = {-1, -1, -1}});
  }
  n.in[0].map[0] = st_affine_dim(a, 1);
  n.in[1].map[0] = st_affine_dim(a, 0);
  n.in[1].map[1] = st_affine_dim(a, 1);
  *n.out = (StOutput){
      .combine = ST_X_ADDF, .map = ST_NEW(a, StAffine), .guard = {.dim = -1}};
  n.out->map[0] = st_affine_dim(a, 0);
  n.out->yield =
      st_expr_push(m, &n.body, (StExpr){.kind = ST_X_MULF, .arg = {0, 1, -1}});
  return n;
}

static StValue *add_load(StModule *m, StValue *arg, StItensor order) {
  StOp *op = st_op_new(m, ST_OP_LOAD, nowhere, 1, &arg, 1);
  op->u.load = (StLoad){.gather = -1,
                        .layer_dim = -1,
                        .channel = -1,
                        .stride = ST_NEW_N(m->arena, int64_t, 2)};
  int64_t stride = 1;
  for (int d = arg->type.rank; d-- > 0; stride *= arg->type.shape[d].c)
    op->u.load.stride[d] = stride;
  op->result[0]->type = arg->type;
  op->result[0]->type.order = ST_NEW(m->arena, StItensor);
  *op->result[0]->type.order = order;
  st_op_append(m, op);
  return op->result[0];
}

/* The product as a generic, or as a kernel between loads and a store. */
static StModule *make_module(int64_t rows, int64_t columns, bool streams) {
  StModule *m = st_module_new("bench");
  const StSym x[] = {st_sym_const(columns)}, y[] = {st_sym_const(rows)};
  const StSym w[] = {y[0], x[0]};
  StValue *in[] = {add_arg(m, 1, x), add_arg(m, 2, w)};
  StOp *op =
      st_op_new(m, streams ? ST_OP_KERNEL : ST_OP_GENERIC, nowhere, 2, in, 1);
  op->u.nest = product(m, rows, columns, 8);
  op->result[0]->type = st_type_tensor(m->arena, ST_F32, 1, y);
  st_vec_push(m->arena, &m->ret, port_of(&op->result[0]->type, ST_ROLE_OUTPUT));
  for (int i = 0; i < 2 && streams; i++)
    op->operand[i] = add_load(m, in[i], st_port_input(m->arena, op, i).order);
  st_op_append(m, op);
  StOp *end = st_op_new(m, streams ? ST_OP_STORE : ST_OP_RESULT, nowhere, 1,
                        op->result, 0);
  if (streams) {
    op->result[0]->type.order = ST_NEW(m->arena, StItensor);
    *op->result[0]->type.order = st_port_output(m->arena, op, 0).order;
    end->u.store = (StStore){.index = list_of(m, 0),
                             .layer_dim = -1,
                             .channel = -1,
                             .stride = ST_NEW(m->arena, int64_t)};
    end->u.store.stride[0] = 1;
  } else {
    end->u.index = list_of(m, 0);
  }
  st_op_append(m, end);
  return m;
}

static bool measure_module(int64_t rows, int64_t columns, bool streams,
                           StDiag *diag) {
  StModule *m = make_module(rows, columns, streams);
  StMemoryImage *image = st_memory_new(m->arena, m);
  bool ok = st_module_verify(m, "the benchmark", diag);
  StStreamInterp *interp =
      streams && ok ? st_stream_interp_new(m->arena, m, diag) : NULL;
  double start = seconds(), took = 0;
  int runs = 0;
  for (; ok && took < 0.5; took = seconds() - start, runs++)
    ok = streams ? st_stream_interp_step(interp, image, 0, 1)
                 : st_tensor_step(image, m, 0, 1, diag);
  printf("%s: %.1f M multiply-adds a second\n", streams ? "stream" : "tensor",
         1e-6 * (double)(rows * columns) * runs / took);
  st_module_free(m);
  return ok;
}

int main(int argc, char **argv) {
  int64_t rows = argc > 1 ? atoll(argv[1]) : 512;
  int64_t columns = argc > 2 ? atoll(argv[2]) : 512;
  StDiag *diag = st_diag_new(stderr);
  measure_expressions();
  bool ok = measure_module(rows, columns, false, diag) &&
            measure_module(rows, columns, true, diag);
  st_diag_free(diag);
  return ok ? 0 : 1;
}

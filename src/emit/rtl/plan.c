/* Units and what is refused. */
#include "emit/rtl/plan.h"

#include "emit/hls/text.h"
#include "emit/rtl/rtl.h"

static const char *kind_name(const StOp *op) {
  return op->kind == ST_OP_LOAD ? op->noperands > 1 ? "gather" : "load"
                                : st_op_name(op->kind);
}

const char *st_rtl_unit_name(StArena *a, const StOp *op) {
  const char *ident = st_hls_ident(a, op->name);
  return st_arena_printf(a, "%s%d%s%s", kind_name(op), op->id,
                         *ident ? "_" : "", ident);
}

static void add_units(StRtlPlan *p) {
  p->unit = ST_NEW_N(p->a, StRtlUnit, p->net->nprocesses + 1);
  for (int i = 0; i < p->net->nprocesses; i++) {
    const StProcess *q = &p->net->process[i];
    if (q->kind == ST_PROC_DRAIN)
      continue;
    p->unit[p->nunits++] = (StRtlUnit){.op = q->op,
                                       .process = q,
                                       .name = st_rtl_unit_name(p->a, q->op)};
  }
}

static bool check_load(const StRtlPlan *p, const StOp *op, int k,
                       StDiag *diag) {
  int spare = op->noperands > 1 && op->kind == ST_OP_LOAD ? 3 : 1;
  int memory = st_target_memory_latency(p->t);
  if (op->operand[k]->def->kind == ST_OP_CONST) {
    st_error(diag, op->loc,
             "the RTL has no loads of constants: make the tensor a parameter");
    return false;
  }
  if (op->latency >= memory + spare)
    return true;
  st_error(diag, op->loc,
           "target %s gives a load %d cycles around memory's %d and the RTL "
           "needs %d: raise latency.load in the target's file",
           p->t->name, op->latency - memory, memory, spare);
  return false;
}

static bool check_stream(const StRtlPlan *p, const StStream *s, StDiag *diag) {
  StMemory m = s->value->memory;
  bool block = m == ST_MEM_BRAM || m == ST_MEM_URAM;
  if (s->depth < 1) {
    st_error(diag, s->value->def->loc, "stream %s has no depth: run size-fifos",
             st_stream_name(p->a, s));
    return false;
  }
  if (block ? s->fifo_latency >= 2 : s->fifo_latency == 1)
    return true;
  st_error(diag, s->value->def->loc,
           "target %s gives a FIFO of %s %d cycles: the RTL has %s", p->t->name,
           st_memory_name(m), s->fifo_latency, block ? "2 or more" : "1");
  return false;
}

static bool check_unit(const StRtlPlan *p, const StRtlUnit *u, StDiag *diag) {
  const StOp *op = u->op;
  bool ok = true;
  if (op->kind == ST_OP_KERNEL)
    return st_rtl_kernel_check(p, op, diag);
  if (op->kind == ST_OP_CONVERTER)
    return st_rtl_converter_check(p, op, diag);
  if (op->kind == ST_OP_LOAD)
    return check_load(p, op, 0, diag);
  for (int k = 0; op->kind == ST_OP_BUNDLE && k < op->nresults; k++)
    ok &= check_load(p, op, k, diag);
  return ok;
}

static bool check_target(const StTarget *t, StDiag *diag) {
  if (t->latency.issue >= 1 && t->latency.fork >= 1 && t->latency.drain >= 1 &&
      t->latency.buffer >= 2)
    return true;
  st_error(diag, (StLoc){0},
           "target %s: the RTL needs latencies of at least 1 for issue, fork "
           "and drain, 2 for buffer",
           t->name);
  return false;
}

StRtlPlan *st_rtl_plan(StArena *a, const StModule *m, const StTarget *t,
                       StDiag *diag) {
  if (!check_target(t, diag))
    return NULL;
  StRtlPlan *p = ST_NEW(a, StRtlPlan);
  *p = (StRtlPlan){.a = a, .m = m, .t = t};
  p->net = st_process_net(a, m, t->latency.fifo, t->latency.buffer);
  add_units(p);
  bool ok = true;
  for (int i = 0; i < p->nunits; i++)
    ok &= check_unit(p, &p->unit[i], diag);
  for (int i = 0; i < p->net->nstreams; i++)
    ok &= check_stream(p, &p->net->stream[i], diag);
  p->layout = ok ? st_hls_layout(a, m, t, diag) : NULL;
  return p->layout ? p : NULL;
}

/* Processes in the order of the flow, and the memories behind the loads and
 * stores. A process that touches memory is a function of the dataflow region;
 * when streams feed back, all others are tasks, because the functions of a
 * region pass data forward only (doc/hls.md). */
#include "emit/hls/plan.h"

#include <string.h>

#include "emit/hls/lint.h"
#include "emit/hls/text.h"
#include "ir/itensor.h"

bool st_hls_is_process(const StOp *op) {
  return op->kind == ST_OP_KERNEL || op->kind == ST_OP_CONVERTER ||
         op->kind == ST_OP_FORK || op->kind == ST_OP_LOAD ||
         op->kind == ST_OP_BUNDLE || op->kind == ST_OP_STORE;
}

bool st_hls_touches_memory(const StOp *op) {
  if (op->kind == ST_OP_STORE)
    return true;
  for (int k = 0; k < op->noperands; k++)
    if (op->operand[k]->def->kind == ST_OP_ARG && st_hls_is_process(op))
      return true;
  return false;
}

/* ---- components ---------------------------------------------------------- */

/* Tarjan, Depth-first search and linear graph algorithms, 1972, along the
 * streams backwards: what an op depends on is numbered before it. */
typedef struct {
  const StModule *m;
  int *position; /* of an op id */
  int *order, *low, *component;
  bool *on_stack, *cyclic;
  int *stack;
  int depth, visited, components;
} Search;

static bool is_cycle(const Search *s, int first, int op) {
  if (s->stack[first] != op || s->depth - first > 1)
    return true;
  const StOp *o = s->m->op.at[op];
  for (int k = 0; k < o->noperands; k++)
    if (o->operand[k]->def == o)
      return true;
  return false;
}

static void visit(Search *s, int i) {
  const StOp *op = s->m->op.at[i];
  s->order[i] = s->low[i] = ++s->visited;
  s->stack[s->depth++] = i;
  s->on_stack[i] = true;
  for (int k = 0; k < op->noperands; k++) {
    int j = s->position[op->operand[k]->def->id];
    if (!s->order[j])
      visit(s, j);
    if (s->on_stack[j] && s->low[j] < s->low[i])
      s->low[i] = s->low[j];
  }
  if (s->low[i] != s->order[i])
    return;
  int first = s->depth;
  while (s->stack[--first] != i)
    ;
  s->cyclic[s->components] = is_cycle(s, first, i);
  while (s->depth > first) {
    int j = s->stack[--s->depth];
    s->on_stack[j] = false;
    s->component[j] = s->components;
  }
  s->components++;
}

int *st_hls_components(StArena *a, const StModule *m, bool **cyclic) {
  int n = m->op.n;
  Search s = {.m = m};
  s.position = ST_NEW_N(a, int, m->next_op + 1);
  s.order = ST_NEW_N(a, int, n + 1);
  s.low = ST_NEW_N(a, int, n + 1);
  s.component = ST_NEW_N(a, int, n + 1);
  s.stack = ST_NEW_N(a, int, n + 1);
  s.on_stack = ST_NEW_N(a, bool, n + 1);
  s.cyclic = ST_NEW_N(a, bool, n + 1);
  for (int i = 0; i < n; i++)
    s.position[m->op.at[i]->id] = i;
  for (int i = 0; i < n; i++)
    if (!s.order[i])
      visit(&s, i);
  *cyclic = s.cyclic;
  return s.component;
}

/* ---- processes ------------------------------------------------------------
 */

static const char *kind_verb(const StOp *op) {
  switch (op->kind) {
  case ST_OP_LOAD:
    return op->noperands > 1 ? "gather" : "load";
  case ST_OP_BUNDLE:
    return "bundle";
  case ST_OP_STORE:
    return "store";
  case ST_OP_CONVERTER:
    return "convert";
  case ST_OP_FORK:
    return "fork";
  default:
    return "kernel";
  }
}

static const char *with_ident(StArena *a, const char *head, int id,
                              const char *name) {
  const char *ident = st_hls_ident(a, name);
  return st_arena_printf(a, "%s%d%s%s", head, id, *ident ? "_" : "", ident);
}

static void plan_processes(StHlsPlan *p) {
  const StModule *m = p->m;
  bool *cyclic;
  int *component = st_hls_components(p->a, m, &cyclic);
  p->process = ST_NEW_N(p->a, StHlsProcess, m->op.n + 1);
  p->process_of_op = ST_NEW_N(p->a, int, m->next_op + 1);
  for (int i = 0; i < m->next_op; i++)
    p->process_of_op[i] = -1;
  for (int i = 0; i < m->op.n; i++)
    p->has_tasks |= cyclic[component[i]];
  int *start = ST_NEW_N(p->a, int, m->op.n + 2);
  for (int i = 0; i < m->op.n; i++)
    start[component[i] + 1]++;
  for (int i = 0; i < m->op.n; i++)
    start[i + 1] += start[i];
  int *sorted = ST_NEW_N(p->a, int, m->op.n + 1);
  for (int i = 0; i < m->op.n; i++)
    sorted[start[component[i]]++] = i;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[sorted[i]];
    if (!st_hls_is_process(op))
      continue;
    int c = component[sorted[i]];
    const char *head = st_arena_printf(p->a, "%s_", kind_verb(op));
    bool memory = st_hls_touches_memory(op);
    bool source = op->kind == ST_OP_LOAD && !cyclic[c];
    p->process_of_op[op->id] = p->nprocesses;
    p->process[p->nprocesses++] =
        (StHlsProcess){.op = op,
                       .name = with_ident(p->a, head, op->id, op->name),
                       .task = p->has_tasks && !memory && !source,
                       .component = c,
                       .cyclic = cyclic[c]};
  }
}

/* ---- memories -------------------------------------------------------------
 */

int64_t st_hls_allocated(const StModule *m, StSym extent) {
  return extent.p ? m->ctx * extent.p + extent.c
                  : st_sym_max(extent, m->ctx, m->chunk);
}

static int64_t port_elements(const StModule *m, const StPort *port) {
  int64_t n = 1;
  for (int i = 0; i < port->rank; i++)
    n *= st_hls_allocated(m, port->shape[i]);
  return n;
}

static bool same_list(const int *x, const int *y, int n) {
  return x && !memcmp(x, y, (size_t)n * sizeof *x);
}

static bool overlaps(const int *x, int nx, const int *y, int ny) {
  for (int i = 0; x && i < nx; i++)
    for (int j = 0; j < ny; j++)
      if (x[i] == y[j])
        return true;
  return false;
}

static int new_memory(StHlsPlan *p, const StPort *port, StIndexList list,
                      bool arg) {
  StHlsMemory memory = {.dtype = port->dtype,
                        .elements = port_elements(p->m, port),
                        .count = list.n};
  if (arg)
    memory.arg = list.index;
  else
    memory.ret = list.index;
  st_vec_push(p->a, &p->memory, memory);
  return p->memory.n - 1;
}

/* The memory of a list of arguments. A cache exists once; others may have a
 * copy for every list that they are in. */
static int argument_memory(StHlsPlan *p, const StOp *op, StIndexList list,
                           StDiag *diag) {
  const StPort *port = &p->m->arg.at[list.index[0]];
  for (int i = 0; i < p->memory.n; i++) {
    const StHlsMemory *memory = &p->memory.at[i];
    if (memory->count == list.n && same_list(memory->arg, list.index, list.n))
      return i;
    if (port->role == ST_ROLE_CACHE &&
        overlaps(memory->arg, memory->count, list.index, list.n)) {
      st_error(diag, op->loc,
               "cache %s is part of two lists of layers: it "
               "would need two memories",
               port->name);
      return -1;
    }
  }
  return new_memory(p, port, list, true);
}

static int store_memory(StHlsPlan *p, const StOp *op, StDiag *diag) {
  const StIndexList *list = &op->u.store.index;
  const StPort *port = &p->m->ret.at[list->index[0]];
  if (port->role != ST_ROLE_CACHE_ROWS)
    return new_memory(p, port, *list, false);
  StIndexList caches = {list->n, ST_NEW_N(p->a, int, list->n)};
  for (int i = 0; i < list->n; i++)
    caches.index[i] = p->m->ret.at[list->index[i]].cache;
  return argument_memory(p, op, caches, diag);
}

static bool add_port(StHlsPlan *p, const StOp *op, int operand, StDiag *diag) {
  StHlsPort port = {.op = op,
                    .operand = operand,
                    .channel = -1,
                    .channels = 1,
                    .word = 1};
  if (op->kind == ST_OP_STORE) {
    port.memory = store_memory(p, op, diag);
    port.channel = op->u.store.channel;
    port.channels = op->u.store.channels;
  } else {
    port.memory =
        argument_memory(p, op, op->operand[operand]->def->u.index, diag);
    port.channel = op->kind == ST_OP_LOAD ? op->u.load.channel : -1;
    port.channels = op->kind == ST_OP_LOAD ? op->u.load.channels : 1;
  }
  if (op->kind == ST_OP_BUNDLE) {
    port.channel = op->u.bundle.channel;
    port.channels = op->u.bundle.channels;
  }
  const char *head = operand ? st_arena_printf(p->a, "m%d_", operand) : "m";
  const char *name = op->kind == ST_OP_BUNDLE ? op->result[operand]->name
                                              : op->name;
  port.name = with_ident(p->a, head, op->id, name);
  if (op->kind != ST_OP_KERNEL)
    port.word = st_hls_address(p, op, operand).word;
  st_vec_push(p->a, &p->port, port);
  return port.memory >= 0;
}

static void add_rom(StHlsPlan *p, const StOp *op) {
  for (int i = 0; i < p->rom.n; i++)
    if (p->rom.at[i] == op)
      return;
  st_vec_push(p->a, &p->rom, op);
}

static bool plan_memories(StHlsPlan *p, StDiag *diag) {
  bool ok = true;
  for (int i = 0; i < p->nprocesses; i++) {
    const StOp *op = p->process[i].op;
    for (int k = 0; k < op->noperands; k++) {
      const StOp *def = op->operand[k]->def;
      if (def->kind == ST_OP_CONST)
        add_rom(p, def);
      else if (def->kind == ST_OP_ARG)
        ok &= add_port(p, op, k, diag);
    }
    if (op->kind == ST_OP_STORE)
      ok &= add_port(p, op, 0, diag);
  }
  return ok;
}

int st_hls_port_of(const StHlsPlan *p, const StOp *op, int operand) {
  for (int i = 0; i < p->port.n; i++)
    if (p->port.at[i].op == op && p->port.at[i].operand == operand)
      return i;
  return -1;
}

const char *st_hls_stream_name(const StHlsPlan *p, const StValue *v) {
  return with_ident(p->a, "s", v->id, v->name ? v->name : v->def->name);
}

const char *st_hls_rom_name(const StHlsPlan *p, const StOp *op) {
  return with_ident(p->a, "rom_", op->id, op->name);
}

StHlsPlan *st_hls_plan(StArena *a, const StModule *m, const StTarget *t,
                       StDiag *diag) {
  return st_hls_lint(m, diag) ? st_hls_layout(a, m, t, diag) : NULL;
}

StHlsPlan *st_hls_layout(StArena *a, const StModule *m, const StTarget *t,
                         StDiag *diag) {
  StHlsPlan *p = ST_NEW(a, StHlsPlan);
  p->m = m;
  p->t = t;
  p->a = a;
  plan_processes(p);
  return plan_memories(p, diag) ? p : NULL;
}

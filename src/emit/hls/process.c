/* Signatures, comments and definitions of the processes' functions. */
#include "emit/hls/process.h"

#include <ctype.h>
#include <string.h>

#include "emit/hls/body.h"
#include "emit/hls/text.h"
#include "emit/hls/top.h"
#include "ir/itensor.h"

const char *st_hls_style(const StHlsProcess *p) {
  return st_hls_touches_memory(p->op) ? "" : "frp";
}

const char *st_hls_storage(StMemory m) {
  switch (m) {
  case ST_MEM_SRL:
    return "srl";
  case ST_MEM_LUTRAM:
    return "lutram";
  case ST_MEM_BRAM:
    return "bram";
  case ST_MEM_URAM:
    return "uram";
  case ST_MEM_AUTO:
  case ST_MEM_REG:
  case ST_MEM_ROM:
  case ST_MEM_HBM:
  case ST_MEM_COUNT:
    break;
  }
  return "";
}

/* True if the text has this one-letter word. */
static bool has_word(const char *text, char word) {
  for (const char *s = text; (s = strchr(s, word)) != NULL; s++) {
    bool before = s > text && (isalnum((unsigned char)s[-1]) || s[-1] == '_');
    bool after = isalnum((unsigned char)s[1]) || s[1] == '_';
    if (!before && !after)
      return true;
  }
  return false;
}

static void write_body(StStr *out, const StHlsPlan *plan,
                       const StHlsProcess *p) {
  if (p->op->kind == ST_OP_KERNEL)
    st_hls_kernel(out, plan, p);
  else if (p->op->kind == ST_OP_CONVERTER)
    st_hls_converter(out, plan, p);
  else if (p->op->kind == ST_OP_FORK)
    st_hls_fork(out, plan, p);
  else if (p->op->kind == ST_OP_LOAD)
    st_hls_load(out, plan, p);
  else if (p->op->kind == ST_OP_BUNDLE)
    st_hls_bundle(out, plan, p);
  else
    st_hls_store(out, plan, p);
}

void st_hls_process_write(const StHlsPlan *plan, StHlsProcess *p) {
  StStr out;
  st_str_init(&out);
  write_body(&out, plan, p);
  p->body = st_arena_strdup(plan->a, out.data);
  p->uses_p = has_word(p->body, 'P');
  p->uses_t = has_word(p->body, 'T');
  st_str_free(&out);
}

/* ---- comments ---------------------------------------------------------------
 */

static const char *order_text(StArena *a, const StItensor *o) {
  const char *r = "tokens of ";
  for (int d = 0; d < o->rank; d++)
    r = st_arena_printf(a, "%s%s%d", r, d ? "x" : "", (int)o->elem[d]);
  if (!o->rank)
    r = st_arena_printf(a, "%s1", r);
  for (int l = 0; l < o->nloops; l++) {
    const StLoop *p = &o->loop[l];
    r = st_arena_printf(a, "%s%s%s", r, l ? ", " : " for ",
                        st_hls_sym_text(a, p->trip));
    if (p->dim >= 0)
      r = st_arena_printf(a, "%s of d%d by %d", r, p->dim, (int)p->step);
    else
      r = st_arena_printf(a, "%s times again", r);
  }
  return r;
}

static const char *memory_text(const StHlsPlan *plan, const StOp *op,
                               int operand) {
  int port = st_hls_port_of(plan, op, operand);
  if (port < 0)
    return st_arena_printf(plan->a, "constant %s",
                           st_hls_rom_name(plan, op->operand[0]->def));
  const StHlsMemory *m = &plan->memory.at[plan->port.at[port].memory];
  const char *name = m->arg ? plan->m->arg.at[m->arg[0]].name
                            : plan->m->ret.at[m->ret[0]].name;
  const char *more = m->count > 1 ? " and its like in the other layers" : "";
  return st_arena_printf(plan->a, "%s%s", name, more);
}

static const char *describe_bundle(const StHlsPlan *plan, const StOp *op) {
  StArena *a = plan->a;
  const StBundle *b = &op->u.bundle;
  const char *r = st_arena_printf(
      a, "Reads %d parameters over %d channels.", op->nresults, b->channels);
  for (int k = 0; k < op->nresults; k++)
    r = st_arena_printf(a, "%s\nout%d: %s: %s", r, k, memory_text(plan, op, k),
                        order_text(a, op->result[k]->type.order));
  return r;
}

static const char *describe(const StHlsPlan *plan, const StOp *op) {
  StArena *a = plan->a;
  switch (op->kind) {
  case ST_OP_LOAD:
    return st_arena_printf(a, "Reads %s: %s.", memory_text(plan, op, 0),
                           order_text(a, op->result[0]->type.order));
  case ST_OP_BUNDLE:
    return describe_bundle(plan, op);
  case ST_OP_STORE:
    return st_arena_printf(a, "Writes %s: %s.", memory_text(plan, op, 0),
                           order_text(a, op->operand[0]->type.order));
  case ST_OP_FORK:
    return st_arena_printf(a, "Copies every token to %d streams.",
                           op->nresults);
  case ST_OP_CONVERTER:
    return st_arena_printf(
        a,
        "Reorders by %s of %d elements%s; a window for each iteration of the "
        "first %d loops.\nin:  %s\nout: %s",
        op->u.converter.banks > 1 ? "two windows" : "a window",
        (int)op->u.converter.window,
        op->u.converter.flow ? ", drained while it fills" : "",
        op->u.converter.shared, order_text(a, &op->u.converter.fill),
        order_text(a, &op->u.converter.drain));
  default:
    return st_hls_describe(a, op);
  }
}

/* ---- definitions ------------------------------------------------------------
 */

static const char *pointer(const StHlsPlan *plan, const StHlsPort *port) {
  return st_arena_printf(plan->a, "%s%s", st_hls_pointer_type(plan, port),
                         port->name);
}

static void put_parameters(StStr *out, const StHlsPlan *plan,
                           const StHlsProcess *p) {
  const StOp *op = p->op;
  const char *sep = "";
  if (p->task) {
    st_str_printf(out, "hls::stream<st_step> &step");
    sep = ",\n    ";
  }
  for (int k = 0; k < op->noperands; k++) {
    int port = st_hls_port_of(plan, op, k);
    if (op->operand[k]->type.order)
      st_str_printf(out, "%shls::stream<%s > &in%d", sep,
                    st_hls_token(plan->a, op->operand[k]), k);
    else if (port >= 0)
      st_str_printf(out, "%s%s", sep, pointer(plan, &plan->port.at[port]));
    else
      continue;
    sep = ",\n    ";
  }
  for (int r = 0; r < op->nresults; r++) {
    st_str_printf(out, "%shls::stream<%s > &out%d", sep,
                  st_hls_token(plan->a, op->result[r]), r);
    sep = ",\n    ";
  }
  if (op->kind == ST_OP_STORE)
    st_str_printf(out, "%s%s", sep,
                  pointer(plan, &plan->port.at[st_hls_port_of(plan, op, 0)]));
  if (!p->task && p->uses_p)
    st_str_printf(out, ",\n    int64_t P");
  if (!p->task && p->uses_t)
    st_str_printf(out, ",\n    int64_t T");
}

static void put_folds(StStr *out, const StHlsPlan *plan,
                      const StHlsProcess *p) {
  const StNest *n = &p->op->u.nest;
  for (int r = 0; p->op->kind == ST_OP_KERNEL && r < p->op->nresults; r++) {
    if (n->out[r].combine == ST_X_ARG)
      continue;
    StDtype t = n->body.at[n->out[r].yield].dtype;
    const char *type = st_hls_scalar(t);
    st_str_printf(out,
                  "static %s %s_fold%d(%s x, %s y) {\n"
                  "#pragma HLS INLINE\n"
                  "  return %s;\n}\n",
                  type, p->name, r, type, type,
                  st_hls_combine(plan->a, n->out[r].combine, t, "x", "y"));
  }
}

void st_hls_process_define(StStr *out, const StHlsPlan *plan,
                           const StHlsProcess *p) {
  st_str_printf(out, "\n");
  st_hls_comment(out, describe(plan, p->op));
  put_folds(out, plan, p);
  st_str_printf(out, "static void %s(\n    ", p->name);
  put_parameters(out, plan, p);
  st_str_printf(out, ") {\n");
  if (p->task) {
    bool used = p->uses_p || p->uses_t;
    st_str_printf(out, used ? "  const st_step now = step.read();\n"
                            : "  step.read();\n");
    if (p->uses_p)
      st_str_printf(out, "  const int64_t P = now.P;\n");
    if (p->uses_t)
      st_str_printf(out, "  const int64_t T = now.T;\n");
  }
  st_str_printf(out, "%s}\n", p->body);
}

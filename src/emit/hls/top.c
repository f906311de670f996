/* accelerator.h and accelerator.cpp: the top function, which is one dataflow
 * region, and the functions of its processes. Every stream has one declaration
 * with its depth; processes come in the order in which data flows. */
#include "emit/hls/top.h"

#include <inttypes.h>
#include <string.h>

#include "emit/hls/process.h"
#include "emit/hls/text.h"

const char *st_hls_pointer_type(const StHlsPlan *p, const StHlsPort *port) {
  const char *element = st_hls_element(p->memory.at[port->memory].dtype);
  const char *type = port->word > 1 ? st_arena_printf(p->a, "st_vec<%s, %d>",
                                                      element, port->word)
                                    : element;
  bool reads = port->op->kind != ST_OP_STORE;
  return st_arena_printf(p->a, "%s%s *", reads ? "const " : "", type);
}

static void put_prototype(StStr *out, const StHlsPlan *p) {
  st_str_printf(out, "void accelerator(\n");
  for (int i = 0; i < p->port.n; i++)
    st_str_printf(out, "    %s%s,\n", st_hls_pointer_type(p, &p->port.at[i]),
                  p->port.at[i].name);
  st_str_printf(out, "    int32_t P, int32_t T)");
}

void st_hls_accelerator_h(StStr *out, const StHlsPlan *p) {
  st_str_printf(out,
                "// The accelerator of %s. One call is one step: T tokens "
                "after P.\n",
                p->m->name);
  st_str_printf(out, "#ifndef ST_ACCELERATOR_H\n#define ST_ACCELERATOR_H\n\n"
                     "#include \"st_hls.h\"\n\nextern \"C\" ");
  put_prototype(out, p);
  st_str_printf(out, ";\n\n#endif\n");
}

/* ---- the region -------------------------------------------------------------
 */

static void put_interfaces(StStr *out, const StHlsPlan *p) {
  for (int i = 0; i < p->port.n; i++)
    st_str_printf(out,
                  "#pragma HLS INTERFACE m_axi port=%s offset=slave "
                  "bundle=%s\n",
                  p->port.at[i].name, p->port.at[i].name);
  st_str_printf(out, "#pragma HLS DATAFLOW\n");
}

static void put_stream(StStr *out, const StHlsPlan *p, const StValue *v) {
  const char *name = st_hls_stream_name(p, v);
  const char *where = p->has_tasks ? "hls_thread_local" : "static";
  st_str_printf(out, "  %s hls::stream<%s > %s(\"%s\");\n", where,
                st_hls_token(p->a, v), name, name);
  st_str_printf(out, "#pragma HLS STREAM variable=%s depth=%" PRId64 "\n", name,
                v->depth);
  const char *impl = st_hls_storage(v->memory);
  if (*impl)
    st_str_printf(out,
                  "#pragma HLS BIND_STORAGE variable=%s type=fifo impl=%s\n",
                  name, impl);
}

static void put_streams(StStr *out, const StHlsPlan *p) {
  for (int i = 0; i < p->nprocesses; i++) {
    const StOp *op = p->process[i].op;
    for (int r = 0; r < op->nresults; r++)
      put_stream(out, p, op->result[r]);
  }
  for (int i = 0; i < p->nprocesses; i++) {
    const StHlsProcess *q = &p->process[i];
    if (!q->task)
      continue;
    st_str_printf(out,
                  "  hls_thread_local hls::stream<st_step> "
                  "step%d(\"step%d\");\n"
                  "#pragma HLS STREAM variable=step%d depth=2\n",
                  q->op->id, q->op->id, q->op->id);
  }
}

static void put_arguments(StStr *out, const StHlsPlan *p,
                          const StHlsProcess *q) {
  const StOp *op = q->op;
  if (q->task)
    st_str_printf(out, ", step%d", op->id);
  for (int k = 0; k < op->noperands; k++) {
    int port = st_hls_port_of(p, op, k);
    if (op->operand[k]->type.order)
      st_str_printf(out, ", %s", st_hls_stream_name(p, op->operand[k]));
    else if (port >= 0)
      st_str_printf(out, ", %s", p->port.at[port].name);
  }
  for (int r = 0; r < op->nresults; r++)
    st_str_printf(out, ", %s", st_hls_stream_name(p, op->result[r]));
  if (op->kind == ST_OP_STORE)
    st_str_printf(out, ", %s", p->port.at[st_hls_port_of(p, op, 0)].name);
  st_str_printf(out, "%s%s", !q->task && q->uses_p ? ", P" : "",
                !q->task && q->uses_t ? ", T" : "");
}

static void put_calls(StStr *out, const StHlsPlan *p) {
  for (int i = 0; i < p->nprocesses; i++) {
    const StHlsProcess *q = &p->process[i];
    if (q->task)
      st_str_printf(out, "  hls_thread_local hls::task t%d(%s", q->op->id,
                    q->name);
    else
      st_str_printf(out, "  ST_PROCESS(%s", q->name);
    put_arguments(out, p, q);
    st_str_printf(out, ");\n");
  }
}

/* Tells every task what the step is. */
static void put_control(StStr *out, const StHlsPlan *p, bool call) {
  if (!p->has_tasks)
    return;
  st_str_printf(out, call ? "  ST_PROCESS(control"
                          : "\n// Tells every task the sizes of this step.\n"
                            "static void control(");
  const char *sep = call ? ", " : "\n    ";
  for (int i = 0; i < p->nprocesses; i++)
    if (p->process[i].task) {
      st_str_printf(out, call ? "%sstep%d" : "%shls::stream<st_step> &step%d",
                    sep, p->process[i].op->id);
      sep = call ? ", " : ",\n    ";
    }
  st_str_printf(out, call ? ", P, T);\n"
                          : ",\n    int32_t P, int32_t T) {\n"
                            "  st_step now;\n  now.P = P;\n  now.T = T;\n");
  for (int i = 0; i < p->nprocesses && !call; i++)
    if (p->process[i].task)
      st_str_printf(out, "  step%d.write(now);\n", p->process[i].op->id);
  st_str_printf(out, call ? "" : "}\n");
}

void st_hls_accelerator_cpp(StStr *out, const StHlsPlan *p) {
  st_hls_comment(
      out, st_arena_printf(
               p->a, "%s as a dataflow region: %d processes%s.", p->m->name,
               p->nprocesses,
               p->has_tasks
                   ? "; streams feed back, so that what does not touch memory "
                     "is a task"
                   : ""));
  st_str_printf(out, "#include \"accelerator.h\"\n");
  if (p->rom.n)
    st_str_printf(out, "#include \"rom.h\"\n");
  if (p->has_tasks)
    st_str_printf(out, "#include \"hls_task.h\"\n");
  for (int i = 0; i < p->nprocesses; i++)
    st_hls_process_define(out, p, &p->process[i]);
  put_control(out, p, false);
  st_str_printf(out, "\nextern \"C\" ");
  put_prototype(out, p);
  st_str_printf(out, " {\n");
  put_interfaces(out, p);
  put_streams(out, p);
  put_control(out, p, true);
  put_calls(out, p);
  st_str_printf(out, "}\n");
}

/* ---- constants --------------------------------------------------------------
 */

static const char *rom_type(StDtype t) {
  return t == ST_F32 ? "uint32_t" : st_hls_element(t);
}

static int64_t rom_size(const StOp *op) {
  const StConst *c = &op->u.constant;
  return c->splat ? c->n : c->bytes / st_dtype_bytes(op->result[0]->type.dtype);
}

static void put_rom(StStr *out, const StHlsPlan *p, const StOp *op,
                    const char *tail) {
  st_str_printf(out, "extern const %s %s[%" PRId64 "]%s",
                rom_type(op->result[0]->type.dtype), st_hls_rom_name(p, op),
                rom_size(op), tail);
}

void st_hls_rom_h(StStr *out, const StHlsPlan *p) {
  st_str_printf(out, "// Constant tensors; floats as their bits.\n"
                     "#ifndef ST_ROM_H\n#define ST_ROM_H\n\n"
                     "#include \"st_hls.h\"\n\n");
  for (int i = 0; i < p->rom.n; i++)
    put_rom(out, p, p->rom.at[i], ";\n");
  st_str_printf(out, "\n#endif\n");
}

static void put_element(StStr *out, StDtype t, const uint8_t *at) {
  int64_t v = 0;
  uint64_t bits = 0;
  int bytes = st_dtype_bytes(t);
  for (int i = bytes; i-- > 0;)
    bits = bits << 8 | at[i];
  if (st_dtype_is_float(t) || t == ST_I1) {
    st_str_printf(out, "0x%" PRIx64, bits);
    return;
  }
  v = (int64_t)(bits << (64 - 8 * bytes)) >> (64 - 8 * bytes);
  if (v == INT64_MIN)
    st_str_printf(out, "INT64_MIN");
  else
    st_str_printf(out, "%" PRId64 "%s", v, bytes == 8 ? "LL" : "");
}

void st_hls_rom_cpp(StStr *out, const StHlsPlan *p) {
  st_str_printf(out, "#include \"rom.h\"\n");
  for (int i = 0; i < p->rom.n; i++) {
    const StOp *op = p->rom.at[i];
    StDtype t = op->result[0]->type.dtype;
    st_str_printf(out, "\n");
    put_rom(out, p, op, " = {");
    for (int64_t e = 0; e < rom_size(op); e++) {
      st_str_printf(out, "%s", e % 8 ? " " : "\n    ");
      put_element(out, t,
                  (const uint8_t *)op->u.constant.data + e * st_dtype_bytes(t));
      st_str_printf(out, ",");
    }
    st_str_printf(out, "\n};\n");
  }
}

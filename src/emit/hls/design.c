/* What surrounds the kernel: the tables of design.cpp, the call and the depths
 * for C simulation, the link configuration. */
#include "emit/hls/top.h"

#include <inttypes.h>

#include "emit/hls/text.h"

/* ---- design.cpp -------------------------------------------------------------
 */

static const char *argument_role(StRole r) {
  switch (r) {
  case ST_ROLE_PARAM:
    return "ST_FIXED";
  case ST_ROLE_CACHE:
    return "ST_CACHE";
  case ST_ROLE_TOKENS:
    return "ST_TOKENS";
  case ST_ROLE_POSITION:
    return "ST_POSITION";
  default:
    return "ST_INPUT";
  }
}

static const char *result_role(StRole r) {
  return r == ST_ROLE_CACHE_ROWS ? "ST_ROWS"
         : r == ST_ROLE_LOGITS   ? "ST_LOGITS"
                                 : "ST_OUTPUT";
}

static void put_quoted(StStr *out, const char *s) {
  st_str_printf(out, "\"");
  for (; s && *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      st_str_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      st_str_printf(out, "\\%03o", c);
    else
      st_str_printf(out, "%c", c);
  }
  st_str_printf(out, "\"");
}

static void put_shape(StStr *out, const StModule *m, const char *name, int k,
                      const StPort *port) {
  if (port->rank == 0)
    return;
  st_str_printf(out, "static const st_extent %s%d[] = {", name, k);
  for (int i = 0; i < port->rank; i++) {
    StSym s = port->shape[i];
    st_str_printf(out, "%s{%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "}",
                  i ? ", " : "", s.c, s.p, s.t, st_hls_allocated(m, s));
  }
  st_str_printf(out, "};\n");
}

static void put_port(StStr *out, const char *name, int k, const StPort *port,
                     const char *role) {
  st_str_printf(out, "    {");
  put_quoted(out, port->name);
  st_str_printf(out, ", %s, %d, %s, %d, ", role, st_dtype_bytes(port->dtype),
                st_dtype_is_float(port->dtype) ? "false" : "true", port->rank);
  if (port->rank)
    st_str_printf(out, "%s%d},\n", name, k);
  else
    st_str_printf(out, "nullptr},\n");
}

static void put_ports(StStr *out, const StHlsPlan *p) {
  const StModule *m = p->m;
  for (int k = 0; k < m->arg.n; k++)
    put_shape(out, m, "arg", k, &m->arg.at[k]);
  for (int k = 0; k < m->ret.n; k++)
    put_shape(out, m, "ret", k, &m->ret.at[k]);
  st_str_printf(out, "\nconst st_port st_args[] = {\n");
  for (int k = 0; k < m->arg.n; k++)
    put_port(out, "arg", k, &m->arg.at[k], argument_role(m->arg.at[k].role));
  st_str_printf(out, "    {}};\nconst st_port st_rets[] = {\n");
  for (int k = 0; k < m->ret.n; k++)
    put_port(out, "ret", k, &m->ret.at[k], result_role(m->ret.at[k].role));
  st_str_printf(out, "    {}};\n");
}

static void put_list(StStr *out, const char *name, int i, const int *list,
                     int n) {
  if (!list)
    return;
  st_str_printf(out, "static const int %s%d[] = {", name, i);
  for (int k = 0; k < n; k++)
    st_str_printf(out, "%s%d", k ? ", " : "", list[k]);
  st_str_printf(out, "};\n");
}

static void put_memories(StStr *out, const StHlsPlan *p) {
  for (int i = 0; i < p->memory.n; i++) {
    const StHlsMemory *m = &p->memory.at[i];
    put_list(out, "args_of", i, m->arg, m->count);
    put_list(out, "rets_of", i, m->ret, m->count);
  }
  st_str_printf(out, "\nconst st_memory st_memories[] = {\n");
  for (int i = 0; i < p->memory.n; i++) {
    const StHlsMemory *m = &p->memory.at[i];
    const char *arg = st_arena_printf(p->a, "args_of%d", i);
    const char *ret = st_arena_printf(p->a, "rets_of%d", i);
    st_str_printf(out, "    {%d, %" PRId64 ", %d, %s, %s},\n",
                  st_dtype_bytes(m->dtype), m->elements, m->count,
                  m->arg ? arg : "nullptr", m->ret ? ret : "nullptr");
  }
  st_str_printf(out, "    {}};\n\nconst st_pointer st_pointers[] = {\n");
  for (int i = 0; i < p->port.n; i++) {
    const StHlsPort *port = &p->port.at[i];
    st_str_printf(out, "    {\"%s\", %d, %d, %s},\n", port->name, port->memory,
                  port->channel,
                  port->op->kind == ST_OP_STORE ? "true" : "false");
  }
  st_str_printf(out, "    {}};\n");
}

void st_hls_design_cpp(StStr *out, const StHlsPlan *p) {
  st_str_printf(out, "#include \"design.h\"\n\n");
  st_str_printf(
      out,
      "const int st_nargs = %d, st_nrets = %d;\n"
      "const int st_nmemories = %d, st_npointers = %d;\n"
      "const int64_t st_ctx = %" PRId64 ", st_chunk = %" PRId64 ";\n\n",
      p->m->arg.n, p->m->ret.n, p->memory.n, p->port.n, p->m->ctx, p->m->chunk);
  put_ports(out, p);
  st_str_printf(out, "\n");
  put_memories(out, p);
}

/* ---- csim/call.cpp
 * ------------------------------------------------------------ */

static void put_depths(StStr *out, const StHlsPlan *p) {
  for (int i = 0; i < p->nprocesses; i++) {
    const StOp *op = p->process[i].op;
    for (int r = 0; r < op->nresults; r++)
      st_str_printf(out, "    {\"%s\", %" PRId64 "},\n",
                    st_hls_stream_name(p, op->result[r]), op->result[r]->depth);
  }
}

void st_hls_call_cpp(StStr *out, const StHlsPlan *p) {
  st_str_printf(out,
                "// The top function's arguments and the depths of its "
                "FIFOs.\n"
                "#include \"call.h\"\n\n#include <string.h>\n\n"
                "#include \"accelerator.h\"\n\n"
                "void st_call(void *const *pointer, int32_t P, int32_t T) {\n"
                "  (void)pointer;\n  accelerator(");
  for (int i = 0; i < p->port.n; i++)
    st_str_printf(out, "static_cast<%s>(pointer[%d]),\n              ",
                  st_hls_pointer_type(p, &p->port.at[i]), i);
  st_str_printf(out, "P, T);\n}\n\nstatic const struct {\n"
                     "  const char *name;\n  size_t depth;\n} depths[] = {\n");
  put_depths(out, p);
  st_str_printf(out, "};\n\nsize_t st_csim_depth(const char *name) {\n"
                     "  for (const auto &d : depths)\n"
                     "    if (!strcmp(d.name, name))\n"
                     "      return d.depth;\n"
                     "  return 0;\n}\n");
}

/* ---- for the card -----------------------------------------------------------
 */

void st_hls_link_cfg(StStr *out, const StHlsPlan *p) {
  const char *kind = p->t->memory.kind == ST_STORAGE_DDR ? "DDR" : "HBM";
  st_str_printf(out,
                "# %s on %s\n[connectivity]\nnk=accelerator:1:accelerator_1\n",
                p->m->name, p->t->name);
  for (int i = 0; i < p->port.n; i++) {
    const StHlsPort *port = &p->port.at[i];
    if (port->channel >= 0 && port->channels > 1)
      st_str_printf(out, "sp=accelerator_1.%s:%s[%d:%d]\n", port->name, kind,
                    port->channel, port->channel + port->channels - 1);
    else if (port->channel >= 0)
      st_str_printf(out, "sp=accelerator_1.%s:%s[%d]\n", port->name, kind,
                    port->channel);
  }
}

void st_hls_design_mk(StStr *out, const StHlsPlan *p) {
  st_str_printf(out, "PART = %s\nMHZ ?= %.0f\n", p->t->part, p->t->clock_mhz);
}

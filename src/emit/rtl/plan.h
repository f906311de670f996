/* What of a design becomes what of the SystemVerilog: a module for each op that
 * moves tokens, and what all of them need.
 */
#ifndef ST_EMIT_RTL_PLAN_H
#define ST_EMIT_RTL_PLAN_H

#include "analysis/process.h"
#include "emit/hls/plan.h"

/* Sums of P and T, constants left out, each once. */
typedef ST_VEC(StSym) StRtlSums;

typedef struct {
  const StOp *op;
  const char *name;         /* of the module and of its instance */
  const StProcess *process; /* CONVERTER: its fill; the drain follows */
  StRtlSums sum;            /* that the module takes */
  const char *text;         /* of the module; NULL: a fork, which has none */
} StRtlUnit;

typedef struct {
  StArena *a;
  const StModule *m;
  const StTarget *t;
  StHlsPlan *layout; /* memories and ports */
  StProcessNet *net;
  int nunits;
  StRtlUnit *unit; /* in the order of the ops */
  StRtlSums sum;   /* of all units */
} StRtlPlan;

/* In the arena, without texts. NULL after located errors: what the emitter does
 * not know, or what the target makes faster than the library is. */
StRtlPlan *st_rtl_plan(StArena *a, const StModule *m, const StTarget *t,
                       StDiag *diag);

/* False after a located error: a kernel that cannot be emitted. */
bool st_rtl_kernel_check(const StRtlPlan *p, const StOp *op, StDiag *diag);
bool st_rtl_converter_check(const StRtlPlan *p, const StOp *op, StDiag *diag);

/* Text of a unit's module. */
void st_rtl_kernel(StRtlPlan *p, StRtlUnit *u);
void st_rtl_load(StRtlPlan *p, StRtlUnit *u);
void st_rtl_bundle(StRtlPlan *p, StRtlUnit *u);
void st_rtl_store(StRtlPlan *p, StRtlUnit *u);
void st_rtl_converter(StRtlPlan *p, StRtlUnit *u);

/* The top, and what the program around it has to know of its ports. */
const char *st_rtl_top(StRtlPlan *p);
const char *st_rtl_ports_cpp(StRtlPlan *p);

/* The accelerator behind AXI, and what the program around that has to know. */
const char *st_rtl_axi(StRtlPlan *p);
const char *st_rtl_axi_cpp(StRtlPlan *p);

/* Bits of an address of the port's memory. */
int st_rtl_address_bits(const StRtlPlan *p, const StHlsPort *port);
/* Bits of a token of the load, store or output `part` of a bundle. */
int st_rtl_port_bits(const StHlsPort *port);

#endif

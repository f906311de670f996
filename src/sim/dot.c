#include "sim/dot.h"

/* ---- finding ------------------------------------------------------------ */

/* The operand whose elements, of a byte or less, expression x sign-extends; -1
 * if it is something else. */
static int find_factor(const StBody *body, int x) {
  while (body->at[x].kind == ST_X_EXTSI && body->at[x].dtype != ST_I1)
    x = body->at[x].arg[0];
  StDtype t = body->at[x].dtype;
  bool small = t == ST_I8 || t == ST_I4;
  return body->at[x].kind == ST_X_ARG && small ? body->at[x].operand : -1;
}

/* Where each parallel lane's elements begin in a token; NULL if they do not
 * follow one another in the order of the reduction lanes. */
static int64_t *find_rows(StArena *a, const StPortInfo *port,
                          const StKernelInfo *info) {
  int64_t *from = ST_NEW_N(a, int64_t, info->par_lanes);
  for (int l = 0; l < port->nlanes; l++)
    if (info->red_of_lane[l] == 0)
      from[info->par_of_lane[l]] = port->lane_elem[l];
  for (int l = 0; l < port->nlanes; l++)
    if (port->lane_elem[l] != from[info->par_of_lane[l]] + info->red_of_lane[l])
      return NULL;
  return from;
}

StDot *st_dot_find(StArena *a, const StOp *op, const StKernelInfo *info) {
  const StNest *n = &op->u.nest;
  const StExpr *e = &n->body.at[n->out[0].yield];
  if (op->nresults != 1 || op->noperands != 2 || !info->reduces ||
      n->out[0].combine != ST_X_ADDI || e->kind != ST_X_MULI ||
      e->dtype != ST_I32)
    return NULL;
  StDot *d = ST_NEW(a, StDot);
  d->par = info->par_lanes;
  d->red = info->red_lanes;
  for (int i = 0; i < 2; i++) {
    d->operand[i] = find_factor(&n->body, e->arg[i]);
    if (d->operand[i] < 0)
      return NULL;
    StPortInfo port = st_port_input(a, op, d->operand[i]);
    d->from[i] = port.guard_loop < 0 ? find_rows(a, &port, info) : NULL;
    if (!d->from[i])
      return NULL;
  }
  return d->operand[0] != d->operand[1] ? d : NULL;
}

/* ---- computing ---------------------------------------------------------- */

/* What the machine at hand has of wide vectors is found out when the program is
 * loaded. */
#if defined(__x86_64__) && defined(__gnu_linux__)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif

/* n is a constant. Factors of 16 bits, to which processors have an instruction
 * that multiplies and adds neighbours. */
static inline int32_t dot_block(const int8_t *x, const int8_t *y, int n) {
  int16_t a[32], b[32];
  int32_t sum = 0;
  for (int i = 0; i < n; i++) {
    a[i] = x[i];
    b[i] = y[i];
  }
  for (int i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

static inline int32_t dot(const int8_t *x, const int8_t *y, int n) {
  uint32_t sum = 0; /* may wrap */
  int i = 0;
  for (; i + 32 <= n; i += 32)
    sum += (uint32_t)dot_block(x + i, y + i, 32);
  for (; i + 8 <= n; i += 8)
    sum += (uint32_t)dot_block(x + i, y + i, 8);
  for (; i < n; i++)
    sum += (uint32_t)(x[i] * y[i]);
  return (int32_t)sum;
}

WIDEST void st_dot_beats(const StDot *d, StDotTokens x, StDotTokens y,
                         int64_t k, int32_t *sum) {
  for (int64_t i = 0; i < k; i++)
    for (int p = 0; p < d->par; p++)
      *sum++ = dot(x.token + i * x.step + d->from[0][p],
                   y.token + i * y.step + d->from[1][p], d->red);
}

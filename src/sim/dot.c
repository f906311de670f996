#include "sim/dot.h"

/* ---- finding ------------------------------------------------------------ */

/* The operand whose elements, of a byte or less, expression x extends, with
 * their sign or without; -1 if it is something else. *mask: the bits that are
 * the element. */
static int find_factor(const StBody *body, int x, int16_t *mask) {
  const StExpr *at = body->at;
  while (at[x].kind == ST_X_EXTSI && at[at[x].arg[0]].dtype != ST_I1)
    x = at[x].arg[0];
  *mask = -1;
  if (at[x].kind == ST_X_EXTUI) {
    int to = st_dtype_bits(at[x].dtype);
    x = at[x].arg[0];
    int bits = st_dtype_bits(at[x].dtype);
    *mask = (int16_t)((1 << (bits & 15)) - 1);
    if (to == bits)
      return -1;
  }
  bool small = at[x].dtype == ST_I8 || at[x].dtype == ST_I4;
  return at[x].kind == ST_X_ARG && small ? at[x].operand : -1;
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
    d->operand[i] = find_factor(&n->body, e->arg[i], &d->mask[i]);
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

/* One factor: bytes of which `mask` are the value. */
typedef struct {
  const int8_t *at;
  int16_t mask;
} Factor;

static inline int16_t element(Factor x, int i) {
  return (int16_t)(x.at[i] & x.mask);
}

/* The n products from i on; n is a constant. Factors have 16 bits: processors
 * have an instruction that multiplies such and adds neighbours. */
static inline int32_t dot_block(Factor x, Factor y, int i, int n) {
  int16_t a[32], b[32];
  int32_t sum = 0;
  for (int k = 0; k < n; k++) {
    a[k] = element(x, i + k);
    b[k] = element(y, i + k);
  }
  for (int k = 0; k < n; k++)
    sum += a[k] * b[k];
  return sum;
}

static inline int32_t dot(Factor x, Factor y, int n) {
  uint32_t sum = 0; /* may wrap */
  int i = 0;
  for (; i + 32 <= n; i += 32)
    sum += (uint32_t)dot_block(x, y, i, 32);
  for (; i + 8 <= n; i += 8)
    sum += (uint32_t)dot_block(x, y, i, 8);
  for (; i < n; i++)
    sum += (uint32_t)(element(x, i) * element(y, i));
  return (int32_t)sum;
}

WIDEST void st_dot_beats(const StDot *d, StDotTokens x, StDotTokens y,
                         int64_t k, int32_t *sum) {
  for (int64_t i = 0; i < k; i++)
    for (int p = 0; p < d->par; p++) {
      Factor a = {x.token + i * x.step + d->from[0][p], d->mask[0]};
      Factor b = {y.token + i * y.step + d->from[1][p], d->mask[1]};
      *sum++ = dot(a, b, d->red);
    }
}

/* Vectors of lanes through the expressions of a body. Lanes are kept in the
 * order [reduction lane][parallel lane], so that a level of the tree over the
 * reduction lanes adds neighbouring stretches of parallel lanes. */
#include "interp/scalar.h"

#include <string.h>

#include "base/num.h"

typedef union {
  float *f;
  int64_t *i;
  void *any;
} Slots;

typedef struct {
  const StExpr *e;
  StDtype type0;   /* type of the first argument */
  Slots own;       /* [lanes] storage */
  Slots at;        /* what readers use: own, or the token itself */
  int *elem;       /* ARG: element of the token for each lane */
  bool direct;     /* ARG: the token is in lane order */
  int64_t *offset; /* INDEX: what the lanes add */
  bool uniform;    /* INDEX: all offsets are 0 */
} Step;

struct StBodyProgram {
  const StOp *op;
  int lanes, par, red;
  int nsteps;
  Step *step;
  int **pack; /* [results] token element of each parallel lane */
  Slots *tree; /* [results] scratch of the fold */
};

int st_slot_bytes(StDtype t) { return st_dtype_is_float(t) ? 4 : 8; }

/* ---- memory ---------------------------------------------------------------- */

static float load_float(StDtype t, const char *p) {
  uint16_t h;
  float f;
  double d;
  switch ((int)t) {
  case ST_F16:
    memcpy(&h, p, 2);
    return st_num_from_f16(h);
  case ST_BF16:
    memcpy(&h, p, 2);
    return st_num_from_bf16(h);
  case ST_F64:
    memcpy(&d, p, 8);
    return st_num_from_f64(d);
  default:
    memcpy(&f, p, 4);
    return f;
  }
}

static int64_t load_int(StDtype t, const char *p) {
  int64_t v = 0;
  int bytes = (int)st_dtype_bytes(t);
  memcpy(&v, p, (size_t)bytes);
  if (t == ST_I1)
    return v & 1;
  return st_num_wrap(v, st_dtype_bits(t));
}

void st_slots_read(StDtype t, const void *memory, int64_t n, void *slots) {
  const char *p = memory;
  size_t bytes = (size_t)st_dtype_bytes(t);
  if (t == ST_F32) {
    memcpy(slots, memory, (size_t)n * 4);
    return;
  }
  for (int64_t i = 0; i < n; i++)
    if (st_dtype_is_float(t))
      ((float *)slots)[i] = load_float(t, p + (size_t)i * bytes);
    else
      ((int64_t *)slots)[i] = load_int(t, p + (size_t)i * bytes);
}

void st_slots_write(StDtype t, const void *slots, int64_t n, void *memory) {
  char *p = memory;
  size_t bytes = (size_t)st_dtype_bytes(t);
  for (int64_t i = 0; i < n; i++, p += bytes) {
    if (t == ST_F16 || t == ST_BF16) {
      float f = ((const float *)slots)[i];
      uint16_t h = t == ST_F16 ? st_num_to_f16(f) : st_num_to_bf16(f);
      memcpy(p, &h, 2);
    } else if (t == ST_F64) {
      double d = (double)((const float *)slots)[i];
      memcpy(p, &d, 8);
    } else if (t == ST_F32) {
      memcpy(p, (const float *)slots + i, 4);
    } else {
      memcpy(p, (const int64_t *)slots + i, bytes);
    }
  }
}

/* ---- operators --------------------------------------------------------------- */

/* f16 and bf16 values stay values of their type. */
static float narrow(StDtype t, float f) {
  if (t == ST_F16)
    return st_num_from_f16(st_num_to_f16(f));
  if (t == ST_BF16)
    return st_num_from_bf16(st_num_to_bf16(f));
  return f;
}

static int64_t wrap(StDtype t, int64_t v) {
  return t == ST_I1 ? v & 1 : st_num_wrap(v, st_dtype_bits(t));
}

static int64_t compare_float(StPredicate p, float a, float b) {
  switch ((int)p) {
  case ST_P_OEQ:
    return st_num_oeq(a, b);
  case ST_P_OGT:
    return st_num_ogt(a, b);
  case ST_P_OGE:
    return st_num_oge(a, b);
  case ST_P_OLT:
    return st_num_olt(a, b);
  case ST_P_OLE:
    return st_num_ole(a, b);
  case ST_P_ONE:
    return st_num_one(a, b);
  case ST_P_ORD:
    return st_num_ord(a, b);
  case ST_P_UEQ:
    return st_num_ueq(a, b);
  case ST_P_UGT:
    return st_num_ugt(a, b);
  case ST_P_UGE:
    return st_num_uge(a, b);
  case ST_P_ULT:
    return st_num_ult(a, b);
  case ST_P_ULE:
    return st_num_ule(a, b);
  case ST_P_UNE:
    return st_num_une(a, b);
  default:
    return st_num_uno(a, b);
  }
}

static int64_t compare_int(StPredicate p, int64_t a, int64_t b) {
  uint64_t x = (uint64_t)a, y = (uint64_t)b;
  switch ((int)p) {
  case ST_P_EQ:
    return a == b;
  case ST_P_NE:
    return a != b;
  case ST_P_SLT:
    return a < b;
  case ST_P_SLE:
    return a <= b;
  case ST_P_SGT:
    return a > b;
  case ST_P_SGE:
    return a >= b;
  case ST_P_IULT:
    return x < y;
  case ST_P_IULE:
    return x <= y;
  case ST_P_IUGT:
    return x > y;
  default:
    return x >= y;
  }
}

static float unary_float(StScalarKind k, float a) {
  switch ((int)k) {
  case ST_X_NEGF:
    return st_num_neg(a);
  case ST_X_ABSF:
    return st_num_abs(a);
  case ST_X_EXP:
    return st_num_exp(a);
  case ST_X_LOG:
    return st_num_log(a);
  case ST_X_SQRT:
    return st_num_sqrt(a);
  case ST_X_RSQRT:
    return st_num_rsqrt(a);
  case ST_X_TANH:
    return st_num_tanh(a);
  case ST_X_ERF:
    return st_num_erf(a);
  case ST_X_SIN:
    return st_num_sin(a);
  case ST_X_COS:
    return st_num_cos(a);
  case ST_X_FLOOR:
    return st_num_floor(a);
  case ST_X_CEIL:
    return st_num_ceil(a);
  case ST_X_ROUNDEVEN:
    return st_num_roundeven(a);
  default:
    return st_num_trunc(a);
  }
}

static float binary_float(StScalarKind k, float a, float b) {
  switch ((int)k) {
  case ST_X_ADDF:
    return st_num_add(a, b);
  case ST_X_SUBF:
    return st_num_sub(a, b);
  case ST_X_MULF:
    return st_num_mul(a, b);
  case ST_X_DIVF:
    return st_num_div(a, b);
  case ST_X_MAXIMUMF:
    return st_num_maximum(a, b);
  case ST_X_MINIMUMF:
    return st_num_minimum(a, b);
  case ST_X_MAXNUMF:
    return st_num_maxnum(a, b);
  case ST_X_MINNUMF:
    return st_num_minnum(a, b);
  default:
    return st_num_pow(a, b);
  }
}

static int64_t binary_int(StScalarKind k, StDtype t, int64_t a, int64_t b) {
  int w = st_dtype_bits(t);
  switch ((int)k) {
  case ST_X_ADDI:
    return wrap(t, st_num_iadd(a, b, w));
  case ST_X_SUBI:
    return wrap(t, st_num_isub(a, b, w));
  case ST_X_MULI:
    return wrap(t, st_num_imul(a, b, w));
  case ST_X_DIVSI:
    return wrap(t, st_num_idiv(a, b, w));
  case ST_X_REMSI:
    return wrap(t, st_num_irem(a, b));
  case ST_X_MAXSI:
    return a > b ? a : b;
  case ST_X_MINSI:
    return a < b ? a : b;
  case ST_X_ANDI:
    return a & b;
  case ST_X_ORI:
    return a | b;
  default:
    return wrap(t, a ^ b);
  }
}

static void convert(const StExpr *e, StDtype from, Slots a, Slots r, int n) {
  int bits = st_dtype_bits(from);
  for (int i = 0; i < n; i++)
    switch ((int)e->kind) {
    case ST_X_SITOFP:
      r.f[i] = narrow(e->dtype,
                      st_num_from_i64(from == ST_I1 ? -a.i[i] : a.i[i]));
      break;
    case ST_X_UITOFP:
      r.f[i] = narrow(e->dtype,
                      st_num_from_i64((int64_t)st_num_unsigned(a.i[i], bits)));
      break;
    case ST_X_FPTOSI: {
      int64_t v = st_num_to_i64(a.f[i]);
      int w = st_dtype_bits(e->dtype);
      int64_t most = (int64_t)(UINT64_MAX >> 1) >> (64 - w);
      r.i[i] = wrap(e->dtype, v > most ? most : v < -most - 1 ? -most - 1 : v);
      break;
    }
    case ST_X_EXTF:
    case ST_X_TRUNCF:
      r.f[i] = narrow(e->dtype, a.f[i]);
      break;
    case ST_X_EXTSI:
      r.i[i] = wrap(e->dtype, from == ST_I1 ? -a.i[i] : a.i[i]);
      break;
    case ST_X_EXTUI:
      r.i[i] = wrap(e->dtype, (int64_t)st_num_unsigned(a.i[i], bits));
      break;
    default: /* TRUNCI */
      r.i[i] = wrap(e->dtype, a.i[i]);
    }
}

static void choose(StDtype t, Slots c, Slots a, Slots b, Slots r, int n) {
  if (st_dtype_is_float(t))
    for (int i = 0; i < n; i++)
      r.f[i] = c.i[i] & 1 ? a.f[i] : b.f[i];
  else
    for (int i = 0; i < n; i++)
      r.i[i] = c.i[i] & 1 ? a.i[i] : b.i[i];
}

static void apply_float(const StExpr *e, Slots a, Slots b, Slots r, int n) {
  bool narrower = e->dtype == ST_F16 || e->dtype == ST_BF16;
  if (e->kind == ST_X_ADDF)
    st_num_add_n(r.f, a.f, b.f, n);
  else if (e->kind == ST_X_MULF)
    st_num_mul_n(r.f, a.f, b.f, n);
  else if (b.any)
    for (int i = 0; i < n; i++)
      r.f[i] = binary_float(e->kind, a.f[i], b.f[i]);
  else
    for (int i = 0; i < n; i++)
      r.f[i] = unary_float(e->kind, a.f[i]);
  for (int i = 0; narrower && i < n; i++)
    r.f[i] = narrow(e->dtype, r.f[i]);
}

/* r = e(a, b, c) in n lanes; type0 is a's type. */
static void apply(const StExpr *e, StDtype type0, Slots a, Slots b, Slots c,
                  Slots r, int n) {
  switch ((int)e->kind) {
  case ST_X_CMPF:
    for (int i = 0; i < n; i++)
      r.i[i] = compare_float(e->pred, a.f[i], b.f[i]);
    return;
  case ST_X_CMPI:
    for (int i = 0; i < n; i++)
      r.i[i] = compare_int(e->pred, a.i[i], b.i[i]);
    return;
  case ST_X_SELECT:
    choose(e->dtype, a, b, c, r, n);
    return;
  case ST_X_SITOFP:
  case ST_X_UITOFP:
  case ST_X_FPTOSI:
  case ST_X_EXTF:
  case ST_X_TRUNCF:
  case ST_X_EXTSI:
  case ST_X_EXTUI:
  case ST_X_TRUNCI:
    convert(e, type0, a, r, n);
    return;
  default:
    if (st_dtype_is_float(e->dtype))
      apply_float(e, a, b, r, n);
    else
      for (int i = 0; i < n; i++)
        r.i[i] = binary_int(e->kind, e->dtype, a.i[i], b.i[i]);
  }
}

static Slots constant(const void *p) {
  union {
    const void *from;
    void *to;
  } cast = {p};
  return (Slots){.any = cast.to};
}

void st_slots_apply(const StExpr *e, StDtype type0, int64_t n,
                    const void *const *args, void *result) {
  Slots none = {0};
  int nargs = st_scalar_args(e->kind);
  apply(e, type0, constant(args[0]), nargs > 1 ? constant(args[1]) : none,
        nargs > 2 ? constant(args[2]) : none, (Slots){.any = result}, (int)n);
}

void st_scalar_apply(const StExpr *e, StDtype type0, const void *const *args,
                     void *result) {
  st_slots_apply(e, type0, 1, args, result);
}

void st_slots_combine(StScalarKind combine, StDtype t, int64_t n, void *acc,
                      const void *v) {
  StExpr e = {.kind = combine, .dtype = t};
  Slots a = {.any = acc};
  apply(&e, t, a, constant(v), (Slots){0}, a, (int)n);
}

/* ---- programs ------------------------------------------------------------------- */

static void fill_constant(const StExpr *e, Slots r, int n) {
  char memory[8];
  memcpy(memory, &e->bits, 8);
  for (int i = 0; i < n; i++)
    if (st_dtype_is_float(e->dtype))
      r.f[i] = load_float(e->dtype, memory);
    else
      r.i[i] = load_int(e->dtype, memory);
}

/* Position of each lane (row-major over nest->lane) along dim d. */
static int lane_at(const StNest *n, int lane, int dim) {
  for (int l = n->nlanes; l-- > 0;) {
    int at = lane % n->lane[l].size;
    lane /= n->lane[l].size;
    if (n->lane[l].dim == dim)
      return at;
  }
  return 0;
}

static void compile_leaf(StArena *a, const StBodyProgram *p, Step *s,
                         const int *order) {
  const StNest *n = &p->op->u.nest;
  if (s->e->kind == ST_X_CONST)
    fill_constant(s->e, s->own, p->lanes);
  if (s->e->kind == ST_X_INDEX) {
    s->offset = ST_NEW_N(a, int64_t, p->lanes);
    s->uniform = true;
    for (int i = 0; i < p->lanes; i++)
      for (int t = 0; t < s->e->affine.n; t++) {
        const StTerm *term = &s->e->affine.term[t];
        s->offset[i] += term->coef * lane_at(n, order[i], term->dim);
        s->uniform &= s->offset[i] == 0;
      }
  }
  if (s->e->kind == ST_X_ARG) {
    StPortInfo port = st_port_input(a, p->op, s->e->operand);
    s->elem = ST_NEW_N(a, int, p->lanes);
    s->direct = true;
    for (int i = 0; i < p->lanes; i++) {
      s->elem[i] = port.lane_elem[order[i]];
      s->direct &= s->elem[i] == i;
    }
  }
}

StBodyProgram *st_body_compile(StArena *a, const StOp *op) {
  const StNest *n = &op->u.nest;
  StKernelInfo info = st_kernel_info(a, op);
  StBodyProgram *p = ST_NEW(a, StBodyProgram);
  *p = (StBodyProgram){.op = op, .lanes = info.par_lanes * info.red_lanes,
                       .par = info.par_lanes, .red = info.red_lanes,
                       .nsteps = n->body.n};
  int *order = ST_NEW_N(a, int, p->lanes); /* our lane -> row-major lane */
  for (int i = 0; i < p->lanes; i++)
    order[info.red_of_lane[i] * p->par + info.par_of_lane[i]] = i;
  p->step = ST_NEW_N(a, Step, n->body.n);
  for (int x = 0; x < n->body.n; x++) {
    Step *s = &p->step[x];
    s->e = &n->body.at[x];
    s->own.any = st_arena_alloc(a, 8 * (size_t)p->lanes);
    s->at = s->own;
    if (s->e->arg[0] >= 0)
      s->type0 = n->body.at[s->e->arg[0]].dtype;
    compile_leaf(a, p, s, order);
  }
  p->pack = ST_NEW_N(a, int *, op->nresults + 1);
  p->tree = ST_NEW_N(a, Slots, op->nresults + 1);
  for (int r = 0; r < op->nresults; r++) {
    StPortInfo port = st_port_output(a, op, r);
    p->pack[r] = ST_NEW_N(a, int, p->par);
    for (int i = 0; i < p->par; i++)
      p->pack[r][i] = port.lane_elem[order[i]];
    p->tree[r].any = st_arena_alloc(a, 8 * (size_t)p->lanes);
  }
  return p;
}

static void fetch(Step *s, const void *token, int n) {
  bool f = st_dtype_is_float(s->e->dtype);
  s->at = s->own;
  if (!token)
    memset(s->own.any, 0, (size_t)n * (f ? 4 : 8));
  else if (s->direct)
    s->at = constant(token);
  else if (f)
    for (int i = 0; i < n; i++)
      s->own.f[i] = ((const float *)token)[s->elem[i]];
  else
    for (int i = 0; i < n; i++)
      s->own.i[i] = ((const int64_t *)token)[s->elem[i]];
}

static void index_lanes(Step *s, const int64_t *base, int64_t P, int64_t T,
                        int n) {
  const StAffine *e = &s->e->affine;
  int64_t v = st_sym_eval(e->off, P, T);
  for (int t = 0; t < e->n; t++)
    v += e->term[t].coef * base[e->term[t].dim];
  for (int i = 0; i < n; i++)
    s->own.i[i] = v + s->offset[i];
}

void st_body_run(StBodyProgram *p, const void *const *token,
                 const int64_t *base, int64_t P, int64_t T) {
  Slots none = {0};
  for (int x = 0; x < p->nsteps; x++) {
    Step *s = &p->step[x];
    const StExpr *e = s->e;
    switch ((int)e->kind) {
    case ST_X_CONST:
      break;
    case ST_X_ARG:
      fetch(s, token[e->operand], p->lanes);
      break;
    case ST_X_INDEX:
      index_lanes(s, base, P, T, p->lanes);
      break;
    default:
      apply(e, s->type0, p->step[e->arg[0]].at,
            e->arg[1] >= 0 ? p->step[e->arg[1]].at : none,
            e->arg[2] >= 0 ? p->step[e->arg[2]].at : none, s->own, p->lanes);
    }
  }
}

/* The balanced tree over the reduction lanes, all parallel lanes together. */
static const void *fold(StBodyProgram *p, int r, Slots v) {
  const StOutput *o = &p->op->u.nest.out[r];
  StDtype t = p->op->result[r]->type.dtype;
  StExpr e = {.kind = o->combine, .dtype = t};
  size_t bytes = (size_t)st_slot_bytes(t) * (size_t)p->par;
  char *to = p->tree[r].any;
  const char *from = v.any;
  for (int n = p->red; n > 1; n = (n + 1) / 2) {
    for (int i = 0; i < n / 2; i++)
      apply(&e, t, constant(from + bytes * (size_t)(2 * i)),
            constant(from + bytes * (size_t)(2 * i + 1)), (Slots){0},
            (Slots){.any = to + bytes * (size_t)i}, p->par);
    if (n & 1)
      memmove(to + bytes * (size_t)(n / 2), from + bytes * (size_t)(n - 1),
              bytes);
    from = to;
  }
  return from;
}

const void *st_body_value(StBodyProgram *p, int r) {
  Slots v = p->step[p->op->u.nest.out[r].yield].at;
  return p->red > 1 ? fold(p, r, v) : v.any;
}

int st_body_lanes(const StBodyProgram *p) { return p->par; }

void st_body_combine(const StBodyProgram *p, int r, void *acc,
                     const void *v) {
  st_slots_combine(p->op->u.nest.out[r].combine,
                   p->op->result[r]->type.dtype, p->par, acc, v);
}

void st_body_pack(const StBodyProgram *p, int r, const void *lanes,
                  void *token) {
  const int *elem = p->pack[r];
  if (st_dtype_is_float(p->op->result[r]->type.dtype))
    for (int i = 0; i < p->par; i++)
      ((float *)token)[elem[i]] = ((const float *)lanes)[i];
  else
    for (int i = 0; i < p->par; i++)
      ((int64_t *)token)[elem[i]] = ((const int64_t *)lanes)[i];
}

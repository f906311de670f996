/* What the parts of quantize share: which products are taken
 * (quantize_origin.c, quantize_find.c), their ops (quantize_product.c), and
 * what becomes of parameters (quantize.c). */
#ifndef ST_PASS_QUANTIZE_H
#define ST_PASS_QUANTIZE_H

#include "pass/pass.h"
#include "pass/writer.h"

/* A value whose elements are elements of another, the root: dim[j] is the data
 * dim of the value that walks dim j of the root, -1 if that has one position.
 */
typedef struct {
  StValue *root;
  const int *dim;
} StOrigin;

/* sum over nest dim k of x[.., k, ..] * w[.., k, ..]; w comes from a root. */
typedef struct {
  int x, w;        /* operands */
  int k;           /* nest dim */
  int x_axis;      /* data dim of x that k walks */
  int axis;        /* dim of the root that k walks */
  const int *walk; /* [rank of the root] nest dim of each of its dims, -1: one
                      position */
} StProduct;

/* The dim that the access is, without an offset; -1: none. */
int st_plain_dim(const StAffine *e);
/* No access has a guard. */
bool st_is_plain(const StNest *n, int noperands, int nresults);

/* v as its own root. */
const StOrigin *st_origin_root(StArena *a, StValue *v);
/* Of the result of `op`, whose operand has the origin `from`; NULL: op is no
 * move or view, or mixes dims. */
const StOrigin *st_origin_moved(StArena *a, const StOrigin *from,
                                const StOp *op);
/* `op` as a product of which one factor has an origin [value id]; or NULL. */
StProduct *st_product_find(StArena *a, const StOrigin *const *origin,
                           const StOp *op);

/* Rows of a parameter looked up by data: extract table[.., d]. */
typedef struct {
  int expr; /* the extract */
  int d;    /* nest dim, the table's last */
} StLookup;

/* A parameter, and what it becomes. */
typedef struct {
  StOp *arg;      /* NULL: not seen */
  int uses, good; /* leaf uses, and those that can be rewritten */
  int products;   /* uses as a factor */
  int axis;       /* dim along which groups lie; -1: not known */
  int64_t group;  /* 0: none */
  int bits;
  bool mins, own;                   /* the package's grid */
  StValue *codes, *scales, *minima; /* once made; NULL without minimums */
} StQuantParam;

typedef struct {
  StModule *m;
  StScheme scheme;
  const StGrid *own; /* [arguments] as StPassContext has it */
  StArena *scratch;
  const StOrigin **origin; /* [value id]; NULL: none */
  StProduct **product;     /* [op id] */
  StLookup **lookup;       /* [op id] */
  StQuantParam *param;     /* [argument] */
} StQuantFind;

/* Fills origin, product, lookup and param. A parameter is quantised if it is a
 * factor somewhere, has a group, and every use is good: st_quant_takes. */
void st_quant_find(StQuantFind *f);
/* The argument that the value comes from if that is quantised, else -1. */
int st_quant_takes(const StQuantFind *f, const StValue *v);

/* A tensor of `rank` dims in integers: codes [dims but the axis.., groups,
 * elements of a group], scales and minimums [dims but the axis.., groups]. */
typedef struct {
  StValue *codes, *scales;
  int rank, axis;
  int64_t group;
  StValue *minima; /* NULL: none. With them codes of 4 bits are unsigned */
} StQuantForm;

/* What widens codes: to an integer (EXTSI or EXTUI), to a float (SITOFP or
 * UITOFP). */
StScalarKind st_quant_widen(const StValue *codes, const StValue *minima,
                            bool to_float);

/* What x [.., k, ..] was quantised to along its dim `axis`: codes
 * [.., groups, elements, ..] and scales [.., groups, ..], f32. */
typedef struct {
  StValue *x;
  int axis;
  int64_t group;
  StValue *q, *scale;
  StValue *sum; /* of the codes of a group, as f32 [.., groups, ..]; made when
                   first wanted */
} StQuantRows;

typedef struct {
  StWriter w;
  int bits;                 /* of codes of rows */
  ST_VEC(StQuantRows) done; /* shared by all products of x */
} StQuantWriter;

/* out->q: codes up to `most` of x by the largest magnitude along dim `inner`;
 * out->scale: that by 1/most, without the dim. */
void st_quant_codes(StWriter *w, const StOp *like, StValue *x, int inner,
                    int most, StDtype dtype, StQuantRows *out);
StQuantRows st_quant_rows(StQuantWriter *q, const StOp *like, StValue *x,
                          int axis, int64_t group);
/* Accesses of the codes or scales of f: its dims but the axis, which comes last
 * as groups and, if inner >= 0, their elements. */
StAffine *st_quant_factor_map(StWriter *w, const StQuantForm *f,
                              const int *walk, int inner);
/* The product `op` along the axis of f in integers; its result becomes that of
 * the last op. */
void st_quant_product(StQuantWriter *q, StOp *op, const StProduct *p,
                      const StQuantForm *f);
/* The same along another dim of f: scales go
 * into the other factor, which gets as many bits as its sums allow. False: it
 * is no such product, nothing was written. */
bool st_quant_values(StWriter *w, StOp *op, const StProduct *p,
                     const StQuantForm *f);

#endif

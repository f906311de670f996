/* Private to src/import/linalg*.c: the state of one import and what its parts
 * offer each other. Values are imported in the order of the text; scalars
 * outside loop bodies are evaluated where they are used.
 */
#ifndef ST_IMPORT_LINALG_H
#define ST_IMPORT_LINALG_H

#include <mlir-c/IR.h>

#include "import/coverage.h"
#include "import/import.h"

/* Pointers to small integers; insertion order never shows. */
typedef struct {
  const void **key;
  int *at;
  int n, cap; /* cap a power of two, or 0 */
} StPtrMap;

/* ---- the text (linalg_text.c, linalg_mlir.c) ---------------------------- */

typedef struct {
  const char *path;
  char *data; /* NUL after it */
  size_t len;
  size_t resources; /* offset of the dialect_resources section; len: none */
  MlirContext ctx;
  MlirOperation top;
  StDiag *diag;
  StArena *arena; /* released after the import */
  StArena *keep;  /* file names of locations */
  int pipe;       /* where a trial parse sends its errors; 0: it is none */
  ST_VEC(const char *) file;
} StText;

/* A statement of the text, as far as one can tell without parsing. */
typedef struct {
  MlirStringRef name; /* of its operation */
  StLoc loc;          /* in the text */
  const char *rest;   /* the line from the name on */
  bool known;         /* to MLIR */
} StStatement;
typedef ST_VEC(StStatement) StStatements;

/* Load, and rewrite what MLIR 19 would misread (see linalg_text.c). False
 * after errors; st_text_close in any case. */
bool st_text_load(StText *t, const char *path, StArena *arena, StArena *keep,
                  StDiag *diag);
/* Every statement that names an operation, in order. */
void st_text_statements(const StText *t, StStatements *out);
/* The Python source that the statement's own loc(...) names, else its line. */
StLoc st_text_statement_loc(StText *t, const StStatement *s);
/* The bytes of a resource; NULL if the text has none of that name. The hex
 * digits are decoded into the arena, the alignment word is dropped. */
const uint8_t *st_text_resource(const StText *t, const char *name, size_t *n);
/* The Python source or text position that a printed location names; `alias`
 * resolves #loc names (may be NULL). */
StLoc st_text_location(StText *t, const char *printed, bool aliases);

/* Parse into t->top; run passes on the functions. False after errors. */
bool st_text_parse(StText *t);
bool st_text_run(StText *t, const char *passes);
void st_text_open(StText *t); /* the context; st_text_load does it */
void st_text_close(StText *t);

StLoc st_mlir_loc(StText *t, MlirOperation op);
const char *st_mlir_name(StArena *a, MlirOperation op);
bool st_mlir_is(MlirOperation op, const char *name);
MlirAttribute st_mlir_attr(MlirOperation op, const char *name); /* or null */
/* Printed form of an attribute or a type. */
const char *st_mlir_attr_text(StArena *a, MlirAttribute attr);
const char *st_mlir_type_text(StArena *a, MlirType type);
/* The `func.func` of that name (NULL: the only one, or `main`), or a null
 * operation after an error. */
MlirOperation st_mlir_function(StText *t, const char *name);

int st_ptrmap_get(const StPtrMap *m, const void *key); /* -1: not there */
void st_ptrmap_set(StArena *a, StPtrMap *m, const void *key, int at);

/* ---- the state ---------------------------------------------------------- */

typedef enum {
  ST_IV_TENSOR, /* a value of the module */
  ST_IV_EMPTY   /* undefined elements (tensor.empty), only a shape */
} StImportedKind;

/* A part of an otherwise undefined tensor, put there by insert_slice. */
typedef struct {
  StSym offset;
  StValue *value;
} StPiece;

typedef struct {
  StImportedKind kind;
  StType type;
  StValue *value; /* TENSOR */
  int axis;       /* EMPTY with pieces: along which they lie */
  ST_VEC(StPiece) piece;
} StImported;

/* Why an operation cannot be imported. */
typedef struct {
  const char *op, *reason;
  StLoc loc;
} StIssue;

typedef struct { /* what is known about an integer */
  bool known;
  StSym sym;
} StKnown;

typedef struct {
  StText *text;
  const StSignature *sig; /* may be NULL */
  StModule *m;
  StArena *scratch;
  MlirOperation fn;
  StPtrMap named; /* MLIR location -> name of a linalg operation there */
  ST_VEC(const char *) name;
  StPtrMap at; /* MLIR value -> index in `value` */
  ST_VEC(StImported) value;
  ST_VEC(StIssue) issue;
  StPtrMap sym_at; /* MLIR value -> index in `sym` */
  ST_VEC(StKnown) sym;
  const void *position; /* the scalar argument that equals P; may be NULL */
  bool blind; /* a size of a tensor that was not imported was asked for */
  bool wide;  /* arithmetic in f64 became f32 */
} StImport;

/* Record that op cannot be imported. Its results stay unknown, and what uses
 * those is passed over without a word. */
void st_import_refuse(StImport *imp, MlirOperation op, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a size, unless that may be the fault of an earlier refusal. */
void st_import_refuse_size(StImport *imp, MlirOperation op);

/* linalg.c */
void st_import_set(StImport *imp, MlirValue v, StImported val);
void st_import_set_tensor(StImport *imp, MlirValue v, StValue *t);
/* NULL if v is not a tensor, or could not be imported. */
StImported *st_import_get(StImport *imp, MlirValue v);
/* Operand i as a tensor of the module; NULL after refusing op. */
StValue *st_import_tensor(StImport *imp, MlirOperation op, intptr_t i);
/* false if there is no such dtype; f64 gives f32, index gives i64. */
bool st_import_dtype(MlirType elem, StDtype *out);
/* A module op with one tensor result. */
StOp *st_import_op(StImport *imp, StOpKind kind, StLoc loc, int noperands,
                   StValue *const *operands, StType type);
/* Parse, clean up and import into imp->m; imp->issue says what could not be.
 * False if that came to nothing (errors were reported). */
bool st_import_run(StImport *imp);
StImport st_import_new(StText *t, StModule *m, const StSignature *sig);
/* Are there operations that MLIR does not know? Then the text cannot be
 * parsed; these, and others without a counterpart, become issues. */
bool st_import_strangers(StImport *imp, const StStatements *all);

/* linalg_sym.c: integers that are linear in P and T. */
bool st_import_sym(StImport *imp, MlirValue v, StSym *out);
/* 1 true, 0 false, -1 not known. */
int st_import_cond(StImport *imp, MlirValue v);
int st_import_compare(const StImport *imp, StPredicate p, StSym a, StSym b);
bool st_sym_range(const StImport *imp, StSym s, int64_t *lo, int64_t *hi);
/* Part number i of offsets, sizes or strides of a slicing operation:
 * `statics` holds constants, *next is the operand of the next dynamic one. */
bool st_import_mixed(StImport *imp, MlirOperation op, const char *statics,
                     intptr_t i, intptr_t *next, StSym *out);

/* linalg_const.c */
bool st_import_attr_bits(MlirAttribute attr, StDtype dtype, uint64_t *bits);
uint64_t st_float_bits(StDtype dtype, double x);
void st_import_constant(StImport *imp, MlirOperation op);
StValue *st_import_splat(StImport *imp, StLoc loc, StType type, uint64_t bits);
/* Is v a splat constant? Its element's bits. */
bool st_splat_bits(const StValue *v, uint64_t *bits);

/* linalg_body.c: building a GENERIC. */
typedef struct {
  MlirValue value;
  int expr;
} StBound;

typedef struct {
  StImport *imp;
  MlirOperation op; /* whose refusal a failure is */
  StNest *nest;
  ST_VEC(StValue *) operand;
  ST_VEC(StInput) in;
  ST_VEC(StBound) bound;
  int depth;
} StBodyBuilder;

/* The expression of a scalar: a bound one, an operation inside or outside the
 * body (whose operands are imported first), or -1 after refusing. */
int st_body_scalar(StBodyBuilder *b, MlirValue v);
void st_body_bind(StBodyBuilder *b, MlirValue v, int expr);
/* The element of a tensor through a map; shares equal operands. */
int st_body_arg(StBodyBuilder *b, StValue *v, StAffine *map);
int st_body_const(StBodyBuilder *b, StDtype dtype, uint64_t bits);
int st_body_index(StBodyBuilder *b, StAffine e);
int st_body_op(StBodyBuilder *b, StScalarKind k, StDtype dtype, int x, int y,
               int z);
int st_body_compare(StBodyBuilder *b, StScalarKind k, StPredicate p, int x,
                    int y);
/* Drop expressions and operands that no yield needs, then make the op. */
StOp *st_body_finish(StBodyBuilder *b, StLoc loc, int nout, const StOutput *out,
                     const StType *type);

/* linalg_scalar.c: arith and math operations. */
bool st_scalar_is_known(const char *mlir_name);
/* The operation's only result, its arguments imported through b. */
int st_body_scalar_op(StBodyBuilder *b, MlirOperation op);
StAffine *st_identity_map(StArena *a, int rank);

/* linalg_generic.c */
void st_import_generic(StImport *imp, MlirOperation op);
void st_import_elementwise(StImport *imp, MlirOperation op);
/* A tensor of `type` whose every element is the scalar v; NULL after refusing.
 */
StValue *st_import_broadcast(StImport *imp, MlirOperation op, MlirValue v,
                             StType type);

/* linalg_tensor.c: true if op is one of the tensor dialect's. */
bool st_import_tensor_op(StImport *imp, MlirOperation op);
bool st_tensor_is_known(const char *mlir_name);
/* The tensor that all pieces make; NULL if they leave a hole. */
StValue *st_import_join_pieces(StImport *imp, MlirOperation op,
                               const StImported *e);

#endif

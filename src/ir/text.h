/* Reading of the text form: characters, words, numbers and lists. The first
 * error is reported and ends the text: what follows is not read, and every
 * function returns something harmless. Memory is bounded by the text. */
#ifndef ST_IR_TEXT_H
#define ST_IR_TEXT_H

#include "ir/ir.h"

enum { ST_TEXT_COUNT = 1 << 24 }; /* most of ids, dims, lists; least is -1 */
/* Most of a coefficient, either sign: sums of them do not overflow. */
#define ST_TEXT_NUMBER ((int64_t)1 << 48)

typedef struct {
  const char *file, *text;
  size_t n, at;
  StArena *arena;
  StDiag *diag;
  bool failed;
  size_t known; /* where line and col are those of the text */
  int line, col;
} StText;

typedef ST_VEC(int64_t) StInts;
typedef ST_VEC(StSym) StSyms;
typedef ST_VEC(StAffine) StAffines;

StLoc st_text_loc(StText *x); /* of the next word */
void st_text_fail(StText *x, const char *fmt, ...) ST_PRINTF(2, 3);

/* The next character that is not in a comment or space; 0 at the end. */
char st_text_peek(StText *x);
bool st_text_next(StText *x, const char *word); /* it comes next */
/* Past the word (or sign) if it comes next. */
bool st_text_accept(StText *x, const char *word);
void st_text_expect(StText *x, const char *word);
/* Index of the next word among n names. */
int st_text_name(StText *x, const char *(*name)(int), int n, const char *what);

int64_t st_text_int(StText *x);   /* up to ST_TEXT_NUMBER */
int st_text_small(StText *x);     /* -1 .. ST_TEXT_COUNT */
uint64_t st_text_bits(StText *x); /* "0x", up to 16 digits */
char *st_text_string(StText *x);
/* "hex", then bytes as digits in quotes, in the arena; *bytes of them. */
void *st_text_hex(StText *x, int64_t *bytes);
StDtype st_text_dtype(StText *x);

int st_text_dim(StText *x); /* d0 */
StSym st_text_sym(StText *x);
StAffine st_text_affine(StText *x); /* terms by ascending dim, then a sum */

/* "[...]"; n of them, unless n is -1. Never NULL. */
StInts st_text_ints(StText *x, int n);
StSyms st_text_syms(StText *x, int n);
StAffines st_text_affines(StText *x);
int *st_text_smalls(StText *x, int *n);

/* "tensor<...>" or "itensor<...>", and the order alone. */
StType st_text_type(StText *x);
StItensor st_text_order(StText *x, int rank);

#endif

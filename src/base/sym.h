/* Sizes that depend on the step: c + p * P + t * T, where P is the context so
 * far and T the tokens of this step, 1 <= T <= chunk and 0 <= P <= ctx - T.
 * ctx or chunk 0: there are no symbols, P = T = 0.
 */
#ifndef ST_BASE_SYM_H
#define ST_BASE_SYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  int64_t c, p, t;
} StSym;

StSym st_sym_const(int64_t c);
StSym st_sym_add(StSym a, StSym b); /* an overflow is a bug (status 70) */
StSym st_sym_scale(StSym a, int64_t by);
bool st_sym_eq(StSym a, StSym b);
bool st_sym_is_const(StSym a);
int64_t st_sym_eval(StSym a, int64_t P, int64_t T);
int64_t st_sym_max(StSym a, int64_t ctx, int64_t chunk);
int64_t st_sym_min(StSym a, int64_t ctx, int64_t chunk);

enum { ST_SYM_TEXT = 80 }; /* bytes that any text of one fits in */

/* "64", "T-1", "P+T", "2*P+T+3", "-T": P, then T, then the constant. Returns
 * buf, of ST_SYM_TEXT bytes. */
char *st_sym_print(char *buf, StSym a);
/* Bytes of the longest sum at the beginning of the n bytes of text; 0 if there
 * is none. Terms in any order, "k*P" or "P", no spaces. */
size_t st_sym_parse(const char *text, size_t n, StSym *out);

#endif

/* Messages to people.
 *
 *   file:line:col: error: what is wrong
 *   the source line
 *       ^
 *   note: what to do
 *
 * The source line is shown if the source was added or can be read from `file`.
 * Three kinds of failure: the user's input (st_error: report, go on; exit
 * status 1), the system (st_fatal) and a broken invariant of ours (st_bug),
 * which both end the program with status 70.
 */
#ifndef ST_BASE_DIAG_H
#define ST_BASE_DIAG_H

#include <stdio.h>

#include "base/arena.h"

enum { ST_EXIT_OK = 0, ST_EXIT_USER = 1, ST_EXIT_USAGE = 2, ST_EXIT_OURS = 70 };

/* Errors after which printing stops, with a line that says so. */
enum { ST_DIAG_LIMIT = 20 };

/* file NULL: no location; line 0: the file as a whole; col 0: the line. Lines
 * and columns (bytes) count from 1. */
typedef struct {
  const char *file;
  int line, col;
} StLoc;

typedef struct StDiag StDiag;

StDiag *st_diag_new(FILE *out); /* not closed; NULL: kept as text only */
void st_diag_free(StDiag *d);   /* NULL is fine */

void st_error(StDiag *d, StLoc loc, const char *fmt, ...) ST_PRINTF(3, 4);
void st_warning(StDiag *d, StLoc loc, const char *fmt, ...) ST_PRINTF(3, 4);
/* Belongs to the last error or warning: not printed if that was not. */
void st_note(StDiag *d, const char *fmt, ...) ST_PRINTF(2, 3);

int st_diag_errors(const StDiag *d); /* so far, also those not printed */
/* The first error's message, without kind and place, which is in *loc; "" if
 * there was none. */
const char *st_diag_first(const StDiag *d, StLoc *loc);
/* All that was printed, until the next message. */
const char *st_diag_text(const StDiag *d);

/* `text` (not copied: it must outlive its messages) is the content of `file`,
 * for the source lines; a later call for the same file replaces it. text NULL
 * forgets it. */
void st_diag_add_source(StDiag *d, const char *file, const char *text,
                        size_t len);

#if defined(__GNUC__)
#define ST_NORETURN __attribute__((noreturn))
#else
#define ST_NORETURN _Noreturn
#endif

ST_NORETURN void st_fatal(const char *fmt, ...) ST_PRINTF(1, 2);
ST_NORETURN void st_bug(const char *file, int line, const char *fmt, ...)
    ST_PRINTF(3, 4);

/* An invariant of ours: the message says what does not hold. */
#define ST_CHECK(cond, ...)                                                    \
  do {                                                                         \
    if (!(cond))                                                               \
      st_bug(__FILE__, __LINE__, __VA_ARGS__);                                 \
  } while (0)

#endif

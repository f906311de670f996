/* The text form of issue times (doc/fifo-sizing.md, "Certificate"): runs of
 * evenly spaced beats, relative to the beat before, with repeated parts folded.
 *
 *   times    ::= item (" " item)*
 *   item     ::= gap | gap ":" beats ":" stride | "[" times "]" repeats
 *
 * A run begins `gap` cycles after the beat before it, the first one `gap`
 * cycles after cycle 0; gap alone is a run of one beat. */
#ifndef ST_SOLVE_CERTIFICATE_H
#define ST_SOLVE_CERTIFICATE_H

#include "base/arena.h"
#include "solve/line.h"

struct StStr;

typedef struct StTimesWriter StTimesWriter;

StTimesWriter *st_times_writer_new(StArena *a);
/* The next n >= 1 beats are issued at the times of the line. */
void st_times_writer_add(StTimesWriter *w, const StLine *line, int64_t n);
/* Appends the text of all beats since the last call. */
void st_times_writer_flush(StTimesWriter *w, struct StStr *out);

#endif

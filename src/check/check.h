/* The check of a certificate (doc/fifo-sizing.md): issue times of every beat of
 * some steps, from which it follows that no FIFO of the module overflows and
 * none is read empty, hence that these steps end and take no longer than the
 * certificate says. Shares nothing with what made the certificate: only the
 * IR, the ports of kernels and the target's latencies. */
#ifndef ST_CHECK_CHECK_H
#define ST_CHECK_CHECK_H

#include "ir/ir.h"
#include "target/target.h"

/* Checks the n bytes of `certificate` against a verified hardware level module.
 * The steps with the least and the largest P and T must be there. False after
 * errors, each of which names the channel and says what to do; at most one a
 * stream or converter. With `report` (may be NULL) a line a step, at the end
 * "ok: N streams, M beats, K steps". Any bytes are safe as a certificate; the
 * memory it takes is a small multiple of n. */
bool st_check(const StModule *m, const StTarget *t, const char *certificate,
              size_t n, StDiag *diag, FILE *report);

#endif

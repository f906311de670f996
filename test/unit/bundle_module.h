/* Bundles of a random program in modules of tests. */
#ifndef ST_TEST_BUNDLE_MODULE_H
#define ST_TEST_BUNDLE_MODULE_H

#include "ir/ir.h"

/* Makes a bundle of all loads of arguments with constant trips and no index, in
 * sections, frames and idle beats drawn at random; NULL: there are none. II and
 * latency are decided. */
StOp *bundle_random(StModule *m, uint64_t *seed);

#endif

// A design as a device: steps come on the standard input, results leave on the
// standard output (doc/hls.md has the protocol).
#ifndef ST_SERVE_H
#define ST_SERVE_H

#include <stdint.h>

#include <string>

// Runs T tokens after P on the memories that st_memory_at gives. False:
// *message says what went wrong. *cycles stays -1 where nothing counts them.
bool st_run_step(int32_t P, int32_t T, int64_t *cycles, std::string *message);

char *st_memory_at(int m); // of memory m

// Serves until it is told to stop; the program's exit status.
int st_serve(int argc, char **argv);

#endif

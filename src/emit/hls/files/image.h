// The memories of a design as seen from outside: arguments and results by
// number, with the shapes that a step gives them.
#ifndef ST_IMAGE_H
#define ST_IMAGE_H

#include <stddef.h>

#include <functional>
#include <string>
#include <vector>

#include "design.h"

// Where memory m begins, as this program can read and write it.
typedef std::function<char *(int m)> st_base;

// Bytes of an argument or result in a step.
int64_t st_bytes(const st_port &port, int64_t P, int64_t T);
// Bytes of a memory.
size_t st_memory_bytes(int m);

// Argument k from a dense array, wherever it lies.
void st_set_argument(const st_base &base, int k, char *data, int64_t P,
                     int64_t T);
// Result k to a dense array.
void st_get_result(const st_base &base, int k, char *data, int64_t P,
                   int64_t T);

// Parameters from the files that a manifest names: lines `ARGUMENT OFFSET BYTES
// PATH`, '#' for comments. False: *message says what is wrong.
bool st_load_manifest(const st_base &base, const char *path,
                      std::string *message);

#endif

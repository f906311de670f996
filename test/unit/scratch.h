/* Directories and files for the tests of src/base and of packages. */
#ifndef ST_TEST_SCRATCH_H
#define ST_TEST_SCRATCH_H

#include <stddef.h>

#include "base/arena.h"

/* A new empty directory, to be removed with scratch_remove. */
const char *scratch_make(StArena *a);
void scratch_remove(const char *dir);

/* Without the library's own writer. */
void scratch_write(const char *path, const void *data, size_t n);
/* Entries of a directory without "." and "..". */
int scratch_entries(const char *dir);
/* "/dev/full", after a pipe in `dir` has shown that the library's writer does
 * not replace what is not a regular file: a test as root must not do that. */
const char *scratch_full_device(const char *dir);
/* Exit status of a child that runs f(arg), whose stderr goes to `log`; minus
 * the signal if one ended it. */
int scratch_child(void (*f)(const void *arg), const void *arg, const char *log);

#endif

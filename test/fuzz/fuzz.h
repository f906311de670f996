/* Parsers on any bytes. Each fuzz_NAME.c defines LLVMFuzzerTestOneInput, which
 * must return for all inputs, with errors reported or none; libFuzzer (cmake
 * --preset fuzz) or main.c calls it. Seeds: seeds/NAME. */
#ifndef ST_TEST_FUZZ_H
#define ST_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The bytes as a file: its path, the same each time. */
const char *fuzz_file(const uint8_t *data, size_t n);
/* `name` in the directory of seeds. */
const char *fuzz_seed(const char *name);

#endif

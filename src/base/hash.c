/* Content hashes. */
#include "base/hash.h"

uint64_t st_hash_bytes(const void *data, size_t n) {
  const unsigned char *p = data;
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < n; i++)
    h = (h ^ p[i]) * UINT64_C(0x100000001b3);
  return st_hash_mix(h, n);
}

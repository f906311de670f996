/* Content hashes, eight bytes at a time. */
#include "base/hash.h"

static uint64_t word(const unsigned char *p, size_t n) {
  uint64_t w = 0;
  for (size_t i = 0; i < n; i++)
    w |= (uint64_t)p[i] << (8 * i);
  return w;
}

uint64_t st_hash_bytes(const void *data, size_t n) {
  const unsigned char *p = data;
  uint64_t h = n;
  size_t left = n;
  for (; left >= 8; left -= 8, p += 8)
    h = st_hash_mix(h, word(p, 8));
  return left ? st_hash_mix(h, word(p, left)) : h;
}

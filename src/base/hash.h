/* 64-bit hashes of content; equal on every machine, not for secrets. */
#ifndef ST_BASE_HASH_H
#define ST_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Adds a word to a hash (start with any constant). The finaliser of
 * SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
 * generators, 2014) over h and v. */
static inline uint64_t st_hash_mix(uint64_t h, uint64_t v) {
  uint64_t z = (h ^ v) + 0x9e3779b97f4a7c15u + (h << 7);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t st_hash_bytes(const void *data, size_t n);

#endif

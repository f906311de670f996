/* Runs the files of directories, then changes of them, the same ones each time:
 * a quick look in every build, with any compiler.
 *   fuzz_NAME RUNS DIRECTORY... */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fuzz.h"

typedef struct {
  uint8_t *data;
  size_t n;
} Bytes;

typedef struct {
  StArena *arena;
  uint64_t state;
  ST_VEC(Bytes) seed;
} Fuzzer;

/* xorshift64*, below n */
static size_t below(Fuzzer *f, size_t n) {
  f->state ^= f->state >> 12;
  f->state ^= f->state << 25;
  f->state ^= f->state >> 27;
  return n ? (size_t)((f->state * 0x2545F4914F6CDD1DU >> 16) % n) : 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_seeds(Fuzzer *f, const char *dir) {
  DIR *d = opendir(dir);
  ST_CHECK(d, "there is no directory %s", dir);
  ST_VEC(const char *) name = {0};
  for (const struct dirent *e; (e = readdir(d));)
    if (e->d_name[0] != '.')
      st_vec_push(f->arena, &name, st_path_join(f->arena, dir, e->d_name));
  closedir(d);
  qsort(name.at, (size_t)name.n, sizeof *name.at, by_name);
  StDiag *diag = st_diag_new(stderr);
  for (int i = 0; i < name.n; i++) {
    Bytes b;
    b.data = (uint8_t *)st_file_read(f->arena, name.at[i], &b.n, diag);
    ST_CHECK(b.data, "cannot read %s", name.at[i]);
    st_vec_push(f->arena, &f->seed, b);
  }
  st_diag_free(diag);
}

/* A piece of a seed, of a few bytes to a quarter of it. */
static Bytes piece(Fuzzer *f) {
  Bytes s = f->seed.at[below(f, (size_t)f->seed.n)];
  size_t most = below(f, 3) ? 16 : s.n / 4 + 1;
  size_t n = below(f, most < s.n ? most : s.n);
  return (Bytes){s.data + below(f, s.n - n + 1), n};
}

/* Replaces `gone` bytes at a place by a piece. */
static void splice(Bytes *b, size_t at, size_t gone, Bytes by, size_t room) {
  gone = gone < b->n - at ? gone : b->n - at;
  if (b->n - gone + by.n > room)
    return;
  memmove(b->data + at + by.n, b->data + at + gone, b->n - at - gone);
  memcpy(b->data + at, by.data, by.n);
  b->n += by.n - gone;
}

static void change(Fuzzer *f, Bytes *b, size_t room) {
  static const char digits[] = "0123456789-";
  size_t at = below(f, b->n + 1);
  switch (below(f, 5)) {
  case 0:
    if (at < b->n)
      b->data[at] ^= (uint8_t)(1U << below(f, 8));
    return;
  case 1:
    splice(b, at, below(f, 32), (Bytes){NULL, 0}, room);
    return;
  case 2:
    splice(b, at, 0, piece(f), room);
    return;
  case 3:
    splice(b, at, below(f, 32), piece(f), room);
    return;
  default: /* another number */
    while (at < b->n && !strchr(digits, b->data[at]))
      at++;
    if (at < b->n)
      b->data[at] = (uint8_t)digits[below(f, sizeof digits - 1)];
  }
}

static void run(Fuzzer *f, long runs) {
  size_t room = 1;
  for (int i = 0; i < f->seed.n; i++)
    room = f->seed.at[i].n > room ? f->seed.at[i].n : room;
  room *= 2;
  uint8_t *data = st_arena_alloc(f->arena, room);
  for (long i = 0; i < runs; i++) {
    Bytes from = f->seed.at[below(f, (size_t)f->seed.n)], b = {data, from.n};
    memcpy(data, from.data, from.n);
    for (size_t k = below(f, 4) + 1; k; k--)
      change(f, &b, room);
    LLVMFuzzerTestOneInput(b.data, b.n);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s RUNS DIRECTORY...\n", argv[0]);
    return ST_EXIT_USAGE;
  }
  Fuzzer f = {.arena = st_arena_new(), .state = 88172645463325252U};
  for (int i = 2; i < argc; i++)
    read_seeds(&f, argv[i]);
  for (int i = 0; i < f.seed.n; i++)
    LLVMFuzzerTestOneInput(f.seed.at[i].data, f.seed.at[i].n);
  run(&f, strtol(argv[1], NULL, 10));
  printf("%d seeds, %s changes\n", f.seed.n, argv[1]);
  st_arena_free(f.arena);
  return 0;
}

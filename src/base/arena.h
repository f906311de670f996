/* Bump allocator. Everything that lives as long as a module, a pass or a
 * context comes from an arena and is released with it.
 */
#ifndef ST_BASE_ARENA_H
#define ST_BASE_ARENA_H

#include <stddef.h>

#if defined(__GNUC__)
#define ST_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define ST_PRINTF(fmt, first)
#endif

typedef struct StArena StArena;

StArena *st_arena_new(void);
void st_arena_free(StArena *a); /* NULL is fine */

/* Zeroed, aligned to 16 bytes, never NULL (out of memory is fatal, status 70);
 * also for 0 bytes. */
void *st_arena_alloc(StArena *a, size_t bytes);
/* n * size bytes; an overflow of the product is fatal. */
void *st_arena_alloc_n(StArena *a, size_t n, size_t size);
/* A copy of n bytes with a zero byte after them. */
void *st_arena_copy(StArena *a, const void *data, size_t n);
char *st_arena_strdup(StArena *a, const char *s);
char *st_arena_printf(StArena *a, const char *fmt, ...) ST_PRINTF(2, 3);

#define ST_NEW(arena, T) ((T *)st_arena_alloc((arena), sizeof(T)))
#define ST_NEW_N(arena, T, n)                                                  \
  ((T *)st_arena_alloc_n((arena), (size_t)(n), sizeof(T)))

/* A growable array, empty when zeroed: { T *at; int n, cap; }. The storage
 * before a growth stays with the arena. */
#define ST_VEC(T)                                                              \
  struct {                                                                     \
    T *at;                                                                     \
    int n, cap;                                                                \
  }

/* Append x to the array that v points to; v is evaluated several times. */
#define st_vec_push(arena, v, x)                                               \
  ((v)->at = (v)->n < (v)->cap ? (v)->at                                       \
                               : st_vec_grow((arena), (v)->at, (v)->n,         \
                                             &(v)->cap, sizeof *(v)->at),      \
   (void)((v)->at[(v)->n] = (x)), (void)(v)->n++)

/* For st_vec_push: storage for more elements of `size` bytes, the first n
 * copied from old; *cap becomes their number. */
void *st_vec_grow(StArena *a, const void *old, int n, int *cap, size_t size);

#endif

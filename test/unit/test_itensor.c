/* The canonical form of orders, against all sequences of small orders.
 *
 * Every order of a family is written out as the sequence of its tokens, each
 * the list of its elements, by code that knows nothing but the definition. Two
 * orders have equal canonical forms if and only if their sequences are equal:
 * orders are grouped by the one and by the other, and the groups compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/itensor.h"

enum { MOST_LOOPS = 4, MOST_POINTS = 5, BATCH = 1024 };

typedef struct {
  int64_t P, T;
} Point;

typedef struct {         /* an order is a choice of entries of these tables */
  int rank, least, most; /* numbers of loops */
  const StLoop *loop;
  int nloops;
  const int64_t (*elem)[2];
  int nelems;
  const StSym (*origin)[2];
  int norigins;
  const Point *point; /* where sequences are compared */
  int npoints;
} Family;

typedef struct {
  signed char n;
  unsigned char loop[MOST_LOOPS], elem, origin;
} Choice;

static StItensor order_of(StArena *a, const Family *f, const Choice *c) {
  StItensor x = {.rank = f->rank, .nloops = c->n};
  x.elem = ST_NEW_N(a, int64_t, 2);
  x.origin = ST_NEW_N(a, StSym, 2);
  x.loop = ST_NEW_N(a, StLoop, MOST_LOOPS);
  memcpy(x.elem, f->elem[c->elem], sizeof f->elem[0]);
  memcpy(x.origin, f->origin[c->origin], sizeof f->origin[0]);
  for (int i = 0; i < c->n; i++)
    x.loop[i] = f->loop[c->loop[i]];
  return x;
}

/* ---- sequences -------------------------------------------------------- */

typedef struct {
  int *at;
  int n, cap;
} Sequence;

static void put(Sequence *s, int x) {
  assert_true(s->n < s->cap);
  s->at[s->n++] = x;
}

/* The elements of one token: rows, columns, then a mark. */
static void put_token(Sequence *s, const StItensor *x, const int64_t *at) {
  int64_t rows = x->rank > 0 ? x->elem[0] : 1;
  int64_t cols = x->rank > 1 ? x->elem[1] : 1;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < cols; c++)
      put(s, (int)((at[0] + r) * 4096 + at[1] + c));
  put(s, INT32_MIN);
}

static void put_loops(Sequence *s, const StItensor *x, int loop, Point p,
                      int64_t row, int64_t col) {
  if (loop == x->nloops) {
    put_token(s, x, (int64_t[]){row, col});
    return;
  }
  const StLoop *l = &x->loop[loop];
  int64_t trip = l->trip.c + l->trip.p * p.P + l->trip.t * p.T;
  for (int64_t i = 0; i < trip; i++)
    put_loops(s, x, loop + 1, p, row + (l->dim == 0 ? i * l->step : 0),
              col + (l->dim == 1 ? i * l->step : 0));
}

static void put_order(Sequence *s, const Family *f, const StItensor *x) {
  s->n = 0;
  for (int i = 0; i < f->rank; i++) /* the width of a token, also if empty */
    put(s, (int)x->elem[i]);
  for (int i = 0; i < f->npoints; i++) {
    int64_t at[2] = {0, 0};
    Point p = f->point[i];
    for (int d = 0; d < f->rank; d++)
      at[d] = x->origin[d].c + x->origin[d].p * p.P + x->origin[d].t * p.T;
    put_loops(s, x, 0, p, at[0], at[1]);
    put(s, INT32_MAX);
  }
}

static uint64_t hash(const void *data, size_t n) {
  const unsigned char *p = data;
  uint64_t h = 0x9e3779b97f4a7c15u;
  for (size_t i = 0; i + 4 <= n; i += 4) {
    uint32_t word;
    memcpy(&word, p + i, 4);
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    h ^= h >> 29;
  }
  return h;
}

/* ---- groups ----------------------------------------------------------- */

/* A hash table whose entries are groups, by their first order. */
typedef struct {
  uint64_t *key;
  Choice *first;
  bool *used;
  size_t mask;
  int64_t groups;
} Table;

static Table table_new(StArena *a, size_t room) {
  size_t n = 16;
  while (n < 2 * room)
    n *= 2;
  return (Table){.key = ST_NEW_N(a, uint64_t, n),
                 .first = ST_NEW_N(a, Choice, n),
                 .used = ST_NEW_N(a, bool, n),
                 .mask = n - 1};
}

/* The next entry of this key from *at on; NULL: there is none, and *at is
 * free. */
static Choice *find(Table *t, uint64_t key, size_t *at) {
  for (; t->used[*at & t->mask]; ++*at)
    if (t->key[*at & t->mask] == key)
      return &t->first[*at & t->mask];
  return NULL;
}

static void insert(Table *t, uint64_t key, size_t at, const Choice *c) {
  t->used[at & t->mask] = true;
  t->key[at & t->mask] = key;
  t->first[at & t->mask] = *c;
  t->groups++;
}

typedef struct {
  const Family *f;
  StArena *keep, *scratch;
  Sequence own, other;
  Table by_sequence, by_form;
  int64_t orders;
} Check;

static bool equal(const Sequence *a, const Sequence *b) {
  return a->n == b->n && !memcmp(a->at, b->at, (size_t)a->n * sizeof *a->at);
}

static uint64_t hash_form(StArena *a, const StItensor *x) {
  StItensor c = st_itensor_canonical(a, x);
  int64_t words[8 + 5 * MOST_LOOPS];
  int n = 0;
  for (int d = 0; d < c.rank; d++) {
    words[n++] = c.elem[d];
    words[n++] = c.origin[d].c + 31 * c.origin[d].p + 997 * c.origin[d].t;
  }
  for (int i = 0; i < c.nloops; i++) {
    words[n++] = c.loop[i].dim;
    words[n++] = c.loop[i].step;
    words[n++] = c.loop[i].trip.c;
    words[n++] = c.loop[i].trip.p;
    words[n++] = c.loop[i].trip.t;
  }
  return hash(words, (size_t)n * sizeof *words);
}

static void fail_pair(const Check *k, const Choice *x, const Choice *y,
                      const char *what) {
  const Choice *both[] = {x, y};
  for (int b = 0; b < 2; b++) {
    StItensor o = order_of(k->keep, k->f, both[b]);
    print_error("elem %lld %lld:", (long long)o.elem[0], (long long)o.elem[1]);
    for (int i = 0; i < o.nloops; i++)
      print_error(" [%lld%+lldP%+lldT step %lld of dim %d]",
                  (long long)o.loop[i].trip.c, (long long)o.loop[i].trip.p,
                  (long long)o.loop[i].trip.t, (long long)o.loop[i].step,
                  o.loop[i].dim);
    print_error("\n");
  }
  fail_msg("%s", what);
}

static void check_one(Check *k, const Choice *c) {
  StItensor x = order_of(k->scratch, k->f, c);
  put_order(&k->own, k->f, &x);
  /* equal sequences: equal forms */
  uint64_t key = hash(k->own.at, (size_t)k->own.n * sizeof *k->own.at);
  const Choice *g;
  size_t at = (size_t)key;
  while ((g = find(&k->by_sequence, key, &at))) {
    StItensor y = order_of(k->scratch, k->f, g);
    put_order(&k->other, k->f, &y);
    if (equal(&k->own, &k->other)) {
      if (!st_itensor_same(k->scratch, &x, &y))
        fail_pair(k, c, g, "equal sequences have two canonical forms");
      break;
    }
    at++;
  }
  if (!g)
    insert(&k->by_sequence, key, at, c);
  /* equal forms: equal sequences */
  key = hash_form(k->scratch, &x);
  at = (size_t)key;
  while ((g = find(&k->by_form, key, &at))) {
    StItensor y = order_of(k->scratch, k->f, g);
    if (st_itensor_same(k->scratch, &x, &y)) {
      put_order(&k->other, k->f, &y);
      if (!equal(&k->own, &k->other))
        fail_pair(k, c, g, "a canonical form has two sequences");
      break;
    }
    at++;
  }
  if (!g)
    insert(&k->by_form, key, at, c);
  if (++k->orders % BATCH == 0) {
    st_arena_free(k->scratch);
    k->scratch = st_arena_new();
  }
}

static void check_loops(Check *k, Choice *c, int loop) {
  if (loop == c->n) {
    check_one(k, c);
    return;
  }
  for (int i = 0; i < k->f->nloops; i++) {
    c->loop[loop] = (unsigned char)i;
    check_loops(k, c, loop + 1);
  }
}

/* All orders of the family; how many there are, and how many sequences. */
static void check_family(const Family *f, int longest, int64_t *orders,
                         int64_t *sequences) {
  Check k = {.f = f, .keep = st_arena_new(), .scratch = st_arena_new()};
  size_t room = 0;
  for (int n = f->least; n <= f->most; n++) {
    size_t all = (size_t)(f->nelems * f->norigins);
    for (int i = 0; i < n; i++)
      all *= (size_t)f->nloops;
    room += all;
  }
  k.by_sequence = table_new(k.keep, room);
  k.by_form = table_new(k.keep, room);
  k.own.cap = k.other.cap = longest;
  k.own.at = ST_NEW_N(k.keep, int, longest);
  k.other.at = ST_NEW_N(k.keep, int, longest);
  for (int n = f->least; n <= f->most; n++)
    for (int e = 0; e < f->nelems; e++)
      for (int o = 0; o < f->norigins; o++) {
        Choice c = {.n = (signed char)n,
                    .elem = (unsigned char)e,
                    .origin = (unsigned char)o};
        check_loops(&k, &c, 0);
      }
  *orders = k.orders;
  *sequences = k.by_sequence.groups;
  assert_int_equal(k.by_sequence.groups, k.by_form.groups);
  st_arena_free(k.keep);
  st_arena_free(k.scratch);
}

/* Every loop of these trips, and of these steps of each dim; one that streams
 * again has step 0. */
static int fill_loops(StLoop *loop, const StSym *trip, int ntrips,
                      const int64_t *step, int nsteps, int rank) {
  int n = 0;
  for (int t = 0; t < ntrips; t++) {
    loop[n++] = (StLoop){-1, trip[t], 0};
    for (int d = 0; d < rank; d++)
      for (int s = 0; s < nsteps; s++)
        loop[n++] = (StLoop){d, trip[t], step[s]};
  }
  return n;
}

static const int64_t single[][2] = {{1, 1}};
static const StSym nowhere[][2] = {{{0}, {0}}};
static const Point any[] = {{0, 1}};

/* Up to four loops of 1 to 4 iterations, all steps up to 4. */
static void test_four_loops(void **state) {
  (void)state;
  static const StSym trip[] = {{1, 0, 0}, {2, 0, 0}, {3, 0, 0}, {4, 0, 0}};
  static const int64_t step[] = {1, 2, 3, 4};
  StLoop loop[64];
  int n = fill_loops(loop, trip, 4, step, 4, 2);
  Family f = {2, 0, 4, loop, n, single, 1, nowhere, 1, any, 1};
  int64_t orders, sequences;
  check_family(&f, 1024, &orders, &sequences);
  assert_int_equal(orders, 1 + 36 + 36 * 36 + 36 * 36 * 36 + 36 * 36 * 36 * 36);
  assert_true(sequences < orders);
}

/* Empty loops, steps of 0, backwards, and steps that products make. */
static void test_odd_steps(void **state) {
  (void)state;
  static const StSym trip[] = {
      {0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 0, 0}, {4, 0, 0}};
  static const int64_t step[] = {-4, -2, -1, 0, 1, 2, 3, 4, 6, 8, 9, 12};
  StLoop loop[160];
  int n = fill_loops(loop, trip, 5, step, 12, 1);
  loop[n++] = (StLoop){-1, {2, 0, 0}, 5}; /* a step that means nothing */
  Family f = {1, 0, 3, loop, n, single, 1, nowhere, 1, any, 1};
  int64_t orders, sequences;
  check_family(&f, 1024, &orders, &sequences);
  assert_true(sequences > 1000 && sequences < orders);
}

/* Tokens of several elements, apart or overlapping, at several origins. */
static void test_tokens(void **state) {
  (void)state;
  static const StSym trip[] = {{1, 0, 0}, {2, 0, 0}, {4, 0, 0}};
  static const int64_t step[] = {1, 2, 4};
  static const int64_t elem[][2] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {4, 1}};
  static const StSym origin[][2] = {
      {{0}, {0}}, {{1, 0, 0}, {0}}, {{0}, {2, 0, 0}}};
  StLoop loop[64];
  int n = fill_loops(loop, trip, 3, step, 3, 2);
  Family f = {2, 0, 3, loop, n, elem, 5, origin, 3, any, 1};
  int64_t orders, sequences;
  check_family(&f, 4096, &orders, &sequences);
  assert_true(sequences > 1000 && sequences < orders);
}

/* Scalars: nothing but the number of tokens. */
static void test_rank_zero(void **state) {
  (void)state;
  static const StSym trip[] = {
      {0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 0, 0}, {4, 0, 0}};
  StLoop loop[8];
  int n = fill_loops(loop, trip, 5, NULL, 0, 0);
  Family f = {0, 0, 4, loop, n, single, 1, nowhere, 1, any, 1};
  int64_t orders, sequences;
  check_family(&f, 1024, &orders, &sequences);
  /* none, or 2^a * 3^b with (a + 1) / 2 + b <= 4 */
  assert_int_equal(sequences, 1 + 9 + 7 + 5 + 3 + 1);
}

/* Trips that grow with P and T: equal forms iff equal for all P and T. */
static void test_symbols(void **state) {
  (void)state;
  static const StSym trip[] = {{1, 0, 0}, {2, 0, 0}, {0, 0, 1}, {0, 1, 0},
                               {0, 1, 1}, {0, 0, 2}, {0, 2, 2}, {-1, 0, 1},
                               {1, 1, 0}, {2, 2, 0}};
  static const int64_t step[] = {1, 2};
  static const StSym origin[][2] = {{{0}, {0}}, {{0, 1, 0}, {0, 0, 0}}};
  static const Point at[MOST_POINTS] = {{0, 1}, {1, 1}, {2, 4}, {5, 3}, {3, 6}};
  StLoop loop[64];
  int n = fill_loops(loop, trip, 10, step, 2, 2);
  Family f = {2, 0, 3, loop, n, single, 1, origin, 2, at, MOST_POINTS};
  int64_t orders, sequences;
  check_family(&f, 1 << 15, &orders, &sequences);
  assert_true(sequences > 1000 && sequences < orders);
}

/* Of four loops that stream again only the product of the trips counts. */
static void test_symbol_products(void **state) {
  (void)state;
  static const StSym trip[] = {{2, 0, 0}, {3, 0, 0}, {0, 0, 1}, {0, 1, 0},
                               {0, 1, 1}, {0, 0, 2}, {0, 2, 2}, {0, 2, 0}};
  static const Point at[MOST_POINTS] = {{1, 1}, {2, 1}, {1, 2}, {1, 3}, {0, 1}};
  StLoop loop[16];
  int n = fill_loops(loop, trip, 8, NULL, 0, 0);
  Family f = {0, 0, 4, loop, n, single, 1, nowhere, 1, at, MOST_POINTS};
  int64_t orders, sequences;
  check_family(&f, 1 << 15, &orders, &sequences);
  assert_true(sequences > 100 && sequences < orders);
}

/* ---- named cases ------------------------------------------------------ */

static StItensor make(StArena *a, int n, const StLoop *loop) {
  StItensor x = {.rank = 2, .nloops = n};
  x.elem = ST_NEW_N(a, int64_t, 2);
  x.elem[0] = 4;
  x.elem[1] = 2;
  x.origin = ST_NEW_N(a, StSym, 2);
  x.loop = ST_NEW_N(a, StLoop, n + 1);
  memcpy(x.loop, loop, (size_t)n * sizeof *loop);
  return x;
}

/* An order whose canonical form is another, loop by loop. */
static void test_forms(void **state) {
  (void)state;
  static const struct {
    StLoop in[4], out[4];
    int nin, nout;
  } cases[] = {
      {{{0, {4, 0, 0}, 6}, {0, {3, 0, 0}, 2}}, {{0, {12, 0, 0}, 2}}, 2, 1},
      {{{0, {0, 0, 1}, 6}, {1, {1, 0, 0}, 9}, {0, {3, 0, 0}, 2}},
       {{0, {0, 0, 3}, 2}},
       3,
       1},
      {{{0, {4, 0, 0}, 6}, {1, {3, 0, 0}, 2}},
       {{0, {4, 0, 0}, 6}, {1, {3, 0, 0}, 2}},
       2,
       2},
      {{{0, {3, 0, 0}, 2}, {0, {0, 0, 1}, 1}},
       {{0, {3, 0, 0}, 2}, {0, {0, 0, 1}, 1}},
       2,
       2},
      {{{-1, {0, 0, 4}, 0}, {1, {3, 0, 0}, 0}, {-1, {0, 2, 0}, 7}},
       {{-1, {0, 0, 24}, 0}, {-1, {0, 1, 0}, 0}},
       3,
       2},
      {{{0, {2, 0, 0}, 8}, {1, {0, 0, 0}, 2}, {0, {2, 0, 0}, 4}},
       {{-1, {0, 0, 0}, 0}},
       3,
       1},
  };
  StArena *a = st_arena_new();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    StItensor x = make(a, cases[i].nin, cases[i].in);
    StItensor c = st_itensor_canonical(a, &x);
    assert_int_equal(c.nloops, cases[i].nout);
    for (int l = 0; l < c.nloops; l++) {
      assert_int_equal(c.loop[l].dim, cases[i].out[l].dim);
      assert_int_equal(c.loop[l].step, cases[i].out[l].step);
      assert_true(st_sym_eq(c.loop[l].trip, cases[i].out[l].trip));
    }
    assert_true(st_itensor_same(a, &x, &c));
  }
  st_arena_free(a);
}

static void test_figures(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  /* 4x2 tiles of an 8x8 tensor, each column of tiles twice */
  static const StLoop loop[] = {
      {1, {4, 0, 0}, 2}, {-1, {2, 0, 0}, 0}, {0, {0, 1, 1}, 4}};
  StItensor x = make(a, 3, loop);
  assert_int_equal(st_itensor_token(&x), 8);
  assert_int_equal(st_itensor_tokens(&x, 1, 1), 16);
  assert_false(st_itensor_is_once(&x));
  x.loop[1] = (StLoop){0, {2, 0, 0}, 0};
  assert_false(st_itensor_is_once(&x));
  x.loop[1].trip = st_sym_const(1);
  assert_true(st_itensor_is_once(&x));
  StItensor y = x;
  y.rank = 1;
  assert_false(st_itensor_same(a, &x, &y));
  y = make(a, 2, x.loop);
  x.nloops = 2;
  assert_true(st_itensor_same(a, &x, &y));
  y.origin[1] = st_sym_const(1);
  assert_false(st_itensor_same(a, &x, &y));
  y.origin[1] = st_sym_const(0);
  y.elem[1] = 1;
  assert_false(st_itensor_same(a, &x, &y));
  st_arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_four_loops), cmocka_unit_test(test_odd_steps),
      cmocka_unit_test(test_tokens),     cmocka_unit_test(test_rank_zero),
      cmocka_unit_test(test_symbols),    cmocka_unit_test(test_symbol_products),
      cmocka_unit_test(test_forms),      cmocka_unit_test(test_figures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

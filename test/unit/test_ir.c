/* Building modules; affine expressions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"
#include "sim_graph.h"

static StOp *op_of(StModule *m, StOpKind k, int n, StValue *const *operands) {
  StOp *op = st_op_new(m, k, (StLoc){0}, n, operands, k != ST_OP_RESULT);
  st_op_append(m, op);
  return op;
}

/* Chains of replacements; ids after ops were dropped. */
static void test_replace(void **state) {
  (void)state;
  StModule *m = st_module_new("m");
  StOp *a = op_of(m, ST_OP_ARG, 0, NULL);
  StOp *b = op_of(m, ST_OP_VIEW, 1, a->result);
  StOp *c = op_of(m, ST_OP_VIEW, 1, b->result);
  StValue *both[] = {b->result[0], c->result[0]};
  StOp *d = op_of(m, ST_OP_CONCAT, 2, both);
  both[0] = NULL; /* operands were copied */
  assert_ptr_equal(d->operand[0], b->result[0]);
  assert_ptr_equal(d->operand[1]->def, c);
  StValue *map[4] = {0};
  map[c->result[0]->id] = b->result[0];
  map[b->result[0]->id] = a->result[0];
  st_module_remap(m, map);
  assert_ptr_equal(d->operand[0], a->result[0]);
  assert_ptr_equal(d->operand[1], a->result[0]);
  st_value_replace(m, a->result[0], c->result[0]);
  assert_ptr_equal(d->operand[0], c->result[0]);
  assert_ptr_equal(b->operand[0], c->result[0]);
  m->op.at[1] = m->op.at[3];
  m->op.n = 2;
  st_module_renumber(m);
  assert_int_equal(d->id, 1);
  assert_int_equal(d->result[0]->id, 1);
  assert_int_equal(m->next_op, 2);
  assert_int_equal(m->next_value, 2);
  st_module_free(m);
}

static void test_elements(void **state) {
  (void)state;
  StModule *m = st_module_new("m");
  m->ctx = 16;
  m->chunk = 4;
  StSym shape[] = {{3, 0, 0}, {0, 1, 1}, {1, 0, 2}};
  StType t = st_type_tensor(m->arena, ST_F32, 3, shape);
  assert_int_equal(st_type_max_elements(m, &t), 3 * 16 * 9);
  t.rank = 0;
  assert_int_equal(st_type_max_elements(m, &t), 1);
  st_module_free(m);
}

enum { DIMS = 5 };

static StAffine random_affine(StArena *a, uint64_t *seed, int64_t *dense) {
  StAffine e = st_affine_const(
      (StSym){dense[DIMS] = graph_random(seed, 9), graph_random(seed, 2), 0});
  for (int d = 0; d < DIMS; d++) {
    dense[d] = (int64_t)graph_random(seed, 5) - 2;
    e = st_affine_add(
        a, e, st_affine_scale(a, st_affine_dim(a, DIMS - 1 - d), dense[d]));
  }
  return e;
}

static void assert_dense(const StAffine *e, const int64_t *dense) {
  int n = 0;
  for (int d = DIMS - 1; d >= 0; d--) {
    if (dense[d] == 0)
      continue;
    assert_true(n < e->n);
    assert_int_equal(e->term[n].dim, DIMS - 1 - d);
    assert_int_equal(e->term[n++].coef, dense[d]);
  }
  assert_int_equal(n, e->n);
  assert_int_equal(e->off.c, dense[DIMS]);
}

/* Against vectors of coefficients. */
static void test_affine(void **state) {
  (void)state;
  uint64_t seed = 5;
  for (int i = 0; i < 500; i++) {
    StArena *a = st_arena_new();
    int64_t x[DIMS + 1], y[DIMS + 1], sum[DIMS + 1];
    StAffine ex = random_affine(a, &seed, x);
    StAffine ey = random_affine(a, &seed, y);
    int64_t by = (int64_t)graph_random(&seed, 7) - 3;
    assert_dense(&ex, x);
    StAffine s = st_affine_add(a, ex, st_affine_scale(a, ey, by));
    bool same = st_sym_eq(ex.off, ey.off);
    for (int d = 0; d <= DIMS; d++) {
      sum[d] = x[d] + by * y[d];
      same &= x[d] == y[d];
    }
    assert_dense(&s, sum);
    assert_int_equal(s.off.p, ex.off.p + by * ey.off.p);
    assert_int_equal(st_affine_eq(&ex, &ey), same);
    assert_true(st_affine_eq(&s, &s));
    st_arena_free(a);
  }
}

static void test_single(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  StAffine e = st_affine_const(st_sym_const(7));
  assert_int_equal(st_affine_single(&e), -2);
  e = st_affine_add(a, e, st_affine_dim(a, 3));
  assert_int_equal(st_affine_single(&e), 3);
  StAffine twice = st_affine_scale(a, e, 2);
  assert_int_equal(st_affine_single(&twice), -1);
  StAffine two = st_affine_add(a, e, st_affine_dim(a, 0));
  assert_int_equal(st_affine_single(&two), -1);
  StAffine none = st_affine_scale(a, e, 0);
  assert_int_equal(st_affine_single(&none), -2);
  st_arena_free(a);
}

/* Names are those of the tables, each once: the text form needs that. */
static void check_names(const char *(*name)(int), int n) {
  for (int i = 0; i < n; i++) {
    assert_true(strlen(name(i)) > 1);
    for (int j = 0; j < i; j++)
      assert_string_not_equal(name(i), name(j));
  }
}

static const char *op_name(int i) { return st_op_name((StOpKind)i); }
static const char *scalar_name(int i) {
  return st_scalar_name((StScalarKind)i);
}
static const char *predicate_name(int i) {
  return st_predicate_name((StPredicate)i);
}
static const char *memory_name(int i) { return st_memory_name((StMemory)i); }
static const char *role_name(int i) { return st_role_name((StRole)i); }

static void test_names(void **state) {
  (void)state;
  check_names(op_name, ST_OP_COUNT);
  check_names(scalar_name, ST_X_COUNT);
  check_names(predicate_name, ST_P_COUNT);
  check_names(memory_name, ST_MEM_COUNT);
  check_names(role_name, ST_ROLE_COUNT);
  assert_string_equal(st_op_name(ST_OP_CONVERTER), "converter");
  assert_int_equal(st_scalar_args(ST_X_SELECT), 3);
  assert_int_equal(st_scalar_args(ST_X_EXTRACT), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_replace), cmocka_unit_test(test_elements),
      cmocka_unit_test(test_affine),  cmocka_unit_test(test_single),
      cmocka_unit_test(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

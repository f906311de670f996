/* Lines of a long compilation; seconds pass by moving its clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/progress.h"

static void pass_seconds(StProgress *p, double s) {
  p->start -= s;
  p->said -= s;
  p->begun -= s;
}

static void test_progress(void **state) {
  char *text = NULL;
  size_t n = 0;
  FILE *to = open_memstream(&text, &n);
  StProgress p;
  (void)state;
  st_progress_start(&p, to);
  st_progress_design(&p);
  st_progress_pass(&p, "tile");
  pass_seconds(&p, 3);
  st_progress_pass(&p, "stream");
  st_progress_pass(&p, "place"); /* too soon after */
  pass_seconds(&p, 1.6);
  st_progress_design(&p);
  pass_seconds(&p, 1.5);
  st_progress_pass(&p, "tile");
  pass_seconds(&p, 4);
  st_progress_pass(&p, "place");
  fclose(to);
  assert_string_equal(text,
                      "compile: 3 s, stream\n"
                      "compile: 6 s, tile of design 2 (no earlier one fits); "
                      "about 3 s more if this one does\n"
                      "compile: 10 s, place of design 2 (no earlier one "
                      "fits)\n");
  free(text);
}

static void test_silence(void **state) {
  StProgress p;
  (void)state;
  st_progress_start(&p, NULL);
  st_progress_design(&p);
  pass_seconds(&p, 60);
  st_progress_pass(&p, "tile");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_progress),
                                     cmocka_unit_test(test_silence)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

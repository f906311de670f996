/* IR text: what parses and verifies prints as a text that parses again, to the
 * same bytes. */
#include <string.h>

#include "base/str.h"
#include "fuzz.h"
#include "ir/ir.h"

static void print_again(const StModule *m, StDiag *diag) {
  StStr one, two;
  st_str_init(&one);
  st_str_init(&two);
  st_module_print(&one, m);
  StModule *again = st_module_parse("again", one.data, one.len, diag);
  ST_CHECK(again, "what was printed does not parse: %s", st_diag_text(diag));
  st_module_print(&two, again);
  ST_CHECK(one.len == two.len && !memcmp(one.data, two.data, one.len),
           "printed again it is another text");
  st_module_free(again);
  st_str_free(&one);
  st_str_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  StDiag *diag = st_diag_new(NULL);
  StModule *m = st_module_parse("input", (const char *)data, n, diag);
  ST_CHECK(m || st_diag_errors(diag), "refused without an error");
  if (m && st_module_verify(m, "parse", diag))
    print_again(m, diag);
  if (m)
    st_module_free(m);
  st_diag_free(diag);
  return 0;
}

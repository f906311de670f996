/* The page, its style and its program come from src/emit/html/files. */
#include "emit/html/html.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "emit/hls/files.h"

#define ASSETS(X)                                                              \
  X(html_page, "emit/html/files/report.html", "page")                          \
  X(html_style, "emit/html/files/report.css", "style")                         \
  X(html_layout, "emit/html/files/layout.js", "layout")                        \
  X(html_report, "emit/html/files/report.js", "report")                        \
  X(html_charts, "emit/html/files/charts.js", "charts")

ASSETS(ST_ASSET_DECLARE)

/* Text where markup ends at '<': as an entity, or as JSON's escape. */
static bool put_text(StWriter *w, const char *s, const char *less) {
  for (size_t n; *s; s += n) {
    n = strcspn(s, "<&");
    if (n == 0) {
      const char *as = *s == '<' ? less : *less == '&' ? "&amp;" : "&";
      if (!st_writer_put(w, as, strlen(as)))
        return false;
      n = 1;
    } else if (!st_writer_put(w, s, n)) {
      return false;
    }
  }
  return true;
}

static bool put_json(StWriter *w, const json_t *data) {
  char *text = json_dumps(data, JSON_COMPACT | JSON_PRESERVE_ORDER);
  ST_CHECK(text, "the report is not JSON");
  bool ok = put_text(w, text, "\\u003c");
  free(text);
  return ok;
}

static bool is(const char *name, size_t n, const char *word) {
  return n == strlen(word) && !memcmp(name, word, n);
}

/* What stands for @name@ in the page. */
static bool put_part(StWriter *w, const char *name, size_t n, const char *title,
                     const json_t *data) {
  static const StHlsAsset assets[] = {ASSETS(ST_ASSET_ENTRY)};
  for (size_t i = 0; i < sizeof assets / sizeof assets[0]; i++)
    if (is(name, n, assets[i].name))
      return st_writer_put(w, assets[i].begin,
                           (size_t)(assets[i].end - assets[i].begin));
  if (is(name, n, "title"))
    return put_text(w, title, "&lt;");
  ST_CHECK(is(name, n, "data"), "@%.*s@ in the page", (int)n, name);
  return put_json(w, data);
}

bool st_emit_html(const char *path, const char *title, const json_t *data,
                  StDiag *diag) {
  StWriter *w = st_writer_open(path, diag);
  if (!w)
    return false;
  bool ok = true;
  for (const char *s = st_file_html_page; ok && *s;) {
    size_t n = strcspn(s, "@");
    ok = st_writer_put(w, s, n);
    s += n;
    if (!ok || !*s)
      break;
    n = strcspn(++s, "@");
    ok = put_part(w, s, n, title, data);
    s += n + 1;
  }
  if (ok)
    return st_writer_commit(w);
  st_writer_abort(w);
  return false;
}

/* doctor: what is installed, what is missing, what for, how to get it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "driver/command.h"
#include "target/target.h"

typedef struct {
  const char *name;
  bool needed; /* for the way of a model to tokens; else for one command */
  const char *purpose;
  const char *remedy;
} Thing;

static const Thing packages[] = {
    {"torch", true, "export", "scripts/setup.sh"},
    {"torch-mlir", true, "export", "scripts/setup.sh"},
    {"transformers", true, "export", "scripts/setup.sh"},
    {"safetensors", true, "export", "scripts/setup.sh"},
    {"numpy", true, "generate, chat", "scripts/setup.sh"},
    {"tokenizers", true, "text in generate and chat", "scripts/setup.sh"},
    {"gguf", false, "export of .gguf files", "scripts/setup.sh"},
    {"optuna", false, "explore", "scripts/setup.sh"},
    {"starlette", false, "serve", "scripts/setup.sh"},
    {"uvicorn", false, "serve", "scripts/setup.sh"},
};

static const Thing tools[] = {
    {"make", false, "--device hls, --device rtl", "apt-get install make"},
    {"g++", false, "--device hls, --device rtl", "apt-get install g++"},
    {"verilator", false, "--device rtl", "apt-get install verilator"},
};

#define COUNT(list) ((int)(sizeof list / sizeof *list))

typedef struct {
  json_t *list;
  bool complete; /* nothing that is needed is missing */
} Findings;

/* found NULL: missing. */
static void note(Findings *f, const Thing *t, const char *found) {
  json_t *j = json_pack("{s:s, s:b, s:b, s:s}", "name", t->name, "found",
                        found != NULL, "needed", t->needed, "for", t->purpose);
  if (found)
    json_object_set_new(j, "what", json_string(found));
  else
    json_object_set_new(j, "remedy", json_string(t->remedy));
  json_array_append_new(f->list, j);
  f->complete = f->complete && (found || !t->needed);
}

/* The first file of that name that can be run; NULL: none. */
static const char *find_tool(StArena *a, const char *name) {
  const char *path = getenv("PATH");
  for (const char *at = path ? path : ""; *at;) {
    size_t n = strcspn(at, ":");
    char *file = st_arena_printf(a, "%.*s/%s", (int)n, at, name);
    if (n && access(file, X_OK) == 0)
      return file;
    at += n + (at[n] == ':');
  }
  return NULL;
}

/* ---- python ------------------------------------------------------------ */

/* What Python prints: its version, then a version or an empty line for each
 * package; false if it does not run. */
static bool ask_python(StStr *out, const char *python) {
  StStr ask;
  st_str_init(&ask);
  st_str_printf(&ask,
                "'%s' -c '"
                "import sys, importlib.metadata as m\n"
                "print(sys.version.split()[0])\n"
                "for n in sys.argv[1:]:\n"
                "  try: print(m.version(n))\n"
                "  except m.PackageNotFoundError: print()\n'",
                python);
  for (int i = 0; i < COUNT(packages); i++)
    st_str_printf(&ask, " %s", packages[i].name);
  st_str_printf(&ask, " 2>/dev/null");
  FILE *p = strchr(python, '\'') ? NULL : popen(ask.data, "r");
  char line[256];
  while (p && fgets(line, sizeof line, p))
    st_str_printf(out, "%s", line);
  st_str_free(&ask);
  return p && pclose(p) == 0;
}

static void look_at_python(Findings *f, StArena *a) {
  static const Thing environment = {".venv", true, "export, generate, explore",
                                    "scripts/setup.sh"};
  char python[PATH_MAX], path[PATH_MAX];
  StStr said;
  st_str_init(&said);
  bool there = st_python_find(python, sizeof python, path, sizeof path) &&
               ask_python(&said, python);
  size_t n = there ? strcspn(said.data, "\n") : 0;
  note(f, &environment,
       there ? st_arena_printf(a, "Python %.*s, %s", (int)n, said.data, python)
             : NULL);
  const char *at = there ? said.data + n : "";
  bool installed = getenv("STREAMTENSOR_PYTHON") != NULL;
  for (int i = 0; i < COUNT(packages); i++) {
    Thing package = packages[i];
    if (installed)
      package.remedy = st_arena_printf(a, "pip install %s", package.name);
    at += *at == '\n';
    n = strcspn(at, "\n");
    note(f, &package, n ? st_arena_printf(a, "%.*s", (int)n, at) : NULL);
    at += n;
  }
  st_str_free(&said);
}

/* ---- all of it --------------------------------------------------------- */

static void look_at_targets(Findings *f, StArena *a) {
  static const Thing targets = {
      "targets", true, "compile",
      "set STREAMTENSOR_TARGETS to the directory targets of the sources"};
  StDiag *quiet = st_diag_new(NULL);
  const StTarget *t = st_target_load(a, "u55c", quiet);
  note(f, &targets, t ? t->path : NULL);
  st_diag_free(quiet);
}

static void look_at_library(Findings *f, StArena *a) {
  static const Thing library = {"libstreamtensor.so", true,
                                "generate, chat, Session", "make build"};
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  self[n > 0 ? n : 0] = 0;
  const char *path = getenv("STREAMTENSOR_LIBRARY");
  char *slash;
  /* beside the command in a checkout, a directory up when installed */
  for (int up = 0; !path && up < 2 && (slash = strrchr(self, '/')); up++) {
    *slash = 0;
    const char *here = st_arena_printf(a, "%s/libstreamtensor.so", self);
    path = access(here, R_OK) == 0 ? here : NULL;
  }
  note(f, &library, path && access(path, R_OK) == 0 ? path : NULL);
}

static void print_findings(const Findings *f) {
  size_t i;
  const json_t *j;
  json_array_foreach(f->list, i, j) {
    const char *name = json_string_value(json_object_get(j, "name"));
    const char *purpose = json_string_value(json_object_get(j, "for"));
    const char *what = json_string_value(json_object_get(j, "what"));
    if (what)
      printf("  ok       %-20s %s\n", name, what);
    else
      printf("  %-8s %-20s for %s: %s\n",
             json_is_true(json_object_get(j, "needed")) ? "MISSING" : "missing",
             name, purpose, json_string_value(json_object_get(j, "remedy")));
  }
  printf("\n%s\n", f->complete
                       ? "all that is needed from a model to tokens is there"
                       : "something that is needed is missing: see above");
}

int st_command_doctor(int argc, char **argv) {
  bool json = false;
  int n;
  const StOption options[] = {
      {"--json", NULL, &json, "the same as JSON", NULL}};
  int used = st_options_parse(
      argc, argv, "doctor [--json]",
      "What is installed and what is missing, what for, and how to get it.\n"
      "Status 1 if something that every model needs is missing.",
      options, 1, NULL, 0, 0, &n);
  if (used)
    return used == 1 ? 0 : used;
  StArena *a = st_arena_new();
  Findings f = {json_array(), true};
  look_at_targets(&f, a);
  look_at_library(&f, a);
  look_at_python(&f, a);
  for (int i = 0; i < COUNT(tools); i++)
    note(&f, &tools[i], find_tool(a, tools[i].name));
  if (json) {
    json_dumpf(f.list, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    printf("\n");
  } else {
    print_findings(&f);
  }
  json_decref(f.list);
  st_arena_free(a);
  return f.complete ? 0 : 1;
}

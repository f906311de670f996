/* Commands that live in Python: the one that the installed command names, or
 * that of the checkout this executable is in. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "driver/command.h"

/* The directory above this executable that holds .venv; false: none. */
static bool find_root(char *path, size_t size) {
  ssize_t n = readlink("/proc/self/exe", path, size - 1);
  if (n <= 0)
    return false;
  path[n] = 0;
  for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
    *slash = 0;
    char probe[PATH_MAX + 32];
    snprintf(probe, sizeof probe, "%s/.venv/bin/python", path);
    if (access(probe, X_OK) == 0)
      return true;
  }
  return false;
}

bool st_python_find(char *python, size_t size, char *path, size_t path_size) {
  const char *given = getenv("STREAMTENSOR_PYTHON");
  path[0] = 0;
  if (given && *given)
    return (size_t)snprintf(python, size, "%s", given) < size;
  char root[PATH_MAX];
  if (!find_root(root, sizeof root))
    return false;
  return (size_t)snprintf(python, size, "%s/.venv/bin/python", root) < size &&
         (size_t)snprintf(path, path_size, "%s/python", root) < path_size;
}

int st_command_python(int argc, char **argv) {
  char python[PATH_MAX], path[PATH_MAX];
  if (!st_python_find(python, sizeof python, path, sizeof path)) {
    fprintf(stderr, "streamtensor: no Python environment (.venv) was found; "
                    "run scripts/setup.sh\n");
    return 1;
  }
  if (path[0])
    setenv("PYTHONPATH", path, 1);
  StArena *arena = st_arena_new();
  char **args = ST_NEW_N(arena, char *, argc + 4);
  char dash_m[] = "-m", module[] = "streamtensor";
  args[0] = python;
  args[1] = dash_m;
  args[2] = module;
  for (int i = 0; i < argc; i++)
    args[3 + i] = argv[i];
  execv(python, args);
  fprintf(stderr, "streamtensor: cannot run %s: %s\n", python,
          strerror(errno));
  st_arena_free(arena);
  return 70;
}

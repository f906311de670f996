/* Commands that live in Python: found beside this executable or above it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "driver/command.h"

bool st_python_root(char *path, size_t size) {
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

int st_command_python(int argc, char **argv) {
  char root[PATH_MAX], python[PATH_MAX + 32], path[2 * PATH_MAX];
  if (!st_python_root(root, sizeof root)) {
    fprintf(stderr, "streamtensor: no Python environment (.venv) was found; "
                    "run scripts/setup.sh\n");
    return 1;
  }
  snprintf(python, sizeof python, "%s/.venv/bin/python", root);
  snprintf(path, sizeof path, "%s/python", root);
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

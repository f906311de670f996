/* The commands of `streamtensor`. Each gets its own arguments (argv[0] is the
 * command's name) and returns the exit status: 0, 1 the user's fault, 2 usage,
 * 70 ours. */
#ifndef ST_DRIVER_COMMAND_H
#define ST_DRIVER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *name;
  const char *summary;
  int (*run)(int argc, char **argv);
} StCommand;

int st_command_compile(int argc, char **argv);
int st_command_run(int argc, char **argv);
int st_command_report(int argc, char **argv);
int st_command_check(int argc, char **argv);
int st_command_coverage(int argc, char **argv);
int st_command_emit(int argc, char **argv);
int st_command_estimate(int argc, char **argv);
int st_command_opt(int argc, char **argv);
int st_command_doctor(int argc, char **argv);
/* export, generate, chat, serve, explore: what lives in Python. */
int st_command_python(int argc, char **argv);
/* The Python that runs them, and where it finds our modules ("": it does): of
 * the installed package, else of the checkout that this executable is in;
 * false: there is none. */
bool st_python_find(char *python, size_t size, char *path, size_t path_size);

/* ---- options ------------------------------------------------------------ */

typedef struct {
  const char *name;    /* "-o", "--json" */
  const char **value;  /* where its value goes; NULL for a flag */
  bool *flag;          /* set by a flag */
  const char *help;    /* one line */
  const char *meta;    /* name of the value in the help */
} StOption;

/* Parses options and at most `most` other arguments (at least `least`) into
 * `rest`. Returns 0 to go on; 1 if --help was printed; 2 after a usage error.
 * `usage` is the line after "usage: streamtensor ". */
int st_options_parse(int argc, char **argv, const char *usage,
                     const char *about, const StOption *options, int n,
                     const char **rest, int least, int most, int *nrest);

#endif

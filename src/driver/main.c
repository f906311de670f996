/* streamtensor: the command. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "driver/command.h"

static const StCommand commands[] = {
    {"export", "from PyTorch to a package", st_command_python},
    {"coverage", "which operations of a model are supported",
     st_command_coverage},
    {"compile", "from a package to an accelerator", st_command_compile},
    {"generate", "text from a compiled language model", st_command_python},
    {"chat", "talk with a compiled chat model", st_command_python},
    {"serve", "answer HTTP requests in OpenAI's form", st_command_python},
    {"run", "run a compiled module on tensors", st_command_run},
    {"report", "what was built: kernels, streams, resources",
     st_command_report},
    {"check", "verify that nothing can deadlock", st_command_check},
    {"emit", "write the accelerator as source for other tools",
     st_command_emit},
    {"estimate", "cycles and resources of designs, without building them",
     st_command_estimate},
    {"explore", "search for the best designs", st_command_python},
    {"doctor", "what is installed, what is missing", st_command_doctor},
    {"opt", "run passes on a module (for compiler people)", st_command_opt},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *to) {
  fprintf(to, "usage: streamtensor COMMAND ...\n\n"
              "From a PyTorch model to a streaming dataflow accelerator.\n\n"
              "commands (streamtensor COMMAND --help tells more):\n");
  for (int i = 0; i < COMMANDS; i++)
    fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
}

int main(int argc, char **argv) {
  signal(SIGXFSZ, SIG_IGN); /* too large a file is an error of write() */
  if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
                   !strcmp(argv[1], "help"))) {
    print_usage(stdout);
    return 0;
  }
  for (int i = 0; argc > 1 && i < COMMANDS; i++)
    if (!strcmp(argv[1], commands[i].name))
      return commands[i].run(argc - 1, argv + 1);
  if (argc > 1)
    fprintf(stderr, "streamtensor: there is no command '%s'\n", argv[1]);
  print_usage(stderr);
  return 2;
}

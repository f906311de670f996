/* Options of commands: one table each for parsing and for --help. */
#include <stdio.h>
#include <string.h>

#include "driver/command.h"

static void print_help(const char *usage, const char *about,
                       const StOption *o, int n) {
  printf("usage: streamtensor %s\n\n%s\n", usage, about);
  if (n)
    printf("\noptions:\n");
  for (int i = 0; i < n; i++) {
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", o[i].name, o[i].meta ? " " : "",
             o[i].meta ? o[i].meta : "");
    printf("  %-24s %s\n", left, o[i].help);
  }
}

static int refuse(const char *usage, const char *what, const char *word) {
  fprintf(stderr, "streamtensor: %s%s\nusage: streamtensor %s\n", what, word,
          usage);
  return 2;
}

static const StOption *find(const StOption *o, int n, const char *word,
                            const char **value) {
  for (int i = 0; i < n; i++) {
    size_t len = strlen(o[i].name);
    if (!strcmp(o[i].name, word))
      return &o[i];
    if (o[i].value && !strncmp(o[i].name, "--", 2) &&
        !strncmp(word, o[i].name, len) && word[len] == '=') {
      *value = word + len + 1;
      return &o[i];
    }
  }
  return NULL;
}

int st_options_parse(int argc, char **argv, const char *usage,
                     const char *about, const StOption *options, int n,
                     const char **rest, int least, int most, int *nrest) {
  int count = 0;
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i], *value = NULL;
    if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
      print_help(usage, about, options, n);
      return 1;
    }
    if (word[0] != '-' || !word[1]) {
      if (count == most)
        return refuse(usage, "too many arguments: ", word);
      rest[count++] = word;
      continue;
    }
    const StOption *o = find(options, n, word, &value);
    if (!o)
      return refuse(usage, "unknown option ", word);
    if (o->flag) {
      *o->flag = true;
      continue;
    }
    if (!value && ++i < argc)
      value = argv[i];
    if (!value)
      return refuse(usage, "a value is missing after ", word);
    *o->value = value;
  }
  if (count < least)
    return refuse(usage, "an argument is missing", "");
  *nrest = count;
  return 0;
}

// Requests and answers of a design as a device.
#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "image.h"
#include "serve.h"

static const uint32_t magic = 0x314c4853; // "SHL1"
enum { QUIT = 0, STEP = 1 };

static std::vector<std::vector<char>> memory; // [st_nmemories]

char *st_memory_at(int m) { return memory[size_t(m)].data(); }

[[noreturn]] static void fail(const std::string &message) {
  fprintf(stderr, "%s\n", message.c_str());
  exit(1);
}

static void read_exactly(void *to, size_t n) {
  if (fread(to, 1, n, stdin) != n)
    fail("the request ends too early");
}

template <typename T> static T get() {
  T x;
  read_exactly(&x, sizeof x);
  return x;
}

template <typename T> static void put(T x) { fwrite(&x, sizeof x, 1, stdout); }

static void refuse(const std::string &message) {
  put<uint32_t>(1);
  put<uint32_t>(uint32_t(message.size()));
  fwrite(message.data(), 1, message.size(), stdout);
}

static std::string get_input(int64_t P, int64_t T) {
  int k = get<int32_t>();
  std::vector<char> data(get<uint64_t>() + 1);
  size_t bytes = data.size() - 1;
  read_exactly(data.data(), bytes);
  if (k < 0 || k >= st_nargs || !st_is_input(st_args[k].role))
    return "argument " + std::to_string(k) + " does not come with a step";
  int64_t expected = st_bytes(st_args[k], P, T);
  if (int64_t(bytes) != expected)
    return std::string(st_args[k].name) + " has " + std::to_string(bytes) +
           " bytes, expected " + std::to_string(expected);
  st_set_argument(st_memory_at, k, data.data(), P, T);
  return "";
}

static void put_results(int64_t P, int64_t T, int64_t cycles) {
  uint32_t n = 0;
  for (int k = 0; k < st_nrets; ++k)
    n += st_is_output(st_rets[k].role);
  put<uint32_t>(0);
  put<int64_t>(cycles);
  put<uint32_t>(n);
  for (int k = 0; k < st_nrets; ++k) {
    if (!st_is_output(st_rets[k].role))
      continue;
    std::vector<char> data(size_t(st_bytes(st_rets[k], P, T)));
    st_get_result(st_memory_at, k, data.data(), P, T);
    put<int32_t>(k);
    put<uint64_t>(data.size());
    fwrite(data.data(), 1, data.size(), stdout);
  }
}

static std::string get_request(int32_t *P, int32_t *T) {
  std::string message;
  *P = get<int32_t>();
  *T = get<int32_t>();
  uint32_t n = get<uint32_t>(), wanted = 0;
  bool fits = *T >= 1 && *T <= st_chunk && *P >= 0 && *P <= st_ctx - *T;
  if (st_chunk > 0 && !fits)
    fail("P = " + std::to_string(*P) + ", T = " + std::to_string(*T) +
         " does not fit in the context");
  for (uint32_t i = 0; i < n; ++i) {
    std::string bad = get_input(*P, *T);
    if (message.empty())
      message = bad;
  }
  for (int k = 0; k < st_nargs; ++k)
    wanted += st_is_input(st_args[k].role);
  if (message.empty() && n != wanted)
    message = std::to_string(n) + " inputs, expected " + std::to_string(wanted);
  return message;
}

static void step() {
  int32_t P, T;
  std::string message = get_request(&P, &T);
  int64_t cycles = -1;
  if (message.empty() && st_run_step(P, T, &cycles, &message))
    put_results(P, T, cycles);
  else
    refuse(message);
  fflush(stdout);
}

int st_serve(int argc, char **argv) {
  std::string message;
  if (argc != 2) {
    fprintf(stderr, "usage: %s MANIFEST\n", argv[0]);
    return 2;
  }
  for (int m = 0; m < st_nmemories; ++m)
    memory.emplace_back(st_memory_bytes(m) + 1);
  if (!st_load_manifest(st_memory_at, argv[1], &message))
    fail(message);
  put<uint32_t>(magic);
  put<int32_t>(st_nargs);
  put<int32_t>(st_nrets);
  fflush(stdout);
  uint32_t request;
  while (fread(&request, 1, sizeof request, stdin) == sizeof request &&
         request == STEP)
    step();
  return request == QUIT || feof(stdin) ? 0 : 1;
}

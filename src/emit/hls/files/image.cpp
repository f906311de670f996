// Arguments and results in memory, where every dim has its largest extent.
#include "image.h"

#include <string.h>

#include <fstream>
#include <sstream>

static int64_t extent(const st_extent &e, int64_t P, int64_t T) {
  return e.c + e.p * P + e.t * T;
}

int64_t st_bytes(const st_port &port, int64_t P, int64_t T) {
  int64_t n = port.element;
  for (int i = 0; i < port.rank; ++i)
    n *= extent(port.shape[i], P, T);
  return n;
}

size_t st_memory_bytes(int m) {
  return size_t(st_memories[m].elements * st_memories[m].count *
                st_memories[m].element);
}

// Copies between a dense array and memory, run by run: the inner dims that are
// whole and one that may not be are one run. `in`: towards memory.
static void copy(const st_port &port, char *at, char *dense, bool in, int64_t P,
                 int64_t T) {
  int outer = port.rank;
  int64_t run = port.element, pitch = port.element, runs = 1;
  while (outer > 0 && run == pitch) {
    const st_extent &e = port.shape[--outer];
    run *= extent(e, P, T);
    pitch *= e.allocated;
  }
  std::vector<int64_t> index(size_t(outer) + 1);
  for (int i = 0; i < outer; ++i)
    runs *= extent(port.shape[i], P, T);
  for (int64_t r = 0; r < runs; ++r, dense += run) {
    int64_t where = 0;
    for (int i = 0; i < outer; ++i)
      where = where * port.shape[i].allocated + index[size_t(i)];
    if (in)
      memcpy(at + where * pitch, dense, size_t(run));
    else
      memcpy(dense, at + where * pitch, size_t(run));
    for (int i = outer; i-- > 0; index[size_t(i)] = 0)
      if (++index[size_t(i)] < extent(port.shape[i], P, T))
        break;
  }
}

// Every place that argument (or result) k has in a memory.
static void places(const st_base &base, int k, bool arg,
                   const std::function<void(char *)> &visit) {
  for (int m = 0; m < st_nmemories; ++m) {
    const st_memory &memory = st_memories[m];
    const int *list = arg ? memory.arg : memory.ret;
    for (int i = 0; list && i < memory.count; ++i)
      if (list[i] == k)
        visit(base(m) + i * memory.elements * memory.element);
  }
}

void st_set_argument(const st_base &base, int k, char *data, int64_t P,
                     int64_t T) {
  places(base, k, true,
         [&](char *at) { copy(st_args[k], at, data, true, P, T); });
}

void st_get_result(const st_base &base, int k, char *data, int64_t P,
                   int64_t T) {
  places(base, k, false,
         [&](char *at) { copy(st_rets[k], at, data, false, P, T); });
}

// ---- manifests -------------------------------------------------------------

static bool load_parameter(const st_base &base, int k, int64_t offset,
                           int64_t bytes, const std::string &path,
                           std::string *message) {
  if (k < 0 || k >= st_nargs || st_args[k].role != ST_FIXED) {
    *message = "argument " + std::to_string(k) + " is not a parameter";
    return false;
  }
  if (bytes != st_bytes(st_args[k], 0, 1)) {
    *message = std::string(st_args[k].name) + " has " + std::to_string(bytes) +
               " bytes, expected " + std::to_string(st_bytes(st_args[k], 0, 1));
    return false;
  }
  std::vector<char> data(size_t(bytes) + 1);
  std::ifstream file(path, std::ios::binary);
  if (!file.seekg(offset) || !file.read(data.data(), bytes)) {
    *message = "cannot read " + std::to_string(bytes) + " bytes at " +
               std::to_string(offset) + " of " + path;
    return false;
  }
  st_set_argument(base, k, data.data(), 0, 1);
  return true;
}

bool st_load_manifest(const st_base &base, const char *path,
                      std::string *message) {
  std::ifstream file(path);
  std::vector<bool> seen(size_t(st_nargs) + 1);
  std::string line, from;
  if (!file) {
    *message = std::string("cannot open the manifest ") + path;
    return false;
  }
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    int k;
    int64_t offset, bytes;
    if (line.empty() || line[0] == '#')
      continue;
    if (!(fields >> k >> offset >> bytes >> std::ws) ||
        !std::getline(fields, from)) {
      *message = "not `ARGUMENT OFFSET BYTES PATH`: " + line;
      return false;
    }
    if (!load_parameter(base, k, offset, bytes, from, message))
      return false;
    seen[size_t(k)] = true;
  }
  for (int k = 0; k < st_nargs; ++k)
    if (st_args[k].role == ST_FIXED && !seen[size_t(k)]) {
      *message = std::string("the manifest lacks parameter ") + st_args[k].name;
      return false;
    }
  return true;
}

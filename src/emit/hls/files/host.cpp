// Runs the accelerator on a card through XRT: parameters are written once, then
// each step writes its inputs, starts the kernel and reads the results. With
// tokens and logits it continues a prompt greedily; otherwise it runs one step.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#include "image.h"

// ---- the card --------------------------------------------------------------

// A buffer for every memory and channel that a pointer of the kernel needs.
class card {
  struct buffer {
    int memory, channel;
    bool writes;
    xrt::bo bo;
    char *map;
  };
  xrt::device device;
  xrt::kernel kernel;
  std::vector<buffer> buffers;
  std::vector<int> buffer_of; // [st_npointers]
  int32_t P = 0, T = 0;

  int find(const st_pointer &p) const {
    for (size_t b = 0; b < buffers.size(); ++b)
      if (buffers[b].memory == p.memory && buffers[b].channel == p.channel)
        return int(b);
    return -1;
  }

public:
  card(const char *xclbin, unsigned index)
      : device(index), kernel(device, device.load_xclbin(xclbin),
                              "accelerator") {
    for (int i = 0; i < st_npointers; ++i) {
      const st_pointer &p = st_pointers[i];
      int b = find(p);
      if (b < 0) {
        b = int(buffers.size());
        xrt::bo bo(device, st_memory_bytes(p.memory), kernel.group_id(i));
        buffers.push_back({p.memory, p.channel, false, bo, bo.map<char *>()});
        memset(buffers.back().map, 0, st_memory_bytes(p.memory));
      }
      buffers[size_t(b)].writes |= p.writes;
      buffer_of.push_back(b);
    }
  }

  // The first copy of memory m; write() brings it to the others.
  char *base(int m) {
    for (buffer &b : buffers)
      if (b.memory == m)
        return b.map;
    return nullptr;
  }

  // Brings the memories for which `which` holds to the card.
  template <typename F> void write(F which) {
    for (buffer &b : buffers) {
      if (!which(st_memories[b.memory]))
        continue;
      if (b.map != base(b.memory))
        memcpy(b.map, base(b.memory), st_memory_bytes(b.memory));
      b.bo.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    }
  }

  void run(int32_t p, int32_t t) {
    P = p;
    T = t;
    xrt::run r(kernel);
    for (int i = 0; i < st_npointers; ++i)
      r.set_arg(i, buffers[size_t(buffer_of[size_t(i)])].bo);
    r.set_arg(st_npointers, P);
    r.set_arg(st_npointers + 1, T);
    r.start();
    r.wait();
    for (buffer &b : buffers)
      if (b.writes && st_memories[b.memory].ret)
        b.bo.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  }
};

static bool has_role(const st_memory &m, bool (*is)(st_role)) {
  for (int i = 0; m.arg && i < m.count; ++i)
    if (is(st_args[m.arg[i]].role))
      return true;
  return false;
}

static bool stays(st_role r) { return r == ST_FIXED || r == ST_CACHE; }

static void step(card &c, int32_t P, int32_t T) {
  c.write([](const st_memory &m) { return has_role(m, st_is_input); });
  c.run(P, T);
}

// ---- tokens ----------------------------------------------------------------

static void put_integers(card &c, int k, const std::vector<int64_t> &v,
                         int64_t P, int64_t T) {
  std::vector<char> data(size_t(st_bytes(st_args[k], P, T)));
  size_t size = size_t(st_args[k].element);
  for (size_t i = 0; (i + 1) * size <= data.size(); ++i)
    memcpy(&data[i * size], &v[i < v.size() ? i : v.size() - 1], size);
  st_set_argument([&](int m) { return c.base(m); }, k, data.data(), P, T);
}

// The index of the largest logit of the last token.
static int64_t next_token(card &c, int k, int64_t P, int64_t T) {
  std::vector<float> v(size_t(st_bytes(st_rets[k], P, T)) / sizeof(float));
  st_get_result([&](int m) { return c.base(m); }, k,
                reinterpret_cast<char *>(v.data()), P, T);
  const st_extent &last = st_rets[k].shape[st_rets[k].rank - 1];
  size_t n = size_t(last.c), best = v.size() - n;
  for (size_t i = best; i < v.size(); ++i)
    if (v[i] > v[best])
      best = i;
  return int64_t(best - (v.size() - n));
}

static int find_role(const st_port *ports, int n, st_role role) {
  for (int k = 0; k < n; ++k)
    if (ports[k].role == role)
      return k;
  return -1;
}

static void generate(card &c, std::vector<int64_t> tokens, int n) {
  int in = find_role(st_args, st_nargs, ST_TOKENS);
  int at = find_role(st_args, st_nargs, ST_POSITION);
  int out = find_role(st_rets, st_nrets, ST_LOGITS);
  int64_t P = 0;
  for (int made = 0; made < n && P < st_ctx;) {
    int64_t left = int64_t(tokens.size()) - P;
    int64_t T = left < st_chunk ? left : st_chunk;
    if (P + T > st_ctx)
      T = st_ctx - P;
    std::vector<int64_t> part(tokens.begin() + P, tokens.begin() + P + T), pos;
    for (int64_t i = 0; i < T; ++i)
      pos.push_back(P + i);
    put_integers(c, in, part, P, T);
    if (at >= 0)
      put_integers(c, at, pos, P, T);
    step(c, int32_t(P), int32_t(T));
    P += T;
    if (P < int64_t(tokens.size()))
      continue;
    tokens.push_back(next_token(c, out, P - T, T));
    printf("%lld\n", static_cast<long long>(tokens.back()));
    fflush(stdout);
    ++made;
  }
}

// ---- one step of any module --------------------------------------------------

// FILES: raw data, one for each input in order, then one for each result.
static void run_once(card &c, const std::vector<std::string> &files) {
  size_t next = 0;
  auto base = [&](int m) { return c.base(m); };
  for (int k = 0; k < st_nargs; ++k) {
    if (!st_is_input(st_args[k].role))
      continue;
    std::vector<char> data(size_t(st_bytes(st_args[k], 0, 1)) + 1);
    std::ifstream file(files.at(next++), std::ios::binary);
    if (!file.read(data.data(), std::streamsize(data.size() - 1)))
      throw std::runtime_error("cannot read " + files.at(next - 1));
    st_set_argument(base, k, data.data(), 0, 1);
  }
  step(c, 0, 1);
  for (int k = 0; k < st_nrets; ++k) {
    if (!st_is_output(st_rets[k].role))
      continue;
    std::vector<char> data(size_t(st_bytes(st_rets[k], 0, 1)));
    st_get_result(base, k, data.data(), 0, 1);
    std::ofstream file(files.at(next++), std::ios::binary);
    file.write(data.data(), std::streamsize(data.size()));
  }
}

static int usage(const char *program) {
  fprintf(stderr,
          "usage: %s XCLBIN MANIFEST N TOKEN...    N tokens after a prompt\n"
          "       %s XCLBIN MANIFEST FILE...       one step: inputs, results\n",
          program, program);
  return 2;
}

int main(int argc, char **argv) {
  bool tokens = find_role(st_args, st_nargs, ST_TOKENS) >= 0 &&
                find_role(st_rets, st_nrets, ST_LOGITS) >= 0;
  if (argc < (tokens ? 5 : 3))
    return usage(argv[0]);
  try {
    std::string message;
    card c(argv[1], 0);
    if (!st_load_manifest([&](int m) { return c.base(m); }, argv[2], &message))
      throw std::runtime_error(message);
    c.write([](const st_memory &m) { return has_role(m, stays); });
    if (tokens) {
      std::vector<int64_t> prompt;
      for (int i = 4; i < argc; ++i)
        prompt.push_back(atoll(argv[i]));
      generate(c, prompt, atoi(argv[3]));
    } else {
      run_once(c, std::vector<std::string>(argv + 3, argv + argc));
    }
  } catch (const std::exception &e) {
    fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return 0;
}

// The accelerator under Verilator as a device: memory that answers every
// request after the same number of cycles, and the clock.
#include <string.h>

#include <memory>
#include <vector>

#include "Vaccelerator.h"
#include "design.h"
#include "ports.h"
#include "serve.h"
#include "verilated.h"

static const int64_t PATIENCE = 100000; // cycles without a beat

// A request on its way: the address, or none.
struct st_request {
  bool valid;
  uint64_t at;
};

static std::unique_ptr<Vaccelerator> top;
static std::vector<st_rtl_line> line;
// [port][cycle mod the latency]
static std::vector<std::vector<st_request>> waiting;
static int64_t now;

// The element of a memory that a port's token has at e.
static unsigned char *element(const st_rtl_port &port, uint64_t at, int e) {
  const st_memory &m = st_memories[port.memory];
  int64_t index = int64_t(at) * port.word + port.offset[e];
  if (index < 0 || index >= m.elements * m.count)
    return nullptr;
  return reinterpret_cast<unsigned char *>(st_memory_at(port.memory)) +
         index * m.element;
}

// Elements of less than a byte lie side by side in a token, not in memory.
static void read_token(const st_rtl_port &port, const st_rtl_line &l,
                       uint64_t at) {
  unsigned char *data = static_cast<unsigned char *>(l.data);
  int size = port.bits / 8;
  if (!size)
    memset(data, 0, l.data_bytes);
  for (int e = 0; e < port.elements; ++e) {
    const unsigned char *from = element(port, at, e);
    if (size && from)
      memcpy(data + e * size, from, size_t(size));
    for (int b = 0; !size && from && b < port.bits; ++b)
      if (*from >> b & 1)
        data[(e * port.bits + b) / 8] |=
            static_cast<unsigned char>(1 << (e * port.bits + b) % 8);
  }
}

// Whole bytes; the sign of 4 bits is extended.
static void write_token(const st_rtl_port &port, const st_rtl_line &l,
                        uint64_t at) {
  const unsigned char *data = static_cast<const unsigned char *>(l.data);
  int size = port.bits / 8;
  for (int e = 0; e < port.elements; ++e) {
    unsigned char *to = element(port, at, e);
    if (size && to)
      memcpy(to, data + e * size, size_t(size));
    if (size || !to)
      continue;
    int low = e * port.bits, value = data[low / 8] >> low % 8;
    value &= (1 << port.bits) - 1;
    bool negative = port.bits > 1 && value >> (port.bits - 1);
    *to = static_cast<unsigned char>(negative ? value - (1 << port.bits)
                                              : value);
  }
}

static void serve_port(int i) {
  const st_rtl_port &port = st_rtl_ports[i];
  const st_rtl_line &l = line[size_t(i)];
  bool valid = *static_cast<const unsigned char *>(l.valid) & 1;
  uint64_t at = 0;
  if (valid)
    memcpy(&at, l.at, l.at_bytes);
  if (port.writes) {
    if (valid)
      write_token(port, l, at);
    return;
  }
  st_request &r = waiting[size_t(i)][size_t(now % st_rtl_memory_latency)];
  if (r.valid) // asked for so many cycles ago
    read_token(port, l, r.at);
  r = {valid, at};
}

// One cycle: what is set is seen at its end.
static void tick() {
  top->clk = 0;
  top->eval();
  top->clk = 1;
  top->eval();
  ++now;
  for (int i = 0; i < st_rtl_nports; ++i)
    serve_port(i);
}

static void start() {
  top.reset(new Vaccelerator);
  line.resize(size_t(st_rtl_nports));
  st_rtl_connect(*top, line.data());
  waiting.assign(size_t(st_rtl_nports),
                 std::vector<st_request>(size_t(st_rtl_memory_latency)));
  top->start = 0;
  top->rst = 1;
  tick();
  top->rst = 0;
}

bool st_run_step(int32_t P, int32_t T, int64_t *cycles, std::string *message) {
  int64_t idle = 0;
  top->p = uint32_t(P);
  top->t = uint32_t(T);
  top->start = 1;
  tick();
  top->start = 0;
  while (top->busy && idle < PATIENCE) {
    idle = top->moves ? 0 : idle + 1;
    tick();
  }
  *cycles = int64_t(top->cycles);
  if (top->busy)
    *message = "no beat is issued any more";
  return !top->busy;
}

int main(int argc, char **argv) {
  start();
  int status = st_serve(argc, argv);
  top->final();
  return status;
}

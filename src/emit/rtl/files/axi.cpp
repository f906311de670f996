// The accelerator behind AXI under Verilator as a device: memory that takes
// different times to take requests and to answer, and a host that runs steps
// through the control slave.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <deque>
#include <memory>
#include <vector>

#include "Vaxi_accelerator.h"
#include "axi.h"
#include "design.h"
#include "image.h"
#include "serve.h"
#include "verilated.h"

static const int64_t PATIENCE = 1000000; // cycles of a step without an access
static const uint64_t FIRST = 1 << 20, APART = 1 << 12; // addresses of memories
enum { CONTROL = 0, P = 4, T = 8, CYCLES = 0x10, BASE = 0x100 };

struct st_beat { // a read on its way
  uint64_t at;
  int64_t due;
};

struct st_channel {
  std::deque<st_beat> reads;
  std::deque<uint64_t> write_at; // addresses without data yet
  std::deque<std::vector<unsigned char>> write_data; // bytes, then strobes
  int64_t answers;
};

static std::unique_ptr<Vaxi_accelerator> top;
static std::vector<st_axi_master> master;
static std::vector<st_channel> channel;
static std::vector<uint64_t> base; // [st_nmemories]
static int64_t now, last_access;

static unsigned char &bit(void *signal) {
  return *static_cast<unsigned char *>(signal);
}

static uint64_t address(const void *signal) {
  uint64_t at;
  memcpy(&at, signal, sizeof at);
  return at;
}

// A number below n, the same in every run.
static int64_t chance(int64_t n) {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return int64_t((state >> 33) % uint64_t(n));
}

// The byte at an address, or nothing there.
static unsigned char *byte_at(uint64_t at) {
  for (int m = 0; m < st_nmemories; ++m)
    if (at >= base[size_t(m)] && at < base[size_t(m)] + st_memory_bytes(m))
      return reinterpret_cast<unsigned char *>(st_memory_at(m)) +
             (at - base[size_t(m)]);
  return nullptr;
}

[[noreturn]] static void fail(const char *what, uint64_t at) {
  fprintf(stderr, "%s address 0x%llx, where there is nothing\n", what,
          (unsigned long long)at);
  exit(1);
}

// What the bus shows of a beat: bytes that were not asked for are noise.
static void answer_read(const st_axi_master &m, uint64_t at, int size) {
  unsigned char *data = static_cast<unsigned char *>(m.rdata);
  uint64_t line = at / uint64_t(st_axi_bytes) * uint64_t(st_axi_bytes);
  for (int i = 0; i < st_axi_bytes; ++i) {
    uint64_t each = line + uint64_t(i);
    bool wanted = each >= at && each < at + (1u << size);
    const unsigned char *from = wanted ? byte_at(each) : nullptr;
    if (wanted && !from)
      fail("a read from", each);
    data[i] = from ? *from : static_cast<unsigned char>(chance(256));
  }
}

static void write_beat(uint64_t at, const std::vector<unsigned char> &w) {
  uint64_t line = at / uint64_t(st_axi_bytes) * uint64_t(st_axi_bytes);
  size_t bytes = size_t(st_axi_bytes);
  for (size_t i = 0; i < bytes; ++i) {
    if (!(w[bytes + i / 8] >> i % 8 & 1))
      continue;
    unsigned char *to = byte_at(line + i);
    if (!to)
      fail("a write to", line + i);
    *to = w[i];
  }
}

// What the master shows was taken at the edge that is to come.
static void take_requests(st_channel &c, const st_axi_master &m) {
  if (bit(m.arvalid) && bit(m.arready))
    c.reads.push_back({address(m.araddr) | uint64_t(bit(m.arsize)) << 60,
                       now + chance(150)});
  if (bit(m.awvalid) && bit(m.awready))
    c.write_at.push_back(address(m.awaddr));
  if (bit(m.wvalid) && bit(m.wready)) {
    const unsigned char *data = static_cast<unsigned char *>(m.wdata);
    const unsigned char *strb = static_cast<unsigned char *>(m.wstrb);
    std::vector<unsigned char> w(data, data + st_axi_bytes);
    w.insert(w.end(), strb, strb + (st_axi_bytes + 7) / 8);
    c.write_data.push_back(w);
  }
  if (bit(m.arvalid) | bit(m.awvalid))
    last_access = now;
}

static void answer(st_channel &c, const st_axi_master &m) {
  bit(m.arready) = static_cast<unsigned char>(chance(4) > 0);
  bit(m.awready) = static_cast<unsigned char>(chance(4) > 0);
  bit(m.wready) = static_cast<unsigned char>(chance(4) > 0);
  bool read = !c.reads.empty() && c.reads.front().due <= now && chance(8);
  bit(m.rvalid) = read;
  bit(m.rlast) = read;
  bit(m.rresp) = 0;
  if (read) {
    uint64_t at = c.reads.front().at;
    answer_read(m, at << 4 >> 4, int(at >> 60));
    c.reads.pop_front();
  }
  if (!c.write_at.empty() && !c.write_data.empty()) {
    write_beat(c.write_at.front(), c.write_data.front());
    c.write_at.pop_front();
    c.write_data.pop_front();
    ++c.answers;
  }
  bool written = c.answers > 0 && chance(3) > 0;
  bit(m.bvalid) = written;
  bit(m.bresp) = 0;
  c.answers -= written;
}

static void tick() {
  for (size_t i = 0; i < channel.size(); ++i)
    take_requests(channel[i], master[i]);
  top->clk = 1;
  top->eval();
  ++now;
  for (size_t i = 0; i < channel.size(); ++i)
    answer(channel[i], master[i]);
  top->clk = 0;
  top->eval();
}

// ---- the host

static void write_register(uint32_t at, uint32_t value) {
  top->s_awvalid = top->s_wvalid = 1;
  top->s_awaddr = static_cast<unsigned short>(at);
  top->s_wdata = value;
  top->s_wstrb = 15;
  top->s_bready = 1;
  top->eval();
  while (!(top->s_awready && top->s_wready))
    tick();
  tick();
  top->s_awvalid = top->s_wvalid = 0;
  while (!top->s_bvalid)
    tick();
  tick();
}

static uint32_t read_register(uint32_t at) {
  top->s_arvalid = 1;
  top->s_araddr = static_cast<unsigned short>(at);
  top->s_rready = 1;
  top->eval();
  while (!top->s_arready)
    tick();
  tick();
  top->s_arvalid = 0;
  while (!top->s_rvalid)
    tick();
  uint32_t value = top->s_rdata;
  tick();
  return value;
}

static void start() {
  top.reset(new Vaxi_accelerator);
  master.resize(size_t(st_axi_masters));
  channel.resize(size_t(st_axi_masters));
  st_axi_connect(*top, master.data());
  top->clk = 0;
  top->rst = 1;
  top->eval();
  for (int i = 0; i < 4; ++i)
    tick();
  top->rst = 0;
}

static void place_memories() {
  uint64_t at = FIRST;
  for (int m = 0; m < st_nmemories; ++m) {
    base.push_back(at);
    write_register(uint32_t(BASE + 8 * m), uint32_t(at));
    write_register(uint32_t(BASE + 8 * m + 4), uint32_t(at >> 32));
    at += (st_memory_bytes(m) / APART + 2) * APART;
  }
}

bool st_run_step(int32_t p, int32_t t, int64_t *cycles, std::string *message) {
  if (base.empty())
    place_memories();
  write_register(P, uint32_t(p));
  write_register(T, uint32_t(t));
  write_register(CONTROL, 1);
  last_access = now;
  uint32_t status;
  while ((status = read_register(CONTROL)) & 1 && now < last_access + PATIENCE)
    for (int i = 0; i < 16; ++i)
      tick();
  *cycles = int64_t(read_register(CYCLES)) |
            int64_t(read_register(CYCLES + 4)) << 32;
  if (status)
    *message = status & 1 ? "no memory is accessed any more" : "an AXI error";
  return !status;
}

int main(int argc, char **argv) {
  start();
  int status = st_serve(argc, argv);
  top->final();
  return status;
}

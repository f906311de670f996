// The board under Verilator, by the pins of its serial line: for each line
// `TOKEN POSITION` of the standard input a line `BEST CYCLES`.
#include <stdint.h>
#include <stdio.h>

#include <memory>

#include "Vboard.h"
#include "verilated.h"

static const int64_t PATIENCE = 100000000; // cycles

static std::unique_ptr<Vboard> top;

static void tick() {
  top->clk = 0;
  top->eval();
  top->clk = 1;
  top->eval();
}

static void hold(int level) {
  top->rx = level & 1;
  for (int i = 0; i < ST_DIVISOR; ++i)
    tick();
}

static void send(unsigned byte) {
  hold(0);
  for (int b = 0; b < 8; ++b)
    hold(byte >> b & 1);
  hold(1);
}

// A byte; -1: none comes.
static int receive() {
  int byte = 0;
  for (int64_t waited = 0; top->tx; ++waited) {
    if (waited == PATIENCE)
      return -1;
    tick();
  }
  for (int i = 0; i < ST_DIVISOR / 2; ++i)
    tick();
  for (int b = 0; b < 8; ++b) {
    for (int i = 0; i < ST_DIVISOR; ++i)
      tick();
    byte |= (top->tx & 1) << b;
  }
  for (int i = 0; i < ST_DIVISOR; ++i)
    tick();
  return byte;
}

static bool receive_number(int bytes, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < bytes; ++i) {
    int byte = receive();
    if (byte < 0)
      return false;
    *value |= uint64_t(byte) << 8 * i;
  }
  return true;
}

int main() {
  top.reset(new Vboard);
  unsigned token, position;
  for (int i = 0; i < 64; ++i)
    hold(1);
  while (scanf("%u %u", &token, &position) == 2) {
    for (int i = 0; i < 2; ++i)
      send(token >> 8 * i & 255);
    for (int i = 0; i < 2; ++i)
      send(position >> 8 * i & 255);
    uint64_t best, cycles;
    if (!receive_number(2, &best) || !receive_number(4, &cycles)) {
      fprintf(stderr, "no answer\n");
      return 1;
    }
    printf("%u %u\n", unsigned(best), unsigned(cycles));
    fflush(stdout);
  }
  top->final();
  top.reset();
  return 0;
}

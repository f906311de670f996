// The memory ports of an accelerator under Verilator; ports.cpp is emitted with
// it.
#ifndef ST_PORTS_H
#define ST_PORTS_H

#include <stddef.h>
#include <stdint.h>

class Vaccelerator;

// Element e of the token at address a is element a * word + offset[e] of the
// memory.
struct st_rtl_port {
  int memory;
  bool writes;
  int word;
  int bits;     // of an element
  int elements; // of a token
  const int64_t *offset;
};

// Where the signals of a port are, little endian.
struct st_rtl_line {
  const void *valid; // one byte
  const void *at;
  size_t at_bytes;
  void *data;
  size_t data_bytes;
};

extern const int st_rtl_nports;
extern const int st_rtl_memory_latency; // cycles from a request to its data
extern const st_rtl_port st_rtl_ports[];

void st_rtl_connect(Vaccelerator &top, st_rtl_line *line);

#endif

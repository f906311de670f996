// A stand-in for the vendor's hls_stream.h in C simulation: bounded FIFOs whose
// reads and writes block the calling process (st_csim.h).
#ifndef ST_CSIM_HLS_STREAM_H
#define ST_CSIM_HLS_STREAM_H

#include <vector>

#include "st_csim.h"

namespace hls {

template <typename T> class stream : public st_csim_fifo {
  std::vector<T> ring; // its size is a power of two
  size_t first = 0, used = 0;

  stream(const stream &) = delete;
  stream &operator=(const stream &) = delete;

  void grow() {
    std::vector<T> next(ring.empty() ? 16 : 2 * ring.size());
    for (size_t i = 0; i < used; ++i)
      next[i] = ring[(first + i) & (ring.size() - 1)];
    ring.swap(next);
    first = 0;
  }

public:
  explicit stream(const char *stream_name) : st_csim_fifo(stream_name) {}
  stream() : st_csim_fifo("unnamed") {}

  bool empty() const { return used == 0; }
  bool full() const { return depth > 0 && used >= depth; }
  size_t size() const override { return used; }

  void write(const T &token) {
    while (full())
      wait_slot();
    if (used == ring.size())
      grow();
    ring[(first + used++) & (ring.size() - 1)] = token;
    pushed();
  }

  T read() {
    while (empty())
      wait_token();
    T token = ring[first];
    first = (first + 1) & (ring.size() - 1);
    --used;
    popped();
    return token;
  }
};

} // namespace hls

#endif

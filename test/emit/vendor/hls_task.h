// A stand-in for hls_task.h beside the vendor's open hls_stream.h, whose reads
// block when HLS_STREAM_THREAD_SAFE is defined: a thread runs the function for
// ever. For tests only.
#ifndef ST_TEST_VENDOR_HLS_TASK_H
#define ST_TEST_VENDOR_HLS_TASK_H

#include <stdlib.h>
#include <unistd.h>

#include <thread>

#define hls_thread_local static

namespace hls {

class task {
public:
  template <typename... Params, typename... Args>
  task(void (*f)(Params...), Args &...args) {
    atexit([] { _exit(0); }); // before the streams go that tasks wait for
    std::thread([f, &args...] {
      for (;;)
        f(args...);
    }).detach();
  }
};

} // namespace hls

#endif

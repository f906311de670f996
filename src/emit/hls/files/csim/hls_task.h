// A stand-in for the vendor's hls_task.h in C simulation: a coroutine that runs
// its function again and again (st_csim.h).
#ifndef ST_CSIM_HLS_TASK_H
#define ST_CSIM_HLS_TASK_H

#include "st_csim.h"

#define hls_thread_local static

namespace hls {

class task {
public:
  template <typename... Params, typename... Args>
  task(void (*f)(Params...), Args &...args) {
    st_csim_start("task", false, [f, &args...] {
      for (;;)
        f(args...);
    });
  }
};

} // namespace hls

#endif

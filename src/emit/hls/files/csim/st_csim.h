// The scheduler of C simulation: every process of the accelerator is a
// coroutine on one thread. A process runs until a FIFO blocks it; when none can
// run and a step is not complete, that is a deadlock, and it is reported with
// what every process waits for.
#ifndef ST_CSIM_H
#define ST_CSIM_H

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <string>
#include <type_traits>

struct st_csim_process;

class st_csim_fifo {
  st_csim_process *reader = nullptr, *writer = nullptr; // who waits
  friend void st_csim_wait(st_csim_fifo *in, st_csim_fifo *out);
  void wake(st_csim_process *&who);

protected:
  void wait_token();
  void wait_slot();
  void pushed() {
    if (reader)
      wake(reader);
  }
  void popped() {
    if (writer)
      wake(writer);
  }

public:
  const std::string name;
  size_t depth; // tokens; 0: no limit
  explicit st_csim_fifo(const char *fifo_name);
  virtual ~st_csim_fifo();
  virtual size_t size() const = 0;
};

// Let the calling process wait for a token of `in` or a slot of `out`, each if
// not null.
void st_csim_wait(st_csim_fifo *in, st_csim_fifo *out);

// A new process; `counted`: a step is complete when all of these have ended.
void st_csim_start(const char *name, bool counted, std::function<void()> run);

// Run until the step is complete: all counted processes have ended, all others
// wait, all FIFOs are empty. False: what is wrong is in *message.
bool st_csim_run(std::string *message);

// From the emitted table: the depth of a FIFO. 0: no limit.
size_t st_csim_depth(const char *fifo_name);

template <typename In, typename Out> void st_csim_idle(In &in, Out &out) {
  if (in.empty() || out.full())
    st_csim_wait(in.empty() ? &in : nullptr, out.full() ? &out : nullptr);
}

// Arguments are kept: streams by reference (they are static), others by value.
template <typename T, bool Fifo> struct st_csim_kept {
  typedef T type;
};
template <typename T> struct st_csim_kept<T, true> {
  typedef std::reference_wrapper<T> type;
};
template <typename T>
typename st_csim_kept<T, std::is_base_of<st_csim_fifo, T>::value>::type
st_csim_keep(T &x) {
  return x;
}

template <typename... Params, typename... Args>
void st_csim_spawn(const char *name, void (*f)(Params...), Args &&...args) {
  st_csim_start(name, true, std::bind(f, st_csim_keep(args)...));
}

#endif

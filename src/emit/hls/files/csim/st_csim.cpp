// The scheduler declared in st_csim.h.
#include "st_csim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <deque>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

// ---- contexts --------------------------------------------------------------

#if defined(__x86_64__)

// Saves the callee's registers on the old stack, leaves its pointer in *from
// and goes on where `to` was left.
extern "C" void st_csim_switch(void **from, void *to);
__asm__(".text\n"
        ".globl st_csim_switch\n"
        ".type st_csim_switch, @function\n"
        "st_csim_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n"
        "  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n"
        "  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size st_csim_switch, .-st_csim_switch\n");

struct context {
  void *sp = nullptr;
  void make(char *stack, size_t bytes, void (*entry)()) {
    void **top = reinterpret_cast<void **>(stack + bytes);
    *--top = nullptr; // entry is as if called: the stack is 8 off 16
    *--top = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; ++i)
      *--top = nullptr;
    sp = top;
  }
  void go(context &to) { st_csim_switch(&sp, to.sp); }
};

#else

struct context {
  ucontext_t at;
  void make(char *stack, size_t bytes, void (*entry)()) {
    getcontext(&at);
    at.uc_stack.ss_sp = stack;
    at.uc_stack.ss_size = bytes;
    at.uc_link = nullptr;
    makecontext(&at, entry, 0);
  }
  void go(context &to) { swapcontext(&at, &to.at); }
};

#endif

// ---- processes -------------------------------------------------------------

static const size_t stack_bytes = 1 << 20, guard_bytes = 1 << 16;

struct st_csim_process {
  context at;
  char *stack;
  std::string name;
  std::function<void()> run;
  bool counted = false, ended = true;
  st_csim_fifo *in = nullptr, *out = nullptr; // what it waits for
};

namespace {

struct scheduler {
  std::vector<st_csim_process *> all; // ended ones are used again
  std::vector<st_csim_fifo *> fifos;
  std::deque<st_csim_process *> ready;
  st_csim_process *current = nullptr;
  context main;
  int counted = 0; // processes that a complete step still waits for
};

scheduler &sched() {
  static scheduler s;
  return s;
}

void suspend() {
  st_csim_process *p = sched().current;
  p->at.go(sched().main);
}

void enter() {
  for (;;) {
    st_csim_process *p = sched().current;
    p->run();
    p->ended = true;
    if (p->counted)
      --sched().counted;
    suspend();
  }
}

st_csim_process *make_process() {
  for (st_csim_process *p : sched().all)
    if (p->ended)
      return p;
  st_csim_process *p = new st_csim_process;
  void *at = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED || mprotect(at, guard_bytes, PROT_NONE) != 0) {
    fprintf(stderr, "csim: no memory for another process\n");
    exit(70);
  }
  p->stack = static_cast<char *>(at);
  p->at.make(p->stack, stack_bytes, enter);
  sched().all.push_back(p);
  return p;
}

} // namespace

void st_csim_start(const char *name, bool counted, std::function<void()> run) {
  st_csim_process *p = make_process();
  p->name = name;
  p->run = run;
  p->counted = counted;
  p->ended = false;
  sched().counted += counted;
  sched().ready.push_back(p);
}

// ---- FIFOs -----------------------------------------------------------------

st_csim_fifo::st_csim_fifo(const char *fifo_name)
    : name(fifo_name), depth(st_csim_depth(fifo_name)) {
  const char *unbounded = getenv("ST_CSIM_UNBOUNDED");
  if (unbounded && *unbounded && strcmp(unbounded, "0"))
    depth = 0;
  sched().fifos.push_back(this);
}

st_csim_fifo::~st_csim_fifo() {}

void st_csim_fifo::wake(st_csim_process *&who) {
  st_csim_process *p = who;
  if (p->in)
    p->in->reader = nullptr;
  if (p->out)
    p->out->writer = nullptr;
  p->in = p->out = nullptr;
  sched().ready.push_back(p);
}

void st_csim_wait(st_csim_fifo *in, st_csim_fifo *out) {
  st_csim_process *p = sched().current;
  p->in = in;
  p->out = out;
  if (in)
    in->reader = p;
  if (out)
    out->writer = p;
  suspend();
}

void st_csim_fifo::wait_token() { st_csim_wait(this, nullptr); }
void st_csim_fifo::wait_slot() { st_csim_wait(nullptr, this); }

// ---- a step ----------------------------------------------------------------

static void describe(const st_csim_process *p, std::string *to) {
  if (p->ended || (!p->in && !p->out))
    return;
  *to += "\n  " + p->name + " waits";
  if (p->in)
    *to += " for a token of " + p->in->name;
  if (p->out)
    *to += std::string(p->in ? " or" : " for") + " a slot of " + p->out->name +
           " (" + std::to_string(p->out->size()) + " of " +
           std::to_string(p->out->depth) + " in use)";
}

bool st_csim_run(std::string *message) {
  scheduler &s = sched();
  while (!s.ready.empty()) {
    s.current = s.ready.front();
    s.ready.pop_front();
    s.main.go(s.current->at);
  }
  if (s.counted > 0) {
    *message = "deadlock:";
    for (const st_csim_process *p : s.all)
      describe(p, message);
    return false;
  }
  for (const st_csim_fifo *f : s.fifos)
    if (f->size() > 0) {
      *message = "stream " + f->name + " is left with " +
                 std::to_string(f->size()) + " tokens";
      return false;
    }
  return true;
}

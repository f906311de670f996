/* See estimate.h. */
#include "solve/estimate.h"

#include "solve/schedule.h"

static int64_t completion(const StSchedule *s, const StProcess *p) {
  return p->beats ? st_schedule_at(s, p->id, p->beats - 1) + p->latency : 0;
}

int64_t st_estimate_cycles(const StModule *m, const StTarget *t, int64_t P,
                           int64_t T) {
  StArena *scratch = st_arena_new();
  StProcessNet *net =
      st_process_net(scratch, m, t->latency.fifo, t->latency.buffer);
  st_process_bind(net, P, T);
  StSchedule *s = st_schedule_new(scratch, net, NULL);
  int stuck;
  int64_t cycles = -1, beats = 0, stores = 0;
  if (st_schedule_earliest(s, &stuck)) {
    for (int i = 0; i < net->nprocesses; i++) {
      const StProcess *p = &net->process[i];
      int64_t *last = p->kind == ST_PROC_STORE ? &stores : &beats;
      int64_t at = completion(s, p);
      *last = at > *last ? at : *last;
    }
    cycles = stores > 0 ? stores : beats;
  }
  st_arena_free(scratch);
  return cycles;
}

// Common definitions of an emitted accelerator: tokens, the step, trees.
// This header, num.h and num_tables.h are part of what the synthesis tool gets.
#ifndef ST_HLS_H
#define ST_HLS_H

#include <stdint.h>

#include "hls_stream.h"
#include "num.h"

// Element types. Floats of 16 bits travel as their bits; with the vendor's
// integers (always in synthesis) narrow types take as many wires as they have
// bits.
#if defined(__SYNTHESIS__) || defined(ST_HLS_AP_INT)
#include "ap_int.h"
typedef ap_uint<1> st_i1;
typedef ap_int<4> st_i4;
#else
typedef uint8_t st_i1;
typedef int8_t st_i4;
#endif
typedef uint16_t st_f16;
typedef uint16_t st_bf16;

// A token: the elements that travel side by side, in row-major order.
template <typename T, int N> struct st_vec {
  T e[N];
  T &operator[](int i) { return e[i]; }
  const T &operator[](int i) const { return e[i]; }
};

// What a task reads before every step: T tokens after P.
struct st_step {
  int32_t P, T;
};

// Fold of v[0 .. N) by a balanced tree: neighbours pairwise, an odd last one
// is carried up. v is overwritten.
template <int N, typename T, T (*F)(T, T)> struct st_tree {
  static T fold(T *v) {
#pragma HLS INLINE
    for (int i = 0; i < N / 2; ++i) {
#pragma HLS UNROLL
      v[i] = F(v[2 * i], v[2 * i + 1]);
    }
    if (N % 2 != 0)
      v[N / 2] = v[N - 1];
    return st_tree<(N + 1) / 2, T, F>::fold(v);
  }
};
template <typename T, T (*F)(T, T)> struct st_tree<1, T, F> {
  static T fold(T *v) {
#pragma HLS INLINE
    return v[0];
  }
};

// The same of the first n only, 1 <= n <= N.
template <int N, typename T, T (*F)(T, T)> struct st_some {
  static T fold(T *v, int n) {
#pragma HLS INLINE
    for (int i = 0; i < N / 2; ++i) {
#pragma HLS UNROLL
      v[i] = 2 * i + 1 < n ? F(v[2 * i], v[2 * i + 1]) : v[2 * i];
    }
    if (N % 2 != 0)
      v[N / 2] = v[N - 1];
    return st_some<(N + 1) / 2, T, F>::fold(v, (n + 1) / 2);
  }
};
template <typename T, T (*F)(T, T)> struct st_some<1, T, F> {
  static T fold(T *v, int) {
#pragma HLS INLINE
    return v[0];
  }
};

// A position that comes from data, kept inside the memory.
static inline int64_t st_hls_clamp(int64_t i, int64_t n) {
#pragma HLS INLINE
  return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static inline int64_t st_hls_least(int64_t a, int64_t b) {
#pragma HLS INLINE
  return a < b ? a : b;
}

// v within -top - 1 .. top.
static inline int64_t st_hls_saturate(int64_t v, int64_t top) {
#pragma HLS INLINE
  return v > top ? top : v < -top - 1 ? -top - 1 : v;
}

// The processes of the dataflow region. In csim each is a coroutine, so that
// the FIFOs can have their real depths; elsewhere it is a plain call. ST_IDLE
// marks the place where a converter waits for either of its streams.
#ifdef ST_CSIM
#include "st_csim.h"
#define ST_PROCESS(f, ...) st_csim_spawn(#f, f, __VA_ARGS__)
#define ST_IDLE(in, out) st_csim_idle(in, out)
#else
#define ST_PROCESS(f, ...) f(__VA_ARGS__)
#define ST_IDLE(in, out)
#endif

#endif

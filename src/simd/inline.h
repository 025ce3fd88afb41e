/* simd/inline.h -- what kernel bodies ask of the compiler. */
#ifndef SIMD_INLINE_H
#define SIMD_INLINE_H

/* ALWAYS_INLINE: arguments that are constants vanish in the copy, and nothing that was compiled with one file's flags
 * is shared with another. NEVER_INLINE: an instance that stands by itself. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NEVER_INLINE static __attribute__((noinline))

/* Loops over registers must vanish, or the accumulators live in memory. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#define UNROLL_BY(n)
#else
#define UNROLL _Pragma("GCC unroll 32")
#define UNROLL_BY(n) UNROLL_PRAGMA(GCC unroll n)
#define UNROLL_PRAGMA(text) _Pragma(#text)
#endif

#endif

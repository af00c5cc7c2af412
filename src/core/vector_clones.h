#pragma once

/// Before a function whose loops have a fixed length, so neither remainder nor overlap, and no branches: the
/// compiler turns them into vector code for several instruction sets, of which the loader picks the best
/// here.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define PRIMUS_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PRIMUS_VECTOR_CLONES
#endif

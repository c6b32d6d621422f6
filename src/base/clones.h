/*
 * clones.h - how a hot loop is compiled: once for every x86-64 machine and once for each newer instruction set, the
 * best one chosen when the program starts. A marked function has external linkage and is called in its own file only
 * (clang 14 gives the chosen one a name of its own).
 */
#ifndef SV_BASE_CLONES_H
#define SV_BASE_CLONES_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SV_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SV_SANITIZED 1
#endif
#endif

/* the choice is made by an indirect function, which runs before a sanitizer is ready */
#if defined(__x86_64__) && defined(__linux__) && !defined(SV_SANITIZED)
#define SV_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define SV_CLONES
#endif

#endif

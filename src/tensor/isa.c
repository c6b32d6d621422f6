/* isa.c - see isa.h. */
#include "tensor/isa.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[SV_N_ISAS] = {"ref", "avx2", "avx512"};

const char *sv_isa_name(sv_isa isa) { return names[isa]; }

#ifdef __x86_64__
/* clang 14's __builtin_cpu_supports does not know it by name */
static bool has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

bool sv_isa_available(sv_isa isa) {
#ifdef __x86_64__
    if (isa == SV_ISA_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    if (isa == SV_ISA_AVX512) {
        return sv_isa_available(SV_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq");
    }
#endif
    return isa == SV_ISA_REF;
}

static atomic_int chosen; /* sv_isa + 1; 0 = not yet */

bool sv_isa_use(const char *name) {
    for (int isa = SV_N_ISAS - 1; isa >= 0; isa--) {
        if ((name && strcmp(name, names[isa]) != 0) || !sv_isa_available((sv_isa)isa)) continue;
        atomic_store_explicit(&chosen, isa + 1, memory_order_release);
        return true;
    }
    return false;
}

sv_isa sv_isa_current(void) {
    int isa = atomic_load_explicit(&chosen, memory_order_acquire);
    if (isa) return (sv_isa)(isa - 1);
    const char *wanted = getenv("SV_ISA");
    if (!wanted || !sv_isa_use(wanted)) sv_isa_use(NULL);
    return sv_isa_current();
}

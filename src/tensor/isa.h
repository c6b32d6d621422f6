/*
 * isa.h - the instruction set that the kernels of this folder use: the best that the machine has, unless the
 * environment (SV_ISA) or a test says otherwise.
 */
#ifndef SV_TENSOR_ISA_H
#define SV_TENSOR_ISA_H

#include <stdbool.h>

typedef enum sv_isa { SV_ISA_REF, SV_ISA_AVX2, SV_ISA_AVX512, SV_N_ISAS } sv_isa;

/* "ref", "avx2", "avx512". */
const char *sv_isa_name(sv_isa isa);

/* Does this machine have it? */
bool sv_isa_available(sv_isa isa);

/* The one in use. At first use: the environment variable SV_ISA where it names one that is available, else the best. */
sv_isa sv_isa_current(void);

/* Chooses by name from now on; NULL = the best. False, and nothing changes, when this machine lacks it or the name is
 * none. For the command line, tests and benchmarks; not while products run. */
bool sv_isa_use(const char *name);

#endif

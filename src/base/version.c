/* version.c - the version, set by CMake from the project() line. */
#include "sleepvlm.h"

const char *sv_version(void) { return SV_VERSION; }

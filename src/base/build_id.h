/*
 * build_id.h - which build this is: for files that are of use only to the very same code.
 */
#ifndef SV_BASE_BUILD_ID_H
#define SV_BASE_BUILD_ID_H

#define SV_BUILD_ID_SIZE 129

/* The build id that the linker put into the program or library which holds this code (a hash of its content), in
 * hexadecimal, at most 64 bytes of it; "none" when it was linked without. */
void sv_build_id(char hex[SV_BUILD_ID_SIZE]);

#endif

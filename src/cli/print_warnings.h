/*
 * print_warnings.h - what is wrong with a recording, for people.
 */
#ifndef SV_CLI_PRINT_WARNINGS_H
#define SV_CLI_PRINT_WARNINGS_H

#include <jansson.h>

/* Prints a list of {kind, role or null, text} to stderr, one indented line each, safe for a terminal. */
void sv_print_warnings(const json_t *warnings);

#endif

/* build_id.c - the note NT_GNU_BUILD_ID of the object in memory that holds this function (ELF, gABI notes). */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "base/build_id.h"

#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#define NOTE_ALIGN(n) (((size_t)(n) + 3) & ~(size_t)3)

static bool holds_us(const struct dl_phdr_info *object) {
    uintptr_t here = (uintptr_t)&sv_build_id;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && here - object->dlpi_addr - p->p_vaddr < p->p_memsz) return true;
    }
    return false;
}

static void find_note(const unsigned char *notes, size_t len, char *hex) {
    ElfW(Nhdr) note;
    for (size_t at = 0; at + sizeof note <= len;) {
        memcpy(&note, notes + at, sizeof note);
        size_t name = at + sizeof note, content = name + NOTE_ALIGN(note.n_namesz);
        at = content + NOTE_ALIGN(note.n_descsz);
        if (at > len) return;
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp(notes + name, "GNU", 4) != 0) continue;
        size_t n = SV_MIN((size_t)note.n_descsz, (size_t)(SV_BUILD_ID_SIZE - 1) / 2);
        for (size_t i = 0; i < n; i++) snprintf(hex + 2 * i, 3, "%02x", notes[content + i]);
        return;
    }
}

static int look_at(struct dl_phdr_info *object, size_t size, void *hex) {
    (void)size;
    if (!holds_us(object)) return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type == PT_NOTE) find_note((const unsigned char *)object->dlpi_addr + p->p_vaddr, p->p_memsz, hex);
    }
    return 1;
}

void sv_build_id(char hex[SV_BUILD_ID_SIZE]) {
    snprintf(hex, SV_BUILD_ID_SIZE, "none");
    dl_iterate_phdr(look_at, hex);
}

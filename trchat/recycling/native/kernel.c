/* What belongs to no other file: what this was compiled from, and memory that grows. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"

/* See sources.py. */
API int64_t trchat_sources(void) { return SOURCES; }

void *grown(void *memory, int64_t *room, int64_t needed, size_t size) {
    if (needed <= *room) return memory;
    int64_t more = *room ? *room : 64;
    while (more < needed) more *= 2;
    memory = realloc(memory, (size_t)more * size);
    if (!memory) {
        fputs("trchat: out of memory\n", stderr);
        abort();
    }
    *room = more;
    return memory;
}

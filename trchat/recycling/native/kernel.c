/* What belongs to no other file: what this was compiled from, and memory that grows. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"

/* See sources.py. */
API int64_t trchat_sources(void) { return SOURCES; }

static void *had(void *memory) {
    if (memory) return memory;
    fputs("trchat: out of memory\n", stderr);
    abort();
}

void *cleared(size_t size) { return had(calloc(1, size)); }

void *grown(void *memory, int64_t *room, int64_t needed, size_t size) {
    if (needed <= *room) return memory;
    int64_t more = *room ? *room : 64;
    while (more < needed) more *= 2;
    memory = had(realloc(memory, (size_t)more * size));
    *room = more;
    return memory;
}

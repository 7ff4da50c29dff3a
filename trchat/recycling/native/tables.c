/* Recycled candidates in hashed tables: twin of trchat/recycling/candidates.py. */
#include <math.h>
#include <stdlib.h>

#include "kernel.h"

#define FINAL 0xD6E8FEB86659FD93u
#define STEPS_PER_HALVING 16

enum { MOST_COUNTED = 255 };

static const uint64_t FACTORS[CONTEXT] = {0x9E3779B97F4A7C15u, 0xC2B2AE3D27D4EB4Fu, 0x165667B19E3779F9u};

API Tables *trchat_tables_new(uint32_t *tags, uint32_t *stamps, uint8_t *counts, uint32_t *packed) {
    Tables *tables = cleared(sizeof *tables);
    tables->tags = tags;
    tables->stamps = stamps;
    tables->counts = counts;
    tables->packed = packed;
    for (int step = 1; step < 256; step++) {
        tables->probability[step] = pow(2.0, (step - 255) / (double)STEPS_PER_HALVING);
    }
    return tables;
}

API void trchat_tables_add(Tables *tables, uint32_t which, int shift, int64_t bucket, int64_t start, int k,
                           double kept) {
    tables->table[tables->n++] = (Table){which, shift, bucket, start, k, kept};
}

API void trchat_tables_free(Tables *tables) {
    free(tables->places);
    free(tables->next);
    free(tables->last);
    free(tables->keys);
    free(tables->tokens);
    free(tables->chances);
    free(tables);
}

/* The first place of a key's bucket, and its tag. */
static inline int64_t bucket_and_tag(const Table *table, const int32_t *context, uint32_t *tag) {
    uint64_t mixed = 0;
    for (int back = 0; back < CONTEXT; back++) {
        if (table->which >> back & 1) mixed ^= (uint64_t)((int64_t)context[back] + 1) * FACTORS[back];
    }
    mixed *= FINAL;
    *tag = (uint32_t)mixed ? (uint32_t)mixed : 1;
    return (table->bucket + (int64_t)(mixed >> table->shift)) * WAYS;
}

static inline int64_t find(const Tables *tables, int64_t first, uint32_t tag) {
    for (int64_t place = first; place < first + WAYS; place++) {
        if (tables->tags[place] == tag) return place;
    }
    return -1;
}

const uint32_t *candidates_after(const Tables *tables, int number, const int32_t context[CONTEXT]) {
    const Table *table = &tables->table[number];
    uint32_t tag;
    const int64_t first = bucket_and_tag(table, context, &tag), place = find(tables, first, tag);
    return place < 0 ? NULL : tables->packed + table->start + place * table->k;
}

uint32_t packed_candidate(int32_t token, float log_probability) {
    const float step = log_probability * (float)(STEPS_PER_HALVING / 0.69314718055994530942) + 255.5f;
    const uint32_t clipped = step > 255 ? 255 : step > 1 ? (uint32_t)step : 1;
    return (uint32_t)token << 8 | clipped;
}

/* Where in the bucket that begins at `first` a new row may go. */
static int64_t room_in(const Tables *tables, int64_t first, uint32_t clock) {
    int64_t chosen = first;
    uint64_t least = UINT64_MAX;
    for (int64_t place = first; place < first + WAYS; place++) {
        const uint64_t rank = (uint64_t)tables->counts[place] << 32 | tables->stamps[place];
        if (tables->stamps[place] != clock && rank < least) {
            chosen = place;
            least = rank;
        }
    }
    return chosen;
}

static uint32_t step_of(const Tables *tables, double chance) {
    if (!(chance > tables->probability[1])) return 1;
    const int step = (int)(log2(chance) * STEPS_PER_HALVING + 255.5);
    return step < 1 ? 1 : step > 255 ? 255 : (uint32_t)step;
}

static inline void add(Tables *tables, int64_t *n, uint32_t packed, double weight) {
    if (!packed) return;
    const int32_t token = (int32_t)(packed >> 8);
    const double chance = weight * tables->probability[packed & 255];
    for (int64_t each = 0; each < *n; each++) {
        if (tables->tokens[each] == token) {
            tables->chances[each] += chance;
            return;
        }
    }
    tables->tokens[*n] = token;
    tables->chances[(*n)++] = chance;
}

/* Mix lessons (`first`, then those linked from it) into a row of weight `kept`. */
static void mix(Tables *tables, uint32_t *row, int k, double kept, const uint32_t *packed, int length,
                int64_t first, int64_t lessons) {
    int64_t n = 0;
    const int64_t most = k + lessons * length;
    tables->tokens = grown(tables->tokens, &tables->room_tokens, most, sizeof *tables->tokens);
    tables->chances = grown(tables->chances, &tables->room_chances, most, sizeof *tables->chances);
    if (kept > 0) {
        for (int each = 0; each < k; each++) add(tables, &n, row[each], kept);
    }
    const double weight = (1 - kept) / (double)lessons;
    for (int64_t lesson = first; lesson >= 0; lesson = tables->next[lesson]) {
        for (int each = 0; each < length; each++) add(tables, &n, packed[lesson * length + each], weight);
    }
    for (int place = 0; place < k; place++) {
        int64_t best = -1;
        for (int64_t each = 0; each < n; each++) {
            if (tables->chances[each] >= 0 && (best < 0 || tables->chances[each] > tables->chances[best])) {
                best = each;
            }
        }
        if (best < 0) {
            row[place] = 0;
            continue;
        }
        row[place] = (uint32_t)tables->tokens[best] << 8 | step_of(tables, tables->chances[best]);
        tables->chances[best] = -1;
    }
}

/* Mix `packed` (n, length) into the rows of `contexts` (n, CONTEXT); rows of one key count the same. */
API void trchat_tables_learn(Tables *tables, const int32_t *contexts, const uint32_t *packed, int64_t n,
                             int length, uint32_t clock) {
    tables->places = grown(tables->places, &tables->room_lessons, n, sizeof *tables->places);
    tables->next = grown(tables->next, &tables->room_next, n, sizeof *tables->next);
    tables->last = grown(tables->last, &tables->room_last, n, sizeof *tables->last);
    tables->keys = grown(tables->keys, &tables->room_keys, n, sizeof *tables->keys);
    for (int number = 0; number < tables->n; number++) {
        const Table *table = &tables->table[number];
        /* Lessons of one key are linked, the first of them standing for all. */
        for (int64_t each = 0; each < n; each++) {
            uint32_t tag;
            const int64_t first = bucket_and_tag(table, contexts + each * CONTEXT, &tag);
            tables->places[each] = first;
            tables->keys[each] = tag;
            tables->next[each] = -1;
            tables->last[each] = each;
            for (int64_t before = 0; before < each; before++) {
                if (tables->keys[before] == tag && tables->places[before] == first && tables->last[before] >= 0) {
                    tables->next[tables->last[before]] = each;
                    tables->last[before] = each;
                    tables->last[each] = -1;
                    break;
                }
            }
        }
        /* Those that are known first, so that none of them has to make room for a new one. */
        for (int new = 0; new < 2; new++) {
            for (int64_t each = 0; each < n; each++) {
                if (tables->last[each] < 0) continue;
                int64_t lessons = 0;
                for (int64_t lesson = each; lesson >= 0; lesson = tables->next[lesson]) lessons++;
                int64_t place = find(tables, tables->places[each], tables->keys[each]);
                if (new) {
                    place = room_in(tables, tables->places[each], clock);
                    tables->tags[place] = tables->keys[each];
                    tables->counts[place] = 1;
                } else if (place < 0) {
                    continue;
                } else if (tables->counts[place] < MOST_COUNTED) {
                    tables->counts[place]++;
                }
                tables->stamps[place] = clock;
                uint32_t *row = tables->packed + table->start + place * table->k;
                const double kept = new ? 0.0 : pow(table->kept, (double)lessons);
                mix(tables, row, table->k, kept, packed, length, each, lessons);
                tables->last[each] = -1; /* done */
            }
        }
    }
}

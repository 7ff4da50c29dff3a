/* Where the end of the text stood before: twin of trchat/recycling/suffix.py. */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/* An n-gram is known by where it ends: the n tokens before `place`. */
static inline bool same_gram(const Text *text, int32_t place, const int32_t *last, int n) {
    for (int back = 0; back < n; back++) {
        if (text->tokens[place - 1 - back] != last[back]) return false;
    }
    return true;
}

static inline uint64_t hash_of(const int32_t *last, int n) {
    uint64_t hash = 0;
    for (int back = 0; back < n; back++) {
        hash = (hash ^ (uint32_t)last[back]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return hash;
}

/* Where in the hash table the n-gram that ends in `last` (last first) is, or may go. */
static inline int64_t slot_of(const Text *text, const int32_t *last, int n) {
    const Grams *grams = &text->grams[n - 1];
    int64_t slot = (int64_t)(hash_of(last, n) & (uint64_t)(grams->slots - 1));
    while (grams->latest[slot] && !same_gram(text, grams->latest[slot], last, n)) {
        slot = (slot + 1) & (grams->slots - 1);
    }
    return slot;
}

static void make_room(Text *text, int n) {
    Grams *grams = &text->grams[n - 1];
    if (2 * (grams->used + 1) <= grams->slots) return;
    int32_t *before = grams->latest;
    const int64_t slots = grams->slots;
    int64_t room = 0;
    grams->slots = slots ? 2 * slots : 256;
    grams->latest = grown(NULL, &room, grams->slots, sizeof *grams->latest);
    memset(grams->latest, 0, (size_t)grams->slots * sizeof *grams->latest);
    for (int64_t slot = 0; slot < slots; slot++) {
        const int32_t place = before[slot];
        if (!place) continue;
        int32_t last[CONTEXT];
        for (int back = 0; back < n; back++) last[back] = text->tokens[place - 1 - back];
        grams->latest[slot_of(text, last, n)] = place;
    }
    free(before);
}

void text_clear(Text *text) {
    text->n = 0;
    for (int n = 1; n <= CONTEXT; n++) {
        Grams *grams = &text->grams[n - 1];
        grams->used = 0;
        if (grams->slots) memset(grams->latest, 0, (size_t)grams->slots * sizeof *grams->latest);
    }
}

void text_free(Text *text) {
    free(text->tokens);
    for (int n = 1; n <= CONTEXT; n++) {
        free(text->grams[n - 1].latest);
        free(text->grams[n - 1].earlier);
    }
}

void text_extend(Text *text, const int32_t *tokens, int64_t n) {
    text->tokens = grown(text->tokens, &text->room, text->n + n, sizeof *text->tokens);
    for (int64_t each = 0; each < n; each++) {
        const int32_t place = (int32_t)text->n;
        int32_t last[CONTEXT];
        text_context(text, last);
        /* The n-grams that end in the last token so far become known now that they have a successor. */
        for (int size = 1; size <= CONTEXT && size <= place; size++) {
            Grams *grams = &text->grams[size - 1];
            make_room(text, size);
            grams->earlier = grown(grams->earlier, &grams->room, place + 1, sizeof *grams->earlier);
            const int64_t slot = slot_of(text, last, size);
            grams->used += grams->latest[slot] == 0;
            grams->earlier[place] = grams->latest[slot];
            grams->latest[slot] = place;
        }
        text->tokens[text->n++] = tokens[each];
    }
}

void text_context(const Text *text, int32_t context[CONTEXT]) {
    for (int back = 0; back < CONTEXT; back++) {
        context[back] = text->n > back ? text->tokens[text->n - 1 - back] : -1;
    }
}

/* The latest place of the n-gram that ends in `last`, 0 = none. */
static int32_t latest(const Text *text, const int32_t *last, int n) {
    const Grams *grams = &text->grams[n - 1];
    for (int back = 0; back < n; back++) {
        if (last[back] < 0) return 0;
    }
    return grams->slots ? grams->latest[slot_of(text, last, n)] : 0;
}

static int32_t length_of(const Text *text, int32_t place) {
    const int32_t most = place < text->longest_checked ? place : text->longest_checked;
    int32_t length = CONTEXT;
    while (length < most && text->tokens[place - 1 - length] == text->tokens[text->n - 1 - length]) length++;
    return length;
}

static bool among(const Match *found, int n, int32_t place) {
    for (int each = 0; each < n; each++) {
        if (found[each].place == place) return true;
    }
    return false;
}

int text_matches(const Text *text, Match found[MOST_MATCHES]) {
    int32_t context[CONTEXT];
    text_context(text, context);
    int n = 0;
    for (int size = CONTEXT; size >= 1; size--) {
        const Grams *grams = &text->grams[size - 1];
        const int longer = n;
        int32_t place = latest(text, context, size);
        for (int each = 0; place && each < text->remembered; each++, place = grams->earlier[place]) {
            if (size < CONTEXT && among(found, longer, place)) continue;
            Match match = {place, size < CONTEXT ? size : length_of(text, place)};
            int at = n++;
            /* The longest first, of several the latest. */
            for (; size == CONTEXT && at > 0 && found[at - 1].length < match.length; at--) {
                found[at] = found[at - 1];
            }
            found[at] = match;
        }
    }
    return n;
}

bool text_after(const Text *text, const int32_t context[CONTEXT], Match *found) {
    for (int size = CONTEXT; size >= 1; size--) {
        const int32_t place = latest(text, context, size);
        if (place) {
            *found = (Match){place, size};
            return true;
        }
    }
    return false;
}

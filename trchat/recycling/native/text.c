/* Where the end of the text stood before, in it or in earlier ones: twin of trchat/recycling/suffix.py. */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/* An n-gram is known by where it ends: the n tokens before `place`. */
static inline bool same_gram(const int32_t *tokens, int32_t place, const int32_t *last, int n) {
    for (int back = 0; back < n; back++) {
        if (tokens[place - 1 - back] != last[back]) return false;
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
static inline int64_t slot_of(const Grams *grams, const int32_t *tokens, const int32_t *last, int n) {
    int64_t slot = (int64_t)(hash_of(last, n) & (uint64_t)(grams->slots - 1));
    while (grams->latest[slot] && !same_gram(tokens, grams->latest[slot], last, n)) {
        slot = (slot + 1) & (grams->slots - 1);
    }
    return slot;
}

static void make_room(Grams *grams, const int32_t *tokens, int n) {
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
        for (int back = 0; back < n; back++) last[back] = tokens[place - 1 - back];
        grams->latest[slot_of(grams, tokens, last, n)] = place;
    }
    free(before);
}

/* The n-gram that ends in `last` stood before `place`. */
static void add_place(Grams *grams, const int32_t *tokens, int32_t place, const int32_t *last, int n) {
    make_room(grams, tokens, n);
    grams->earlier = grown(grams->earlier, &grams->room, place + 1, sizeof *grams->earlier);
    const int64_t slot = slot_of(grams, tokens, last, n);
    grams->used += grams->latest[slot] == 0;
    grams->earlier[place] = grams->latest[slot];
    grams->latest[slot] = place;
}

static void clear_grams(Grams *grams) {
    grams->used = 0;
    if (grams->slots) memset(grams->latest, 0, (size_t)grams->slots * sizeof *grams->latest);
}

void text_clear(Text *text) {
    text->n = 0;
    for (int n = 1; n <= CONTEXT; n++) clear_grams(&text->grams[n - 1]);
}

void text_free(Text *text) {
    free(text->tokens);
    for (int n = 1; n <= CONTEXT; n++) {
        free(text->grams[n - 1].latest);
        free(text->grams[n - 1].earlier);
    }
    free(text->earlier.tokens);
    free(text->earlier.grams.latest);
    free(text->earlier.grams.earlier);
}

void text_extend(Text *text, const int32_t *tokens, int64_t n) {
    text->tokens = grown(text->tokens, &text->room, text->n + n, sizeof *text->tokens);
    for (int64_t each = 0; each < n; each++) {
        const int32_t place = (int32_t)text->n;
        int32_t last[CONTEXT];
        text_context(text, last);
        /* The n-grams that end in the last token so far become known now that they have a successor. */
        for (int size = 1; size <= CONTEXT && size <= place; size++) {
            add_place(&text->grams[size - 1], text->tokens, place, last, size);
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
static int32_t latest(const Grams *grams, const int32_t *tokens, const int32_t *last, int n) {
    for (int back = 0; back < n; back++) {
        if (last[back] < 0) return 0;
    }
    return grams->slots ? grams->latest[slot_of(grams, tokens, last, n)] : 0;
}

/* How many of the `tokens` before `place`, CONTEXT at least, are those that the text ends with. */
static int32_t length_of(const Text *text, const int32_t *tokens, int32_t place) {
    int64_t most = place < text->longest_checked ? place : text->longest_checked;
    if (text->n < most) most = text->n;
    int32_t length = CONTEXT;
    while (length < most && tokens[place - 1 - length] == text->tokens[text->n - 1 - length]) length++;
    return length;
}

static bool among(const Match *found, int n, int32_t place) {
    for (int each = 0; each < n; each++) {
        if (found[each].place == place) return true;
    }
    return false;
}

/* --- earlier texts --- */

static void append_earlier(Earlier *earlier, const int32_t *tokens, int64_t n) {
    earlier->tokens = grown(earlier->tokens, &earlier->room, earlier->n + n, sizeof *earlier->tokens);
    for (int64_t each = 0; each < n; each++) {
        const int32_t place = (int32_t)earlier->n;
        if (tokens[each] != GAP && place >= CONTEXT) {
            int32_t last[CONTEXT];
            bool whole = true;
            for (int back = 0; back < CONTEXT; back++) {
                last[back] = earlier->tokens[place - 1 - back];
                whole &= last[back] != GAP;
            }
            if (whole) add_place(&earlier->grams, earlier->tokens, place, last, CONTEXT);
        }
        earlier->tokens[earlier->n++] = tokens[each];
    }
}

void text_remember(Text *text, const int32_t *tokens, int64_t n) {
    Earlier *earlier = &text->earlier;
    const int64_t half = text->most_earlier / 2;
    if (n > half) {
        tokens += n - half;
        n = half;
    }
    if (earlier->n + n >= text->most_earlier) {
        int64_t room = 0;
        int32_t *kept = grown(NULL, &room, half, sizeof *kept);
        const int64_t n_kept = earlier->n < half ? earlier->n : half;
        memcpy(kept, earlier->tokens + earlier->n - n_kept, (size_t)n_kept * sizeof *kept);
        earlier->n = 0;
        clear_grams(&earlier->grams);
        append_earlier(earlier, kept, n_kept);
        free(kept);
    }
    const int32_t gap = GAP;
    append_earlier(earlier, &gap, 1);
    append_earlier(earlier, tokens, n);
}

void text_forget(Text *text) {
    text->earlier.n = 0;
    clear_grams(&text->earlier.grams);
}

static int32_t latest_earlier(const Earlier *earlier, const int32_t *last) {
    return latest(&earlier->grams, earlier->tokens, last, CONTEXT);
}

/* The place in earlier texts that the text's end matches longest, of several the latest. */
static Match longest_earlier(const Text *text) {
    const Earlier *earlier = &text->earlier;
    int32_t context[CONTEXT];
    text_context(text, context);
    Match best = {0, 0};
    int32_t place = latest_earlier(earlier, context);
    for (int each = 0; place && each < text->remembered; each++, place = earlier->grams.earlier[place]) {
        const int32_t length = length_of(text, earlier->tokens, place);
        if (length > best.length) best = (Match){~place, length};
    }
    return best;
}

/* Behind `n` matches in the text, the one in earlier texts if it is longer; returns how many there are then. */
static int with_longer(Match *found, int n, Match earlier) {
    if (earlier.length > (n ? found[0].length : 0)) found[n++] = earlier;
    return n;
}

static Match after_earlier(const Text *text, const int32_t *context) {
    const int32_t place = latest_earlier(&text->earlier, context);
    return place ? (Match){~place, CONTEXT} : (Match){0, 0};
}

/* --- what is asked --- */

int32_t text_follows(const Text *text, Match match) {
    return match.place >= 0 ? text->tokens[match.place] : text->earlier.tokens[~match.place];
}

int text_matches(const Text *text, Match found[MOST_MATCHES]) {
    int32_t context[CONTEXT];
    text_context(text, context);
    int n = 0;
    for (int size = CONTEXT; size >= 1; size--) {
        const Grams *grams = &text->grams[size - 1];
        const int longer = n;
        int32_t place = latest(&text->grams[size - 1], text->tokens, context, size);
        for (int each = 0; place && each < text->remembered; each++, place = grams->earlier[place]) {
            if (size < CONTEXT && among(found, longer, place)) continue;
            Match match = {place, size < CONTEXT ? size : length_of(text, text->tokens, place)};
            int at = n++;
            /* The longest first, of several the latest. */
            for (; size == CONTEXT && at > 0 && found[at - 1].length < match.length; at--) {
                found[at] = found[at - 1];
            }
            found[at] = match;
        }
    }
    return with_longer(found, n, longest_earlier(text));
}

static int own_after(const Text *text, const int32_t *context, Match *found) {
    for (int size = CONTEXT; size >= 1; size--) {
        const int32_t place = latest(&text->grams[size - 1], text->tokens, context, size);
        if (place) {
            *found = (Match){place, size};
            return 1;
        }
    }
    return 0;
}

int text_after(const Text *text, const int32_t context[CONTEXT], Match found[2]) {
    return with_longer(found, own_after(text, context, found), after_earlier(text, context));
}

int text_below(const Text *text, const Match *matches, int n_matches, const int32_t context[CONTEXT], Match *found) {
    const Earlier *earlier = &text->earlier;
    Match elsewhere = {0, 0};
    int n = 0;
    for (int each = 0; each < n_matches; each++) {
        const Match match = matches[each];
        const int64_t place = match.place >= 0 ? match.place : ~match.place;
        if (text_follows(text, match) != context[0]) continue;
        if (match.place >= 0) {
            if (place + 1 < text->n) found[n++] = (Match){match.place + 1, match.length + 1};
        } else if (place + 1 < earlier->n && earlier->tokens[place + 1] != GAP) {
            elsewhere = (Match){match.place - 1, match.length + 1};
        }
    }
    if (!n) n = own_after(text, context, found);
    return with_longer(found, n, elsewhere.length ? elsewhere : after_earlier(text, context));
}

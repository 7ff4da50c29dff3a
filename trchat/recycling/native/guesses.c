/* What is guessed after a context, by all that is known: twin of `guess` in trchat/recycling/growth.py. */
#include "grower.h"

static inline void add(Grower *grower, int64_t begin, int32_t token, int32_t kind) {
    for (int64_t each = begin; each < grower->n_guesses; each++) {
        if (grower->guess_token[each] == token) {
            grower->guess_kind[each] += kind;
            return;
        }
    }
    const int64_t n = grower->n_guesses + 1;
    ROOM(grower, guess_token, room_guess_token, n);
    ROOM(grower, guess_kind, room_guess_kind, n);
    grower->guess_token[n - 1] = token;
    grower->guess_kind[n - 1] = kind;
    grower->n_guesses = n;
}

static inline int at_most(int32_t length) { return length < LENGTHS ? length : LENGTHS - 1; }

static void add_suffix(Grower *grower, int64_t begin, const Match *matches, int n) {
    const int32_t *text = grower->text.tokens;
    const int32_t first = text[matches[0].place];
    int same = 0, other = -1;
    for (int each = 1; each < n; each++) {
        if (text[matches[each].place] == first) {
            same++;
        } else if (other < 0) {
            other = each;
        }
    }
    const int say = n == 1 ? ALONE : same == n - 1 ? UNITED : same ? DIVIDED : OPPOSED;
    const int32_t second = other < 0 ? -1 : text[matches[other].place];
    const int32_t passed_over = grower->passed_over_kind[at_most(matches[0].length)];
    for (int64_t each = begin; each < grower->n_guesses; each++) {
        const int32_t token = grower->guess_token[each];
        if (token != first && token != second) grower->guess_kind[each] += passed_over;
    }
    add(grower, begin, first, grower->first_kind[say][at_most(matches[0].length)]);
    if (other >= 0) add(grower, begin, second, grower->other_kind[at_most(matches[other].length)]);
}

Guessed guess(Grower *grower, const int32_t *context, const Match *matches, int n_matches) {
    const int64_t begin = grower->n_guesses;
    for (int number = 0; number < grower->tables->n; number++) {
        if (!grower->with_table[number]) continue;
        const uint32_t *row = candidates_after(grower->tables, number, context);
        if (!row) continue;
        for (int each = 0; each < grower->tables->table[number].k; each++) {
            if (row[each]) add(grower, begin, (int32_t)(row[each] >> 8), grower->row_kind[number][row[each] & 255]);
        }
    }
    const bool elsewhere = n_matches && matches[n_matches - 1].place < 0;
    const int n_own = n_matches - elsewhere;
    if (grower->with_suffix && n_own) add_suffix(grower, begin, matches, n_own);
    if (grower->with_earlier && elsewhere) {
        const Match match = matches[n_own];
        add(grower, begin, text_follows(&grower->text, match), grower->earlier_kind[at_most(match.length)]);
    }
    if (grower->with_recent) {
        for (int64_t each = begin; each < grower->n_guesses; each++) {
            grower->guess_kind[each] += recent_kind(&grower->recent, grower->guess_token[each]);
        }
    }
    return (Guessed){begin, (int)(grower->n_guesses - begin)};
}

Guessed guess_and_match(Grower *grower, const int32_t *context) {
    Match found[2];
    const int n = text_after(&grower->text, context, found);
    return guess(grower, context, found, n);
}

/* A grower: one draft tree under way, and all that its guesses come from. Only for the files that grow trees and
 * learn from them. */
#ifndef TRCHAT_GROWER_H
#define TRCHAT_GROWER_H

#include "kernel.h"

enum { LENGTHS = 64 }; /* of matches, longer ones count as the longest */
enum { ALONE, UNITED, DIVIDED, OPPOSED, OTHERS }; /* what other matches say of the longest one's token */

typedef struct {
    double path; /* probability of the whole path down to the node, or to be expected below it */
    int64_t count;
    int32_t token, kind, node, context[CONTEXT];
    int64_t matches; /* where its context's matches begin */
    int n_matches;
} Entry;

typedef struct {
    int64_t begin;
    int n; /* -1: not expanded */
} Guessed;

typedef struct {
    Tables *tables;
    Rates *rates;
    Text text;
    Recent recent;
    bool with_suffix, with_earlier, with_recent;
    int32_t row_kind[MOST_TABLES][256];
    bool with_table[MOST_TABLES];
    int32_t first_kind[OTHERS][LENGTHS], other_kind[LENGTHS], passed_over_kind[LENGTHS], earlier_kind[LENGTHS];
    double good, least;

    /* The tree under way, nodes in the order they were taken. */
    int64_t n;
    int32_t *token, *parent, *kind;
    double *path;
    Guessed root_guessed, *guessed;
    int64_t room_token, room_parent, room_kind, room_path, room_guessed;
    Entry *heap;
    int64_t n_heap, room_heap, count;
    Match *matches;
    int64_t n_matches, room_matches;
    int32_t *guess_token, *guess_kind;
    int64_t n_guesses, room_guess_token, room_guess_kind;

    /* The tree as it was cut: its nodes' numbers. */
    int32_t *order;
    int64_t n_order, room_order;

    /* Labels not handed over yet. */
    int32_t *label_kind;
    uint8_t *label_right;
    int64_t n_labels, room_label_kind, room_label_right;

    /* Of the last verified tree: contexts of its rows, and the rows whose tokens were emitted. */
    int32_t *contexts;
    int64_t n_rows, room_contexts;
    int32_t *chosen, *emitted, *candidates;
    double *chances;
    int64_t n_emitted, room_chosen, room_emitted, room_candidates, room_chances;
    uint32_t *packed;
    int32_t *best;
    float *maxima, *values, *mass;
    int64_t room_packed, room_best, room_maxima, room_values, room_mass;
} Grower;

#define ROOM(grower, array, room, needed) \
    ((grower)->array = grown((grower)->array, &(grower)->room, (needed), sizeof *(grower)->array))

/* --- guesses.c --- */

/* All guesses after `context`, which equals the text at `matches`. */
Guessed guess(Grower *grower, const int32_t *context, const Match *matches, int n_matches);

/* The same where the matches are still to be found. */
Guessed guess_and_match(Grower *grower, const int32_t *context);

/* --- growth.c --- */

/* What stands at the end of the text, before anything is guessed there. */
Entry root_entry(Grower *grower);

API void trchat_forget_guesses(Grower *grower);

#endif

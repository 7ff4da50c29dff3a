/* What a verified tree teaches: which guesses came true, the rows' candidates, what was lately considered. */
#include <math.h>

#include "grower.h"

enum { ROWS_LEARNED = 17 }; /* as in growth.py */

/* Say of all guesses for each token that the model was asked for (the path's and one more) which came true, and
 * note where the verified rows stand: the root's and those of the first `n_nodes` nodes that were cut. Then the
 * text goes on, by all that was emitted. */
API void trchat_note(Grower *grower, const int32_t *path, int64_t n_path, const int32_t *emitted,
                     int64_t n_emitted, int64_t n_nodes) {
    int32_t context[CONTEXT];
    text_context(&grower->text, context);
    Guessed guessed = grower->root_guessed;
    if (guessed.n < 0) { /* no tree was grown here */
        const Entry root = root_entry(grower);
        guessed = guess(grower, root.context, grower->matches, root.n_matches);
    }
    const int64_t n_asked = n_emitted <= n_path ? n_emitted : n_path + 1;
    for (int64_t each = 0; each < n_asked; each++) {
        if (guessed.n < 0) guessed = guess_and_match(grower, context);
        const int64_t n = grower->n_labels + guessed.n;
        ROOM(grower, label_kind, room_label_kind, n);
        ROOM(grower, label_right, room_label_right, n);
        for (int number = 0; number < guessed.n; number++) {
            const int64_t label = grower->n_labels + number;
            grower->label_kind[label] = grower->guess_kind[guessed.begin + number];
            grower->label_right[label] = grower->guess_token[guessed.begin + number] == emitted[each];
        }
        grower->n_labels = n;
        context[2] = context[1];
        context[1] = context[0];
        context[0] = emitted[each];
        guessed.n = -1;
        if (each < n_path) guessed = grower->guessed[grower->order[path[each]]];
    }

    grower->n_rows = n_nodes + 1;
    ROOM(grower, contexts, room_contexts, grower->n_rows * CONTEXT);
    text_context(&grower->text, grower->contexts);
    const int32_t *place = grower->order + grower->n_order;
    for (int64_t row = 1; row <= n_nodes; row++) {
        const int32_t node = grower->order[row - 1], parent = grower->parent[node];
        int32_t *own = grower->contexts + row * CONTEXT;
        const int32_t *above = grower->contexts + (parent == ROOT ? 0 : place[parent] + 1) * CONTEXT;
        own[0] = grower->token[node];
        own[1] = above[0];
        own[2] = above[1];
    }
    grower->n_emitted = n_asked;
    ROOM(grower, chosen, room_chosen, n_asked);
    ROOM(grower, emitted, room_emitted, n_asked);
    for (int64_t each = 0; each < n_asked; each++) {
        grower->chosen[each] = each ? path[each - 1] + 1 : 0;
        grower->emitted[each] = emitted[each];
    }
    trchat_forget_guesses(grower);
    text_extend(&grower->text, emitted, n_emitted);
}

/* The logarithm of a candidate's probability; minus infinity where that is not a number, which is not a candidate. */
static float certainty(float value, float mass) {
    const float certain = value - mass;
    return isfinite(certain) ? certain : -INFINITY;
}

/* Learn the k largest of the rows noted, of `width` logits, `stride` apart: of the first ROWS_LEARNED and those up
 * to the last one that a token was emitted at. With a `sample` of the first row (one in `sampled`), only if that is
 * still the same after the search: returns whether it was. */
API int trchat_recycle(Grower *grower, const float *rows, int64_t width, int64_t stride, int k, uint32_t clock,
                       const float *sample, int64_t sampled) {
    int64_t n_rows = grower->n_rows < ROWS_LEARNED ? grower->n_rows : ROWS_LEARNED;
    for (int64_t each = 0; each < grower->n_emitted; each++) {
        if (grower->chosen[each] >= n_rows) n_rows = grower->chosen[each] + 1;
    }
    const int64_t n_cells = n_rows * k;
    ROOM(grower, maxima, room_maxima, width + k);
    ROOM(grower, best, room_best, n_cells);
    ROOM(grower, values, room_values, n_cells);
    ROOM(grower, mass, room_mass, n_rows);
    int32_t *best = grower->best;
    float *values = grower->values, *mass = grower->mass;
    trchat_top_k(rows, n_rows, width, stride, k, grower->maxima, best, values, mass);
    for (int64_t each = 0; sample && each * sampled < width; each++) {
        if (rows[each * sampled] != sample[each]) return 0;
    }
    ROOM(grower, packed, room_packed, n_cells);
    for (int64_t cell = 0; cell < n_cells; cell++) {
        const float certain = certainty(values[cell], mass[cell / k]);
        grower->packed[cell] = isfinite(certain) ? packed_candidate(best[cell], certain) : 0;
    }
    trchat_tables_learn(grower->tables, grower->contexts, grower->packed, n_rows, k, clock);

    const int64_t n_chosen = grower->n_emitted * k;
    ROOM(grower, candidates, room_candidates, n_chosen);
    ROOM(grower, chances, room_chances, n_chosen);
    for (int64_t cell = 0; cell < n_chosen; cell++) {
        const int64_t row = grower->chosen[cell / k], from = row * k + cell % k;
        grower->candidates[cell] = best[from];
        grower->chances[cell] = expf(certainty(values[from], mass[row]));
    }
    recent_step(&grower->recent, grower->candidates, grower->chances, k, grower->n_emitted, grower->emitted);
    return 1;
}

API int64_t trchat_n_labels(const Grower *grower) { return grower->n_labels; }

/* Where the labels are, and how many: until more are noted. */
API int64_t trchat_take_labels(Grower *grower, const int32_t **kinds, const uint8_t **right) {
    const int64_t n = grower->n_labels;
    *kinds = grower->label_kind;
    *right = grower->label_right;
    grower->n_labels = 0;
    return n;
}

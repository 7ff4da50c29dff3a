/* Best-first growth of one draft tree: twin of trchat/recycling/growth.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

enum { ROWS_LEARNED = 17 }; /* as in growth.py */
enum { BELOW = -2, FILL_FROM = 256, LENGTHS = 64 };

enum { ALONE, UNITED, DIVIDED, OPPOSED, OTHERS };

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

/* suffix_kinds: (7, 64), see growth.py. row_kinds: (tables, 256), a table's first entry 1 where it is to be left out. */
API Grower *trchat_grower_new(Tables *tables, Rates *rates, const int32_t *row_kinds, const int32_t *suffix_kinds,
                              int with_suffix, int with_earlier, int with_recent, double good, double least,
                              int longest_checked, int remembered, int64_t most_earlier, double fade, double recent_least, double recent_most,
                              double unit_at_most, const double *edges, int n_edges, int recent_stride) {
    Grower *grower = cleared(sizeof *grower);
    grower->tables = tables;
    grower->rates = rates;
    for (int number = 0; number < tables->n; number++) {
        grower->with_table[number] = row_kinds[number * 256] == 0;
        memcpy(grower->row_kind[number], row_kinds + number * 256, sizeof grower->row_kind[number]);
    }
    memcpy(grower->first_kind, suffix_kinds, sizeof grower->first_kind);
    memcpy(grower->other_kind, suffix_kinds + OTHERS * LENGTHS, sizeof grower->other_kind);
    memcpy(grower->passed_over_kind, suffix_kinds + (OTHERS + 1) * LENGTHS, sizeof grower->passed_over_kind);
    memcpy(grower->earlier_kind, suffix_kinds + (OTHERS + 2) * LENGTHS, sizeof grower->earlier_kind);
    grower->with_suffix = with_suffix;
    grower->with_earlier = with_earlier;
    grower->with_recent = with_recent;
    grower->good = good;
    grower->least = least;
    grower->text.longest_checked = longest_checked;
    grower->text.remembered = remembered;
    grower->text.most_earlier = most_earlier;
    grower->recent.fade = fade;
    grower->recent.least = recent_least;
    grower->recent.most = recent_most;
    grower->recent.unit_at_most = unit_at_most;
    for (int each = 0; each < n_edges; each++) grower->recent.edge[each] = edges[each];
    grower->recent.n_edges = n_edges;
    grower->recent.stride = recent_stride;
    recent_clear(&grower->recent);
    grower->root_guessed.n = -1;
    return grower;
}

API void trchat_grower_free(Grower *grower) {
    text_free(&grower->text);
    void *all[] = {grower->token, grower->parent, grower->kind, grower->path, grower->guessed, grower->heap,
                   grower->matches, grower->guess_token, grower->guess_kind, grower->order, grower->label_kind,
                   grower->label_right, grower->contexts, grower->chosen, grower->emitted, grower->candidates,
                   grower->chances, grower->packed, grower->best, grower->maxima, grower->values, grower->mass};
    for (size_t each = 0; each < sizeof all / sizeof *all; each++) free(all[each]);
    free(grower);
}

/* What was guessed is for an earlier place. */
API void trchat_forget_guesses(Grower *grower) {
    grower->n_order = 0;
    grower->root_guessed.n = -1;
}

API void trchat_begin(Grower *grower) {
    text_clear(&grower->text);
    recent_clear(&grower->recent);
    trchat_forget_guesses(grower);
}

/* A text that is over, for those to come. */
API void trchat_remember(Grower *grower, const int32_t *tokens, int64_t n) {
    text_remember(&grower->text, tokens, n);
}

API void trchat_forget_texts(Grower *grower) { text_forget(&grower->text); }

API void trchat_extend(Grower *grower, const int32_t *tokens, int64_t n) { text_extend(&grower->text, tokens, n); }

/* --- the heap: the likeliest first, of several the one that came first --- */

static inline bool before(const Entry *one, const Entry *other) {
    return one->path > other->path || (one->path == other->path && one->count < other->count);
}

static void push(Grower *grower, const Entry *entry) {
    ROOM(grower, heap, room_heap, grower->n_heap + 1);
    Entry *heap = grower->heap;
    int64_t place = grower->n_heap++;
    while (place > 0 && before(entry, &heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = *entry;
}

static Entry pop(Grower *grower) {
    Entry *heap = grower->heap;
    const Entry top = heap[0], last = heap[--grower->n_heap];
    const int64_t n = grower->n_heap;
    int64_t place = 0;
    for (;;) {
        int64_t child = 2 * place + 1;
        if (child >= n) break;
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &last)) break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = last;
    return top;
}

/* --- guesses --- */

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

/* All guesses after `context`, which equals the text at `matches`. */
static Guessed guess(Grower *grower, const int32_t *context, const Match *matches, int n_matches) {
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

static Guessed guess_anew(Grower *grower, const int32_t *context) {
    Match found[2];
    const int n = text_after(&grower->text, context, found);
    return guess(grower, context, found, n);
}

/* Matches after going on to `context`: those that went the same way, else a short one. */
static void matches_below(Grower *grower, Entry *entry) {
    const int64_t begin = grower->n_matches;
    ROOM(grower, matches, room_matches, begin + entry->n_matches + 2);
    Match *matches = grower->matches;
    entry->n_matches = text_below(&grower->text, matches + entry->matches, entry->n_matches, entry->context,
                                  matches + begin);
    entry->matches = begin;
    grower->n_matches += entry->n_matches;
}

/* --- growth --- */

static void expand(Grower *grower, Entry *entry) {
    const int32_t node = entry->node;
    if (node != ROOT) matches_below(grower, entry);
    const Guessed found = guess(grower, entry->context, grower->matches + entry->matches, entry->n_matches);
    *(node == ROOT ? &grower->root_guessed : &grower->guessed[node]) = found;
    double chance[MOST_TABLES * MOST_CANDIDATES + 2], sum = 0;
    for (int each = 0; each < found.n; each++) {
        chance[each] = rate_of(grower->rates, grower->guess_kind[found.begin + each]);
        sum += chance[each];
    }
    const double share = (node == ROOT ? 1.0 : grower->path[node]) / (sum > 1.0 ? sum : 1.0);
    Entry child = *entry;
    for (int each = 0; each < found.n; each++) {
        child.path = share * chance[each];
        if (child.path > grower->least) {
            child.count = grower->count++;
            child.token = grower->guess_token[found.begin + each];
            child.kind = grower->guess_kind[found.begin + each];
            push(grower, &child);
        }
    }
}

/* What stands at the end of the text, before anything is guessed there. */
static Entry root_entry(Grower *grower) {
    grower->n = grower->n_heap = grower->n_guesses = grower->n_order = 0;
    grower->count = 1;
    ROOM(grower, matches, room_matches, MOST_MATCHES);
    Entry root = {.path = grower->good, .token = BELOW, .node = ROOT};
    text_context(&grower->text, root.context);
    grower->n_matches = root.n_matches = text_matches(&grower->text, grower->matches);
    return root;
}

/* Begin a tree, if none was begun since the text went on. Take nodes until there are `limit` or no guesses are left; returns how many there are, and their paths'
 * probabilities. */
API int64_t trchat_grow(Grower *grower, int64_t limit, const double **paths) {
    if (grower->root_guessed.n < 0) {
        Entry root = root_entry(grower);
        expand(grower, &root);
    }
    while (grower->n_heap && grower->n < limit) {
        Entry entry = pop(grower);
        if (entry.token == BELOW) {
            expand(grower, &entry);
            continue;
        }
        const int64_t node = grower->n++;
        ROOM(grower, token, room_token, grower->n);
        ROOM(grower, parent, room_parent, grower->n);
        ROOM(grower, path, room_path, grower->n);
        ROOM(grower, kind, room_kind, grower->n);
        ROOM(grower, guessed, room_guessed, grower->n);
        grower->token[node] = entry.token;
        grower->parent[node] = entry.node;
        grower->path[node] = entry.path;
        grower->kind[node] = entry.kind;
        grower->guessed[node].n = -1;
        entry.context[2] = entry.context[1];
        entry.context[1] = entry.context[0];
        entry.context[0] = entry.token;
        entry.path *= grower->good;
        entry.count = grower->count++;
        entry.token = BELOW;
        entry.kind = 0;
        entry.node = (int32_t)node;
        push(grower, &entry);
    }
    *paths = grower->path;
    return grower->n;
}

/* Add nodes below the root, up to `n_nodes`, with what the text said last, as far as that goes. */
static void fill(Grower *grower, int64_t n_nodes) {
    ROOM(grower, token, room_token, n_nodes);
    ROOM(grower, parent, room_parent, n_nodes);
    ROOM(grower, path, room_path, n_nodes);
    ROOM(grower, kind, room_kind, n_nodes);
    ROOM(grower, guessed, room_guessed, n_nodes);
    const Text *text = &grower->text;
    for (int64_t back = 1; back <= FILL_FROM && back <= text->n && grower->n < n_nodes; back++) {
        const int32_t token = text->tokens[text->n - back];
        bool known = false;
        for (int64_t node = 0; node < grower->n && !known; node++) {
            known = grower->parent[node] == ROOT && grower->token[node] == token;
        }
        if (known) continue;
        const int64_t node = grower->n++;
        grower->token[node] = token;
        grower->parent[node] = ROOT;
        grower->path[node] = 0.0;
        grower->kind[node] = 0;
        grower->guessed[node].n = -1;
    }
}

/* Cut the tree to its `n_nodes` likeliest nodes, filled up where there are fewer, the likeliest chain first.
 * Writes them out and returns how many there are. */
API int64_t trchat_cut(Grower *grower, int64_t n_nodes, int32_t *tokens, int32_t *parents, double *paths,
                       int32_t *kinds) {
    if (n_nodes > grower->n) fill(grower, n_nodes);
    const int64_t n = n_nodes < grower->n ? n_nodes : grower->n;
    ROOM(grower, order, room_order, 2 * n + 1);
    int32_t *order = grower->order, *place = order + n;
    int64_t ordered = 0;
    int32_t end = ROOT;
    for (int64_t node = 0; node < n; node++) {
        place[node] = ROOT;
        if (grower->parent[node] == end) { /* the first child taken is the likeliest one */
            order[ordered] = (int32_t)node;
            place[node] = (int32_t)ordered++;
            end = (int32_t)node;
        }
    }
    for (int64_t node = 0; node < n; node++) {
        if (place[node] != ROOT) continue;
        order[ordered] = (int32_t)node;
        place[node] = (int32_t)ordered++;
    }
    for (int64_t each = 0; each < n; each++) {
        const int32_t node = order[each], parent = grower->parent[node];
        tokens[each] = grower->token[node];
        parents[each] = parent == ROOT ? ROOT : place[parent];
        paths[each] = grower->path[node];
        kinds[each] = grower->kind[node];
    }
    grower->n_order = n;
    return n;
}

/* --- learning --- */

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
        if (guessed.n < 0) guessed = guess_anew(grower, context);
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

/* The logarithm of a candidate's probability; minus infinity where that is no number, which is no candidate. */
static float certainty(float value, float mass) {
    const float certain = value - mass;
    return isfinite(certain) ? certain : -INFINITY;
}

/* Learn the k largest of the rows noted, of `width` logits, `stride` apart: of the first ROWS_LEARNED and those up
 * to the last one that a token was emitted at. With a `sample` of the first row (one
 * in `sampled`), only if that is still the same after the search: returns whether it was. */
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

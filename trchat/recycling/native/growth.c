/* Best-first growth of one draft tree: twin of trchat/recycling/growth.py. */
#include <stdlib.h>
#include <string.h>

#include "grower.h"

enum { BELOW = -2 };      /* in place of a token: what stands below the node is still to be guessed */
enum { FILL_FROM = 256 }; /* the last tokens of the text, which a tree is filled up with */

/* --- its life --- */

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

/* --- growth --- */

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

Entry root_entry(Grower *grower) {
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

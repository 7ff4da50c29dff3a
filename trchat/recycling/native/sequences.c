/* Which sequence sees which node of a tree: twin of trchat/decoding/sequences.py. */
#include "kernel.h"

/* Of a tree of n > 0 nodes: depths (n,), counts (n,): how many sequences see each node, ids: which, a row of
 * `stride` for each node; leaves: scratch, room for n and for `least`. Each leaf has a sequence; up to `least` there
 * are others, which see the first `twins_see` nodes on the way to the first leaf. Returns how many sequences there
 * are; -1 where a parent does not come before its child. */
API int32_t trchat_sequences(const int32_t *parents, int32_t n, int32_t least, int32_t twins_see, int32_t *depths,
                             int32_t *counts, int32_t *ids, int64_t stride, int32_t *leaves) {
    for (int32_t node = 0; node < n; node++) {
        if (parents[node] < ROOT || parents[node] >= node) return -1;
        depths[node] = parents[node] == ROOT ? 1 : depths[parents[node]] + 1;
        counts[node] = 0;
        if (parents[node] != ROOT) counts[parents[node]] = 1; /* no leaf */
    }
    int32_t end = ROOT; /* of the leading chain */
    while (end + 1 < n && parents[end + 1] == end) end++;
    int32_t n_leaves = 0;
    for (int32_t node = end; node < n && !n_leaves; node++) {
        int32_t above = node;
        while (above > end) above = parents[above];
        if (!counts[node] && above == end) leaves[n_leaves++] = node;
    }
    for (int32_t node = 0; node < n; node++) {
        if (!counts[node] && node != leaves[0]) leaves[n_leaves++] = node;
    }
    for (int32_t node = 0; node < n; node++) counts[node] = 0;
    const int32_t n_seq = n_leaves < least ? least : n_leaves;
    for (int32_t seq = 0; seq < n_seq; seq++) {
        const bool twin = seq >= n_leaves;
        for (int32_t node = leaves[twin ? 0 : seq]; node != ROOT; node = parents[node]) {
            if (!twin || depths[node] <= twins_see) ids[node * stride + counts[node]++] = seq;
        }
    }
    return n_seq;
}

/* The k largest of each row: twin of trchat/recycling/topk.py, where the method is told. */
#include <math.h>
#include <string.h>

#include "kernel.h"

enum { GROUP_SIZE = 64, AT_A_TIME = 8, AT_ONCE = 64 };

typedef struct {
    int k, n;
    float value[MOST_CANDIDATES];
    int32_t index[MOST_CANDIDATES];
} Largest;

/* Largest first, ties by lowest index. */
static inline void insert(Largest *largest, float value, int32_t index) {
    int place = largest->n;
    if (place == largest->k) {
        const float least = largest->value[place - 1];
        if (!(value > least || (value == least && index < largest->index[place - 1]))) return;
        place--;
    } else {
        largest->n++;
    }
    for (; place > 0; place--) {
        const float above = largest->value[place - 1];
        if (!(value > above || (value == above && index < largest->index[place - 1]))) break;
        largest->value[place] = above;
        largest->index[place] = largest->index[place - 1];
    }
    largest->value[place] = value;
    largest->index[place] = index;
}

/* Group g holds the columns g, g + n_groups, ...: the inner loop runs along contiguous memory. */
static void group_maxima(const float *row, int64_t n_groups, float *maxima) {
    memcpy(maxima, row, (size_t)n_groups * sizeof *maxima);
    for (int64_t slice = 0; slice < GROUP_SIZE; slice += AT_A_TIME) {
        const float *part = row + slice * n_groups;
        for (int64_t group = 0; group < n_groups; group++) {
            float most = maxima[group];
            for (int each = 0; each < AT_A_TIME; each++) {
                const float value = part[each * n_groups + group];
                most = value > most ? value : most;
            }
            maxima[group] = most;
        }
    }
}

/* exp(x) for x <= 0, to six digits, in a form that compilers turn into vector instructions. */
static inline float decaying(float x) {
    const float doublings = (x > -80.0f ? x : -80.0f) * 1.44269504f;
    const int32_t whole = (int32_t)(doublings - 0.5f);
    const float rest = (doublings - (float)whole) * 0.693147181f; /* within log(2) / 2 of 0 */
    const float part =
        1 + rest * (1 + rest * (1 / 2.0f + rest * (1 / 6.0f + rest * (1 / 24.0f + rest * (1 / 120.0f + rest / 720)))));
    union {
        int32_t bits;
        float value;
    } scale = {(whole + 127) << 23};
    return scale.value * part;
}

/* The logarithm of the sum of exp(values), of which `top` is the largest. */
static float mass_of(const float *values, int64_t n, float top) {
    enum { LANES = 16 };
    float sums[LANES] = {0};
    int64_t each = 0;
    for (; each + LANES <= n; each += LANES) {
        for (int lane = 0; lane < LANES; lane++) sums[lane] += decaying(values[each + lane] - top);
    }
    float sum = 0;
    for (; each < n; each++) sum += decaying(values[each] - top);
    for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
    return top + logf(sum);
}

/* rows: n of `width` values, `stride` apart; maxima: room for width / 64 + k. Results: (n, k), (n, k), (n,). */
API void trchat_top_k(const float *rows, int64_t n, int64_t width, int64_t stride, int k, float *maxima,
                      int32_t *best, float *values, float *mass) {
    const int64_t n_groups = width / GROUP_SIZE, body = n_groups * GROUP_SIZE;
    const bool grouped = n_groups > 4 * k;
    for (int64_t number = 0; number < n; number++) {
        const float *row = rows + number * stride;
        Largest largest = {.k = k};
        if (!grouped) {
            for (int64_t column = 0; column < width; column++) insert(&largest, row[column], (int32_t)column);
            mass[number] = mass_of(row, width, largest.value[0]);
        } else {
            group_maxima(row, n_groups, maxima);
            Largest bound = {.k = k};
            for (int64_t group = 0; group < n_groups; group++) insert(&bound, maxima[group], (int32_t)group);
            const float threshold = bound.value[k - 1];
            for (int64_t group = 0; group < n_groups; group++) {
                if (maxima[group] < threshold) continue;
                for (int64_t column = group; column < body; column += n_groups) {
                    if (row[column] >= threshold) insert(&largest, row[column], (int32_t)column);
                }
            }
            for (int64_t column = body; column < width; column++) {
                if (row[column] >= threshold) insert(&largest, row[column], (int32_t)column);
            }
            /* All maxima, and what else is among the largest. */
            int64_t n_summands = n_groups;
            for (int each = 0; each < k; each++) {
                const int32_t column = largest.index[each];
                const float value = largest.value[each];
                if (column >= body || value < maxima[column % n_groups]) maxima[n_summands++] = value;
            }
            mass[number] = mass_of(maxima, n_summands, largest.value[0]);
        }
        memcpy(best + number * k, largest.index, (size_t)k * sizeof *best);
        memcpy(values + number * k, largest.value, (size_t)k * sizeof *values);
    }
}

/* Put `value` in the place of the least of a heap of k, which is its first. */
static void replace_least(float *heap, int k, float value) {
    int place = 0;
    for (;;) {
        int below = 2 * place + 1;
        if (below >= k) break;
        if (below + 1 < k && heap[below + 1] < heap[below]) below++;
        if (heap[below] >= value) break;
        heap[place] = heap[below];
        place = below;
    }
    heap[place] = value;
}

/* Whether any of the next AT_ONCE values is larger than `least`; counted, which compilers vectorise best. */
static inline bool any_above(const float *values, float least) {
    int above = 0;
    for (int each = 0; each < AT_ONCE; each++) above += values[each] > least;
    return above != 0;
}

/* changed: tokens in rising order; found: room for n. Returns how many were found, 0 where that cannot be known. */
API int64_t trchat_contenders(const float *row, int64_t n, int k, const int32_t *changed, int64_t n_changed,
                              Contender *found) {
    float largest[MOST_CONTENDED]; /* so far, of those that stay as they are; a heap */
    int64_t n_found = 0, next = 0;
    if (k > n || k > MOST_CONTENDED) return 0;
    for (int each = 0; each < k; each++) {
        if (row[each] != row[each]) return 0;
        largest[each] = -INFINITY;
    }
    for (int64_t token = 0; token < n; token++) {
        if (token >= k) { /* by far the most are neither large nor changed */
            const int64_t stop = next < n_changed ? changed[next] : n;
            const float least = largest[0];
            while (token + AT_ONCE <= stop && !any_above(row + token, least)) token += AT_ONCE;
            while (token < stop && !(row[token] > least)) token++;
            if (token == n) break;
        }
        if (next < n_changed && changed[next] == token) {
            next++;
        } else if (row[token] > largest[0]) {
            replace_least(largest, k, row[token]);
        }
        found[n_found++] = (Contender){.token = (int32_t)token, .logit = row[token], .p = 0};
    }
    return n_found;
}

/* What the model lately considered and did not say: twin of trchat/recycling/growth.py. */
#include <math.h>
#include <string.h>

#include "kernel.h"

enum { FREE = -1 };

static inline int slot_of(const Recent *recent, int32_t token) {
    uint32_t slot = ((uint32_t)token * 0x9E3779B1u) >> 19; /* 13 bits */
    while (recent->token[slot] != FREE && recent->token[slot] != token) slot = (slot + 1) % RECENT_SLOTS;
    return (int)slot;
}

void recent_clear(Recent *recent) {
    memset(recent->token, 0xFF, sizeof recent->token);
    recent->used = 0;
    recent->unit = 1.0;
}

/* Drop what has faded and count in a unit of 1 again. */
static void renew(Recent *recent) {
    const double unit = recent->unit;
    int32_t *token = recent->kept_token;
    double *weight = recent->kept_weight;
    int n = 0;
    for (int slot = 0; slot < RECENT_SLOTS; slot++) {
        if (recent->token[slot] != FREE && recent->weight[slot] >= recent->least * unit) {
            token[n] = recent->token[slot];
            weight[n++] = recent->weight[slot] / unit;
        }
    }
    recent_clear(recent);
    for (int each = 0; each < n; each++) {
        const int slot = slot_of(recent, token[each]);
        recent->token[slot] = token[each];
        recent->weight[slot] = weight[each];
    }
    recent->used = n;
}

void recent_step(Recent *recent, const int32_t *candidates, const double *chances, int k, int64_t n,
                 const int32_t *emitted) {
    recent->unit /= pow(recent->fade, (double)n);
    const double unit = recent->unit;
    for (int64_t row = 0; row < n; row++) {
        for (int each = 0; each < k; each++) {
            const int32_t token = candidates[row * k + each];
            if (token == emitted[row]) continue;
            const int slot = slot_of(recent, token);
            if (recent->token[slot] == FREE) {
                if (recent->used >= RECENT_SLOTS / 2) continue; /* far more than ever have any weight */
                recent->used++;
                recent->token[slot] = token;
                recent->weight[slot] = 0.0;
            }
            const double weight = recent->weight[slot] + chances[row * k + each] * unit;
            recent->weight[slot] = weight < recent->most * unit ? weight : recent->most * unit;
        }
    }
    if (unit > recent->unit_at_most) renew(recent);
}

int32_t recent_kind(const Recent *recent, int32_t token) {
    const int slot = slot_of(recent, token);
    if (recent->token[slot] == FREE) return 0;
    const double weight = recent->weight[slot] / recent->unit;
    if (weight < recent->least) return 0;
    int level = 1;
    for (int each = 0; each < recent->n_edges; each++) level += weight >= recent->edge[each];
    return level * recent->stride;
}

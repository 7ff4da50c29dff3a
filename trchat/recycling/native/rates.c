/* Hit rates by kind of guess: twin of trchat/recycling/calibration.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

API Rates *trchat_rates_new(int n_sources, int n_levels, const int32_t *sizes, float *hits, float *seen,
                            float *weights, float *bias, float *set_weights, float *set_bias, float *stretched,
                            const int64_t *version, double rate, double set_rate, double sure, int at_once) {
    Rates *rates = cleared(sizeof *rates);
    *rates = (Rates){
        .n_sources = n_sources,
        .n_levels = n_levels,
        .hits = hits,
        .seen = seen,
        .weights = weights,
        .bias = bias,
        .set_weights = set_weights,
        .set_bias = set_bias,
        .stretched = stretched,
        .version = version,
        .rate = rate,
        .set_rate = set_rate,
        .sure = sure,
        .at_once = at_once,
        .cached_version = *version - 1,
    };
    for (int source = 0; source < n_sources; source++) rates->size[source] = sizes[source];
    return rates;
}

API void trchat_rates_free(Rates *rates) { free(rates); }

/* The sources' levels; returns which of them say something, as bits. */
static inline int levels_of(const Rates *rates, int32_t kind, int level[MOST_SOURCES]) {
    int members = 0;
    for (int source = 0; source < rates->n_sources; source++) {
        level[source] = kind % rates->size[source];
        kind /= rates->size[source];
        members |= (level[source] > 0) << source;
    }
    return members;
}

static inline double chance(const Rates *rates, double odds) {
    if (odds > rates->sure) odds = rates->sure;
    if (odds < -rates->sure) odds = -rates->sure;
    return 1 / (1 + exp(-odds));
}

static double mixed(const Rates *rates, int32_t kind) {
    int level[MOST_SOURCES];
    const int members = levels_of(rates, kind, level);
    const float *set_weights = rates->set_weights + members * rates->n_sources;
    double odds = 0;
    for (int source = 0; source < rates->n_sources; source++) {
        if (!level[source]) continue;
        const float weight = rates->weights[source] + set_weights[source];
        odds += (double)weight * (double)rates->stretched[source * rates->n_levels + level[source]];
    }
    return chance(rates, odds + (double)(rates->bias[0] + rates->set_bias[members]));
}

API double trchat_rate(Rates *rates, int32_t kind) { return rate_of(rates, kind); }

double rate_of(Rates *rates, int32_t kind) {
    if (rates->cached_version != *rates->version) {
        memset(rates->cached_kind, 0xFF, sizeof rates->cached_kind);
        rates->cached_version = *rates->version;
    }
    const uint32_t slot = ((uint32_t)kind * 0x9E3779B1u) >> 22; /* 10 bits */
    if (rates->cached_kind[slot] != kind) {
        rates->cached_kind[slot] = kind;
        rates->cached_rate[slot] = mixed(rates, kind);
    }
    return rates->cached_rate[slot];
}

/* Label n guesses with what was learned so far; `stretched` is taken from the counts, these included. */
API void trchat_rates_learn(Rates *rates, const int32_t *kinds, const uint8_t *right, int64_t n) {
    const int n_sources = rates->n_sources, n_levels = rates->n_levels;
    int level[MOST_SOURCES];
    for (int64_t each = 0; each < n; each++) {
        levels_of(rates, kinds[each], level);
        for (int source = 0; source < n_sources; source++) {
            rates->seen[source * n_levels + level[source]] += 1;
            rates->hits[source * n_levels + level[source]] += right[each];
        }
    }
    for (int cell = 0; cell < n_sources * n_levels; cell++) {
        float rate = rates->hits[cell] / rates->seen[cell];
        rate = rate < 0.001f ? 0.001f : rate > 0.999f ? 0.999f : rate;
        rates->stretched[cell] = logf(rate / (1 - rate));
    }
    for (int64_t start = 0; start < n; start += rates->at_once) {
        const int64_t stop = start + rates->at_once < n ? start + rates->at_once : n;
        /* All errors of a part are taken before any of them changes a weight. */
        float error[256];
        float weight_steps[MOST_SOURCES] = {0}, bias_step = 0;
        for (int64_t each = start; each < stop; each++) {
            const int members = levels_of(rates, kinds[each], level);
            const float *set_weights = rates->set_weights + members * n_sources;
            float odds = 0;
            for (int source = 0; source < n_sources; source++) {
                if (!level[source]) continue;
                odds += (rates->weights[source] + set_weights[source]) *
                        rates->stretched[source * n_levels + level[source]];
            }
            odds += rates->bias[0] + rates->set_bias[members];
            const float wrong = error[each - start] = (float)(right[each] - chance(rates, odds));
            for (int source = 0; source < n_sources; source++) {
                if (level[source]) weight_steps[source] += wrong * rates->stretched[source * n_levels + level[source]];
            }
            bias_step += wrong;
        }
        for (int64_t each = start; each < stop; each++) {
            const int members = levels_of(rates, kinds[each], level);
            const float step = (float)rates->set_rate * error[each - start];
            float *set_weights = rates->set_weights + members * n_sources;
            for (int source = 0; source < n_sources; source++) {
                if (level[source]) set_weights[source] += step * rates->stretched[source * n_levels + level[source]];
            }
            rates->set_bias[members] += step;
        }
        for (int source = 0; source < n_sources; source++) {
            rates->weights[source] += (float)rates->rate * weight_steps[source];
        }
        rates->bias[0] += (float)rates->rate * bias_step;
    }
}

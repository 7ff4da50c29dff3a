/* The drafter's inner loops in C, called through ctypes: what they are is told by their twins in Python
 * (trchat/recycling/kernel.py names them), which are used where no compiler was at hand.
 *
 * All arrays that outlive a text (tables, hit rates) belong to numpy; only what one text needs is kept here.
 * Nothing in here reads a clock, a file or the environment.
 */
#ifndef TRCHAT_KERNEL_H
#define TRCHAT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

enum { ROOT = -1 }; /* a node's parent: the last known token */
enum { CONTEXT = 3, WAYS = 4, MOST_TABLES = 8, MOST_CANDIDATES = 16, MOST_SOURCES = 8 };

/* Memory of zeros, and memory that grows. Where there is none left the process ends: there is nothing sensible to go on with. */
void *cleared(size_t size);
void *grown(void *memory, int64_t *room, int64_t needed, size_t size);

/* --- topk.c --- */

API void trchat_top_k(const float *rows, int64_t n, int64_t width, int64_t stride, int k, float *maxima, int32_t *best,
                      float *values, float *mass);

enum { MOST_CONTENDED = 128 };

typedef struct {
    int32_t token;
    float logit, p;
} Contender; /* llama.cpp's llama_token_data */

API int64_t trchat_contenders(const float *row, int64_t n, int k, const int32_t *changed, int64_t n_changed,
                              Contender *found);

/* --- tables.c --- */

typedef struct {
    uint32_t which;   /* which of the last tokens are hashed: a bit mask, 1 = the last one */
    int shift;        /* of a hash, to a bucket */
    int64_t bucket;   /* the table's first */
    int64_t start;    /* the cell of a row at place p is start + p * k */
    int k;            /* candidates in a row */
    double kept;      /* weight of what a row held, when it is learned again */
} Table;

typedef struct {
    uint32_t *tags, *stamps, *packed;
    uint8_t *counts;
    double probability[256]; /* by 8-bit step */
    int n;
    Table table[MOST_TABLES];
    /* for lessons: */
    int64_t *places, *next, *last;
    uint32_t *keys;
    int32_t *tokens;
    double *chances;
    int64_t room_lessons, room_keys, room_next, room_last, room_tokens, room_chances;
} Tables;

/* A candidate as it is kept. */
uint32_t packed_candidate(int32_t token, float log_probability);

API void trchat_tables_learn(Tables *tables, const int32_t *contexts, const uint32_t *packed, int64_t n, int length,
                             uint32_t clock);

/* The candidates of `table` after `context`, and how many; NULL where it knows none. */
const uint32_t *candidates_after(const Tables *tables, int table, const int32_t context[CONTEXT]);

/* --- rates.c --- */

typedef struct {
    int n_sources, n_levels;
    int32_t size[MOST_SOURCES];
    float *hits, *seen, *weights, *bias, *set_weights, *set_bias, *stretched;
    const int64_t *version; /* another number whenever any of it has changed */
    double rate, set_rate, sure;
    int at_once;
    int64_t cached_version;
    int32_t cached_kind[1024];
    double cached_rate[1024];
} Rates;

double rate_of(Rates *rates, int32_t kind);

/* --- text.c --- */

typedef struct {
    int32_t place;  /* of the token that followed; in earlier texts ~place */
    int32_t length; /* of the match */
} Match;

typedef struct {
    int32_t *latest; /* hash table: the latest place of each n-gram, 0 = free */
    int64_t slots, used;
    int32_t *earlier; /* by place: the place before it of the same n-gram, 0 = none */
    int64_t room;
} Grams;

typedef struct {
    int32_t *tokens;
    int64_t n, room;
    Grams grams; /* of CONTEXT tokens */
} Earlier; /* texts that are over, with a GAP between two */

typedef struct {
    int32_t *tokens;
    int64_t n, room;
    Grams grams[CONTEXT];
    int longest_checked, remembered;
    Earlier earlier;
    int64_t most_earlier;
} Text;

enum { MOST_MATCHES = 64, GAP = -1 };

void text_clear(Text *text);
void text_free(Text *text);
void text_extend(Text *text, const int32_t *tokens, int64_t n);
void text_context(const Text *text, int32_t context[CONTEXT]);
int text_matches(const Text *text, Match found[MOST_MATCHES]);
/* These return how many were found: one more than `n_matches` at most, or two. */
int text_below(const Text *text, const Match *matches, int n_matches, const int32_t context[CONTEXT], Match *found);
int text_after(const Text *text, const int32_t context[CONTEXT], Match found[2]);
int32_t text_follows(const Text *text, Match match);
void text_remember(Text *text, const int32_t *tokens, int64_t n);
void text_forget(Text *text);

/* --- recent.c --- */

enum { RECENT_SLOTS = 8192, RECENT_EDGES = 8 };

typedef struct {
    int32_t token[RECENT_SLOTS]; /* -1 = free */
    double weight[RECENT_SLOTS];
    int32_t kept_token[RECENT_SLOTS / 2]; /* scratch */
    double kept_weight[RECENT_SLOTS / 2];
    int used;
    double unit, fade, least, most, unit_at_most;
    int n_edges, stride;
    double edge[RECENT_EDGES];
} Recent;

void recent_clear(Recent *recent);
void recent_step(Recent *recent, const int32_t *candidates, const double *chances, int k, int64_t n,
                 const int32_t *emitted);
int32_t recent_kind(const Recent *recent, int32_t token);

#endif

/*
 * constraint.c - all tokens as sorted byte strings: walked from one to the next, a token shares the states of the bytes
 * that it has in common with the one before, and a byte that does not fit rules out all tokens that begin with it.
 */
#include "model/constraint.h"

#include <string.h>

#include "base/memory.h"

#define MAX_TOKEN_BYTES 256       /* longer tokens are not permitted: they are rows of one character */
#define MAX_COMPLETION_BYTES 4400 /* of the largest schema */
#define N_REMEMBERED 64

typedef struct token {
    const char *bytes;
    int32_t id;
    uint16_t len, shared; /* shared: leading bytes equal to those of the token before */
} token;

/* What is permitted between two characters of a text while at least n_left tokens may be written: then the limit rules
 * nothing out. */
typedef struct text_set {
    uint64_t *permitted;
    size_t n_left;
} text_set;

struct sv_constraint {
    sv_answer_schema schema;
    const sv_tokenizer *tokenizer;
    size_t n_words, longest_completion;
    token *tokens; /* [n_tokens] sorted by bytes */
    size_t n_tokens;
    size_t first[257];                        /* tokens[first[b]] is the first that begins with byte b or a later one */
    text_set in_text[SV_MAX_ANSWER_ITEMS][2]; /* [1]: within a fence; permitted is NULL for other kinds */
};

size_t sv_constraint_n_words(const sv_constraint *c) { return c->n_words; }

static int compare_tokens(const void *a, const void *b) {
    const token *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, SV_MIN(x->len, y->len));
    return order ? order : x->len != y->len ? x->len - y->len : x->id - y->id;
}

/* Whether the id is an added token, which stands for itself and not for its text. */
static bool is_added(const sv_tokenizer *tokenizer, int32_t id, const char *bytes, size_t len) {
    char content[MAX_TOKEN_BYTES + 1];
    memcpy(content, bytes, len);
    content[len] = 0;
    return sv_tokenizer_special(tokenizer, content) == id;
}

static sv_status sort_tokens(sv_constraint *c, sv_error *err) {
    int n_ids = sv_tokenizer_n_ids(c->tokenizer);
    c->tokens = sv_calloc((size_t)n_ids, sizeof *c->tokens);
    if (!c->tokens) return sv_fail_memory(err, "sorted tokens", (size_t)n_ids * sizeof *c->tokens);
    for (int32_t id = 0; id < n_ids; id++) {
        size_t len;
        const char *bytes = sv_tokenizer_bytes(c->tokenizer, id, &len);
        if (len == 0 || len > MAX_TOKEN_BYTES || is_added(c->tokenizer, id, bytes, len)) continue;
        c->tokens[c->n_tokens++] = (token){.bytes = bytes, .id = id, .len = (uint16_t)len};
    }
    if (c->n_tokens > 1) qsort(c->tokens, c->n_tokens, sizeof *c->tokens, compare_tokens);
    for (size_t i = 0; i < c->n_tokens; i++) {
        token *t = &c->tokens[i];
        size_t shared = 0, most = i ? SV_MIN(t->len, t[-1].len) : 0;
        while (shared < most && t->bytes[shared] == t[-1].bytes[shared]) shared++;
        t->shared = (uint16_t)shared;
        c->first[(unsigned char)t->bytes[0] + 1] = i + 1;
    }
    for (int b = 1; b <= 256; b++) c->first[b] = SV_MAX(c->first[b], c->first[b - 1]);
    return SV_OK;
}

/* Every byte of a completion must be a token, so that any answer can be ended. */
static sv_status check_bytes(const sv_constraint *c, sv_error *err) {
    for (int b = 0; b < 256; b++) {
        bool printable = b == '\n' || (b >= 0x20 && b < 0x7f) || (b >= 0x80 && b < 0xf5 && b != 0xc0 && b != 0xc1);
        const token *t = &c->tokens[c->first[b]];
        if (!printable || (c->first[b] < c->first[b + 1] && t->len == 1)) continue;
        return sv_fail(err, SV_ERR_UNSUPPORTED,
                       "the tokenizer has no token for the byte %02x: the form of an answer needs one for every byte",
                       (unsigned)b);
    }
    return SV_OK;
}

bool sv_constraint_read(const sv_constraint *c, sv_answer_state *state, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!sv_answer_step(&c->schema, state, (unsigned char)bytes[i])) return false;
    }
    return true;
}

/* The tokens [*first, *end), all equal in their first `at` bytes, become those whose next byte is `byte`. */
static void narrow(const sv_constraint *c, size_t *first, size_t *end, size_t at, unsigned char byte) {
    for (int bound = 0; bound < 2; bound++) { /* the first token not below the byte, then the first above it */
        size_t low = *first, high = *end;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            const token *t = &c->tokens[middle];
            int next = at < t->len ? (unsigned char)t->bytes[at] : -1;
            if (next < byte + bound)
                low = middle + 1;
            else
                high = middle;
        }
        *(bound ? end : first) = low;
    }
}

/* The least number of tokens that make up the bytes: best[i] of the bytes from i, backwards. */
static size_t fewest_tokens(const sv_constraint *c, const unsigned char *bytes, size_t n) {
    uint16_t best[MAX_COMPLETION_BYTES + 1];
    best[n] = 0;
    for (size_t i = n; i-- > 0;) {
        best[i] = UINT16_MAX;
        size_t first = 0, end = c->n_tokens;
        for (size_t at = 0; i + at < n && first < end; at++) {
            narrow(c, &first, &end, at, bytes[i + at]);
            if (first < end && c->tokens[first].len == at + 1 && best[i + at + 1] + 1 < best[i])
                best[i] = (uint16_t)(best[i + at + 1] + 1);
        }
    }
    return best[0];
}

size_t sv_constraint_n_needed(const sv_constraint *c, const sv_answer_state *state) {
    unsigned char bytes[MAX_COMPLETION_BYTES];
    sv_answer_state s = *state;
    size_t n = 0;
    for (int byte; n < sizeof bytes && (byte = sv_answer_shortest(&c->schema, &s)) >= 0; n++) {
        bytes[n] = (unsigned char)byte;
        sv_answer_step(&c->schema, &s, bytes[n]);
    }
    return fewest_tokens(c, bytes, n);
}

/* What has been found out about states: many tokens lead to the same few. */
typedef struct remembered {
    sv_answer_state state;
    bool known;
    size_t n_needed;
} remembered;

typedef struct walk {
    const sv_constraint *c;
    size_t n_after;  /* tokens left after the one that is looked at; SIZE_MAX: any number */
    size_t n_needed; /* the most that any token needs after it; found with SIZE_MAX only */
    bool limited;    /* some token was ruled out by n_after alone */
    uint64_t *permitted;
    sv_answer_state states[MAX_TOKEN_BYTES + 1]; /* after so many bytes of the token */
    remembered memory[N_REMEMBERED];
} walk;

static size_t needed(walk *w, const sv_answer_state *state) {
    unsigned hash = state->place * 7U + state->item * 13U + state->at * 3U + state->low + state->spaces * 29U +
                    state->code + (unsigned)(state->used ^ state->candidates >> 3);
    remembered *r = &w->memory[hash % N_REMEMBERED];
    if (!r->known || memcmp(&r->state, state, sizeof *state) != 0)
        *r = (remembered){*state, true, sv_constraint_n_needed(w->c, state)};
    return r->n_needed;
}

static bool fits(walk *w, const sv_answer_state *state) {
    if (w->n_after == SIZE_MAX) {
        w->n_needed = SV_MAX(w->n_needed, needed(w, state));
        return true;
    }
    bool fit = w->n_after >= w->c->longest_completion || needed(w, state) <= w->n_after;
    w->limited |= !fit;
    return fit;
}

/* Tokens [first, end), which all begin with the same byte. */
static void walk_tokens(walk *w, size_t first, size_t end) {
    size_t n_valid = 0; /* bytes of the last token that fitted */
    for (size_t i = first; i < end; i++) {
        const token *t = &w->c->tokens[i];
        size_t at = i == first ? 0 : t->shared;
        if (at > n_valid) continue; /* begins with what did not fit */
        for (; at < t->len; at++) {
            w->states[at + 1] = w->states[at];
            if (!sv_answer_step(&w->c->schema, &w->states[at + 1], (unsigned char)t->bytes[at])) break;
        }
        n_valid = at;
        if (at == t->len && fits(w, &w->states[at])) w->permitted[t->id / 64] |= (uint64_t)1 << (t->id % 64);
    }
}

static void walk_all(walk *w, const sv_answer_state *state) {
    const sv_constraint *c = w->c;
    memset(w->permitted, 0, c->n_words * sizeof *w->permitted);
    w->states[0] = *state;
    for (int b = 0; b < 256; b++) {
        sv_answer_state after = *state;
        if (c->first[b] == c->first[b + 1] || !sv_answer_step(&c->schema, &after, (unsigned char)b)) continue;
        walk_tokens(w, c->first[b], c->first[b + 1]);
    }
}

const uint64_t *sv_constraint_permitted(const sv_constraint *c, const sv_answer_state *state, size_t n_left,
                                        uint64_t *scratch, bool *limited) {
    const text_set *text = &c->in_text[state->item][state->fenced];
    *limited = false;
    if (sv_answer_in_text(state) && n_left >= text->n_left) return text->permitted;
    walk w = {.c = c, .n_after = SV_MIN(SV_MAX(n_left, 1) - 1, SIZE_MAX - 1), .permitted = scratch};
    walk_all(&w, state);
    *limited = w.limited;
    return scratch;
}

/* The sets of in_text: a text's state is reached by the shortest way to it. */
static sv_status make_text_sets(sv_constraint *c, sv_error *err) {
    for (int fenced = 0; fenced < 2; fenced++) {
        sv_answer_state s;
        sv_answer_begin(&s);
        if (fenced) sv_constraint_read(c, &s, "```json\n", 8);
        for (int byte; (byte = sv_answer_shortest(&c->schema, &s)) >= 0;) {
            if (sv_answer_in_text(&s)) {
                text_set *set = &c->in_text[s.item][fenced];
                set->permitted = sv_calloc(c->n_words, sizeof *set->permitted);
                if (!set->permitted) return sv_fail_memory(err, "permitted tokens", c->n_words * 8);
                walk w = {.c = c, .n_after = SIZE_MAX, .permitted = set->permitted};
                walk_all(&w, &s);
                set->n_left = 1 + w.n_needed;
            }
            sv_answer_step(&c->schema, &s, (unsigned char)byte);
        }
    }
    return SV_OK;
}

sv_status sv_constraint_new(const sv_answer_schema *schema, const sv_tokenizer *tokenizer, sv_constraint **out,
                            sv_error *err) {
    *out = NULL;
    sv_status status = sv_answer_schema_check(schema, err);
    if (status != SV_OK) return status;
    sv_constraint *c = sv_calloc(1, sizeof *c);
    if (!c) return sv_fail_memory(err, "constraint", sizeof *c);
    c->schema = *schema;
    c->tokenizer = tokenizer;
    c->n_words = ((size_t)sv_tokenizer_n_ids(tokenizer) + 63) / 64;
    c->longest_completion = sv_answer_longest_completion(schema);
    status = sort_tokens(c, err);
    if (status == SV_OK) status = check_bytes(c, err);
    if (status == SV_OK) status = make_text_sets(c, err);
    if (status != SV_OK) {
        sv_constraint_free(c);
        return status;
    }
    *out = c;
    return SV_OK;
}

void sv_constraint_free(sv_constraint *c) {
    if (!c) return;
    for (int i = 0; i < SV_MAX_ANSWER_ITEMS; i++) {
        free(c->in_text[i][0].permitted);
        free(c->in_text[i][1].permitted);
    }
    free(c->tokens);
    free(c);
}

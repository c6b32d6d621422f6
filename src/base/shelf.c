/* shelf.c - the shelf: a list of items, the last used first, under one lock. */
#include "base/shelf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef enum item_state { MAKING, READY, FAILED } item_state;

typedef struct item {
    struct item *previous, *next; /* in the list */
    struct item *parent;
    item_state state;
    size_t n_users;    /* those who hold the value, make it or wait for it */
    size_t n_children; /* that stand on it */
    size_t n_bytes;
    uint64_t hash; /* of the key */
    size_t key_len;
    void *value;
    unsigned char key[];
} item;

struct sv_shelf {
    const char *purpose;
    void (*free_value)(void *value);
    size_t budget_bytes;
    pthread_mutex_t lock; /* of all below and of the items, except the value while it is made */
    pthread_cond_t made;
    item *first, *last;
    sv_shelf_counts counts;
};

/* FNV-1a: saves comparing long keys; equality is decided by the keys themselves. */
static uint64_t hash_of(const unsigned char *key, size_t len) {
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < len; i++) hash = (hash ^ key[i]) * 1099511628211U;
    return hash;
}

static void link_first(sv_shelf *s, item *it) {
    it->previous = NULL;
    it->next = s->first;
    if (s->first) s->first->previous = it;
    s->first = it;
    if (!s->last) s->last = it;
}

static void unlink_item(sv_shelf *s, item *it) {
    *(it->previous ? &it->previous->next : &s->first) = it->next;
    *(it->next ? &it->next->previous : &s->last) = it->previous;
}

static void free_item(const sv_shelf *s, item *it) {
    if (it->value) s->free_value(it->value);
    free(it);
}

/* Takes an item off the list; its parent is one child poorer. */
static void take_off(sv_shelf *s, item *it) {
    unlink_item(s, it);
    if (it->parent) it->parent->n_children--;
    s->counts.n_values--;
    s->counts.n_bytes -= it->n_bytes;
}

static item *find_value(const sv_shelf *s, const void *value) {
    item *it = s->first;
    while (it && it->value != value) it = it->next;
    return it;
}

static item *find_key(const sv_shelf *s, const item *parent, const sv_wish *wish, uint64_t hash) {
    item *it = s->first;
    while (it && (it->hash != hash || it->parent != parent || it->key_len != wish->key_len ||
                  memcmp(it->key, wish->key, wish->key_len) != 0)) {
        it = it->next;
    }
    return it;
}

sv_status sv_shelf_new(const char *purpose, size_t budget_bytes, void (*free_value)(void *value), sv_shelf **out,
                       sv_error *err) {
    *out = NULL;
    sv_shelf *s = sv_calloc(1, sizeof *s);
    if (!s) return sv_fail_memory(err, purpose, sizeof *s);
    s->purpose = purpose;
    s->free_value = free_value;
    s->budget_bytes = budget_bytes;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->made, NULL);
    *out = s;
    return SV_OK;
}

void sv_shelf_free(sv_shelf *s) {
    if (!s) return;
    for (item *it = s->first, *next; it; it = next) {
        next = it->next;
        free_item(s, it);
    }
    pthread_cond_destroy(&s->made);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool fits(const sv_shelf *s, size_t n_bytes) {
    return s->counts.n_bytes <= s->budget_bytes && n_bytes <= s->budget_bytes - s->counts.n_bytes;
}

/* The longest unused that nothing stands on; NULL when there is none. */
static item *find_unused(const sv_shelf *s) {
    item *it = s->last;
    while (it && (it->n_users || it->n_children)) it = it->previous;
    return it;
}

static sv_status make_room(sv_shelf *s, size_t n_bytes, sv_error *err) {
    item *it = NULL;
    while (n_bytes <= s->budget_bytes && !fits(s, n_bytes) && (it = find_unused(s))) {
        take_off(s, it);
        s->counts.n_thrown_out++;
        free_item(s, it);
    }
    if (fits(s, n_bytes)) return SV_OK;
    return sv_fail(err, SV_ERR_MEMORY,
                   "%s: the next needs %.1f MiB, but of the %.1f MiB allowed %.1f MiB are taken; allow more memory",
                   s->purpose, (double)n_bytes * 0x1p-20, (double)s->budget_bytes * 0x1p-20,
                   (double)s->counts.n_bytes * 0x1p-20);
}

/* An item that is being made, in the list, held by the caller. */
static sv_status add_item(sv_shelf *s, const sv_wish *wish, item *parent, uint64_t hash, item **out, sv_error *err) {
    sv_status status = make_room(s, wish->n_bytes, err);
    if (status) return status;
    size_t size;
    item *it = sv_add_size(sizeof *it, wish->key_len, &size) ? sv_calloc(1, size) : NULL;
    if (!it) return sv_fail_memory(err, s->purpose, wish->key_len);
    *it = (item){.parent = parent, .n_users = 1, .n_bytes = wish->n_bytes, .hash = hash, .key_len = wish->key_len};
    if (wish->key_len) memcpy(it->key, wish->key, wish->key_len);
    if (parent) parent->n_children++;
    link_first(s, it);
    s->counts.n_values++;
    s->counts.n_bytes += it->n_bytes;
    *out = it;
    return SV_OK;
}

/* Makes the value of a new item, the lock being let go meanwhile. */
static sv_status make_value(sv_shelf *s, const sv_wish *wish, item *it, sv_error *err) {
    void *value = NULL;
    pthread_mutex_unlock(&s->lock);
    sv_status status = wish->make(wish->context, &value, err);
    pthread_mutex_lock(&s->lock);
    it->state = status ? FAILED : READY;
    if (status) {
        take_off(s, it);
        if (--it->n_users == 0) free_item(s, it);
    } else {
        it->value = value;
        s->counts.n_made++;
    }
    pthread_cond_broadcast(&s->made);
    return status;
}

/* Waits for an item that another may be making, and holds it. False when that failed: the item is gone. */
static bool await(sv_shelf *s, item *it) {
    it->n_users++;
    while (it->state == MAKING) pthread_cond_wait(&s->made, &s->lock);
    if (it->state == FAILED) {
        if (--it->n_users == 0) free_item(s, it);
        return false;
    }
    unlink_item(s, it);
    link_first(s, it);
    s->counts.n_found++;
    return true;
}

sv_status sv_shelf_get(sv_shelf *s, const sv_wish *wish, const void **value, bool *found, sv_error *err) {
    sv_status status = SV_OK;
    uint64_t hash = hash_of(wish->key, wish->key_len);
    bool was_there;
    item *it;
    *value = NULL;
    pthread_mutex_lock(&s->lock);
    item *parent = wish->parent ? find_value(s, wish->parent) : NULL;
    if (wish->parent && !parent) {
        status = sv_fail(err, SV_ERR_USAGE, "%s: a parent that is not on this shelf", s->purpose);
    }
    do {
        it = status ? NULL : find_key(s, parent, wish, hash);
        was_there = it != NULL;
    } while (was_there && !await(s, it));
    if (!status && !was_there) {
        status = add_item(s, wish, parent, hash, &it, err);
        if (!status) status = make_value(s, wish, it, err);
    }
    if (!status) *value = it->value;
    pthread_mutex_unlock(&s->lock);
    if (found) *found = was_there && !status;
    return status;
}

void sv_shelf_put_back(sv_shelf *s, const void *value) {
    if (!value) return;
    pthread_mutex_lock(&s->lock);
    item *it = find_value(s, value);
    if (it && it->n_users) it->n_users--;
    pthread_mutex_unlock(&s->lock);
}

void sv_shelf_count(sv_shelf *s, sv_shelf_counts *out) {
    pthread_mutex_lock(&s->lock);
    *out = s->counts;
    pthread_mutex_unlock(&s->lock);
}

/* merge_weights.c - one item a tensor of the base; rows are computed in batches that all threads share. */
#include "model/merge_weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clones.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "model/model_tensors.h"
#include "model/tensor_writer.h"
#include "tensor/finite.h"
#include "tensor/product.h"
#include "tensor/unpack.h"

#define BATCH_BYTES ((size_t)16 << 20) /* written at once */
#define UNPACK_K ((size_t)256)         /* inputs unpacked at once: a panel that stays in the cache */
#define N_NAMED 8                      /* missing modules that an error lists */

typedef struct item {
    char *name; /* in the new file */
    const sv_tensor *tensor;
    const sv_low_rank *pair; /* NULL = not adapted */
    sv_matrix matrix;        /* the rows to be computed */
    sv_dtype dtype;
    int n_dims;
    int64_t shape[SV_TENSOR_MAX_DIMS];
    bool dropped, copied, packed;
} item;

struct sv_merge_plan {
    sv_merge_source source;
    size_t n;
    item *items; /* by the tensor's name, as in the file */
};

/* The length of `name` without ".LEAF", 0 when it ends otherwise. */
static size_t without_leaf(const char *name, const char *leaf) {
    size_t len = strlen(name), n = strlen(leaf);
    return len > n + 1 && name[len - n - 1] == '.' && strcmp(name + len - n, leaf) == 0 ? len - n - 1 : 0;
}

static char *join_leaf(const char *module, size_t len, const char *leaf) {
    size_t room = len + strlen(leaf) + 2;
    char *name = sv_calloc(room, 1);
    if (name) snprintf(name, room, "%.*s.%s", (int)len, module, leaf);
    return name;
}

/* What stands beside packed words goes with them. */
static sv_status is_packing(const sv_tensor_file *file, const char *name, bool *out, sv_error *err) {
    static const char *const leaves[] = {"qzeros", "scales", "g_idx"};
    *out = false;
    for (size_t i = 0; i < SV_COUNT(leaves) && !*out; i++) {
        size_t len = without_leaf(name, leaves[i]);
        if (!len) continue;
        char *words = join_leaf(name, len, "qweight");
        if (!words) return sv_fail_memory(err, name, len);
        *out = sv_tensor_find(file, words) != NULL;
        free(words);
    }
    return SV_OK;
}

static sv_status plan_packed(const sv_merge_source *source, size_t module_len, item *it, sv_error *err) {
    const sv_tensor *t = it->tensor;
    if (t->n_dims != 2 || t->shape[0] > INT64_MAX / 8) {
        return sv_fail(err, SV_ERR_INPUT, "tensor '%s': expected packed words of two dimensions", t->name);
    }
    char *module = sv_strndup(t->name, module_len);
    it->name = join_leaf(t->name, module_len, "weight");
    sv_status s = module && it->name ? SV_OK : sv_fail_memory(err, t->name, module_len);
    if (!s && sv_tensor_find(source->file, it->name)) {
        s = sv_fail(err, SV_ERR_INPUT, "'%s' stands in the file both packed and as '%s'", t->name, it->name);
    }
    size_t n_out = (size_t)t->shape[1], n_in = (size_t)t->shape[0] * 8;
    if (!s) s = sv_quantised_bind(source->file, source->quantisation, module, n_out, n_in, &it->matrix, err);
    free(module);
    it->packed = true;
    it->dtype = source->dtype;
    it->n_dims = 2;
    it->shape[0] = (int64_t)n_out;
    it->shape[1] = (int64_t)n_in;
    return s;
}

static bool is_float(sv_dtype dtype) { return dtype == SV_F32 || dtype == SV_F16 || dtype == SV_BF16; }

static sv_status plan_plain(const sv_merge_source *source, item *it, sv_error *err) {
    const sv_tensor *t = it->tensor;
    it->name = sv_strndup(t->name, strlen(t->name));
    if (!it->name) return sv_fail_memory(err, t->name, strlen(t->name));
    it->copied = !source->convert_all || !is_float(t->dtype) || t->dtype == source->dtype;
    it->dtype = it->copied ? t->dtype : source->dtype;
    it->n_dims = t->n_dims;
    memcpy(it->shape, t->shape, sizeof it->shape);
    size_t n = t->n_bytes / sv_dtype_size(t->dtype);
    size_t n_out = t->n_dims > 1 && t->shape[0] > 0 ? (size_t)t->shape[0] : 1;
    it->matrix = (sv_matrix){.dtype = t->dtype, .n_out = n_out, .n_in = n / n_out, .data = t->data};
    return SV_OK;
}

static sv_status plan_item(const sv_merge_source *source, item *it, sv_error *err) {
    sv_status s = is_packing(source->file, it->tensor->name, &it->dropped, err);
    if (s || it->dropped) return s;
    size_t packed = without_leaf(it->tensor->name, "qweight");
    return packed ? plan_packed(source, packed, it, err) : plan_plain(source, it, err);
}

static int by_tensor_name(const void *key, const void *it) { return strcmp(key, ((const item *)it)->tensor->name); }

/* The item that holds the weight of `module` (older naming); NULL when there is none. */
static sv_status find_module(const sv_merge_plan *p, const char *module, item **out, sv_error *err) {
    static const char *const leaves[] = {"weight", "qweight"};
    char newer[320], name[352];
    sv_newer_name(module, newer, sizeof newer);
    const char *const names[] = {module, newer};
    *out = NULL;
    for (size_t i = 0; i < SV_COUNT(names) * SV_COUNT(leaves); i++) {
        snprintf(name, sizeof name, "%.320s.%s", names[i / 2], leaves[i % 2]);
        item *found = bsearch(name, p->items, p->n, sizeof *p->items, by_tensor_name);
        if (found && *out) {
            return sv_fail(err, SV_ERR_INPUT, "the base holds '%s' twice: as '%s' and as '%s'", module,
                           (*out)->tensor->name, found->tensor->name);
        }
        if (found) *out = found;
    }
    return SV_OK;
}

static sv_status adapt(const sv_merge_source *source, const sv_low_rank *pair, item *it, sv_error *err) {
    if (strcmp(pair->module, "model.embed_tokens") == 0) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "the adapter changes the embedding, which is not supported");
    }
    if (strcmp(pair->module, "lm_head") == 0 && source->config->text.tied_embeddings) {
        return sv_fail(err, SV_ERR_UNSUPPORTED,
                       "the adapter changes lm_head, which in this base is the embedding (tie_word_embeddings)");
    }
    const sv_tensor *t = it->tensor;
    if (!it->packed && !is_float(t->dtype)) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "tensor '%s' is %s; weights are read as F32, F16 or BF16", t->name,
                       sv_dtype_name(t->dtype));
    }
    bool fits = it->n_dims == pair->a->n_dims && it->shape[0] == (int64_t)pair->n_out;
    for (int i = 1; fits && i < it->n_dims; i++) fits = it->shape[i] == pair->a->shape[i];
    if (!fits) {
        return sv_fail(err, SV_ERR_INPUT,
                       "the adapter changes '%s' with %zu inputs and %zu outputs, the base has %zu and %zu (or in "
                       "another shape): is this its base?",
                       pair->module, pair->n_in, pair->n_out, it->matrix.n_in, it->matrix.n_out);
    }
    it->pair = pair;
    it->copied = false;
    it->dtype = source->dtype;
    return SV_OK;
}

/* Gives each pair its item; what has none belongs to another base. */
static sv_status adapt_all(sv_merge_plan *p, sv_error *err) {
    const sv_adapter *adapter = p->source.adapter;
    sv_strbuf missing = {0};
    size_t n_missing = 0;
    sv_status s = SV_OK;
    for (size_t i = 0; !s && i < sv_adapter_count(adapter); i++) {
        const sv_low_rank *pair = sv_adapter_at(adapter, i);
        item *it;
        s = find_module(p, pair->module, &it, err);
        if (!s && it) s = adapt(&p->source, pair, it, err);
        if (s || it) continue;
        if (n_missing++ < N_NAMED) sv_strbuf_printf(&missing, "%s'%.60s'", n_missing > 1 ? ", " : "", pair->module);
    }
    if (!s && n_missing) {
        s = sv_fail(err, SV_ERR_INPUT, "the adapter changes %zu modules that the base lacks: %s%s; is this its base?",
                    n_missing, sv_strbuf_text(&missing), n_missing > N_NAMED ? " ..." : "");
    }
    sv_strbuf_free(&missing);
    return s;
}

sv_status sv_merge_plan_new(const sv_merge_source *source, sv_merge_plan **out, sv_error *err) {
    *out = NULL;
    size_t n = sv_tensor_count(source->file);
    sv_merge_plan *p = sv_calloc(1, sizeof *p);
    if (p) p->items = sv_calloc(n, sizeof *p->items);
    sv_status s = p && p->items ? SV_OK : sv_fail_memory(err, "plan of the weights", n * sizeof *p->items);
    if (!s) {
        p->source = *source;
        s = sv_model_tensors_check(source->file, source->config, err);
    }
    for (size_t i = 0; !s && i < n; i++) {
        p->items[p->n].tensor = sv_tensor_at(source->file, i);
        s = plan_item(source, &p->items[p->n++], err);
    }
    if (!s) s = adapt_all(p, err);
    if (s) {
        sv_merge_plan_free(p);
        return s;
    }
    *out = p;
    return SV_OK;
}

void sv_merge_plan_free(sv_merge_plan *p) {
    if (!p) return;
    for (size_t i = 0; i < p->n; i++) free(p->items[i].name);
    free(p->items);
    free(p);
}

static uint64_t bytes_of(const item *it) {
    return it->copied ? it->tensor->n_bytes : (uint64_t)it->matrix.n_out * it->matrix.n_in * sv_dtype_size(it->dtype);
}

sv_merge_counts sv_merge_plan_counts(const sv_merge_plan *p) {
    sv_merge_counts c = {0};
    for (size_t i = 0; i < p->n; i++) {
        const item *it = &p->items[i];
        if (it->dropped) continue;
        c.n_tensors++;
        c.n_adapted += it->pair != NULL;
        c.n_unpacked += it->packed;
        c.n_bytes += bytes_of(it);
    }
    return c;
}

/* What the threads share while one tensor is written. */
typedef struct batch {
    const item *it;
    float *a;    /* [rank, n_in] of the item's pair */
    float *work; /* [n_threads, work_floats] */
    size_t work_floats;
    unsigned char *bytes; /* rows [first, first + n) as they are written */
    size_t first, n;
} batch;

void sv_add_low_rank_clones(const float *a, const float *b, size_t rank, size_t n_in, float scale, float *sum,
                            float *row);

/* row += scale (b A). Each element on its own, the ranks in rising order: no machine rounds it otherwise. */
SV_CLONES void sv_add_low_rank_clones(const float *a, const float *b, size_t rank, size_t n_in, float scale, float *sum,
                                      float *row) {
    memset(sum, 0, n_in * sizeof *sum);
    for (size_t r = 0; r < rank; r++) {
        const float *a_row = a + r * n_in;
        for (size_t k = 0; k < n_in; k++) sum[k] += b[r] * a_row[k];
    }
    for (size_t k = 0; k < n_in; k++) row[k] += scale * sum[k];
}

/* Rows of four-bit words lie across the file: 32 are read side by side. */
static void unpack_rows(const sv_matrix *m, size_t first, size_t n, float *rows) {
    _Alignas(64) float panel[UNPACK_K * SV_PANEL];
    for (size_t k = 0; k < m->n_in; k += UNPACK_K) {
        size_t n_k = SV_MIN(UNPACK_K, m->n_in - k);
        sv_unpack(m, first, n, k, n_k, panel);
        for (size_t c = 0; c < n; c++) {
            for (size_t i = 0; i < n_k; i++) rows[c * m->n_in + k + i] = panel[i * SV_PANEL + c];
        }
    }
}

static void merge_block(void *context, int64_t block, int thread) {
    batch *w = context;
    const item *it = w->it;
    const sv_matrix *m = &it->matrix;
    size_t begin = (size_t)block * SV_PANEL, n = SV_MIN(SV_PANEL, w->n - begin), n_in = m->n_in;
    float *rows = w->work + (size_t)thread * w->work_floats, *sum = rows + (it->packed ? SV_PANEL : 1) * n_in,
          *b = sum + n_in;
    if (it->packed) unpack_rows(m, w->first + begin, n, rows);
    for (size_t i = 0; i < n; i++) {
        size_t o = w->first + begin + i;
        float *row = it->packed ? rows + i * n_in : rows;
        if (!it->packed) sv_matrix_read_row(m, o, row);
        if (it->pair) {
            sv_dtype_read_f32(it->pair->b->dtype, it->pair->b->data, o * it->pair->rank, it->pair->rank, b);
            sv_add_low_rank_clones(w->a, b, it->pair->rank, n_in, it->pair->scale, sum, row);
        }
        sv_dtype_write_f32(it->dtype, row, n_in, w->bytes + (begin + i) * n_in * sv_dtype_size(it->dtype));
    }
}

typedef struct run {
    const sv_merge_plan *plan;
    sv_tensor_writer *writer;
    sv_pool *pool;
    batch batch;
    bool (*progress)(void *context, uint64_t n_done, uint64_t n_bytes);
    void *context;
    uint64_t n_done, n_bytes;
    sv_error *err;
} run;

static sv_status put(run *r, const item *it, const unsigned char *bytes, size_t first, size_t n) {
    size_t bad = is_float(it->dtype) ? sv_first_not_finite(it->dtype, bytes, n) : n;
    if (bad < n) {
        return sv_fail(r->err, SV_ERR_INPUT,
                       "tensor '%s': element %zu is NaN, infinity or too large for %s: the base is damaged or is not "
                       "the adapter's",
                       it->name, first + bad, sv_dtype_name(it->dtype));
    }
    size_t n_bytes = n * sv_dtype_size(it->dtype);
    sv_status s = sv_tensor_writer_put(r->writer, bytes, n_bytes, r->err);
    if (s) return s;
    r->n_done += n_bytes;
    if (!r->progress || r->progress(r->context, r->n_done, r->n_bytes)) return SV_OK;
    return sv_fail(r->err, SV_ERR_CANCELLED, "interrupted; nothing was kept");
}

static sv_status copy(run *r, const item *it) {
    size_t size = sv_dtype_size(it->dtype), n = it->tensor->n_bytes / size, step = BATCH_BYTES / size;
    sv_status s = SV_OK;
    for (size_t first = 0; !s && first < n; first += step) {
        const unsigned char *at = (const unsigned char *)it->tensor->data + first * size;
        s = put(r, it, at, first, SV_MIN(step, n - first));
    }
    return s;
}

/* Rows to a batch: whole blocks, about BATCH_BYTES. */
static size_t batch_rows(const item *it) {
    size_t row_bytes = SV_MAX(it->matrix.n_in * sv_dtype_size(it->dtype), 1), n = BATCH_BYTES / row_bytes;
    return SV_MIN(SV_MAX(n / SV_PANEL * SV_PANEL, SV_PANEL), SV_MAX(it->matrix.n_out, 1));
}

static sv_status compute(run *r, const item *it) {
    batch *w = &r->batch;
    const sv_low_rank *pair = it->pair;
    w->it = it;
    if (pair) sv_tensor_read_f32(pair->a, 0, pair->rank * pair->n_in, w->a);
    sv_status s = SV_OK;
    for (w->first = 0; !s && w->first < it->matrix.n_out; w->first += w->n) {
        w->n = SV_MIN(batch_rows(it), it->matrix.n_out - w->first);
        sv_pool_run(r->pool, (int64_t)((w->n + SV_PANEL - 1) / SV_PANEL), merge_block, w);
        s = put(r, it, w->bytes, w->first * it->matrix.n_in, w->n * it->matrix.n_in);
    }
    return s;
}

/* Work space for the largest item. */
static sv_status make_room(run *r) {
    size_t a = 0, bytes = 0;
    batch *w = &r->batch;
    for (size_t i = 0; i < r->plan->n; i++) {
        const item *it = &r->plan->items[i];
        if (it->dropped || it->copied) continue;
        size_t rank = it->pair ? it->pair->rank : 0, n_in = it->matrix.n_in;
        a = SV_MAX(a, rank * n_in);
        bytes = SV_MAX(bytes, batch_rows(it) * n_in * sv_dtype_size(it->dtype));
        w->work_floats = SV_MAX(w->work_floats, ((it->packed ? SV_PANEL : 1) + 1) * n_in + rank);
    }
    size_t n_work;
    if (!sv_mul_size(w->work_floats, (size_t)sv_pool_n_threads(r->pool), &n_work)) n_work = SIZE_MAX;
    w->a = sv_alloc_aligned(a, sizeof *w->a);
    w->bytes = sv_alloc_aligned(bytes, 1);
    w->work = sv_alloc_aligned(n_work, sizeof *w->work);
    if (w->a && w->bytes && w->work) return SV_OK;
    return sv_fail_memory(r->err, "rows of weights", a * sizeof *w->a + bytes + w->work_floats * sizeof *w->work);
}

static sv_status write_items(run *r, const char *folder, uint64_t max_shard_bytes) {
    const sv_merge_plan *p = r->plan;
    size_t n = 0;
    sv_tensor_plan *plans = sv_calloc(p->n, sizeof *plans);
    if (!plans) return sv_fail_memory(r->err, "plan of the weights", p->n * sizeof *plans);
    for (size_t i = 0; i < p->n; i++) {
        const item *it = &p->items[i];
        if (it->dropped) continue;
        plans[n] = (sv_tensor_plan){.name = it->name, .dtype = it->dtype, .n_dims = it->n_dims};
        memcpy(plans[n++].shape, it->shape, sizeof it->shape);
    }
    sv_status s = sv_tensor_writer_open(folder, "model", plans, n, max_shard_bytes, &r->writer, r->err);
    for (size_t i = 0; !s && i < p->n; i++) {
        const item *it = &p->items[i];
        if (!it->dropped) s = it->copied ? copy(r, it) : compute(r, it);
    }
    if (!s) s = sv_tensor_writer_finish(r->writer, r->err);
    sv_tensor_writer_close(r->writer);
    free(plans);
    return s;
}

sv_status sv_merge_plan_write(const sv_merge_plan *plan, const char *folder, uint64_t max_shard_bytes, sv_pool *pool,
                              bool (*progress)(void *context, uint64_t n_done, uint64_t n_bytes), void *context,
                              sv_error *err) {
    run r = {.plan = plan,
             .pool = pool,
             .progress = progress,
             .context = context,
             .n_bytes = sv_merge_plan_counts(plan).n_bytes,
             .err = err};
    sv_status s = make_room(&r);
    if (!s) s = write_items(&r, folder, max_shard_bytes);
    free(r.batch.a);
    free(r.batch.bytes);
    free(r.batch.work);
    return s;
}

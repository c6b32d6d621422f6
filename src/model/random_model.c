/*
 * random_model.c - weights are bell-shaped with deviation 1 / sqrt(inputs), so that every layer passes on about the
 * spread that it gets; norms are near 1. Each value is a hash of seed, tensor and place: any part can be made by any
 * thread.
 */
#include "model/random_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "model/model_tensors.h"
#include "model/tensor_writer.h"
#include "token/synthetic.h"
#include "token/tokenizer.h"

#define MAX_GROUP 128
#define BLOCK ((size_t)1 << 16)   /* elements that one thread makes at a time */
#define N_BLOCKS ((size_t)64)     /* of a piece: what is made before it is written */
#define QUANTISED_RMS 4.637       /* of q - 8 for q = 0..15 */
#define ZERO_WORD 0x77777777u     /* zero 8, less 1, eight times */
#define BELL_DEVIATION 37837.2271 /* of the sum of four 16-bit numbers: 65536 / sqrt(3), nearly */

/* Qwen2.5-VL's vision tower, the same in every size but for its output */
#define VISION(out)                                                                                \
    {                                                                                              \
        .hidden = 1280, .depth = 32, .n_heads = 16, .ffn = 3420, .out_hidden = (out), .patch = 14, \
        .temporal_patch = 2, .merge = 2, .channels = 3, .window = 112, .n_full_blocks = 4,         \
        .full_blocks = {7, 15, 23, 31}, .rope_theta = 10000                                        \
    }

const sv_model_shape sv_model_shapes[] = {
    {"tiny",
     "two layers, for tests",
     600,
     490,
     {.hidden = 128,
      .n_layers = 2,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 32,
      .ffn = 256,
      .vocab = 576,
      .rms_eps = 1e-6f,
      .rope_theta = 1e6,
      .mrope_section = {4, 6, 6},
      .max_positions = 4096,
      .tied_embeddings = true},
     {.hidden = 80,
      .depth = 2,
      .n_heads = 4,
      .ffn = 108,
      .out_hidden = 128,
      .patch = 14,
      .temporal_patch = 2,
      .merge = 2,
      .channels = 3,
      .window = 112,
      .n_full_blocks = 1,
      .full_blocks = {1},
      .rope_theta = 10000}},
    {"nano",
     "the sizes of the embedded model",
     600,
     647,
     {.hidden = 192,
      .n_layers = 4,
      .n_heads = 3,
      .n_kv_heads = 1,
      .head_dim = 64,
      .ffn = 512,
      .vocab = 704,
      .rms_eps = 1e-6f,
      .rope_theta = 1e4,
      .mrope_section = {8, 12, 12},
      .max_positions = 4096,
      .tied_embeddings = true},
     {.hidden = 192,
      .depth = 3,
      .n_heads = 3,
      .ffn = 512,
      .out_hidden = 192,
      .patch = 28,
      .temporal_patch = 2,
      .merge = 2,
      .channels = 3,
      .window = 112,
      .n_full_blocks = 2,
      .full_blocks = {1, 2},
      .rope_theta = 10000}},
    {"3b",
     "Qwen2.5-VL-3B, as the published system",
     3140,
     151643,
     {.hidden = 2048,
      .n_layers = 36,
      .n_heads = 16,
      .n_kv_heads = 2,
      .head_dim = 128,
      .ffn = 11008,
      .vocab = 151936,
      .rms_eps = 1e-6f,
      .rope_theta = 1e6,
      .mrope_section = {16, 24, 24},
      .max_positions = 128000,
      .tied_embeddings = true},
     VISION(2048)},
    {"7b",
     "Qwen2.5-VL-7B",
     3140,
     151643,
     {.hidden = 3584,
      .n_layers = 28,
      .n_heads = 28,
      .n_kv_heads = 4,
      .head_dim = 128,
      .ffn = 18944,
      .vocab = 152064,
      .rms_eps = 1e-6f,
      .rope_theta = 1e6,
      .mrope_section = {16, 24, 24},
      .max_positions = 128000},
     VISION(3584)},
};
const size_t sv_n_model_shapes = SV_COUNT(sv_model_shapes);

const sv_model_shape *sv_model_shape_find(const char *name) {
    for (size_t i = 0; i < sv_n_model_shapes; i++) {
        if (strcmp(sv_model_shapes[i].name, name) == 0) return &sv_model_shapes[i];
    }
    return NULL;
}

int sv_random_model_group(const sv_model_shape *shape) {
    const sv_text_config *t = &shape->text;
    int group = MAX_GROUP, sizes[] = {t->hidden, t->n_heads * t->head_dim, t->ffn};
    for (size_t i = 0; i < SV_COUNT(sizes); i++) {
        while (sizes[i] % group) group /= 2;
    }
    return group;
}

/* One tensor of the plan with what its values need. */
typedef struct item {
    sv_model_tensor tensor;
    sv_dtype dtype;
    uint64_t key;
    size_t n;        /* elements */
    float mean, rms; /* of what is not packed */
} item;

typedef struct item_list {
    const sv_random_model_options *options;
    item *items;
    size_t n, capacity;
    bool failed;
} item_list;

/* A bijection of 64 bits whose outputs for consecutive inputs look unrelated (Stafford's mixer 13, as in SplitMix). */
static inline uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static bool add_item(void *context, const sv_model_tensor *t) {
    item_list *list = context;
    const sv_random_model_options *o = list->options;
    if (!sv_grow(&list->items, list->n, &list->capacity, sizeof *list->items)) {
        list->failed = true;
        return false;
    }
    bool packed = t->role == SV_TENSOR_WORDS || t->role == SV_TENSOR_ZEROS;
    item *it = &list->items[list->n];
    *it = (item){.tensor = *t, .dtype = packed || o->dtype != SV_I32 ? o->dtype : SV_F16, .n = 1};
    it->key = mix(mix(o->seed) + list->n++);
    for (int i = 0; i < t->n_dims; i++) it->n *= (size_t)t->shape[i];
    double spread = 1 / sqrt(t->n_in);
    it->mean = t->role == SV_TENSOR_NORM ? 1 : 0;
    it->rms = (float)(t->role == SV_TENSOR_MATRIX   ? spread
                      : t->role == SV_TENSOR_SCALES ? spread / QUANTISED_RMS
                                                    : 0.05);
    return true;
}

static item_list list_items(const sv_random_model_options *options) {
    item_list list = {.options = options};
    sv_model_config config = {.text = options->shape->text, .vision = options->shape->vision};
    int group = options->dtype == SV_I32 ? sv_random_model_group(options->shape) : 0;
    sv_model_tensors_walk(&config, group, add_item, &list);
    return list;
}

static uint64_t bytes_of(const item_list *list) {
    uint64_t sum = 0;
    for (size_t i = 0; i < list->n; i++) sum += list->items[i].n * sv_dtype_size(list->items[i].dtype);
    return sum;
}

uint64_t sv_random_model_bytes(const sv_model_shape *shape, sv_dtype dtype) {
    sv_random_model_options options = {.shape = shape, .dtype = dtype};
    item_list list = list_items(&options);
    uint64_t sum = list.failed ? 0 : bytes_of(&list);
    free(list.items);
    return sum;
}

/* The sum of four even numbers is near enough to a normal one: it ends at 3.5 deviations. */
static void fill_bell(const item *it, size_t first, size_t n, float *out) {
    float factor = it->rms / (float)BELL_DEVIATION;
    for (size_t i = 0; i < n; i++) {
        uint64_t h = mix(it->key + first + i);
        int32_t sum =
            (int32_t)(h & 0xffff) + (int32_t)(h >> 16 & 0xffff) + (int32_t)(h >> 32 & 0xffff) + (int32_t)(h >> 48);
        out[i] = it->mean + (float)(sum - 131070) * factor;
    }
}

/* AutoRound's scales are negative for about half of the groups. */
static void fill_scales(const item *it, size_t first, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        uint64_t h = mix(it->key + first + i);
        float magnitude = it->rms * (0.75f + 0.5f * (float)(h & 0xffff) / 65536.0f);
        out[i] = h >> 63 ? -magnitude : magnitude;
    }
}

/* Elements [first, first + n) of a tensor as they stand in the file; n <= BLOCK. */
static void fill(const item *it, size_t first, size_t n, float *work, unsigned char *out) {
    if (it->tensor.role == SV_TENSOR_WORDS || it->tensor.role == SV_TENSOR_ZEROS) {
        bool zeros = it->tensor.role == SV_TENSOR_ZEROS;
        for (size_t i = 0; i < n; i++) {
            uint32_t word = zeros ? ZERO_WORD : (uint32_t)(mix(it->key + first + i) >> 32);
            memcpy(out + 4 * i, &word, sizeof word);
        }
        return;
    }
    if (it->tensor.role == SV_TENSOR_SCALES) {
        fill_scales(it, first, n, work);
    } else {
        fill_bell(it, first, n, work);
    }
    sv_dtype_write_f32(it->dtype, work, n, out);
}

/* A piece of one tensor, made block by block. */
typedef struct piece {
    const item *it;
    size_t first, n;
    float *work; /* [threads, BLOCK] */
    unsigned char *bytes;
} piece;

static void fill_block(void *context, int64_t block, int thread) {
    piece *p = context;
    size_t begin = (size_t)block * BLOCK, n = SV_MIN(BLOCK, p->n - begin);
    fill(p->it, p->first + begin, n, p->work + (size_t)thread * BLOCK, p->bytes + begin * sv_dtype_size(p->it->dtype));
}

static sv_status put_items(const item_list *list, sv_tensor_writer *writer, sv_pool *pool, piece *p, sv_error *err) {
    const sv_random_model_options *o = list->options;
    uint64_t n_done = 0, n_bytes = bytes_of(list);
    for (size_t i = 0; i < list->n; i++) {
        p->it = &list->items[i];
        for (p->first = 0; p->first < p->it->n; p->first += p->n) {
            p->n = SV_MIN(BLOCK * N_BLOCKS, p->it->n - p->first);
            sv_pool_run(pool, (int64_t)((p->n + BLOCK - 1) / BLOCK), fill_block, p);
            size_t size = p->n * sv_dtype_size(p->it->dtype);
            sv_status s = sv_tensor_writer_put(writer, p->bytes, size, err);
            if (s) return s;
            n_done += size;
            if (o->progress && !o->progress(o->context, n_done, n_bytes)) {
                return sv_fail(err, SV_ERR_CANCELLED, "interrupted; nothing was kept");
            }
        }
    }
    return SV_OK;
}

static sv_status write_weights(const char *folder, const sv_random_model_options *options, sv_error *err) {
    item_list list = list_items(options);
    sv_tensor_plan *plans = sv_calloc(list.n, sizeof *plans);
    sv_tensor_writer *writer = NULL;
    sv_pool *pool = NULL;
    piece p = {.bytes = sv_alloc_aligned(BLOCK * N_BLOCKS, sizeof(float))};
    sv_status s = sv_pool_new(options->n_threads, &pool, err);
    if (!s) p.work = sv_alloc_aligned((size_t)sv_pool_n_threads(pool) * BLOCK, sizeof *p.work);
    if (!s && (list.failed || !plans || !p.bytes || !p.work)) s = sv_fail_memory(err, "weights", BLOCK * N_BLOCKS * 4);
    for (size_t i = 0; !s && i < list.n; i++) {
        const sv_model_tensor *t = &list.items[i].tensor;
        plans[i] = (sv_tensor_plan){.name = t->name, .dtype = list.items[i].dtype, .n_dims = t->n_dims};
        memcpy(plans[i].shape, t->shape, sizeof t->shape);
    }
    if (!s) s = sv_tensor_writer_open(folder, "model", plans, list.n, options->max_shard_bytes, &writer, err);
    if (!s) s = put_items(&list, writer, pool, &p, err);
    if (!s) s = sv_tensor_writer_finish(writer, err);
    sv_tensor_writer_close(writer);
    sv_pool_free(pool);
    free(p.bytes);
    free(p.work);
    free(plans);
    free(list.items);
    return s;
}

static sv_status save(const char *folder, const char *name, json_t *value, sv_error *err) {
    char *path = sv_path_join(folder, name);
    sv_status s = path && value ? sv_json_save(path, value, err) : sv_fail_memory(err, name, strlen(folder));
    free(path);
    json_decref(value);
    return s;
}

static json_t *vision_json(const sv_vision_config *v) {
    json_t *blocks = json_array();
    for (int i = 0; i < v->n_full_blocks; i++) json_array_append_new(blocks, json_integer(v->full_blocks[i]));
    return json_pack("{s:i,s:o,s:s,s:i,s:i,s:i,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "depth", v->depth,
                     "fullatt_block_indexes", blocks, "hidden_act", "silu", "hidden_size", v->hidden, "in_chans",
                     v->channels, "intermediate_size", v->ffn, "model_type", "qwen2_5_vl", "num_heads", v->n_heads,
                     "out_hidden_size", v->out_hidden, "patch_size", v->patch, "spatial_merge_size", v->merge,
                     "spatial_patch_size", v->patch, "temporal_patch_size", v->temporal_patch, "tokens_per_second", 2,
                     "window_size", v->window);
}

/* As auto-round writes it. */
static json_t *quantisation_json(const sv_model_shape *shape) {
    return json_pack("{s:s,s:i,s:s,s:s,s:i,s:i,s:s,s:s,s:b}", "autoround_version", "0.9.2", "bits", 4,
                     "block_name_to_quantize", "model.language_model.layers", "data_type", "int", "group_size",
                     sv_random_model_group(shape), "iters", 0, "packing_format", "auto_round:auto_gptq", "quant_method",
                     "auto-round", "sym", 1);
}

/* Ids that the configuration names. */
typedef struct token_ids {
    int endoftext, im_end, vision_start, vision_end, vision_pad, image_pad, video_pad;
} token_ids;

/* In the dialect of the original files, which every version of transformers since 4.49 reads. */
static json_t *config_json(const sv_random_model_options *o, const token_ids *ids) {
    const sv_text_config *t = &o->shape->text;
    const int *sections = t->mrope_section;
    const char *dtype = o->dtype == SV_F32 ? "float32" : o->dtype == SV_BF16 ? "bfloat16" : "float16";
    json_t *config = json_pack("{s:[s],s:s,s:b,s:i,s:i,s:i,s:i,s:i,s:f,s:i,s:i,s:s,s:i,s:f,s:i}", "architectures",
                               "Qwen2_5_VLForConditionalGeneration", "model_type", "qwen2_5_vl", "tie_word_embeddings",
                               t->tied_embeddings, "image_token_id", ids->image_pad, "video_token_id", ids->video_pad,
                               "vision_start_token_id", ids->vision_start, "vision_end_token_id", ids->vision_end,
                               "vision_token_id", ids->vision_pad, "attention_dropout", 0.0, "bos_token_id",
                               ids->endoftext, "eos_token_id", ids->im_end, "hidden_act", "silu", "hidden_size",
                               t->hidden, "initializer_range", 0.02, "intermediate_size", t->ffn);
    json_t *rest =
        json_pack("{s:i,s:i,s:i,s:i,s:i,s:f,s:f,s:i,s:b,s:b,s:i,s:s,s:{s:s,s:[i,i,i]},s:o}", "max_position_embeddings",
                  t->max_positions, "max_window_layers", 70, "num_attention_heads", t->n_heads, "num_hidden_layers",
                  t->n_layers, "num_key_value_heads", t->n_kv_heads, "rms_norm_eps", (double)1e-6, "rope_theta",
                  t->rope_theta, "sliding_window", 32768, "use_cache", 1, "use_sliding_window", 0, "vocab_size",
                  t->vocab, "torch_dtype", dtype, "rope_scaling", "type", "mrope", "mrope_section", sections[0],
                  sections[1], sections[2], "vision_config", vision_json(&o->shape->vision));
    if (!config || !rest || json_object_update(config, rest) != 0) {
        json_decref(config);
        config = NULL;
    } else if (o->dtype == SV_I32) {
        json_object_set_new(config, "quantization_config", quantisation_json(o->shape));
    }
    json_decref(rest);
    return config;
}

static sv_status write_configs(const char *folder, const sv_random_model_options *o, const token_ids *ids,
                               sv_error *err) {
    const sv_vision_config *v = &o->shape->vision;
    sv_status s = save(folder, "config.json", config_json(o, ids), err);
    if (!s && o->dtype == SV_I32) s = save(folder, "quantization_config.json", quantisation_json(o->shape), err);
    if (!s) {
        s = save(folder, "generation_config.json",
                 json_pack("{s:i,s:b,s:[i,i],s:i,s:f,s:f}", "bos_token_id", ids->endoftext, "do_sample", 1,
                           "eos_token_id", ids->im_end, ids->endoftext, "pad_token_id", ids->endoftext,
                           "repetition_penalty", 1.05, "temperature", 1e-6),
                 err);
    }
    if (s) return s;
    return save(
        folder, "preprocessor_config.json",
        json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:b,s:b,s:b,s:b,s:f,s:[f,f,f],s:[f,f,f]}", "image_processor_type",
                  "Qwen2VLImageProcessor", "patch_size", v->patch, "merge_size", v->merge, "temporal_patch_size",
                  v->temporal_patch, "min_pixels", 3136, "max_pixels", 1003520, "do_resize", 1, "do_rescale", 1,
                  "do_normalize", 1, "do_convert_rgb", 1, "rescale_factor", 1.0 / 255, "image_mean", 0.48145466,
                  0.4578275, 0.40821073, "image_std", 0.26862954, 0.26130258, 0.27577711),
        err);
}

/* Copies what there is of a tokenizer's files. */
static sv_status copy_tokenizer(const char *from, const char *to, sv_error *err) {
    static const char *const names[] = {"tokenizer.json",        "vocab.json",         "merges.txt",
                                        "tokenizer_config.json", "chat_template.json", "chat_template.jinja"};
    sv_status s = SV_OK;
    for (size_t i = 0; !s && i < SV_COUNT(names); i++) {
        char *source = sv_path_join(from, names[i]), *target = sv_path_join(to, names[i]), *bytes = NULL;
        size_t len;
        if (!source || !target) {
            s = sv_fail_memory(err, "path", strlen(from));
        } else if (sv_file_exists(source)) {
            s = sv_file_read(source, SV_JSON_MAX_BYTES, &bytes, &len, err);
            if (!s) s = sv_file_write(target, bytes, len, err);
        }
        free(bytes);
        free(source);
        free(target);
    }
    return s;
}

static sv_status find_ids(const char *folder, const sv_model_shape *shape, token_ids *out, sv_error *err) {
    const struct {
        const char *content;
        int *id;
    } tokens[] = {{"<|endoftext|>", &out->endoftext},       {"<|im_end|>", &out->im_end},
                  {"<|vision_start|>", &out->vision_start}, {"<|vision_end|>", &out->vision_end},
                  {"<|vision_pad|>", &out->vision_pad},     {"<|image_pad|>", &out->image_pad},
                  {"<|video_pad|>", &out->video_pad}};
    sv_tokenizer *tokenizer;
    sv_status s = sv_tokenizer_load(folder, &tokenizer, err);
    if (s) return s;
    int n_ids = sv_tokenizer_n_ids(tokenizer);
    if (n_ids > shape->text.vocab) {
        s = sv_fail(err, SV_ERR_INPUT, "the tokenizer has %d ids, the shape '%s' has room for %d", n_ids, shape->name,
                    shape->text.vocab);
    }
    for (size_t i = 0; !s && i < SV_COUNT(tokens); i++) {
        *tokens[i].id = sv_tokenizer_special(tokenizer, tokens[i].content);
        if (*tokens[i].id < 0) s = sv_fail(err, SV_ERR_INPUT, "the tokenizer has no token %s", tokens[i].content);
    }
    sv_tokenizer_free(tokenizer);
    return s;
}

sv_status sv_random_model_write(const char *folder, const sv_random_model_options *options, sv_error *err) {
    token_ids ids;
    sv_status s = options->tokenizer_folder ? copy_tokenizer(options->tokenizer_folder, folder, err)
                                            : sv_synthetic_tokenizer_write(folder, options->shape->n_tokens, err);
    if (!s && (s = find_ids(folder, options->shape, &ids, err)) && options->tokenizer_folder) {
        sv_error_prefix(err, "%s", options->tokenizer_folder);
    }
    if (!s) s = write_configs(folder, options, &ids, err);
    return s ? s : write_weights(folder, options, err);
}

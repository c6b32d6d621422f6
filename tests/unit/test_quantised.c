/* test_quantised.c - four-bit weights in the forms in which they are written, and those that are refused by name. */
#include "support/folder.h"
#include "support/tensors.h"

#include "base/file.h"
#include "model/quantised.h"
#include "model/tensor_writer.h"

enum { OUT = 16, IN = 48 };

/* What a folder holds: numbers from `seed`, packed by hand. */
typedef struct layer {
    size_t n_groups;
    int32_t words[IN / 8][OUT], zeros[IN][OUT / 8], order[IN];
    float scales[IN][OUT];
    unsigned char q[OUT][IN], z[IN][OUT];
} layer;

static void make_layer(size_t n_groups, layer *l) {
    uint32_t seed = 7;
    *l = (layer){.n_groups = n_groups};
    for (size_t o = 0; o < OUT; o++) {
        for (size_t i = 0; i < IN; i++) {
            seed = seed * 1664525U + 1013904223U;
            l->q[o][i] = (unsigned char)(seed >> 28);
            l->words[i / 8][o] = (int32_t)((uint32_t)l->words[i / 8][o] | (uint32_t)l->q[o][i] << 4 * (i % 8));
            if (i >= n_groups) continue;
            l->z[i][o] = (unsigned char)(seed >> 24 & 7);
            l->zeros[i][o / 8] = (int32_t)((uint32_t)l->zeros[i][o / 8] | (uint32_t)l->z[i][o] << 4 * (o % 8));
            l->scales[i][o] = (float)((int)(seed >> 10 & 255) - 128) / 64; /* half of them negative */
        }
    }
    for (size_t i = 0; i < IN; i++) l->order[i] = (int32_t)(i / (IN / n_groups));
}

static void write_layer(const layer *l, bool with_order) {
    sv_error err;
    sv_tensor_writer *w;
    const int64_t groups = (int64_t)l->n_groups;
    const sv_tensor_plan plans[] = {{"m.qweight", SV_I32, 2, {IN / 8, OUT}},
                                    {"m.qzeros", SV_I32, 2, {groups, OUT / 8}},
                                    {"m.scales", SV_F32, 2, {groups, OUT}},
                                    {"m.g_idx", SV_I32, 1, {IN}}};
    ASSERT_OK(sv_tensor_writer_open(folder, "model", plans, with_order ? 4 : 3, 0, &w, &err), err);
    ASSERT_OK(sv_tensor_writer_put(w, l->words, sizeof l->words, &err), err);
    ASSERT_OK(sv_tensor_writer_put(w, l->zeros, l->n_groups * sizeof l->zeros[0], &err), err);
    ASSERT_OK(sv_tensor_writer_put(w, l->scales, l->n_groups * sizeof l->scales[0], &err), err);
    if (with_order) ASSERT_OK(sv_tensor_writer_put(w, l->order, sizeof l->order, &err), err);
    ASSERT_OK(sv_tensor_writer_finish(w, &err), err);
    sv_tensor_writer_close(w);
}

static void write_config(const char *quantisation) {
    char text[600];
    sv_error err;
    snprintf(text, sizeof text, "{\"quantization_config\": %s}", quantisation);
    ASSERT_OK(sv_file_write(in_folder("config.json"), text, strlen(text), &err), err);
}

/* Loads and binds; the first failure. */
static sv_status bind(sv_matrix *m, sv_tensor_file **file, sv_error *err) {
    sv_quantisation q;
    sv_status s = sv_tensor_folder_open(folder, file, err);
    if (!s) s = sv_quantisation_load(folder, &q, err);
    if (!s) s = sv_quantised_bind(*file, &q, "m", OUT, IN, m, err);
    return s;
}

static void all_forms_give_their_numbers(void **state) {
    (void)state;
    static const struct {
        const char *config;
        size_t n_groups;
        int offset;
        bool with_order;
    } cases[] = {
        {"{\"quant_method\": \"auto-round\", \"packing_format\": \"auto_round:auto_gptq\", \"bits\": 4, "
         "\"group_size\": 16, \"sym\": true, \"data_type\": \"int\"}",
         3, 1, false},
        {"{\"quant_method\": \"intel/auto-round\", \"bits\": 4, \"group_size\": 24}", 2, 1, false},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 16, \"sym\": false}", 3, 1, true},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 16, \"checkpoint_format\": \"gptq\"}", 3, 1, true},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 16, \"checkpoint_format\": \"gptq_v2\"}", 3, 0,
         true},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": -1}", 1, 1, true},
        {"{\"quant_method\": \"auto-round\", \"bits\": 4, \"group_size\": 16, \"extra_config\": {\"model.x\": "
         "{\"bits\": 16}, \"model.y\": {\"bits\": 4, \"group_size\": 16}}}",
         3, 1, false},
    };
    for (size_t c = 0; c < SV_COUNT(cases); c++) {
        sv_error err;
        sv_matrix m;
        sv_tensor_file *file;
        layer l;
        float row[IN];
        make_layer(cases[c].n_groups, &l);
        write_layer(&l, cases[c].with_order);
        write_config(cases[c].config);
        ASSERT_OK(bind(&m, &file, &err), err);
        for (size_t o = 0; o < OUT; o++) {
            sv_matrix_read_row(&m, o, row);
            for (size_t i = 0; i < IN; i++) {
                size_t g = i / (IN / l.n_groups);
                assert_true(row[i] == (float)(l.q[o][i] - l.z[g][o] - cases[c].offset) * l.scales[g][o]);
            }
        }
        sv_tensor_file_close(file);
    }
}

static void other_forms_are_refused_by_name(void **state) {
    (void)state;
    static const char plain[] = "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 16}";
    static const struct {
        const char *config, *message;
        int order_of_3; /* g_idx[3] */
        sv_status status;
    } cases[] = {
        {"{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 16}", "awq", 0, SV_ERR_UNSUPPORTED},
        {"{\"quant_method\": \"gptq\", \"bits\": 8, \"group_size\": 16}", "8 bits", 0, SV_ERR_UNSUPPORTED},
        {"{\"quant_method\": \"gptq\", \"group_size\": 16}", "0 bits", 0, SV_ERR_UNSUPPORTED},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 12}", "group_size 12", 0, SV_ERR_INPUT},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 0}", "group_size 0", 0, SV_ERR_INPUT},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128}", "m.scales", 0, SV_ERR_INPUT},
        {"{\"quant_method\": \"auto-round\", \"packing_format\": \"auto_round:auto_awq\", \"bits\": 4}",
         "auto_round:auto_awq", 0, SV_ERR_UNSUPPORTED},
        {"{\"quant_method\": \"gptq\", \"checkpoint_format\": \"marlin\", \"bits\": 4}", "marlin", 0,
         SV_ERR_UNSUPPORTED},
        {"{\"quant_method\": \"auto-round\", \"data_type\": \"mx_fp\", \"bits\": 4}", "mx_fp", 0, SV_ERR_UNSUPPORTED},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 16, \"extra_config\": {\"model.y\": {\"bits\": "
         "8}}}",
         "model.y", 0, SV_ERR_UNSUPPORTED},
        {plain, "m.g_idx", 1, SV_ERR_UNSUPPORTED},
        {plain, "m.g_idx", -1, SV_ERR_UNSUPPORTED},
        {"null", "no quantization_config", 0, SV_ERR_INPUT},
    };
    layer l;
    for (size_t c = 0; c < SV_COUNT(cases); c++) {
        sv_error err;
        sv_matrix m;
        sv_tensor_file *file = NULL;
        make_layer(3, &l);
        l.order[3] = cases[c].order_of_3;
        write_layer(&l, true);
        write_config(cases[c].config);
        assert_int_equal(bind(&m, &file, &err), cases[c].status);
        if (!strstr(err.message, cases[c].message)) fail_msg("'%s' does not say '%s'", err.message, cases[c].message);
        sv_tensor_file_close(file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_forms_give_their_numbers),
                                       cmocka_unit_test(other_forms_are_refused_by_name)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

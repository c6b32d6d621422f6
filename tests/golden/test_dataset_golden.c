/* test_dataset_golden.c - targets as the published system wrote them: read, written again, the same but for white
 * space. */
#include "support/test.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "train/dataset_record.h"

static const char *const files[] = {
    "syn512.wpt.json", "syn256_bad.wpt.json",     "syn100.wpt.json",         "nox.wpt.json",
    "dynamo.wpt.json", "edf/wpt/01-02-0001.json", "edf/wpt/01-03-0001.json", "nox.wpt-alt.json"};

static void strip(char *text) {
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        if (!strchr(" \n", *p)) text[n++] = *p;
    }
    text[n] = 0;
}

static unsigned read_epoch(const json_t *epoch, sv_epoch_seconds seconds) {
    unsigned roles = 0;
    for (int r = 0; r < SV_N_ROLES; r++) {
        const json_t *channel = json_object_get(epoch, sv_role_name((sv_role)r));
        if (channel) roles |= sv_role_bit((sv_role)r);
        for (int t = 0; channel && t < SV_EPOCH_S; t++) {
            char name[16];
            snprintf(name, sizeof name, "%d", t + 1);
            const json_t *second = json_object_get(channel, name);
            assert_non_null(second);
            seconds[r][t] = (sv_second_features){sv_json_real(second, "delta", 0), sv_json_real(second, "theta", 0),
                                                 sv_json_real(second, "alpha", 0), sv_json_real(second, "beta", 0),
                                                 sv_json_real(second, "mav", 0)};
        }
    }
    return roles;
}

static void targets_written_again(void **state) {
    (void)state;
    int n_epochs = 0;
    for (size_t i = 0; i < SV_COUNT(files); i++) {
        char relative[64], *golden;
        size_t len;
        sv_error err;
        json_t *root;
        sv_strbuf out = {0};
        const char *key;
        json_t *epoch;
        snprintf(relative, sizeof relative, "golden/dsp/%s", files[i]);
        SKIP_WITHOUT(shared_path(relative));
        ASSERT_OK(sv_file_read(shared_path(relative), 1 << 26, &golden, &len, &err), err);
        ASSERT_OK(sv_json_parse(golden, len, relative, &root, &err), err);
        sv_strbuf_puts(&out, "{");
        json_object_foreach(root, key, epoch) {
            sv_epoch_seconds seconds = {0};
            sv_stage stage = SV_STAGE_NONE;
            const char *label = strchr(key, '_');
            if (label) assert_true(sv_stage_from_annotation(label + 1, &stage));
            unsigned roles = read_epoch(epoch, seconds);
            if (out.len > 1) sv_strbuf_puts(&out, ", ");
            sv_targets_put_epoch(&out, atoi(key), stage, roles, seconds);
            n_epochs++;
        }
        sv_strbuf_puts(&out, "}");
        strip(golden);
        strip(out.data);
        if (strcmp(golden, out.data) != 0) fail_msg("%s: another text", relative);
        sv_strbuf_free(&out);
        json_decref(root);
        free(golden);
    }
    print_message("%d epochs\n", n_epochs);
    assert_true(n_epochs > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(targets_written_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

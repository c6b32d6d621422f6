/*
 * stage.c - the C API in thirty lines: stages a recording and prints what came of it.
 *
 *   cc stage.c $(pkg-config --cflags --libs sleepvlm) -o stage && ./stage MODEL_FOLDER night.edf result
 */
#include <sleepvlm.h>
#include <stdio.h>

static void on_progress(void *context, int n_done, int n_epochs) {
    (void)context;
    if (n_done % 100 == 0 || n_done == n_epochs) fprintf(stderr, "%d of %d epochs\n", n_done, n_epochs);
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: stage MODEL_FOLDER RECORDING RESULT_FOLDER\n"), 2;
    sv_error err;
    sv_model *model;
    if (sv_model_load(argv[1], NULL, &model, &err)) return fprintf(stderr, "%s\n", err.message), 1;

    sv_stage_options options = {.progress = on_progress};
    sv_stage_outcome outcome;
    sv_status status = sv_stage_file(argv[2], model, argv[3], &options, &outcome, &err);
    if (status) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        printf("%d epochs, %d uncertain, %d warnings; see %s/report.html\n", outcome.n_epochs, outcome.n_uncertain,
               outcome.n_warnings, argv[3]);
    }
    sv_model_free(model);
    return status ? 1 : 0;
}

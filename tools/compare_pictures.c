/*
 * compare_pictures.c - two PNG files pixel by pixel: compare-pictures A.png B.png
 *
 * Prints how many pixels (all four channels) are equal and the largest difference. Exit status 0 when at most one pixel
 * in 1000 differs and none by more than 24 of 255, as tests/golden/test_picture.c asks; 1 when they differ more; 2 when
 * they cannot be compared.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/png.h"

enum { MAX_DIFFERENCE = 24, MAX_UNEQUAL_PER_MILLE = 1 };

static int compare(const sv_image *a, const sv_image *b) {
    long n_pixels = (long)a->width * a->height, n_unequal = 0;
    int largest = 0;
    for (long i = 0; i < n_pixels; i++) {
        int worst = 0;
        for (int k = 0; k < 4; k++) {
            int difference = abs(a->pixels[4 * i + k] - b->pixels[4 * i + k]);
            if (difference > worst) worst = difference;
        }
        n_unequal += worst > 0;
        if (worst > largest) largest = worst;
    }
    printf("%ld of %ld pixels equal, largest difference %d\n", n_pixels - n_unequal, n_pixels, largest);
    return n_unequal * 1000 > n_pixels * MAX_UNEQUAL_PER_MILLE || largest > MAX_DIFFERENCE;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("Usage: compare-pictures A.png B.png\n", stderr);
        return 2;
    }
    sv_image a = {0}, b = {0};
    sv_error err;
    int code = 2;
    if (sv_png_load(argv[1], &a, &err) || sv_png_load(argv[2], &b, &err)) {
        fprintf(stderr, "compare-pictures: %s\n", err.message);
    } else if (a.width != b.width || a.height != b.height) {
        fprintf(stderr, "compare-pictures: %d x %d against %d x %d pixels\n", a.width, a.height, b.width, b.height);
    } else {
        code = compare(&a, &b);
    }
    sv_image_free(&a);
    sv_image_free(&b);
    return code;
}

/* hands.c - see hands.h. */
#include "render/hands.h"

#include "base/memory.h"

sv_status sv_hands_new(int n, sv_hand **out, sv_error *err) {
    sv_hand *hands = sv_calloc((size_t)n, sizeof *hands);
    sv_status s = hands ? SV_OK : sv_fail_memory(err, "painters", (size_t)n * sizeof *hands);
    for (int i = 0; i < n && !s; i++) {
        s = sv_painter_new(&hands[i].painter, err);
        hands[i].rgb = s ? NULL : sv_alloc_aligned(SV_PICTURE_BYTES, 1);
        if (!s && !hands[i].rgb) s = sv_fail_memory(err, "a picture", SV_PICTURE_BYTES);
    }
    *out = s ? NULL : hands;
    if (s) sv_hands_free(hands, n);
    return s;
}

void sv_hands_free(sv_hand *hands, int n) {
    for (int i = 0; hands && i < n; i++) {
        sv_painter_free(hands[i].painter);
        free(hands[i].rgb);
    }
    free(hands);
}

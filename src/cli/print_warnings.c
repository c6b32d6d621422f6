/* print_warnings.c - see print_warnings.h. */
#include "cli/print_warnings.h"

#include <stdio.h>

#include "base/json.h"
#include "cli/info_text.h"

void sv_print_warnings(const json_t *warnings) {
    size_t i;
    json_t *warning;
    json_array_foreach(warnings, i, warning) {
        const char *role = sv_json_text(warning, "role", NULL);
        sv_strbuf text = {0};
        sv_info_put_safe(&text, sv_json_text(warning, "text", ""));
        fprintf(stderr, "  %s: %s%s%s\n", sv_json_text(warning, "kind", ""), role ? role : "", role ? ": " : "",
                sv_strbuf_text(&text));
        sv_strbuf_free(&text);
    }
}

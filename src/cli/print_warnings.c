/* print_warnings.c - see print_warnings.h. */
#include "cli/print_warnings.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/info_text.h"

void sv_print_warnings(const json_t *warnings) {
    size_t i;
    json_t *warning;
    json_array_foreach(warnings, i, warning) {
        const char *role = sv_json_text(warning, "role", ""), *said = sv_json_text(warning, "text", "");
        bool names_role = strncmp(said, role, strlen(role)) == 0; /* also when there is none */
        sv_strbuf text = {0};
        sv_info_put_safe(&text, said);
        fprintf(stderr, "  %s: %s%s%s\n", sv_json_text(warning, "kind", ""), names_role ? "" : role,
                names_role ? "" : ": ", sv_strbuf_text(&text));
        sv_strbuf_free(&text);
    }
}

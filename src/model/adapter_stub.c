#include "model/adapter.h"
sv_status sv_adapter_open(const char *folder, sv_adapter **out, sv_error *err) {
    *out = NULL;
    return sv_fail(err, SV_ERR_UNSUPPORTED, "%s", folder);
}
void sv_adapter_close(sv_adapter *adapter) { (void)adapter; }
size_t sv_adapter_count(const sv_adapter *adapter) {
    (void)adapter;
    return 0;
}
const sv_low_rank *sv_adapter_at(const sv_adapter *adapter, size_t i) {
    (void)adapter;
    (void)i;
    return NULL;
}
const sv_low_rank *sv_adapter_find(const sv_adapter *adapter, const char *module) {
    (void)adapter;
    (void)module;
    return NULL;
}

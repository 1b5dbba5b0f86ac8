/* What the walk asks of the scan stage, and the order it asks for. */
#include "stages/scan.h"

#include <string.h>

static void request(const struct item_view *view, enum scan_kind kind, const char *path,
                    size_t path_bytes, uint8_t flags)
{
    struct scan_request *made = scan_request_of(view);
    *made = (struct scan_request){
        .kind = (uint8_t)kind, .flags = flags, .path_bytes = (uint32_t)path_bytes};
    memcpy(scan_path_of(view), path, path_bytes);
    scan_path_of(view)[path_bytes] = '\0';
    made->used_bytes = (uint32_t)scan_names_offset(made);
}

void scan_request_directory(const struct item_view *view, const char *path, size_t path_bytes,
                            uint8_t flags)
{
    request(view, SCAN_DIRECTORY, path, path_bytes, flags);
}

void scan_request_status(const struct item_view *view, const char *path, size_t path_bytes,
                         uint8_t flags)
{
    request(view, SCAN_STATUS, path, path_bytes, flags);
    scan_answer_of(view)->used_bytes = sizeof(struct scan_answer);
}

bool scan_request_add(const struct item_view *view, const struct scan_name *name, const char *text,
                      const void *attachment)
{
    struct scan_request *made = scan_request_of(view);
    struct scan_answer *answer = scan_answer_of(view);
    size_t bytes = scan_name_stride(name);
    /* The answer's size is reserved beforehand: a worker never finds its slab too small. */
    if (made->used_bytes + bytes > SCAN_INPUT_BYTES ||
        answer->used_bytes + scan_entry_stride(name->name_bytes) > SCAN_OUTPUT_BYTES)
        return false;
    uint8_t *at = view->input + made->used_bytes;
    memcpy(at, name, sizeof *name);
    memcpy(at + sizeof *name, text, name->name_bytes);
    at[sizeof *name + name->name_bytes] = '\0';
    memcpy(at + sizeof *name + name->name_bytes + 1, attachment, name->attachment_bytes);
    made->used_bytes += (uint32_t)bytes;
    made->name_count++;
    answer->used_bytes += (uint32_t)scan_entry_stride(name->name_bytes);
    return true;
}

int scan_name_compare(const char *a, size_t a_bytes, bool a_is_directory, const char *b,
                      size_t b_bytes, bool b_is_directory)
{
    size_t common = a_bytes < b_bytes ? a_bytes : b_bytes;
    int order = memcmp(a, b, common);
    if (order)
        return order;
    /* What follows the common part: the rest of the name, the slash of a directory, or nothing. */
    int after_a = common < a_bytes ? (unsigned char)a[common] : a_is_directory ? '/' : -1;
    int after_b = common < b_bytes ? (unsigned char)b[common] : b_is_directory ? '/' : -1;
    return after_a - after_b;
}

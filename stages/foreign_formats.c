/* Which of libarchive's filters and formats are used: each by its name, so that no later version
 * adds one that nobody has thought about. */
#include <errno.h>

#include "stages/foreign_private.h"

static int (*const filters[])(struct archive *) = {
    archive_read_support_filter_bzip2, archive_read_support_filter_compress,
    archive_read_support_filter_gzip,  archive_read_support_filter_lz4,
    archive_read_support_filter_lzip,  archive_read_support_filter_lzma,
    archive_read_support_filter_lzop,  archive_read_support_filter_rpm,
    archive_read_support_filter_uu,    archive_read_support_filter_xz,
    archive_read_support_filter_zstd,
};

static int (*const formats[])(struct archive *) = {
    archive_read_support_format_7zip,    archive_read_support_format_ar,
    archive_read_support_format_cab,     archive_read_support_format_cpio,
    archive_read_support_format_iso9660, archive_read_support_format_lha,
    archive_read_support_format_rar,     archive_read_support_format_rar5,
    archive_read_support_format_warc,    archive_read_support_format_xar,
    archive_read_support_format_zip,
};

/* Any other result than ARCHIVE_OK says that a program would be run. It is asked of an archive that
 * is not used, for what is enabled stays so. */
static int enable_filters(struct archive *archive)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct archive *probe = archive_read_new();
        if (!probe)
            return -ENOMEM;
        bool is_built_in = filters[i](probe) == ARCHIVE_OK;
        archive_read_free(probe);
        if (is_built_in && filters[i](archive) != ARCHIVE_OK)
            return -ENOMEM;
    }
    return 0;
}

/* A format that the library lacks is not known, that is all. */
static void enable_formats(struct archive *archive, enum foreign_mode mode)
{
    if (mode == FOREIGN_STREAM) {
        archive_read_support_format_raw(archive);
        archive_read_support_format_empty(archive);
        return;
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        formats[i](archive);
    if (mode == FOREIGN_ARCHIVE)
        archive_read_support_format_tar(archive);
    archive_read_set_format_option(archive, "lha", "hdrcharset", "ISO-8859-1");
}

int foreign_enable(struct archive *archive, enum foreign_mode mode)
{
    int error = enable_filters(archive);
    if (!error)
        enable_formats(archive, mode);
    return error;
}

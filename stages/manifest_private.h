/* Parsers of single lines, used by manifest_read.c. */
#ifndef TREEMILL_STAGES_MANIFEST_PRIVATE_H
#define TREEMILL_STAGES_MANIFEST_PRIVATE_H

#include "stages/manifest.h"

#define MANIFEST_LINE_BYTES_MAX (1U << 20)
#define HASHDEEP_COLUMNS_MAX    16

enum line_result {
    LINE_ENTRY,
    LINE_NOTHING, /* a comment, a header, a directory */
    LINE_MALFORMED
};

/* What a reader knows beside the line in hand. */
struct manifest_context {
    const struct manifest_reader_options *options;
    int named_algorithm;       /* by the manifest's name, or -1 */
    const char *named_foreign; /* the same, of an algorithm that is not ours, or NULL */
    bool ends_in_newline;      /* the lines; else in NUL, names as they are */
    bool is_bagit;
    bool is_sfv;
    /* hashdeep: what each column is: a digest id, or one of these. */
    unsigned column_count;
    int column[HASHDEEP_COLUMNS_MAX];
    bool has_cr; /* before the newline of the header, so of every line */
    /* mtree: the current directory with its slash, and what /set said. */
    char directory[MANIFEST_PATH_BYTES_MAX + 1];
    size_t directory_bytes;
    bool set_is_file; /* type=file, or no type at all */
    bool set_has_size;
    uint64_t set_size;
    char path[MANIFEST_PATH_BYTES_MAX + 1]; /* where a path is put together */
};

#define COLUMN_SIZE     (-1)
#define COLUMN_FILENAME (-2)
#define COLUMN_UNKNOWN  (-3)

/* All take a NUL-terminated line (which may be changed) without its end, and fill `line`. */
enum line_result parse_checksum_line(struct manifest_context *context, char *text, size_t bytes,
                                     struct manifest_line *line);
enum line_result parse_hashdeep_line(struct manifest_context *context, char *text, size_t bytes,
                                     struct manifest_line *line);
enum line_result parse_mtree_line(struct manifest_context *context, char *text, size_t bytes,
                                  struct manifest_line *line);
enum line_result parse_json_line(struct manifest_context *context, char *text, size_t bytes,
                                 struct manifest_line *line);

/* Untagged digests (manifest_untagged.c). What the manifest's own name says of them: "SHA256SUMS",
 * "x.md5", "manifest-sha512.txt". */
void learn_from_name(struct manifest_context *context);
/* The algorithm of a digest of so many hexadecimal digits, or -1; then line->reason says why not if
 * the line is one with a digest all the same. */
int untagged_algorithm(const struct manifest_context *context, size_t digits,
                       struct manifest_line *line);

/* Helpers. */
enum line_result malformed(struct manifest_line *line, const char *reason);
/* Takes a path: not empty, no NUL inside, not too long. Writes a NUL behind it. */
enum line_result set_path(struct manifest_line *line, char *path, size_t bytes);
/* Adds a digest of `id` in hexadecimal; false: not that many hexadecimal digits. */
bool add_digest(struct manifest_line *line, int id, const char *hex, size_t bytes);
int hex_value(char digit);
/* A decimal number that fills the text. */
bool parse_number(const char *text, size_t bytes, uint64_t *number);

#endif

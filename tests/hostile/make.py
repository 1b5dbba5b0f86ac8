"""Makes archives that mean harm, and says what is to become of each: see case.py.

make.py DIRECTORY OUTSIDE: writes them to DIRECTORY; OUTSIDE is the absolute path of a directory
that some of them try to reach, "../out" from the target. The same bytes each time."""

import sys

import case
import indexed
import others
import tar_kinds
import tar_names
import tar_sizes
import zip_cases


# Those that go through all combinations of models: what workers could do at the same time, or one
# could do to what another has open.
TRICKY = {"absolute-name", "symlink-chain", "directory-over-symlink", "hard-to-symlink",
          "planted-symlink-through-force", "planted-hard-link", "closed-directories", "twice-large",
          "file-link-file", "file-over-way", "odd-names", "bomb-gzip-total", "zip-symlink-out",
          "zip-twins-many", "cpio-hard-links-over-symlink"}


def make(outside):
    tar_names.make(outside)
    tar_kinds.make()
    tar_sizes.make()
    zip_cases.make(outside)
    others.make(outside)
    indexed.make()
    return case.cases


if __name__ == "__main__":
    make(sys.argv[2])
    case.write_all(sys.argv[1])

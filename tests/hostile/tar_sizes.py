"""tar: sizes that lie, sparse files, archives that are broken, and those that grow without end."""

import bz2
import gzip
import lzma

import case as here
import tar
import zstd
from case import case, directory, file, hollow

LIMIT = r"treemill: .*: extract: more comes out of it than is allowed"
END = r"treemill: .*: (read: unexpected end of file|decompress: unexpected end of file)"
EXABYTES = 2 ** 63 - 1


def sizes():
    good = tar.file("good", "good")
    made = [file("good", "good")]
    for name, field in [("lying", tar.base256(EXABYTES, 12)), ("tebibyte", tar.number(2 ** 40, 12)),
                        ("octal", b"777777777777")]:
        case("size-" + name, tar.tar(good, tar.header("x", size=field) + tar.padded(b"little")), 1,
             [END], made)
    for name, field in [("overflow", tar.base256(2 ** 63, 12)), ("negative", tar.base256(-1, 12)),
                        ("least", tar.base256(-2 ** 90, 12)), ("most", b"\xff" * 12),
                        ("text", b"12345abc"), ("minus", b"-00000000001")]:
        case("size-" + name, tar.tar(good, tar.header("x", size=field) + tar.padded(b"little")), 1,
             [r"treemill: .*: read: a header's size is no number, or out of range"], made)
    for name, text in [("large", "9" * 30), ("negative", "-1"), ("above", str(2 ** 63))]:
        case("size-pax-" + name, tar.tar(good, tar.pax([("size", text)]), tar.file("x", "x")), 1,
             [r"treemill: .*: read: a size in an extended header is no number, or out of range"], made)
    case("size-pax-empty", tar.tar(good, tar.pax([("size", "")]), tar.file("x", "x")), 1,
         [r"treemill: .*: read: a size in an extended header is no number, or out of range"], made)
    case("size-of-extended-header", tar.tar(good, tar.header("x", b"x", size=2 ** 40)), 1,
         [r"treemill: .*: read: extended headers are too large"], made)
    case("size-of-long-name", tar.tar(good, tar.header("x", b"L", size=EXABYTES)), 1,
         [r"treemill: .*: read: extended headers are too large"], made)
    for name, body in [("length", b"99999999 path=x\n"), ("zero", b"0 path=x\n"),
                       ("no-equals", b"6 xyz\n"), ("no-newline", b"10 path=xy"), ("word", b"x path=y\n"),
                       ("huge", b"9" * 40 + b" path=x\n")]:
        case("pax-record-" + name, tar.tar(good, tar.pax(body), tar.file("x", "x")), 1,
             [r"treemill: .*: read: an extended header's record is broken"], made)
    case("headers-without-member", tar.tar(good, *[tar.pax([("comment", "c" * 100000)])] * 20), 1,
         [r"treemill: .*: read: extended headers are too large"], made)


def sparse():
    good = tar.file("good", "good")
    made = [file("good", "good")]

    def refused(name, member, line):
        case("sparse-" + name, tar.tar(good, member), 1, [r"treemill: .*: read: " + line], made)

    order = "a sparse file's map is out of order"
    refused("out-of-order", tar.sparse_old("x", [(4096, 512), (0, 512)], 8192, bytes(1024)), order)
    refused("overlapping", tar.sparse_pax("x", [(0, 1024), (512, 1024)], 8192, bytes(2048)), order)
    refused("beyond", tar.sparse_old("x", [(0, 512), (7936, 512)], 8192, bytes(1024)),
            "a sparse file's map goes beyond its end")
    refused("more-than-data", tar.sparse_old("x", [(0, 2 ** 40)], 2 ** 41, b"little"),
            "a sparse file's map has more than its data")
    refused("overflow", tar.sparse_pax("x", [(EXABYTES, EXABYTES)], EXABYTES, b"x"),
            "a number of a sparse file's map is out of range")
    refused("negative", tar.sparse_old("x", [(-1, 512)], 8192, bytes(512)),
            "a number of a sparse file's map is none")
    refused("endless-map", tar.sparse_pax("x", [(0, 0)] * 100000, 512, b"")[:2048] + b"1" * 512,
            ".*")
    refused("map-beyond-data", tar.pax([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
                                        ("GNU.sparse.realsize", "5")]) + tar.file("x", "999999\n"),
            ".*")
    refused("odd-list", tar.pax([("GNU.sparse.map", "0,1,5"), ("GNU.sparse.size", "9")]) +
            tar.file("x", "x"), "a sparse file's map has an offset without a length")
    refused("no-size", tar.pax([("GNU.sparse.map", "0,1")]) + tar.file("x", "x"),
            "a sparse file's size is missing")
    refused("unknown-form", tar.pax([("GNU.sparse.major", "7"), ("GNU.sparse.minor", "0"),
                                     ("GNU.sparse.realsize", "5")]) + tar.file("x", "x"),
            "a sparse file's form is not known")
    extents = [(1024 * i, 1) for i in range(100000)]
    # More pieces in one block of the archive than any file system's blocks could come to.
    many = "more names than a block of it can have"
    refused("extents", tar.sparse_pax("x", extents, 1024 * 100000, b"e" * 100000), many)
    refused("extents-old", tar.sparse_old("x", extents[:5000], 1024 * 5000, b"e" * 5000), many)
    case("sparse-extents-few", tar.tar(tar.sparse_old("x", extents[:2000], 1024 * 2000, b"e" * 2000)),
         tree=[file("x", (b"e" + bytes(1023)) * 2000)])
    for name, size in [("exabytes", EXABYTES), ("tebibytes", 2 ** 42)]:
        members = tar.tar(tar.sparse_pax("x", [(0, 3), (size - 3, 3)], size, b"abcdef"), good)
        fits = here.can_be_as_long(size)
        lines = [] if fits else [r"treemill: x: (write|create|extract): File too large"]
        tree = ([hollow("x")] if fits else []) + made
        case("sparse-" + name, members, 0 if fits else 3, lines, tree)
        # Digests would have to be those of all these zeros.
        case("sparse-%s-digests" % name, members, 1, [LIMIT], [], "--manifest=sums")
    case("sparse-all-hole", tar.tar(tar.sparse_old("x", [(2 ** 33, 0)], 2 ** 33, b"")),
         tree=[hollow("x")])


def broken():
    members = [tar.file("a", "a" * 1000), tar.file("b", "b" * (3 << 20)), tar.pax([("path", "c")]),
               tar.file("x", "c")]
    whole = tar.tar(*members)
    a, b, c = file("a", "a" * 1000), file("b", "b" * (3 << 20)), file("c", "c")
    ends = [len(b"".join(members[:i + 1])) for i in range(4)]
    no_end = r"treemill: .*: has no end-of-archive mark"
    for name, at, status, lines, tree in [
            ("header", 300, 1, [r"treemill: .*: .*"], []), ("data", 1100, 1, [END], []),
            ("padding", 1540, 1, [END], [a]), ("member", ends[0], 0, [no_end], [a]),
            ("second-header", ends[0] + 100, 1, [END], [a]),
            ("pieces", ends[0] + 512 + (2 << 20), 1, [END], [a]),
            ("extended-header", ends[2], 1, [END], [a, b]),
            ("before-end", ends[3], 0, [no_end], [a, b, c]),
            ("half-end", ends[3] + 512, 0, [no_end], [a, b, c])]:
        case("cut-" + name, whole[:at], status, lines, tree)
    case("empty", b"", 1, [r"treemill: .*: read: .*"])
    case("zeros", bytes(1024))
    case("one-block-of-zeros", bytes(512), 1, [r"treemill: .*: read: .*"])
    case("garbage", bytes(range(256)) * 100, 1, [r"treemill: .*: read: no archive that is known"])
    case("garbage-after", whole + b"\xff" * 5000, tree=[a, b, c])
    case("garbage-between", tar.tar(tar.file("a", "x") + b"\xff" * 512), 1,
         [r"treemill: .*: read: a header's checksum is wrong"], [file("a", "x")])
    case("another-archive-after", whole + tar.tar(tar.file("never", "x")), tree=[a, b, c])
    half = gzip.compress(whole, 1)
    case("gzip-cut", half[:len(half) // 2], 1, [END], [a], suffix="tar.gz")
    case("gzip-cut-end", half[:-6], 1, [END], [a, b, c], suffix="tar.gz")
    case("gzip-wrong-sum", half[:-8] + bytes(4) + half[-4:], 1, [r"treemill: .*: .*corrupt data"],
         [a], suffix="tar.gz")
    case("gzip-garbage-after", half + b"\xff" * 100, tree=[a, b, c], suffix="tar.gz")
    two = gzip.compress(whole[:5000]) + gzip.compress(whole[5000:])
    case("gzip-two-members", two, tree=[a, b, c], suffix="tar.gz")


def bombs():
    members = tar.header("bomb", size=2 ** 31)
    ratio = "--max-ratio=100"
    zeros = gzip.compress(bytes(16 << 20), 9) * 80
    case("bomb-gzip", gzip.compress(members) + zeros, 1, [LIMIT], [], ratio, "tar.gz")
    case("bomb-gzip-total", gzip.compress(members) + zeros[:len(zeros) // 8], 1, [LIMIT], [],
         "--max-total=20M", "tar.gz")
    case("bomb-zstd", zstd.frame(members) + zstd.zeros(5 << 28), 1, [LIMIT], [], "", "tar.zst")
    # What comes out of these is no member's data.
    header = tar.pax([("comment", "c" * 1000000)], b"g")
    case("bomb-of-headers", gzip.compress(tar.file("x", "x")) + gzip.compress(header * 16, 9) * 80, 1,
         [LIMIT], [file("x", "x")], ratio, "tar.gz")
    passed = tar.directory("d", size=0) + tar.header("v", b"V", size=2 ** 32)
    case("bomb-passed-over", gzip.compress(passed) + zeros, 1, [LIMIT], [directory("d")], ratio,
         "tar.gz")
    case("bomb-of-maps", gzip.compress(tar.sparse_old("x", [(0, 0)] * 4, 1, b"", [bytes(504) + b"\1" * 8])
                                       ) + gzip.compress((bytes(504) + b"\1" * 8) * 32768, 9) * 80, 1,
         [LIMIT], [], ratio, "tar.gz")
    # What goes beyond is not made in part.
    case("limit-total", tar.tar(tar.file("x", "x" * 600000), tar.file("y", "y" * 300000)), 1, [LIMIT],
         [file("x", "x" * 600000)], "--max-total=700K")
    many = b"".join(tar.header("%d" % i) for i in range(1000))
    case("bomb-of-members", tar.tar(many), 1, [LIMIT],
         [file("%d" % i) for i in range(100)], "--max-members=100")
    small = tar.tar(tar.file("x", "good"))
    for depth, status in [(3, 0), (6, 1)]:
        data = small
        for _ in range(depth):
            data = gzip.compress(data)
        case("filters-gzip-%d" % depth, data, status, [r"treemill: .*: read: .*"] if status else [],
             [] if status else [file("x", "good")], suffix="tar.gz")
    case("filters-xz-in-zstd", zstd.frame(lzma.compress(small)), suffix="tar.zst",
         tree=[file("x", "good")])
    case("filters-bzip2-in-xz", lzma.compress(bz2.compress(small)), suffix="tar.xz",
         tree=[file("x", "good")])
    case("bomb-xz-in-gzip", gzip.compress(lzma.compress(members + bytes(64 << 20), preset=1)), 1, [LIMIT],
         [], "--max-total=20M", "tar.gz")


def make():
    sizes()
    sparse()
    broken()
    bombs()

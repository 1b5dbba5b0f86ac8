"""zip: names, sizes and places that lie."""

import struct

import zip as made
from case import case, directory, file, symlink, ways

UNSAFE = r"treemill: %s: skipped: leads out of the target"
SLASHES = r"treemill: .*: leading slashes are taken off the names of members"
LIMIT = "extract: more comes out of it than is allowed"
MADE = 1356998400  # 2013-01-01 in UTC
GOOD = made.entry("good", "good")
GOOD_MADE = file("good", "good", time=MADE)


def zipped(name, entries, status=0, lines=(), tree=(), options="", **more):
    case("zip-" + name, made.archive(*entries, **more), status, lines, tree, options, "zip")


def broken(name, entries, line=r".*", tree=(), status=1, **more):
    zipped(name, entries, status, [r"treemill: .*: " + line], tree, **more)


def names(outside):
    zipped("absolute", [made.entry(outside + "/file", "evil")], lines=[SLASHES],
           tree=ways(outside[1:]) + [file(outside[1:] + "/file", "evil", time=MADE)])
    zipped("dotdot", [made.entry("../out/file", "evil"), GOOD], 3, [UNSAFE % r"\.\./out/file"],
           [GOOD_MADE])
    zipped("dotdot-deflated", [made.entry("a/../../out/file", "evil" * 99, 8), GOOD], 3,
           [UNSAFE % r"a/\.\./\.\./out/file"], [GOOD_MADE])
    zipped("dotdot-directory", [made.entry("../out/", mode=0o40777), GOOD], 3,
           [UNSAFE % r"\.\./out/"], [GOOD_MADE])
    zipped("backslash", [made.entry("..\\out\\file", "x")], tree=[file("..\\out\\file", "x", time=MADE)])
    zipped("backslash-dos", [made.entry("..\\out\\file", "x", host=0, mode=0)], 3,
           [UNSAFE % r".*"], [])
    zipped("drive", [made.entry("C:/x", "x")], tree=ways("C:") + [file("C:/x", "x", time=MADE)])
    zipped("empty-name", [made.entry("", "x"), GOOD], 3, [r"treemill: \.: create: Is a directory"],
           [GOOD_MADE])
    zipped("nul", [made.entry(b"ok\0/../x", "x"), GOOD], 3, [UNSAFE % "ok"], [GOOD_MADE])
    zipped("symlink-out", [made.entry("link", "../out", mode=0o120777),
                           made.entry("link/file", "evil")], 3,
           [r"treemill: link: create: File exists"],
           ways("link") + [file("link/file", "evil", time=MADE)])
    zipped("symlink-deflated", [made.entry("link", "../out/file", 8, mode=0o120777)],
           tree=[symlink("link", "../out/file", time=MADE)])
    zipped("symlink-safe", [made.entry("link", "../out/file", mode=0o120777)], 3,
           [UNSAFE % "link"], [], "--safe-links")
    broken("symlink-large", [made.entry("link", "x" * 100000, 8, mode=0o120777), GOOD], r".*",
           [GOOD_MADE])
    zipped("symlink-nul", [made.entry("link", b"a\0b", mode=0o120777)], 1, [r"treemill: link: .*"])
    zipped("setuid", [made.entry("x", "x", mode=0o106755)], tree=[file("x", "x", 0o755, time=MADE)])
    zipped("device", [made.entry("x", b"", mode=0o020666)], 3,
           [r"treemill: x: skipped: not a regular file"])
    zipped("twins", [made.entry("x", "one"), made.entry("x", "two" * 99, 8), made.entry("x/", mode=0o40755),
                     made.entry("X", "large")], 3,
           [r"treemill: x: create: Not a directory"],
           [file("x", "two" * 99, time=MADE), file("X", "large", time=MADE)])
    many = [made.entry("x", b"%06d" % i + bytes(100000), 8 * (i % 2)) for i in range(60)]
    zipped("twins-many", many, tree=[file("x", b"000059" + bytes(100000), time=MADE)])
    sizes = [made.entry("x", b"%d" % i * (3 << 20 if i % 2 else 10), 8) for i in range(8)]
    zipped("twins-streams", sizes, tree=[file("x", b"7" * (3 << 20), time=MADE)])
    broken("local-name", [made.entry("inside", "x", local_name="../out/file"), GOOD], r".*",
           [GOOD_MADE])
    broken("local-name-inside", [made.entry("central", "x", local_name="LOCALLY"), GOOD], r".*",
           [GOOD_MADE])


def data():
    broken("checksum", [made.entry("x", "x", checksum=1), GOOD], r".*", [GOOD_MADE])
    broken("checksum-deflated", [made.entry("x", "x" * 99, 8, checksum=1), GOOD], r".*", [GOOD_MADE])
    broken("size-more", [made.entry("x", "x" * 99, 8, size=1000), GOOD], r".*", [GOOD_MADE])
    broken("size-less", [made.entry("x", "x" * 99, 8, size=5), GOOD], r".*", [GOOD_MADE])
    broken("size-stored", [made.entry("x", "x" * 99, size=5), GOOD], r".*", [GOOD_MADE])
    broken("size-huge", [made.entry("x", "x" * 99, 8, size=0xfffffffe), GOOD], LIMIT)
    broken("local-size", [made.entry("x", "x" * 99, 8, local={"size": 5}), GOOD], r".*", [GOOD_MADE])
    broken("local-method", [made.entry("x", "x" * 99, 8, local={"method": 0}), GOOD], r".*", [GOOD_MADE])
    broken("packed-beyond", [made.entry("x", "x", packed_size=1 << 30, size=1 << 30), GOOD], r".*")
    broken("rubbish", [made.entry("x", "x" * 99, 8, packed=b"\xff" * 40), GOOD], r".*", [GOOD_MADE])
    broken("cut-data", [made.entry("x", "x" * 9999, 8, packed=b"\x4b"), GOOD], r".*", [GOOD_MADE])
    broken("encrypted", [made.entry("x", "x" * 20, flags=1), GOOD], r".*")
    broken("method-unknown", [made.entry("x", "x" * 20, 77), GOOD], r".*")
    zipped("directory-with-data", [made.entry("d/", "data", mode=0o40755), GOOD], 1,
           [r"treemill: .*"], [GOOD_MADE])
    zipped("large", [made.entry("x", bytes(3 << 20), 8)], tree=[file("x", bytes(3 << 20), time=MADE)])
    broken("large-checksum", [made.entry("x", bytes(3 << 20), 8, checksum=7), GOOD], r".*", [GOOD_MADE])
    broken("large-cut", [made.entry("x", bytes(3 << 20), 8, packed=b"\xed\xc1\x01\x01" * 3), GOOD], r".*",
           [GOOD_MADE])


def places():
    kernel = made.entry("kernel", bytes(1 << 20), 8)
    same = [made.entry("%d" % i, bytes(1 << 20), 8, packed=kernel["data"] if i == 0 else b"", offset=0,
                       packed_size=len(kernel["data"])) for i in range(100)]
    broken("overlap-all", same, r".*")
    # Each entry's data begins with the next one's local header, quoted in a stored block (Fifield).
    broken("overlap-quoted", quoted(20), r".*")
    broken("offset-beyond", [made.entry("x", "x", offset=1 << 30), GOOD])
    broken("offset-directory", [made.entry("x", "x", offset=80), GOOD])
    broken("count-more", [GOOD], count=1000)
    broken("count-less", [GOOD, made.entry("y", "y")], count=1)
    broken("directory-beyond", [GOOD], offset=1 << 30)
    broken("directory-size", [GOOD], size=1 << 30)
    zipped("disks", [GOOD], disks=3, tree=[GOOD_MADE])
    zipped("comment", [GOOD], tree=[GOOD_MADE], comment=b"c" * 65535)
    # Two archives in one: the end that is nearer to the file's end is the one, as for unzip(1).
    zipped("comment-is-archive", [GOOD], comment=made.archive(made.entry("x", "x")),
           tree=[file("x", "x", time=MADE)])
    zipped("start", [GOOD], tree=[GOOD_MADE], start=b"#!/bin/sh\n" * 999)
    broken("zip64-count", [GOOD], zip64=lambda n, size, at, here: made.end64(2 ** 60, size, at, here),
           count=0xffff, size=0xffffffff, offset=0xffffffff)
    broken("zip64-size", [GOOD], zip64=lambda n, size, at, here: made.end64(n, 2 ** 63, at, here),
           count=0xffff, size=0xffffffff, offset=0xffffffff)
    broken("zip64-offset", [GOOD], zip64=lambda n, size, at, here: made.end64(n, size, 2 ** 64 - 1, here),
           count=0xffff, size=0xffffffff, offset=0xffffffff)
    zipped("zip64-place", [GOOD], tree=[GOOD_MADE], zip64=lambda n, size, at, here: made.end64(n, size, at, 2 ** 63),
           count=0xffff, size=0xffffffff, offset=0xffffffff)
    zipped("zip64", [GOOD], zip64=made.end64, tree=[GOOD_MADE],
           count=0xffff, size=0xffffffff, offset=0xffffffff)
    extra = struct.pack("<HHQQ", 1, 16, 2 ** 63, 2 ** 62)
    broken("zip64-entry", [made.entry("x", "x", 8, size=0xffffffff, packed_size=0xffffffff, extra=extra),
                           GOOD])
    broken("zip64-entry-short", [made.entry("x", "x", 8, size=0xffffffff, extra=b"\1\0\2\0xx"), GOOD])
    zipped("extra-beyond", [made.entry("x", "x", extra=b"UT\xff\xff\1"), GOOD],
           tree=[file("x", "x", time=MADE), GOOD_MADE])
    many = [made.entry("%05x" % i) for i in range(70000)]
    zipped("many", many, count=0xffff, size=0xffffffff, offset=0xffffffff, zip64=made.end64,
           status=1, lines=["treemill: .*: " + LIMIT], options="--max-members=69999")
    broken("many-without-zip64", many, LIMIT, count=len(many) & 0xffff, options="--max-members=69999")
    bomb = made.entry("bomb", bytes(32 << 20), 8)
    broken("bomb", [bomb], LIMIT, options="--max-total=20M")
    lying = made.entry("bomb", bytes(32 << 20), 8, size=100)
    broken("bomb-lying", [lying, GOOD], r".*", [GOOD_MADE], options="--max-total=20M")


def quoted(count):
    kernel = made.entry("k", bytes(100000), 8)
    tail = made.local_header(kernel) + kernel["data"]
    entries = [kernel]
    for number in range(count):
        head = made.local_header(entries[-1])
        block = b"\0" + struct.pack("<HH", len(head), len(head) ^ 0xffff)
        one = made.entry("q%d" % number, b"", 8, packed=block + tail, size=200000 + number, checksum=0)
        entries.append(one)
        tail = made.local_header(one) + one["data"]
    # The outermost is there in full, and the others are in it.
    place, outer = 0, entries[::-1]
    for one in outer:
        one["offset"] = place
        place += len(made.local_header(one)) + 5
    for one in outer[1:]:
        one["local_name"], one["data"] = b"", b""
    return outer


def make(outside):
    names(outside)
    data()
    places()

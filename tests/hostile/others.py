"""Other kinds: cpio, ar, cab and lha by hand; 7z and ISO 9660 as bsdtar writes them."""

import os
import shutil
import struct
import subprocess
import tempfile
import zlib

from case import MEMBER_TIME, case, directory, file, raw, special, symlink, ways

UNSAFE = r"treemill: %s: skipped: leads out of the target"
SLASHES = r"treemill: .*: leading slashes are taken off the names of members"
READ = r"treemill: .*: read: .*"

# cpio.


def newc(name, data=b"", mode=0o100644, links=1, inode=1, size=None, name_size=None, device=0):
    name, data = raw(name) + b"\0", raw(data)
    fields = [inode, mode, 0, 0, links, MEMBER_TIME, len(data) if size is None else size, 0, 0, device, 0,
              len(name) if name_size is None else name_size, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


TRAILER = newc("TRAILER!!!", mode=0)


def cpio(*members):
    return b"".join(members) + TRAILER


def packed(name, archive, status=0, lines=(), tree=(), options=""):
    case("cpio-" + name, archive, status, lines, tree, options, "cpio")


def cpios(outside):
    good = newc("good", "good", inode=99)
    made = [file("good", "good")]
    packed("absolute", cpio(newc(outside + "/file", "evil")), lines=[SLASHES],
           tree=ways(outside[1:]) + [file(outside[1:] + "/file", "evil")])
    packed("dotdot", cpio(newc("../out/file", "evil"), good), 3, [UNSAFE % r"\.\./out/file"], made)
    packed("symlink", cpio(newc("link", "../out", 0o120777), newc("link/file", "evil"), good), 3,
           [r"treemill: link: create: File exists"], ways("link") + [file("link/file", "evil")] + made)
    packed("hard-links", cpio(newc("a", links=2, inode=5), newc("b", "data", links=2, inode=5)),
           tree=[file("a", "data", links=2), file("b", "data", links=2)])
    packed("hard-links-out", cpio(newc("../out/file", links=2, inode=5),
                                  newc("b", "evil", links=2, inode=5)), 3,
           [UNSAFE % r"\.\./out/file"], [file("b", "evil")])
    packed("hard-links-out-data", cpio(newc("b", links=2, inode=5),
                                       newc("../out/file", "evil", links=2, inode=5)), 3,
           [UNSAFE % r"(\.\./out/file|b)"] * 2)
    packed("hard-links-over-symlink", cpio(newc("a", "../out/file", 0o120777), good,
                                           newc("a", links=2, inode=5),
                                           newc("b", "evil", links=2, inode=5)),
           tree=[file("a", "evil", links=2), file("b", "evil", links=2)] + made)
    packed("hard-links-and-file", cpio(newc("a", links=2, inode=5), newc("b", "data", links=2, inode=5),
                                       newc("a", "other", inode=7)),
           tree=[file("a", "other"), file("b", "data")])
    packed("links-too-many", cpio(newc("a", links=0x7fffffff, inode=5), good), tree=[file("a")] + made)
    packed("socket", cpio(newc("s", mode=0o140777), good), 3,
           [r"treemill: s: skipped: not a regular file"], made)
    packed("device", cpio(newc("d", mode=0o060666, device=8), good), 3,
           [r"treemill: d: skipped: not a regular file"], made)
    packed("fifo-setuid", cpio(newc("p", mode=0o014644), newc("d", mode=0o047755)),
           tree=[special("p", "p"), directory("d")])
    packed("kind-unknown", cpio(newc("x", "x", mode=0o170644), good), 3,
           [r"treemill: x: skipped: not a regular file"], made)
    packed("size-huge", cpio(newc("x", "x", size=0xfffffff0)), 1, [READ])
    packed("name-huge", newc("x", "x", name_size=0xfffffff0), 1, [READ])
    packed("name-empty", cpio(newc("", "x"), good), 0, [], [file("unnamed-1", "x")] + made)
    packed("name-nul", cpio(newc(b"ok\0/../../x", "x"), good), tree=[file("ok", "x")] + made)
    packed("cut", cpio(good, newc("x", "x" * 5000))[:3000], 1, [READ], made)
    packed("symlink-huge", cpio(newc("l", "x", 0o120777, size=0x7fffffff)), 1, [READ])


# ar, cab, lha.


def ar(*members):
    body = b"!<arch>\n"
    for name, data in members:
        body += b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (raw(name), MEMBER_TIME, 0, 0, 0o104755, len(data))
        body += data + b"\n" * (len(data) % 2)
    return body


def cab(names, data=b"evil", offset=None, size=None):
    """One folder, stored."""
    files = b""
    for name in names:
        files += struct.pack("<IIHHHH", len(data) if size is None else size, 0, 0, 0x4221, 0, 0x20)
        files += raw(name) + b"\0"
    block = struct.pack("<IHH", 0, len(data), len(data)) + data
    start = 36 + 8 + len(files)
    whole = start + len(block)
    return (b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, whole, 0, 44, 0, 3, 1, 1, len(names), 0, 0, 0) +
            struct.pack("<IHH", start if offset is None else offset, 1, 0) + files + block)


def xar(name, before="", size=4):
    table = ("""<?xml version="1.0" encoding="UTF-8"?>%s<xar><toc><file id="1"><data><length>4</length>
        <offset>0</offset><size>%d</size><encoding style="application/octet-stream"/></data>
        <type>file</type><name>%s</name></file></toc></xar>""" % (before, size, name)).encode()
    packed_table = zlib.compress(table)
    return b"xar!" + struct.pack(">HHQQI", 28, 1, len(packed_table), len(table), 0) + packed_table + b"evil"


def lha(name, data=b"evil", size=None):
    """A header of level 0, stored."""
    name = raw(name)
    body = (b"-lh0-" + struct.pack("<II", len(data) if size is None else size, len(data)) +
            struct.pack("<IBBB", (33 << 9 | 1 << 5 | 1) << 16, 0x20, 0, len(name)) + name +
            struct.pack("<H", crc16(data)))
    return bytes([len(body), sum(body) & 0xff]) + body + data


def crc16(data):
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xa001 if value & 1 else 0)
    return value


def by_hand(outside):
    evil = file("x", b"evil", 0o755)
    case("ar-dotdot", ar(("../out/file", b"evil"), ("x/", b"evil")), 3, [UNSAFE % r"\.\./out/file"],
         [evil], suffix="a")
    case("ar-long-name", ar(("//", b"../../out/file/\n"), ("/0", b"evil"), ("/99999", b"x")), 1,
         [READ], suffix="a")
    case("ar-bsd-name", ar(("#1/11", b"../out/fileevil"), ("x", b"evil")), 3,
         [UNSAFE % r"\.\./out/file"], [evil], suffix="a")
    case("ar-bsd-name-huge", ar(("x", b"evil"), ("#1/99999999", b"x")), 1, [READ], [evil], suffix="a")
    for name, path in [("dotdot", "../out/file"), ("backslash", "..\\out\\file")]:
        case("cab-" + name, cab([path]), 3, [UNSAFE % r"\.\./out/file"], suffix="cab")
    case("cab-overlap", cab(["x", "y"]), 1, [READ], suffix="cab")
    case("xar-dotdot", xar("../out/file"), 3, [UNSAFE % r"\.\./out/file"], suffix="xar")
    case("xar-lying", xar("x", size=1 << 40), 1, [READ], suffix="xar")
    case("xar-entities", xar("&x;", '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
         tree=[file("unnamed-1", "evil", 0o755, 0)], suffix="xar")
    case("cab-offset", cab(["x"], offset=1 << 30), 1, [READ], suffix="cab")
    case("cab-size", cab(["x"], size=1 << 30), 1, [READ], suffix="cab")
    case("lha-dotdot", lha("../out/file"), 3, [UNSAFE % r"\.\./out/file"], suffix="lzh")
    case("lha-size", lha("x", size=1 << 30), 1, [READ], suffix="lzh")
    warc = (b"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: file:///../../out/file\r\n"
            b"WARC-Date: 2001-09-09T01:46:40Z\r\nContent-Length: 4\r\n\r\nevil\r\n\r\n")
    case("warc-dotdot", warc, 3, [UNSAFE % r"/\.\./\.\./out/file", SLASHES], suffix="warc")
    mtree = b"#mtree\n./stolen type=file contents=/etc/passwd\n"
    case("mtree", mtree, 1, [r"treemill: .*: read: no archive that is known"], suffix="mtree")


# By bsdtar, which changes the names.


def bsdtar(kind, name="../out/file"):
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(work + "/dirX")
        for one in ("a_up_file", "dirX/x"):
            with open(work + "/" + one, "w") as content:
                content.write("evil")
        os.symlink("../out/file", work + "/link")
        for one in ("a_up_file", "dirX/x", "dirX"):
            os.utime(work + "/" + one, (MEMBER_TIME, MEMBER_TIME))
        os.utime(work + "/link", (MEMBER_TIME, MEMBER_TIME), follow_symlinks=False)
        made = subprocess.run(["bsdtar", "--format", kind, "-cf", "made", "-s", ",a_up_file,%s," % name,
                               "a_up_file", "dirX", "link"], cwd=work, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        if made.returncode:
            return None
        with open(work + "/made", "rb") as archive:
            return archive.read()


def by_bsdtar():
    if not shutil.which("bsdtar"):
        print("left out: 7z and ISO 9660 (bsdtar is missing)")
        return
    inside = [directory("dirX"), file("dirX/x", "evil"), symlink("link", "../out/file")]
    for kind, suffix in [("7zip", "7z"), ("pax", "tar"), ("newc", "cpio")]:
        archive = bsdtar(kind)
        if archive is None:
            print("left out: %s (bsdtar does not write it)" % kind)
            continue
        case("bsdtar-" + kind, archive, 3, [UNSAFE % r"\.\./out/file"], inside, suffix=suffix)
    image = bsdtar("iso9660", "up/file")
    if image is not None: # Rock Ridge has names as they are
        inside = [directory("dirX", 0o555), file("dirX/x", "evil", 0o444), symlink("link", "../out/file")]
        case("iso-dotdot", image.replace(b"NM\x07\x01\x00up", b"NM\x07\x01\x00.."), 3,
             [UNSAFE % r"\.\./?", UNSAFE % r"\.\./file"], inside, suffix="iso")


def make(outside):
    cpios(outside)
    by_hand(outside)
    by_bsdtar()

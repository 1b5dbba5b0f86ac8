"""Archives as treemill writes them, gzip in blocks with an index of members, which lies."""

import struct
import zlib

import tar
from case import case, crc, file, raw


def block(content, size=None, content_size=None, extra=b""):
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = deflater.compress(content) + deflater.flush() if content else b"\3\0"
    whole = 24 + len(extra) + len(data) + 8
    return (b"\x1f\x8b\x08\x04\0\0\0\0\0\3" + struct.pack("<H", 12 + len(extra)) + b"TM\x08\0" +
            struct.pack("<II", whole if size is None else size,
                        len(content) if content_size is None else content_size) + extra + data +
            struct.pack("<II", crc(content), len(content)))


def subfield(name, data):
    return block(b"", extra=name + struct.pack("<H", len(data)) + data)


def number(value):
    body = b""
    while value > 0x7f:
        body += bytes([value & 0x7f | 0x80])
        value >>= 7
    return body + bytes([value])


def index(entries, checksum=None):
    """A function of where it is in the file."""
    def payload(where):
        text, before = b"TMI\1" + number(where), 0
        for key, offset in entries:
            text += number(offset - before) + number(0) + number(len(key)) + raw(key)
            before = offset
        return text + struct.pack("<I", zlib.crc32(text) if checksum is None else checksum)
    return payload


def archive(blocks, payload):
    """payload: of the offsets of the blocks."""
    places, body = [], b""
    for one in blocks:
        places.append(len(body))
        body += one
    return body + subfield(b"TI", payload(places)(len(body))) + subfield(b"TX", struct.pack("<Q", len(body)))


def make():
    fake = tar.file("c", "evil")  # lies in the data of b, where a block begins
    out = tar.file("../out/file", "evil")
    b = tar.file("b", bytes(1024) + fake + out + bytes(512))
    start = 512 + 1024
    contents = [tar.file("a", "a"), b[:start], b[start:start + len(fake)], b[start + len(fake):],
                tar.file("c", "c"), tar.file("d", "d") + tar.END]
    blocks = [block(one) for one in contents]
    made = [file("c", "c")]

    def looked_up(name, payload, status=0, lines=(), tree=None, blocks=blocks, members="c"):
        case("index-" + name, archive(blocks, payload), status, lines, made if tree is None else tree,
             suffix="tar.gz", members=members)

    def honest(at):
        return [("a", at[0]), ("b", at[1]), ("c", at[4]), ("d", at[5])]

    looked_up("honest", lambda at: index(honest(at)))
    looked_up("wrong-sum", lambda at: index(honest(at), 1))
    looked_up("unordered", lambda at: index([("d", at[0]), ("c", at[4]), ("b", at[5])]))
    looked_up("beyond", lambda at: index([("a", at[0]), ("c", 1 << 40)]))
    looked_up("key-twice", lambda at: index([("a", at[0]), ("c", at[4]), ("c", at[5])]))
    looked_up("backwards", lambda at: lambda where: index([("a", at[0])])(where)[:-4] + b"\xff" * 9 + b"\1\0\0")
    looked_up("empty", lambda at: index([]))
    missing = [r"treemill: c: not in the archive"]
    looked_up("not-a-block", lambda at: index([("a", at[0]), ("c", at[4] + 7)]), 1,
              [r"treemill: .*: read: corrupt"] + missing, [])
    looked_up("in-data", lambda at: index([("a", at[0]), ("c", at[3])]), 3, missing, [])
    looked_up("fake-dotdot", lambda at: index([("a", at[0]), ("c", at[3]), ("d", at[5])]), 3, missing,
              [])
    # Both are in the archive, and which is the member depends on where one begins to read.
    looked_up("fake-header", lambda at: index([("a", at[0]), ("c", at[2]), ("d", at[5])]), 0, [],
              [file("c", "evil")])
    looked_up("left-out", lambda at: index([("d", at[5])]))
    looked_up("too-early", lambda at: index([("a", at[0]), ("b", at[1]), ("d", at[4])]))
    # The blocks are read one after another then.
    lying = blocks[:4] + [block(contents[4], content_size=1 << 31)] + blocks[5:]
    looked_up("block-content", lambda at: index(honest(at)), blocks=lying)
    lying = blocks[:4] + [block(contents[4], size=1 << 30)] + blocks[5:]
    looked_up("block-size", lambda at: index(honest(at)), blocks=lying)

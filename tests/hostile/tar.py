"""Headers of tar, byte by byte: a library would refuse to write most of these."""

from case import MEMBER_TIME, raw


def number(value, width):
    """Octal; in base 256 where that is too large, or negative."""
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return base256(value, width)


def base256(value, width):
    body = (value & (256 ** width - 1)).to_bytes(width, "big")
    return bytes([body[0] & 0x7f | 0x80 | (0x40 if value < 0 else 0)]) + body[1:]


def header(name, kind=b"0", size=0, mode=0o644, link="", time=MEMBER_TIME, uid=0, gid=0,
           user="", group="", magic=b"ustar\00000", prefix="", major=0, minor=0):
    block = bytearray(512)

    def put(at, value, width):
        block[at:at + width] = raw(value)[:width].ljust(width, b"\0")

    put(0, name, 100)
    put(100, number(mode, 8), 8)
    put(108, number(uid, 8), 8)
    put(116, number(gid, 8), 8)
    put(124, number(size, 12), 12)
    put(136, number(time, 12), 12)
    put(156, kind, 1)
    put(157, link, 100)
    put(257, magic, 8)
    put(265, user, 32)
    put(297, group, 32)
    put(329, number(major, 8), 8)
    put(337, number(minor, 8), 8)
    put(345, prefix, 155)
    return seal(block)


def seal(block):
    """With its checksum."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def file(name, content=b"", **fields):
    content = raw(content)
    return header(name, size=fields.pop("size", len(content)), **fields) + padded(content)


def directory(name, mode=0o755, **fields):
    return header(name, b"5", mode=mode, **fields)


def symlink(name, target, **fields):
    return header(name, b"2", link=target, mode=0o777, **fields)


def hard(name, target, content=b"", **fields):
    return header(name, b"1", link=target, size=len(raw(content)), **fields) + padded(raw(content))


def record(key, value):
    body = b" %s=%s\n" % (raw(key), raw(value))
    length = len(body)
    while len(b"%d" % length) + len(body) != length:
        length = len(b"%d" % length) + len(body)
    return b"%d" % length + body


def pax(records, kind=b"x"):
    """records: pairs, or the bytes of a whole extended header."""
    body = records if isinstance(records, bytes) else b"".join(record(k, v) for k, v in records)
    return header("pax", kind, size=len(body)) + padded(body)


def long_name(name, kind=b"L"):
    body = raw(name) + b"\0"
    return header("././@LongLink", kind, size=len(body), magic=b"ustar  \0") + padded(body)


END = bytes(1024)


def tar(*members):
    return b"".join(members) + END


def sparse_old(name, extents, real_size, data, more=()):
    """GNU's first form: the map in the header, and in blocks behind it."""
    block = bytearray(header(name, b"S", size=len(data), magic=b"ustar  \0"))
    groups = [extents[:4]] + [extents[i:i + 21] for i in range(4, len(extents), 21)]
    blocks = []
    for index, group in enumerate(groups):
        target, start, flag = (block, 386, 482) if index == 0 else (bytearray(512), 0, 504)
        for at, (offset, length) in enumerate(group):
            place = start + 24 * at
            target[place:place + 24] = number(offset, 12) + number(length, 12)
        target[flag] = 1 if index + 1 < len(groups) or more else 0
        if index:
            blocks.append(bytes(target))
    block[483:495] = number(real_size, 12)
    return seal(block) + b"".join(blocks) + b"".join(more) + padded(data)


def sparse_pax(name, extents, real_size, data):
    """GNU's form 1.0: the map is text before the data."""
    text = b"%d\n" % len(extents) + b"".join(b"%d\n%d\n" % one for one in extents)
    body = padded(text) + data
    return pax([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", name),
                ("GNU.sparse.realsize", str(real_size))]) + file("GNUSparseFile.0/x", body)

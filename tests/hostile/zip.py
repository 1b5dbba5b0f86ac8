"""Zip archives by hand: both headers of an entry say what they are told to."""

import struct
import zlib

from case import crc, raw

TIME = (33 << 9 | 1 << 5 | 1) << 16  # 2013-01-01
MODE = 0o100644


def entry(name, data=b"", method=0, mode=MODE, local_name=None, size=None, packed_size=None,
          checksum=None, flags=0, extra=b"", local_extra=b"", offset=None, local=None, comment=b"",
          host=3, packed=None):
    """What is not given is as it should be. `local`: differing fields of the local header."""
    data = raw(data)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    if packed is None:
        packed = deflater.compress(data) + deflater.flush() if method == 8 else data
    both = {"flags": flags, "method": method, "crc": crc(data) if checksum is None else checksum,
            "packed": len(packed) if packed_size is None else packed_size,
            "size": len(data) if size is None else size}
    return {"name": raw(name), "local_name": raw(name if local_name is None else local_name),
            "central": both, "local": {**both, **(local or {})}, "data": packed, "mode": mode,
            "extra": extra, "local_extra": local_extra, "offset": offset, "comment": comment,
            "host": host}


def fields(which):
    return struct.pack("<HHIIII", which["flags"], which["method"], TIME, which["crc"],
                       which["packed"], which["size"])


def local_header(one):
    return (b"PK\3\4" + struct.pack("<H", 20) + fields(one["local"]) +
            struct.pack("<HH", len(one["local_name"]), len(one["local_extra"])) +
            one["local_name"] + one["local_extra"])


def central_header(one, offset):
    if one["offset"] is not None:
        offset = one["offset"]
    return (b"PK\1\2" + struct.pack("<BBH", 20, one["host"], 20) + fields(one["central"]) +
            struct.pack("<HHHHHII", len(one["name"]), len(one["extra"]), len(one["comment"]), 0, 0,
                        one["mode"] << 16, offset) + one["name"] + one["extra"] + one["comment"])


def end(count, size, offset, comment=b"", disks=0):
    return b"PK\5\6" + struct.pack("<HHHHIIH", disks, disks, count, count, size, offset,
                                   len(comment)) + comment


def end64(count, size, offset, at, disks=1):
    return (b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, offset) +
            b"PK\6\7" + struct.pack("<IQI", 0, at, disks))


def archive(*entries, count=None, comment=b"", start=b"", size=None, offset=None, disks=0,
            zip64=None):
    """`zip64`: a function of count, size, offset of the directory and the place of the record."""
    body, places = bytearray(start), []
    for one in entries:
        places.append(len(body))
        body += local_header(one) + one["data"]
    directory = b"".join(central_header(one, place) for one, place in zip(entries, places))
    at = len(body)
    count = len(entries) if count is None else count
    size = len(directory) if size is None else size
    offset = at if offset is None else offset
    more = zip64(len(entries), len(directory), at, at + len(directory)) if zip64 else b""
    return bytes(body) + directory + more + end(count, size, offset, comment, disks)

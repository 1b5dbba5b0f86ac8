"""Frames of zstd by hand, RFC 8878: Python has no zstd, and nobody else would write these."""

BLOCK = 128 << 10
MAGIC = b"\x28\xb5\x2f\xfd"
HEAD = MAGIC + b"\x00\x38"  # no size, no checksum, a window of 128 KiB


def block(kind, size, body, last):
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + body


def frame(data):
    """Stored."""
    pieces = [data[i:i + BLOCK] for i in range(0, len(data), BLOCK)] or [b""]
    return HEAD + b"".join(block(0, len(piece), piece, piece is pieces[-1]) for piece in pieces)


def zeros(size):
    """Four bytes for each 128 KiB."""
    count = size // BLOCK
    return HEAD + block(1, BLOCK, b"\0", 0) * (count - 1) + block(1, BLOCK, b"\0", 1)

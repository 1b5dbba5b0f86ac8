"""What a hostile archive is, and what is expected of it.

A case is an archive, how it is extracted, and all that may come of it: the exit status, every line
of messages, and every name below the target, with what it is. run.py compares that."""

import hashlib
import os
import re
import zlib

MEMBER_TIME = 1000000000  # what every member's time is that is about nothing else

READABLE_MAX = 8 << 20  # what is larger is not compared byte by byte

cases = []


class Case:
    def __init__(self, name, suffix, archive, status, lines, tree, options, inside, members):
        self.name, self.suffix, self.archive = name, suffix, archive
        self.status, self.lines, self.tree = status, lines, tree
        self.options, self.inside, self.members = options, inside, members


def case(name, archive, status=0, lines=(), tree=(), options="", suffix="tar", inside="",
         members=""):
    """`lines`: patterns, one for each line of messages, in any order. `inside`: what is in the
    target beforehand, see plant() in run.py. `members`: what is wanted; else all is."""
    assert re.fullmatch("[a-z0-9-]+", name) and name not in [one.name for one in cases], name
    cases.append(Case(name, suffix, archive, status, lines, tree, options, inside, members))


# What is below the target: in the words of state() in run.py.


def raw(path):
    return path if isinstance(path, bytes) else path.encode()


def file(path, content=b"", mode=0o644, time=MEMBER_TIME, links=1, attributes=()):
    digest = hashlib.md5(raw(content)).hexdigest() if content is not None else "-"
    return b"f %o %d %s %s %s%s" % (mode, links, stamp(time), digest.encode(), raw(path),
                                    b"".join(b" " + raw(one) for one in attributes))


def hollow(path, mode=0o644, time=MEMBER_TIME, links=1):
    """A file too large to be read."""
    return file(path, None, mode, time, links)


def directory(path, mode=0o755, time=MEMBER_TIME):
    return b"d %o %s %s" % (mode, stamp(time), raw(path))


def ways(path):
    """Directories that are there only as the way to a member: none of them has its time."""
    parts = raw(path).split(b"/")
    return [directory(b"/".join(parts[:i + 1]), 0o755, None) for i in range(len(parts))]


def symlink(path, target, time=MEMBER_TIME, links=1):
    return b"l %d %s %s -> %s" % (links, stamp(time), raw(path), raw(target))


def special(kind, path, mode=0o644, time=MEMBER_TIME):
    return b"%s %o %s %s" % (kind.encode(), mode, stamp(time), raw(path))


def stamp(time):
    if time is None:
        return b"now"
    return b"%d" % time if isinstance(time, int) else time.encode()


# What is to be had here.


def is_root():
    return os.geteuid() == 0


def probe(action):
    """Whether it can be done, with the name of a file that is not there."""
    try:
        action("probe")
        return True
    except OSError:
        return False
    finally:
        if os.path.lexists("probe"):
            os.unlink("probe")


def can_make_devices():
    return probe(lambda name: os.mknod(name, 0o20600, os.makedev(1, 3)))


def with_file(name, action):
    with open(name, "w"):
        pass
    return action(name)


def keeps_attributes():
    return probe(lambda name: with_file(name, lambda name: os.setxattr(name, "user.x", b"x")))


def kept_time(seconds):
    """What a file system makes of a time that it has no room for."""
    kept = []

    def try_time(name):
        os.utime(name, ns=(0, seconds * 1000000000))
        kept.append(os.stat(name).st_mtime_ns // 1000000000)

    return kept[0] if probe(lambda name: with_file(name, try_time)) else None


def can_be_as_long(size):
    return probe(lambda name: with_file(name, lambda name: os.truncate(name, size)))


def write_all(out):
    for one in cases:
        with open("%s/%s.%s" % (out, one.name, one.suffix), "wb") as archive:
            archive.write(one.archive)


def crc(data):
    return zlib.crc32(data) & 0xffffffff

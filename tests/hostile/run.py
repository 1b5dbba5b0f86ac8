"""Extracts hostile archives under the models of the stages, in a sandbox and without, and compares
what comes of it with what case.py says, and everything around the target with what was there.

run.py DIRECTORY [NAME...]: works in DIRECTORY, on those cases only. From the environment: TREEMILL,
the program; WRITE_MODELS and SCAN_MODELS, words; SANITIZE; HOSTILE=all: each case under each
combination, and not only those of make.TRICKY."""

import hashlib
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time

import case
import make

SECONDS_MAX = 60
MEMORY = "--memory=24M"  # enough, and sooner begun with
MEMORY_MAX = 256 << 20  # of the largest process, its part of the shared arena included
RECENT = 1577836800  # 2020: no member has such a time

failures = []
passed = 0


def check(what, condition, details=""):
    global passed
    if condition:
        passed += 1
    else:
        failures.append(what)
        print("FAILED: %s\n%s" % (what, details))


# What is around the target, and must not change, not even in its times.


def make_around():
    for path in ("box/target", "box/out/dir", "cases"):
        os.makedirs(path)
    for path in ("box/out/file", "box/out/dir/inner"):
        with open(path, "w") as canary:
            canary.write("canary\n")
    os.symlink("file", "box/out/link")
    os.chmod("box/out/file", 0o640)
    try:
        os.setxattr("box/out/file", "user.canary", b"bird")
    except OSError:
        print("left out: extended attributes (the file system has none)")
    for path in ("box/out/dir/inner", "box/out/file", "box/out/dir", "box/out"):
        os.utime(path, (1500000000, 1500000000))


def around():
    seen = [os.listdir(".")]
    for top, directories, files in os.walk("box"):
        if top == "box":
            directories.remove("target")
        for name in directories + files + ["."]:
            path = os.path.join(top, name)
            status = os.lstat(path)
            seen.append((path, status.st_ino, status.st_mode, status.st_nlink, status.st_uid,
                         status.st_gid, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return seen


def content_around():
    seen = []
    for path in ("box/out/file", "box/out/dir/inner"):
        with open(path, "rb") as file:
            seen.append(file.read())
        status = os.stat(path)
        seen += [status.st_mode, status.st_mtime_ns, status.st_uid]
    return seen + [os.readlink("box/out/link"), sorted(os.listdir("box/out"))]


# The target.


def plant(what):
    if what == "directory link":
        os.symlink("../out", "box/target/link")
    elif what == "file link":
        os.symlink("../out/file", "box/target/link")
    elif what == "hard link":
        os.link("box/out/file", "box/target/inside")


def stamp(nanoseconds):
    seconds, rest = divmod(nanoseconds, 1000000000)
    if RECENT <= seconds <= time.time() + 3600:
        return None
    return "%d.%09d" % (seconds, rest) if rest else seconds


def entry(path, relative):
    status = os.lstat(path)
    mode, when = stat.S_IMODE(status.st_mode), stamp(status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        os.chmod(path, 0o700)  # or what is in it could not be looked at
        return case.directory(relative, mode, when)
    if stat.S_ISLNK(status.st_mode):
        return case.symlink(relative, os.readlink(path), when, status.st_nlink)
    if not stat.S_ISREG(status.st_mode):
        kind = {stat.S_IFIFO: "p", stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFSOCK: "s"}
        return case.special(kind[stat.S_IFMT(status.st_mode)], relative, mode, when)
    if status.st_size > case.READABLE_MAX:
        return case.hollow(relative, mode, when, status.st_nlink)
    attributes = [name for name in os.listxattr(path) if name != "security.selinux"]
    if not mode & 0o400:
        os.chmod(path, mode | 0o400)
    with open(path, "rb") as file:
        content = file.read()
    os.chmod(path, mode)
    return case.file(relative, content, mode, when, status.st_nlink, sorted(attributes))


def state(top):
    seen = []
    for directory, directories, files in os.walk(os.fsencode(top)):
        for name in directories + files:
            path = os.path.join(directory, name)
            seen.append(entry(path, os.path.relpath(path, os.fsencode(top))))
    return sorted(seen)


def empty(top):
    """After state(), which has opened all directories."""
    for directory, directories, files in os.walk(os.fsencode(top), topdown=False):
        for name in files:
            os.unlink(os.path.join(directory, name))
        for name in directories:
            path = os.path.join(directory, name)
            if os.path.islink(path):
                os.unlink(path)
            else:
                os.rmdir(path)


# One run.


def run(words):
    """Exit status, standard output, lines of messages."""
    with open("out", "wb") as out, open("err", "wb") as err:
        process = subprocess.Popen([os.environ["TREEMILL"]] + words, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=err, start_new_session=True)
        signal.setitimer(signal.ITIMER_REAL, SECONDS_MAX)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            return "hangs", b"", []
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    with open("out", "rb") as out, open("err", "rb") as err:
        output, lines = out.read(), err.read().decode("utf-8", "backslashreplace").splitlines()
    if usage.ru_maxrss * 1024 > MEMORY_MAX and not os.environ.get("SANITIZE"):
        lines.append("used %d KiB of memory" % usage.ru_maxrss)
    return process.returncode, output, lines


def give_up(number, frame):
    raise TimeoutError


def are_as_expected(lines, patterns):
    left = list(patterns)
    for line in lines:
        fitting = [one for one in left if re.fullmatch(one, line)]
        if not fitting:
            return False
        left.remove(fitting[0])
    return not left


def show(label, lines):
    return "".join("  %s %r\n" % (label, line) for line in lines)


def harmless(output):
    """Nothing of the archive's reaches a terminal as it is."""
    return all(byte >= 32 or byte == 10 for byte in output) and b"\x7f" not in output


def extract(one, archive, options):
    before, content_before = around(), content_around()
    what = "%s: extract %s" % (one.name, " ".join(options + one.options.split()))
    plant(one.inside)
    status, output, lines = run(["extract", "-q", MEMORY, "-C", "box/target"] + options +
                                one.options.split() + [archive] + one.members.split())
    check(what + ": status %s, not %s" % (status, one.status), status == one.status,
          show("said", lines))
    check(what + ": messages", are_as_expected(lines, one.lines),
          show("said    ", lines) + show("expected", one.lines))
    check(what + ": nothing for a terminal", harmless("\n".join(lines).encode()) and not output)
    made, expected = state("box/target"), sorted(one.tree)
    check(what + ": what is there", made == expected,
          show("more", [line for line in made if line not in expected]) +
          show("less", [line for line in expected if line not in made]))
    empty("box/target")
    if os.path.exists("sums"):
        os.unlink("sums")
    after = around()
    if one.inside == "hard link":  # whose file had another name for a while
        check(what + ": the file outside", content_around() == content_before)
    else:
        check(what + ": outside", after == before,
              show("changed", [line for line in after if line not in before]))


LISTS = (["-v"], ["-v", "--null"], ["--scan=inline"], ["--json"])


def list_members(one, archive, options):
    status, output, lines = run(["list", "-q", MEMORY] + options + [archive])
    what = "%s: list %s: status %s" % (one.name, " ".join(options), status)
    check(what, status in (0, 1), show("said", lines))
    check(what + ", nothing for a terminal",
          harmless("\n".join(lines).encode()) and ("--null" in options or harmless(output)))


# All runs.


def combinations():
    writes = os.environ.get("WRITE_MODELS", "inline threads:3").split()
    scans = os.environ.get("SCAN_MODELS", "inline threads:1").split()
    return [["--write=" + write, "--scan=" + scan, "--sandbox=" + sandbox]
            for sandbox in ("auto", "off") for scan in scans for write in writes]


def main():
    signal.signal(signal.SIGALRM, give_up)
    sys.setrecursionlimit(10000)  # os.walk()
    work, names = os.path.realpath(sys.argv[1]), sys.argv[2:]
    os.umask(0o022)
    os.chdir(work)
    make_around()
    ways, turn = combinations(), 0
    make.make(work + "/box/out")
    case.write_all(work + "/cases")
    for file in ("out", "err"):
        open(file, "w").close()
    everything = os.environ.get("HOSTILE") == "all"
    for one in case.cases:
        if names and one.name not in names:
            continue
        archive = "cases/%s.%s" % (one.name, one.suffix)
        all_ways = everything or (one.name in make.TRICKY and not os.environ.get("SANITIZE"))
        for options in ways if all_ways else [ways[turn % len(ways)], ways[(turn + 7) % len(ways)]]:
            extract(one, archive, options)
        for options in LISTS if all_ways else [LISTS[turn // 2 % len(LISTS)]][:turn % 2]:
            list_members(one, archive, options)
        turn += 1
    print("%d cases, %d passed, %d failed" % (len(case.cases), passed, len(failures)))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

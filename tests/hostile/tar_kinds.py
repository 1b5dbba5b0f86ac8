"""tar: kinds, modes, times, attributes, names that meet each other, and names for a terminal."""

import base64

import case as here
import tar
from case import case, directory, file, special, symlink, ways

SPECIAL = r"treemill: %s: skipped: not a regular file"


def kinds():
    devices = [tar.header("null", b"3", mode=0o666, major=1, minor=3),
               tar.header("sda", b"4", mode=0o666, major=8)]
    case("devices", tar.tar(*devices), 3, [SPECIAL % "null", SPECIAL % "sda"])
    if here.can_make_devices():
        case("devices-asked-for", tar.tar(*devices), options="--devices",
             tree=[special("c", "null"), special("b", "sda")])
    else:
        case("devices-not-permitted", tar.tar(*devices), 3, options="--devices",
             lines=[r"treemill: null: create: .*", r"treemill: sda: create: .*"])
    case("fifo", tar.tar(tar.header("p", b"6", mode=0o666), tar.header("p", b"6", mode=0o600)),
         tree=[special("p", "p", 0o600)])
    case("fifo-over-file", tar.tar(tar.file("x", "evil"), tar.header("x", b"6")),
         tree=[special("p", "x")])
    case("file-over-fifo", tar.tar(tar.header("x", b"6"), tar.file("x", "good")),
         tree=[file("x", "good")])
    case("kinds-of-gnu", tar.tar(tar.header("label", b"V"), tar.file("volume", "x", kind=b"M"),
                                 tar.file("dump", "Yx\0", kind=b"D"), tar.file("odd", "x", kind=b"Z"),
                                 tar.file("nul", "x", kind=b"\0"), tar.file("seven", "x", kind=b"7")),
         3, [SPECIAL % "volume"],
         [directory("dump", 0o644), file("odd", "x"), file("nul", "x"), file("seven", "x")])
    case("data-behind-kinds", tar.tar(tar.directory("d", size=1 << 40), tar.header("p", b"6", size=77),
                                      tar.symlink("s", "x", size=512), tar.file("f", "x")),
         tree=[directory("d"), special("p", "p"), symlink("s", "x"), file("f", "x")])


def modes():
    members = [tar.file("suid", "x", mode=0o6777), tar.directory("sgid", 0o3777),
               tar.file("sgid/x", "x", mode=0o2755)]
    case("setuid", tar.tar(*members),
         tree=[file("suid", "x", 0o755), directory("sgid"), file("sgid/x", "x", 0o755)])
    case("setuid-asked-for", tar.tar(*members), options="-p",
         tree=[file("suid", "x", 0o6777), directory("sgid", 0o3777), file("sgid/x", "x", 0o2755)])
    case("setuid-in-high-bits", tar.tar(tar.file("x", "x", mode=b"7777777"),
                                        tar.file("y", "y", mode=b"\xff" * 8)),
         tree=[file("x", "x", 0o755), file("y", "y", 0o755)])
    closed = [tar.directory("d", 0), tar.directory("d/e", 0o111), tar.file("d/e/f", "x", mode=0),
              tar.symlink("d/e/s", "f"), tar.hard("d/h", "d/e/f")]
    case("closed-directories", tar.tar(*closed),
         tree=[directory("d", 0), directory("d/e", 0o111), file("d/e/f", "x", 0, links=2),
               symlink("d/e/s", "f"), file("d/h", "x", 0, links=2)])
    case("closed-directories-p", tar.tar(*closed), options="-p",
         tree=[directory("d", 0), directory("d/e", 0o111), file("d/e/f", "x", 0, links=2),
               symlink("d/e/s", "f"), file("d/h", "x", 0, links=2)])
    case("closed-again-and-again", tar.tar(tar.directory("d", 0), tar.directory("d", 0o500),
                                           tar.file("d/x", "x"), tar.directory("d", 0o555)),
         tree=[directory("d", 0o555), file("d/x", "x")])


def times():
    far = {"future": 253402300799, "past": -62135596800, "before": -1, "most": 2 ** 62,
           "least": -2 ** 62}
    case("times", tar.tar(*[tar.file(name, "x", time=time) for name, time in far.items()]),
         tree=[file(name, "x", time=here.kept_time(time)) for name, time in far.items()])
    texts = {"big": ("9223372036854775807", 2 ** 63 - 1), "small": ("-9223372036854775807", 1 - 2 ** 63),
             "half": ("-1.5", "-2.500000000"), "bad": ("1e9", 1000000000), "none": ("", 1000000000),
             "over": ("99999999999999999999", 1000000000), "late": ("1.9999999999999", "1.999999999")}
    case("times-pax", tar.tar(*[tar.pax([("mtime", text)]) + tar.file(name, "x")
                                for name, (text, _) in texts.items()]),
         tree=[file(name, "x", time=here.kept_time(time) if isinstance(time, int) else time)
               for name, (_, time) in texts.items()])
    case("times-of-directories", tar.tar(tar.directory("d", time=2 ** 62), tar.file("d/x", "x")),
         tree=[directory("d", time=here.kept_time(2 ** 62)), file("d/x", "x")])


CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw


def attributes():
    named = [("user.fine", b"value"), ("security.capability", CAPABILITY), ("system.secret", b"x"),
             ("trusted.overlay.opaque", b"y"), ("user.%00../x", b"x"), ("user." + "n" * 300, b"x"),
             ("no-such-kind", b"x"), ("", b"x"), ("user.large", b"v" * 100000)]
    members = [tar.pax([("SCHILY.xattr." + name, value) for name, value in named] +
                       [("LIBARCHIVE.xattr.user.base", base64.b64encode(b"text")),
                        ("LIBARCHIVE.xattr.user.bad", b"***")]),
               tar.file("x", "x")]
    case("attributes", tar.tar(*members), tree=[file("x", "x")])
    if not here.keeps_attributes():
        return
    lost = [r"treemill: x: read: some extended attributes are left out"]
    case("attributes-asked-for", tar.tar(*members), 3, lost,
         [file("x", "x", attributes=["user.base", "user.fine"])], "--xattrs")
    if here.is_root():
        case("attributes-that-give-rights", tar.tar(*members), 3, lost,
             [file("x", "x", attributes=["security.capability", "trusted.overlay.opaque",
                                         "user.base", "user.fine"])], "--xattrs -p")
    case("acl-of-rubbish", tar.tar(tar.pax([("SCHILY.acl.access", "user::rwx,group:nobody"),
                                            ("SCHILY.acl.default", "x" * 70000)]),
                                   tar.directory("d")), 3,
         [r"treemill: d: read: some extended attributes are left out"],
         [directory("d")], "--xattrs")


def twins():
    case("twice-file", tar.tar(tar.file("x", "first"), tar.file("x", "second"),
                               tar.file("./x", "third"), tar.file("y/../x", "never")), 3,
         [r"treemill: y/\.\./x: skipped: leads out of the target"], [file("x", "third")])
    many = [tar.file("x", b"%06d" % i + bytes(100000)) for i in range(60)]
    case("twice-large", tar.tar(*many), tree=[file("x", b"000059" + bytes(100000))])
    sizes = [tar.file("x", b"%d" % i * (3 << 20 if i % 2 else 10)) for i in range(8)]
    case("twice-pieces", tar.tar(*sizes), tree=[file("x", b"7" * (3 << 20))])
    case("file-link-file", tar.tar(tar.file("x", "first"), tar.symlink("x", "../out/file"),
                                   tar.file("x", "last")), tree=[file("x", "last")])
    case("link-file-link", tar.tar(tar.symlink("x", "../out"), tar.file("x", "x"),
                                   tar.symlink("x", "../out/file")),
         tree=[symlink("x", "../out/file")])
    case("file-over-directory", tar.tar(tar.directory("d"), tar.file("d", "x"), tar.file("d/y", "y")),
         3, [r"treemill: d: (create|rename): (File exists|Is a directory)"],
         [directory("d"), file("d/y", "y")])
    case("directory-over-file", tar.tar(tar.file("d", "x"), tar.directory("d"), tar.file("d/y", "y")),
         3, [r"treemill: d: create: Not a directory", r"treemill: d/y: create: Not a directory"],
         [file("d", "x")])
    case("file-over-way", tar.tar(tar.file("a/b/c", "x"), tar.file("a", "y"), tar.symlink("a/b", "/")),
         3, [r"treemill: a: (create|rename): (File exists|Is a directory)",
             r"treemill: a/b: create: File exists"],
         ways("a/b") + [file("a/b/c", "x")])
    case("hard-link-twice", tar.tar(tar.file("a", "one"), tar.hard("b", "a"), tar.file("b", "two"),
                                    tar.hard("c", "b"), tar.hard("c", "a")),
         tree=[file("a", "one", links=2), file("b", "two"), file("c", "one", links=2)])
    case("temporary-names", tar.tar(*[tar.file(".x.treemill-%d" % i, "x") for i in range(3)],
                                    tar.file("x", "x")),
         tree=[file(".x.treemill-%d" % i, "x") for i in range(3)] + [file("x", "x")])


def texts():
    names = ["README", "readme", "\u00e9", "e\u0301", "dot.", "dot..", "space ", " ", "new\nline",
             "\x1b[2J\x1b]0;evil\x07", "re\rturn", "back\bspace", "tab\t", "\u202etxt.exe", "\x7f",
             "\u009b31m", "a\\nb", "CON", "c:", "*", "-rf", "~", "$(id)", "\u2028"]
    raw = [b"\xff\xfe", b"\xc0\xaf..", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]
    everything = [here.raw(name) for name in names] + raw
    case("odd-names", tar.tar(*[tar.file(name, name) for name in everything]),
         tree=[file(name, name) for name in everything])
    # ... in each kind of message.
    case("odd-messages", tar.tar(*[tar.file(b"../" + name, "x") for name in everything]), 3,
         [r"treemill: \.\./.*: skipped: leads out of the target"] * len(everything))
    case("odd-link-texts", tar.tar(*[tar.symlink(b"%d" % i, name)
                                     for i, name in enumerate(everything)]),
         tree=[symlink(b"%d" % i, name) for i, name in enumerate(everything)])
    case("odd-owners", tar.tar(*[tar.file("%d" % i, "x", user=name, group=name, uid=-1, gid=2 ** 40)
                                 for i, name in enumerate(names)]),
         tree=[file("%d" % i, "x") for i in range(len(names))])
    longest = "n" * 255
    case("long-names", tar.tar(tar.long_name(longest), tar.file("x", "x"), tar.long_name(longest + "n"),
                               tar.file("y", "y"), tar.pax([("path", "d/" * 20001 + "x")]),
                               tar.file("z", "z"), tar.pax([("path", "p" * 1000000)]),
                               tar.file("w", "w")), 3,
         [r"treemill: n{256}: create: File name too long", r"treemill: (d/)*d?: open: path is too long",
          r"treemill: p*: open: path is too long"], [file(longest, "x")])
    case("deep", tar.tar(tar.pax([("path", "d/" * 1000 + "x")]), tar.file("z", "z")),
         tree=ways("/".join(["d"] * 1000)) + [file("d/" * 1000 + "x", "z")])


def make():
    kinds()
    modes()
    times()
    attributes()
    twins()
    texts()

"""tar: names and links that would lead out of the target."""

import tar
from case import case, directory, file, hollow, keeps_attributes, special, symlink, ways

UNSAFE = r"treemill: %s: skipped: leads out of the target"
LINK = r"(Too many levels of symbolic links|Not a directory)"
SLASHES = r"treemill: .*: leading slashes are taken off the names of members"


def names(outside):
    """`outside`: the absolute path of a directory that is not to be touched."""
    absolute = outside + "/file"
    case("absolute-name", tar.tar(tar.file(absolute, "evil")), lines=[SLASHES],
         tree=ways(outside[1:]) + [file(absolute[1:], "evil")])
    case("absolute-slashes", tar.tar(tar.file("///" + absolute, "evil")), lines=[SLASHES],
         tree=ways(outside[1:]) + [file(absolute[1:], "evil")])
    for name, path in [("first", "../out/file"), ("middle", "a/../../out/file"),
                       ("last", "a/.."), ("alone", ".."), ("dot", "./../out/file"),
                       ("deep", "a/b/../../../out/file"), ("inside", "a/../b")]:
        case("dotdot-" + name, tar.tar(tar.file(path, "evil"), tar.file("good", "good")), 3,
             [UNSAFE % path.replace(".", r"\.")], [file("good", "good")])
    case("dotdot-directory", tar.tar(tar.directory("../out/", 0o777), tar.directory("..", 0o777)), 3,
         [UNSAFE % r"\.\./out/", UNSAFE % r"\.\."])
    case("dotdot-backslash", tar.tar(tar.file("..\\out\\file", "x")),
         tree=[file("..\\out\\file", "x")])
    case("dots", tar.tar(tar.file("...", "x"), tar.file(".../..x", "x"), tar.file("a/..b", "b")), 3,
         [r"treemill: \.\.\./\.\.x: create: Not a directory"],
         [file("...", "x")] + ways("a") + [file("a/..b", "b")])
    case("empty-name", tar.tar(tar.file("good", "x"), tar.file("", "x")), 3,
         [r"treemill: \.: create: Is a directory"], [file("good", "x")])
    case("only-slashes", tar.tar(tar.file("////", ""), tar.file("good", "x")), lines=[SLASHES],
         tree=[file("good", "x")])
    case("target-itself", tar.tar(tar.directory("./", 0o777), tar.symlink(".", "../out"),
                                  tar.hard(".", "good"), tar.header("./.", b"6"),
                                  tar.file("good", "x")), 3,
         [r"treemill: \.: create: File exists"], [file("good", "x")])
    case("nul-in-path", tar.tar(tar.pax([("path", b"ok\0/../../out/file")]), tar.file("x", "y")),
         tree=[file("ok", "y")])
    case("nul-in-dotdot", tar.tar(tar.pax([("path", b"../out/file\0x")]), tar.file("x", "y")), 3,
         [UNSAFE % r"\.\./out/file"])
    case("prefix-dotdot", tar.tar(tar.file("file", "x", prefix="../out")), 3,
         [UNSAFE % r"\.\./out/file"])
    case("prefix-absolute", tar.tar(tar.file("file", "x", prefix=outside[:150])), lines=[SLASHES],
         tree=ways(outside[1:]) + [file(absolute[1:], "x")])


def overrides(outside):
    case("pax-path", tar.tar(tar.pax([("path", "../out/file")]), tar.file("innocent", "evil")), 3,
         [UNSAFE % r"\.\./out/file"])
    case("pax-path-twice", tar.tar(tar.pax([("path", "one"), ("path", "../out/file")]),
                                   tar.file("innocent", "evil")), 3, [UNSAFE % r"\.\./out/file"])
    case("pax-linkpath", tar.tar(tar.pax([("linkpath", "../out/file")]),
                                 tar.hard("inside", "innocent")), 3, [UNSAFE % "inside"])
    case("pax-global-path", tar.tar(tar.pax([("path", "../out/file"), ("linkpath", "../out/file"),
                                             ("size", "1")], b"g"),
                                    tar.file("innocent", "good")), tree=[file("innocent", "good")])
    case("pax-over-gnu", tar.tar(tar.long_name("gnu"), tar.pax([("path", "pax")]),
                                 tar.file("plain", "x")), tree=[file("pax", "x")])
    case("gnu-long-twice", tar.tar(tar.long_name("one"), tar.long_name("../out/file"),
                                   tar.file("plain", "x")), 3, [UNSAFE % r"\.\./out/file"])
    case("gnu-long-link", tar.tar(tar.long_name("../out/file", b"K"), tar.hard("inside", "plain")),
         3, [UNSAFE % "inside"])
    case("gnu-link-without-member", tar.tar(tar.file("good", "x"), tar.long_name("x", b"K")), 1,
         [r".*the archive ends between a member's headers"], [file("good", "x")])
    case("sparse-name", tar.tar(tar.sparse_pax("../out/file", [(0, 1)], 5, b"x")), 3,
         [UNSAFE % r"\.\./out/file"])
    case("size-override", tar.tar(tar.pax([("size", "3")]),
                                  tar.header("three", size=1024) + tar.padded(b"abc"),
                                  tar.file("after", "x")),
         tree=[file("three", "abc"), file("after", "x")])


def links(outside):
    evil = tar.file("link/file", "evil")
    through = [r"treemill: link: create: File exists"]
    made = ways("link") + [file("link/file", "evil")]
    # Links are made last, so what would have gone through one has made a directory.
    for name, target in [("relative", "../out"), ("absolute", outside), ("dot", "."),
                         ("climbing", "a/../../out"), ("loop", "link"), ("root", "/")]:
        case("symlink-" + name + "-through", tar.tar(tar.symlink("link", target), evil), 3, through,
             made)
        case("symlink-" + name, tar.tar(tar.symlink("link", target)), tree=[symlink("link", target)])
        unsafe = name not in ("dot", "loop")
        case("symlink-" + name + "-safe", tar.tar(tar.symlink("link", target)), 3 if unsafe else 0,
             [UNSAFE % "link"] if unsafe else [], [] if unsafe else [symlink("link", target)],
             "--safe-links")
    case("symlink-chain", tar.tar(tar.symlink("a", "."), tar.symlink("a/b", ".."),
                                  tar.symlink("a/b/c", "../out"), tar.file("a/b/c/file", "evil")), 3,
         [r"treemill: a(/b(/c)?)?: create: File exists"] * 3,
         ways("a/b/c") + [file("a/b/c/file", "evil")])
    case("symlink-over-directory", tar.tar(tar.directory("d"), tar.symlink("d", "../out"),
                                           tar.file("d/file", "evil")), 3,
         [r"treemill: d: create: File exists"],
         [directory("d"), file("d/file", "evil")])
    case("directory-over-symlink", tar.tar(tar.symlink("d", "../out"), tar.directory("d", 0o700),
                                           tar.file("d/file", "evil")),
         tree=[directory("d", 0o700), file("d/file", "evil")])
    case("file-over-symlink", tar.tar(tar.symlink("x", "../out/file"), tar.file("x", "evil")),
         tree=[file("x", "evil")])
    case("symlink-over-file", tar.tar(tar.file("x", "evil"), tar.symlink("x", "../out/file")),
         tree=[symlink("x", "../out/file")])
    case("symlink-empty-target", tar.tar(tar.symlink("x", "")), 3,
         [r"treemill: x: create: No such file or directory"])
    case("symlink-long-target", tar.tar(tar.pax([("linkpath", "t" * 900000)]),
                                        tar.symlink("x", "y")), 3,
         [r"treemill: x: create: File name too long"])


def hard_links(outside):
    case("hard-absolute", tar.tar(tar.hard("x", outside + "/file")), 3,
         [r"treemill: x: link to .*: No such file or directory"])
    case("hard-etc-passwd", tar.tar(tar.hard("x", "/etc/passwd")), 3,
         [r"treemill: x: link to .*: No such file or directory"])
    case("hard-dotdot", tar.tar(tar.hard("x", "../out/file")), 3, [UNSAFE % "x"])
    case("hard-dotdot-data", tar.tar(tar.pax([("a", "b")]),
                                     tar.hard("x", "../out/file", "evil")), 3, [UNSAFE % "x"])
    # To the link itself, never to what it leads to.
    case("hard-to-symlink", tar.tar(tar.symlink("s", "../out/file"), tar.hard("x", "s")),
         tree=[symlink("s", "../out/file", links=2), symlink("x", "../out/file", links=2)])
    case("hard-to-symlink-then-file", tar.tar(tar.symlink("s", "../out/file"), tar.hard("x", "s"),
                                              tar.file("x", "evil"), tar.file("s", "evil")),
         tree=[file("x", "evil"), file("s", "evil")])
    case("hard-through-symlink", tar.tar(tar.symlink("s", "../out"), tar.hard("x", "s/file")), 3,
         [r"treemill: x: create: " + LINK],
         [symlink("s", "../out")])
    case("hard-name-through-symlink", tar.tar(tar.symlink("s", "../out"), tar.file("f", "evil"),
                                              tar.hard("s/new", "f")), 3,
         [r"treemill: s: create: File exists"],
         ways("s") + [file("f", "evil", links=2), file("s/new", "evil", links=2)])
    case("hard-to-directory", tar.tar(tar.directory("d"), tar.hard("x", "d")), 3,
         [r"treemill: x: create: Operation not permitted"], [directory("d")])
    case("hard-to-target-itself", tar.tar(tar.hard("x", "."), tar.hard("y", "")), 3,
         [r"treemill: [xy]: create: Operation not permitted"] * 2)
    case("hard-to-itself", tar.tar(tar.hard("x", "x")), 3,
         [r"treemill: x: link to .*: No such file or directory"])
    case("hard-circle", tar.tar(tar.hard("x", "y"), tar.hard("y", "x")), 3,
         [r"treemill: [xy]: link to [xy]: No such file or directory"] * 2)
    case("hard-to-fifo", tar.tar(tar.header("p", b"6"), tar.hard("x", "p")),
         tree=[special("p", "p"), special("p", "x")])
    case("hard-with-data", tar.tar(tar.symlink("s", "../out/file"), tar.pax([("a", "b")]),
                                   tar.hard("x", "s", "evil")),
         tree=[symlink("s", "../out/file", links=2), symlink("x", "../out/file", links=2)])


def twice(outside):
    """What was there before stays, whatever it is."""
    evil = tar.file("link/file", "evil")
    case("planted-symlink-through", tar.tar(evil), 3,
         [r"treemill: link/file: create: " + LINK],
         [symlink("link", "../out", None)], inside="directory link")
    case("planted-symlink-through-force", tar.tar(evil), 3,
         [r"treemill: link/file: create: " + LINK],
         [symlink("link", "../out", None)], "-f", inside="directory link")
    case("planted-symlink-directory", tar.tar(tar.directory("link", 0o777)), 3,
         [r"treemill: link: create: " + LINK],
         [symlink("link", "../out", None)], "-f", inside="directory link")
    case("planted-symlink-link", tar.tar(tar.hard("link/new", "link/file"),
                                         tar.symlink("link/s", "x"), tar.header("link/p", b"6")), 3,
         [r"treemill: link/.*: create: " + LINK] * 3,
         [symlink("link", "../out", None)], "-f", inside="directory link")
    case("planted-file-link", tar.tar(tar.file("link", "evil")), 3,
         [r"treemill: link: create: File exists"], [symlink("link", "../out/file", None)],
         inside="file link")
    case("planted-file-link-force", tar.tar(tar.file("link", "evil")),
         tree=[file("link", "evil")], options="-f", inside="file link")
    case("planted-file-link-hard", tar.tar(tar.hard("x", "link"), tar.file("x", "evil")), 0, [],
         [symlink("link", "../out/file", None), file("x", "evil")], "-f",
         inside="file link")
    large = tar.file("link", bytes(3 << 20))
    case("planted-file-link-large", tar.tar(large), tree=[file("link", bytes(3 << 20))],
         options="-f", inside="file link")
    case("planted-file-link-sparse", tar.tar(tar.sparse_old("link", [(4096, 3)], 1 << 33, b"abc")),
         tree=[hollow("link")], options="-f", inside="file link")
    # The other name of a file outside: it is replaced, never written to.
    case("planted-hard-link", tar.tar(tar.file("inside", "evil", mode=0o777)),
         tree=[file("inside", "evil", 0o755)], options="-f", inside="hard link")
    canary = ["user.canary"] if keeps_attributes() else []
    case("planted-hard-link-keep", tar.tar(tar.file("inside", "evil", mode=0o777)), 3,
         [r"treemill: inside: create: File exists"],
         [file("inside", "canary\n", 0o640, 1500000000, 2, canary)], inside="hard link")


def make(outside):
    names(outside)
    overrides(outside)
    links(outside)
    hard_links(outside)
    twice(outside)

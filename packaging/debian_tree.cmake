# Run by CPack between installation and packing: the installed tree in the form of a Debian package.
cmake_minimum_required(VERSION 3.25)

set(tree ${CPACK_TEMPORARY_INSTALL_DIRECTORY}${CPACK_PACKAGING_INSTALL_PREFIX})
set(documentation ${tree}/share/doc/treemill)
find_program(GZIP_PROGRAM gzip REQUIRED)
find_program(STRIP_PROGRAM strip REQUIRED)

# -n: neither name nor time, so that the same build makes the same package.
function(compress)
    execute_process(COMMAND ${GZIP_PROGRAM} -9 -n -f ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(GLOB pages ${tree}/share/man/man1/*.1)
compress(${pages})

file(COPY_FILE ${CPACK_TREEMILL_SOURCE}/packaging/changelog ${documentation}/changelog.Debian)
compress(${documentation}/changelog.Debian)

file(MAKE_DIRECTORY ${tree}/share/lintian/overrides)
file(COPY_FILE ${CPACK_TREEMILL_SOURCE}/packaging/lintian-overrides
     ${tree}/share/lintian/overrides/treemill)

# The licence is told in the machine-readable form of Debian, in a file of Debian's name.
file(READ ${CPACK_TREEMILL_SOURCE}/LICENSE licence)
string(REGEX MATCH "Copyright \\(c\\) ([^\n]+)\n+(.*)" found "${licence}")
if(NOT found)
    message(FATAL_ERROR "LICENSE names no holder of the copyright")
endif()
set(holder "${CMAKE_MATCH_1}")
string(STRIP "${CMAKE_MATCH_2}" terms)
string(REGEX REPLACE "\n\n" "\n.\n" terms "${terms}")
string(REPLACE "\n" "\n " terms "${terms}")
file(WRITE ${documentation}/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: treemill

Files: *
Copyright: ${holder}
License: Expat

License: Expat
 ${terms}
")
file(REMOVE ${documentation}/LICENSE)

# Where zsh looks for the completions of packages.
file(MAKE_DIRECTORY ${tree}/share/zsh/vendor-completions)
file(RENAME ${tree}/share/zsh/site-functions/_treemill
     ${tree}/share/zsh/vendor-completions/_treemill)
file(REMOVE_RECURSE ${tree}/share/zsh/site-functions)

# As dh_strip does it: these sections are for nobody who runs the program.
execute_process(COMMAND ${STRIP_PROGRAM} --remove-section=.comment --remove-section=.note
                        ${tree}/bin/treemill COMMAND_ERROR_IS_FATAL ANY)

# Whatever the umask was.
set(readable OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
set(runnable ${readable} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
file(CHMOD_RECURSE ${tree} FILE_PERMISSIONS ${readable} DIRECTORY_PERMISSIONS ${runnable})
file(CHMOD ${tree}/bin/treemill PERMISSIONS ${runnable})

# The Debian package: `cmake --build --preset release --target package`, or cpack in a build
# directory. What it installs is what `cmake --install` does; packaging/debian_tree.cmake then brings
# the tree into the form that the Debian policy asks for, and dpkg-shlibdeps (Debian package
# dpkg-dev) finds the dependencies.
#
# Not of builds that tests disturb or that check themselves.
if(TREEMILL_CRASH_POINTS OR TREEMILL_SANITIZE)
    return()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME treemill)
set(CPACK_PACKAGE_VENDOR "The treemill maintainers")
set(CPACK_PACKAGE_CONTACT "The treemill maintainers <maintainers@treemill.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "parallel checksums, archives and compression of file trees")
set(CPACK_PACKAGE_DESCRIPTION
"treemill checksums directory trees in parallel and checks them again, packs
them into tar and zip archives, compresses and decompresses each of their
files, and shows what it is doing.
.
It is a pipeline of stages, for each of which the user chooses how it runs:
in the calling thread, as threads, as worker processes that may crash without
taking the job with them, or as event loops on io_uring or epoll. The output
does not depend on that choice.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)

# The number behind the hyphen is that of the package; packaging/changelog has an entry for it.
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON) # the libraries, with the versions that were built with
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

file(STRINGS ${PROJECT_SOURCE_DIR}/packaging/changelog newest LIMIT_COUNT 1)
if(NOT newest MATCHES "^treemill \\(${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}\\)")
    message(FATAL_ERROR "packaging/changelog begins with '${newest}', not with an entry for "
            "${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
endif()

# Handed on to the script, which sees variables of CPack alone.
set(CPACK_TREEMILL_SOURCE ${PROJECT_SOURCE_DIR})
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/debian_tree.cmake)
include(CPack)

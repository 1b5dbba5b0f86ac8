#!/usr/bin/env bash
# To be sourced: installs the Debian packages that are missing, for building and for testing.
set -euo pipefail

build_packages=(gcc cmake ninja-build pkg-config libc6-dev zlib1g-dev libssl-dev libxxhash-dev
    liburing-dev libdeflate-dev libisal-dev libzstd-dev libarchive-dev)
# What the tests need, and the programs that they and the quick benchmarks compare with.
test_packages=(check clang libclang-rt-14-dev spin jq libfuse3-dev fuse3 mandoc man-db zsh fish tmux
    strace shellcheck procps python3 openssl rhash hashdeep b3sum xxhash rclone libarchive-tools
    pigz isal zstd libdeflate-tools zip unzip tabix squashfs-tools p7zip-full attr acl binutils
    bzip2 xz-utils lzip lz4 ncompress sharutils cpio genisoimage gcab git dpkg-dev fakeroot lintian)

is_installed() {
    dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

install_missing() {
    local missing=() package as_root=()
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null || {
        echo "setup: needs these packages, and there is no apt-get: ${missing[*]}" >&2
        return 1
    }
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "setup: installing ${missing[*]}" >&2
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq \
        --no-install-recommends "${missing[@]}" >/dev/null
}

install_for_building() {
    install_missing "${build_packages[@]}"
}

install_for_testing() {
    install_missing "${build_packages[@]}" "${test_packages[@]}"
}

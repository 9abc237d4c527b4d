#!/usr/bin/env bash
# Builds the static program and the image around it: target/image/ARCH/netsplit.tar is an OCI archive, for `skopeo copy`,
# `podman load` or `ctr images import`.
#
# usage: scripts/image.sh [ARCH]      amd64 (as left out) or arm64
#
# It needs rustup, a compiler for musl (Debian: musl-tools) and buildah; for arm64 clang as well, which compiles the C of ring
# for any machine. NETSPLIT_IMAGE is the name of the image.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

arch=${1:-amd64}
name=${NETSPLIT_IMAGE:-ghcr.io/netsplit/netsplit}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
revision=$(git describe --always --dirty --abbrev=12 --exclude='*')

case $arch in
  amd64)
    target=x86_64-unknown-linux-musl
    needed=(musl-gcc)
    ;;
  arm64)
    target=aarch64-unknown-linux-musl
    needed=(clang)
    export CC_aarch64_unknown_linux_musl=clang CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
    # The C of ring needs no C library there, and this machine's is of another architecture.
    export CFLAGS_aarch64_unknown_linux_musl='--target=aarch64-unknown-linux-musl -ffreestanding'
    ;;
  *)
    echo "There is no image for $arch: amd64 or arm64." >&2
    exit 2
    ;;
esac
for program in rustup buildah "${needed[@]}"; do
  if ! command -v "$program" >/dev/null; then
    echo "$program is missing: rustup from https://rustup.rs; buildah, musl-tools and clang are packages of Debian." >&2
    exit 1
  fi
done

rustup target add "$target"
NETSPLIT_REVISION=$revision cargo build --locked --profile shipped --target "$target"

place=target/image/$arch
rm -rf "$place"
mkdir -p "$place/root/bin" "$place/root/var/log" "$place/root/var/lib/netsplit" "$place/root/etc/netsplit"
install -m 755 "target/$target/shipped/netsplit" "$place/root/bin/netsplit"
ln -s netsplit "$place/root/bin/cat"
# The same program is the same image, whenever it is built.
find "$place/root" -exec touch --no-dereference --date=@0 {} +

buildah build --arch "$arch" --timestamp 0 --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  --tag "$name:$version-$arch" --file Containerfile "$place"
buildah push --quiet "$name:$version-$arch" "oci-archive:$place/netsplit.tar:$name:$version-$arch"
size=$(stat --format=%s "$place/netsplit.tar")
echo "$place/netsplit.tar: $name:$version-$arch, revision $revision, $arch, $((size / 1000)) kB"

#!/usr/bin/env bash
# Installs the Debian packages that the tests need, and only those that are missing. Rust comes with rustup, which reads
# rust-toolchain.toml by itself.
set -euo pipefail

# What a package is needed for is told by a file or a program that it brings.
needs=(
  "ca-certificates         /etc/ssl/certs/ca-certificates.crt"
  "dnsmasq-base            dnsmasq"
  "gcc                     cc"
  "git                     git"
  "iproute2                ip"
  "mount                   mount"
  "nftables                nft"
  "procps                  /bin/kill"
  "prometheus              promtool"
  "prometheus-alertmanager amtool"
  "python3                 python3"
)

# Without root the programs of the administrator are often not on the path.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

missing=()
for need in "${needs[@]}"; do
  read -r package witness <<<"$need"
  if [[ $witness == /* ]]; then
    [[ -e $witness ]] || missing+=("$package")
  else
    command -v "$witness" >/dev/null || missing+=("$package")
  fi
done

if ((${#missing[@]} == 0)); then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "The tests need ${missing[*]} (names of Debian packages): please install them in this system's own way." >&2
  exit 1
fi
if ((EUID != 0)); then
  echo "The tests need ${missing[*]}: please run 'make install-test-needs' once as root." >&2
  exit 1
fi
echo "Installing what the tests need: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2

# Tests start their servers themselves: Debian shall start none, neither now nor with the machine.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
for package in "${missing[@]}"; do
  if [[ $package == prometheus* ]] && command -v systemctl >/dev/null; then
    systemctl disable --quiet "$package.service" || echo "Note: $package.service may start with this machine." >&2
  fi
done

#!/usr/bin/env bash
# Installs the Debian packages that the tests need, and only those that are missing, and what Debian does not have: Kafka,
# the API server of Kubernetes, and kustomize. Rust comes with rustup, which reads rust-toolchain.toml by itself.
set -euo pipefail

# What a package is needed for is told by a file or a program that it brings.
needs=(
  "ca-certificates         /etc/ssl/certs/ca-certificates.crt"
  "default-jre-headless    java"
  "dnsmasq-base            dnsmasq"
  "docker-registry         docker-registry"
  "etcd-server             etcd"
  "gcc                     cc"
  "git                     git"
  "golang-go               go"
  "iproute2                ip"
  "mariadb-server          mariadbd"
  "maven                   mvn"
  "mount                   mount"
  "nftables                nft"
  "postgresql              /usr/bin/pg_ctlcluster"
  "procps                  /bin/kill"
  "prometheus              promtool"
  "prometheus-alertmanager amtool"
  "python3                 python3"
  "rabbitmq-server         /usr/lib/rabbitmq/bin/rabbitmq-server"
  "redis-server            redis-server"
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

install_others() {
  "$(dirname "$0")/install-kafka.sh"
  "$(dirname "$0")/install-kube.sh"
  "$(dirname "$0")/install-kustomize.sh"
}

if ((${#missing[@]} == 0)); then
  install_others
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
# Nor later, with the machine.
if command -v systemctl >/dev/null; then
  for service in docker-registry etcd mariadb postgresql prometheus prometheus-alertmanager rabbitmq-server redis-server; do
    if [[ " ${missing[*]} " == *" $service"* ]]; then
      systemctl disable --quiet "$service.service" || echo "Note: $service.service may start with this machine." >&2
    fi
  done
fi
install_others

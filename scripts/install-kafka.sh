#!/usr/bin/env bash
# Copies a broker of Kafka, which Debian does not have, from Maven Central to target/kafka, unless it is there. What it
# consists of is pinned in scripts/kafka/: the versions in pom.xml, the files by their digests.
set -euo pipefail
cd "$(dirname "$0")/.."

sums=$PWD/scripts/kafka/sha256sums
place=$PWD/target/kafka

is_whole() {
  [[ -d $place ]] && (cd "$place" && sha256sum --check --quiet --strict "$sums" >/dev/null 2>&1)
}

if is_whole; then
  exit 0
fi
for program in java mvn; do
  if ! command -v "$program" >/dev/null; then
    echo "Kafka needs $program: please run 'make install-test-needs' once as root." >&2
    exit 1
  fi
done
mkdir -p "$PWD/target"
echo "Copying a broker of Kafka to target/kafka (45 MB)"
new=$(mktemp -d "$PWD/target/kafka.XXXXXX")
trap 'rm -rf "$new"' EXIT
mvn --quiet --batch-mode --file scripts/kafka/pom.xml \
  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$new"
(cd "$new" && sha256sum --check --quiet --strict "$sums")
rm -rf "$place"
mv "$new" "$place"

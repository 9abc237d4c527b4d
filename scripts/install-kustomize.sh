#!/usr/bin/env bash
# Builds kustomize, which Debian does not have, from the module proxy of Go into target/kustomize, unless it is there. What it
# is made of is pinned in scripts/kustomize/. It is the one that is in kubectl 1.27, the oldest that docs/install.md names, and
# any Go since 1.19 builds it. kubectl itself would bring the clients of Kubernetes along, which take longer than kustomize.
set -euo pipefail
cd "$(dirname "$0")/.."

pins=$PWD/scripts/kustomize
place=$PWD/target/kustomize
# Kept until the build is done, so that one that was interrupted goes on where it was.
work=$PWD/target/kustomize.build

recipe() {
  cat "$0" "$pins/go.mod" "$pins/go.sum" | sha256sum
}

if [[ -x $place/kustomize && -f $place/recipe && $(recipe) == "$(cat "$place/recipe")" ]]; then
  exit 0
fi
if ! command -v go >/dev/null; then
  echo "kustomize needs go: please run 'make install-test-needs' once as root." >&2
  exit 1
fi
mkdir -p "$work"
export GOPATH=$work/path GOMODCACHE=$work/modules GOCACHE=$work/cache GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
export GOFLAGS=-modcacherw
echo "Building kustomize in target/kustomize: half a minute"
new=$work/programs
rm -rf "$new"
mkdir -p "$new"
# Nobody measures it and nobody debugs it: not optimised, as the API server is built.
(cd "$pins" && GOGC=400 go build -mod=readonly -trimpath -buildvcs=false -gcflags 'all=-N -l -dwarf=false' -ldflags '-s -w' \
  -o "$new/kustomize" sigs.k8s.io/kustomize/kustomize/v5) 2> >(grep --invert-match '^go: downloading ' >&2)
recipe >"$new/recipe"
rm -rf "$place"
mv "$new" "$place"
rm -rf "$work"

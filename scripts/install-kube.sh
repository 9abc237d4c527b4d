#!/usr/bin/env bash
# Builds an API server of Kubernetes, which Debian does not have, from the module proxy of Go into target/kube, unless it is
# there. What it is made of is pinned in scripts/kube/: the versions in go.mod, their digests in go.sum. Its etcd is Debian's.
set -euo pipefail
cd "$(dirname "$0")/.."

pins=$PWD/scripts/kube
place=$PWD/target/kube
# Kept until the build is done, so that one that was interrupted goes on where it was.
work=$PWD/target/kube.build
commands=(kube-apiserver)
# The least Go that builds this version, and the one that is fetched where there is an older one: Debian 12 has 1.19, which can
# fetch another, and cannot use it by itself.
least=1.24
fetched=1.24.13

recipe() {
  cat "$0" "$pins/go.mod" "$pins/go.sum" | sha256sum
}

is_built() {
  [[ -f $place/recipe && $(recipe) == "$(cat "$place/recipe")" ]] || return 1
  for command in "${commands[@]}"; do
    [[ -x $place/$command ]] || return 1
  done
}

# The Go that is there if it is new enough, or one that the module proxy has.
suitable_go() {
  local version
  version=$(go env GOVERSION)
  if printf '%s\n' "$least" "${version#go}" | sort --check=quiet --version-sort; then
    command -v go
    return
  fi
  local tools=$work/go
  if [[ ! -x $tools/bin/go ]]; then
    echo "Fetching Go $fetched, since this machine has ${version#go} (83 MB)" >&2
    local module zip
    module=golang.org/toolchain@v0.0.1-go$fetched.$(go env GOOS)-$(go env GOARCH)
    zip=$(cd / && go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
    rm -rf "$tools.new"
    cp -r "$zip" "$tools.new"
    # In the archive of a module no other go.mod may be, and no file is a program: a newer Go mends both in this way.
    find "$tools.new" -name _go.mod -execdir mv {} go.mod \;
    chmod -R u+w "$tools.new"
    chmod -R +x "$tools.new/bin" "$tools.new/pkg/tool"
    mv "$tools.new" "$tools"
  fi
  echo "$tools/bin/go"
}

if is_built; then
  exit 0
fi
if ! command -v go >/dev/null; then
  echo "The API server of Kubernetes needs go: please run 'make install-test-needs' once as root." >&2
  exit 1
fi
mkdir -p "$work"
export GOPATH=$work/path GOMODCACHE=$work/modules GOCACHE=$work/cache GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
export GOFLAGS=-modcacherw
go=$(suitable_go)
echo "Building an API server of Kubernetes in target/kube: several minutes, and 2 GB of disk meanwhile"
new=$work/programs
rm -rf "$new"
mkdir -p "$new"
# Nobody measures it, so nothing is optimised, and it is not to be debugged: that takes a quarter off the time. Nor does the
# compiler collect its garbage as often as it would.
(cd "$pins" && GOGC=400 "$go" build -mod=readonly -trimpath -buildvcs=false -gcflags 'all=-N -l -dwarf=false' -ldflags '-s -w' \
  -o "$new/" "${commands[@]/#/k8s.io/kubernetes/cmd/}") 2> >(grep --invert-match '^go: downloading ' >&2)
recipe >"$new/recipe"
rm -rf "$place"
mv "$new" "$place"
rm -rf "$work"

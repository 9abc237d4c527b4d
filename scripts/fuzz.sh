#!/usr/bin/env bash
# Fuzzes each target for some time, from the corpus in fuzz/corpus/ and what was found before on this machine.
#
# usage: scripts/fuzz.sh [TARGET...]        FUZZ_SECONDS=60 for each
#
# What it finds is kept in fuzz/artifacts/ (not in the repository): mend it, put the file into fuzz/corpus/TARGET/ under
# a name that says what it was, and tests/corpus replays it from then on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.13.2
tools=target/tools
seconds=${FUZZ_SECONDS:-60}
targets=("$@")
((${#targets[@]} > 0)) || targets=(configuration datagram log rows)

for need in g++ rustup; do
  command -v "$need" >/dev/null || { echo "Fuzzing needs $need: please install it." >&2; exit 1; }
done
rustup toolchain list | grep -q '^nightly' || { echo "Fuzzing needs a nightly compiler: rustup toolchain install nightly" >&2; exit 1; }
if [[ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $version" ]]; then
  cargo install --quiet --locked --root "$tools" --version "$version" cargo-fuzz
fi
PATH="$PWD/$tools/bin:$PATH"

cargo +nightly fuzz build --fuzz-dir fuzz --target-dir target/fuzz
programs=target/fuzz/$(rustc -vV | sed -n 's/^host: //p')/release
for target in "${targets[@]}"; do
  found=target/fuzz/corpus/$target log=target/fuzz/$target.log
  mkdir -p "$found" "fuzz/artifacts/$target"
  echo "== $target, $seconds s"
  # Run as it was built: cargo fuzz run would build again whatever changed meanwhile. Nothing that is interesting here is
  # long, and what takes five seconds is a fault.
  if ! ASAN_OPTIONS=detect_odr_violation=0 "$programs/$target" "$found" "fuzz/corpus/$target" \
    -max_total_time="$seconds" -max_len=8192 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="fuzz/artifacts/$target/" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "Found something: see fuzz/artifacts/$target/ and $log" >&2
    exit 1
  fi
  grep -E '^stat::(number_of_executed_units|new_units_added)' "$log"
done

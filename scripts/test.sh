#!/usr/bin/env bash
# Runs every test program. Most wait for servers and for agents in real time. Beside them go the agents in namespaces, which wait
# longest, and the simulation, which is nothing but computing and has the processor that the others leave.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

beside=(namespaces simulation)
programs=()
for file in tests/*.rs tests/*/main.rs; do
  name=${file#tests/}
  name=${name%/main.rs}
  name=${name%.rs}
  [[ " ${beside[*]} " == *" $name "* ]] || programs+=("--test=$name")
done
mkdir -p target
cargo test --locked --no-run

# In groups of their own, so that they end with this script, however this ends.
set -m
running=() logs=()
for name in "${beside[@]}"; do
  priority=0
  [[ $name != simulation ]] || priority=19
  logs+=("target/$name.log")
  nice -n "$priority" cargo test --locked --no-fail-fast --test "$name" &>"target/$name.log" &
  running+=($!)
done
set +m
trap 'kill -- "${running[@]/#/-}" 2>/dev/null || true' EXIT

status=0
cargo test --locked --no-fail-fast --lib --bins "${programs[@]}" 2>&1 | tee target/programs.log || status=$?
cargo test --locked --doc 2>&1 | tee -a target/programs.log || status=$?
for one in "${running[@]}"; do
  wait "$one" || status=$?
done
trap - EXIT
cat "${logs[@]}"

if ((status != 0)); then
  echo 'Some tests failed: their names are above, behind "failures:".' >&2
  exit "$status"
fi
awk '/^test result: ok/ { passed += $4; ignored += $8; programs++ }
  END { printf "Everything passed: formatting, lints, documentation and %d tests in %d programs (%d ignored).\n", passed, programs, ignored }' \
  target/programs.log "${logs[@]}"

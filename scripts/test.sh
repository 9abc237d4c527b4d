#!/usr/bin/env bash
# Runs every test program. The simulation, which is nothing but computing, has the processor that the others leave: they wait for
# servers and for agents in real time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

programs=()
for file in tests/*.rs tests/*/main.rs; do
  name=${file#tests/}
  name=${name%/main.rs}
  name=${name%.rs}
  [[ $name == simulation ]] || programs+=("--test=$name")
done
mkdir -p target
cargo test --locked --no-run

# In a group of its own, so that it ends with this script, however this ends.
set -m
nice -n 19 cargo test --locked --no-fail-fast --test simulation &>target/simulation.log &
simulation=$!
set +m
trap 'kill -- -"$simulation" 2>/dev/null || true' EXIT

status=0
cargo test --locked --no-fail-fast --lib --bins "${programs[@]}" 2>&1 | tee target/programs.log || status=$?
cargo test --locked --doc 2>&1 | tee -a target/programs.log || status=$?
wait "$simulation" || status=$?
trap - EXIT
cat target/simulation.log

if ((status != 0)); then
  echo 'Some tests failed: their names are above, behind "failures:".' >&2
  exit "$status"
fi
awk '/^test result: ok/ { passed += $4; ignored += $8; programs++ }
  END { printf "Everything passed: formatting, lints, documentation and %d tests in %d programs (%d ignored).\n", passed, programs, ignored }' \
  target/programs.log target/simulation.log

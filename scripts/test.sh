#!/usr/bin/env bash
# Runs every test program. The simulation, which is nothing but computing, has the processor that the others leave: they wait for
# servers and for agents in real time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p target
logs=(target/simulation.log target/programs.log)
cargo test --locked --no-run

tests=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
targets = json.load(sys.stdin)["packages"][0]["targets"]
print(*("--test=" + target["name"] for target in targets if target["kind"] == ["test"] and target["name"] != "simulation"))')

nice -n 19 cargo test --locked --no-fail-fast --test simulation &>"${logs[0]}" &
simulation=$!
trap 'kill "$simulation" 2>/dev/null || true' EXIT

status=0
{
  # shellcheck disable=SC2086
  cargo test --locked --no-fail-fast --lib --bins $tests &&
    cargo test --locked --doc
} 2>&1 | tee "${logs[1]}" || status=$?
wait "$simulation" || status=$?
cat "${logs[0]}"

if ((status != 0)); then
  echo 'Some tests failed: their names are above, behind "failures:".' >&2
  exit "$status"
fi
awk '/^test result: ok/ { passed += $4; ignored += $8; programs++ }
  END { printf "Everything passed: formatting, lints, documentation and %d tests in %d programs (%d ignored).\n", passed, programs, ignored }' \
  "${logs[@]}"

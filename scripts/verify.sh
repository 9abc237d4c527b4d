#!/usr/bin/env bash
# Takes the full figures and writes them into docs/: runs the command of every table, or of the sections named.
#
# usage: scripts/verify.sh [SECTION...]
#
# NETSPLIT_VERIFY_SHARE=20 takes one run in twenty, and the tables say so.
#
# The tables are declared in tests/verify/mod.rs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export NETSPLIT_VERIFY=1
kept=target/verify
commit=$(git describe --always --dirty --abbrev=12 --exclude='*')
if [[ $commit == *-dirty ]]; then
  echo "Note: there are changes that are not committed; the tables will say ${commit}." >&2
fi

rm -rf "$kept"
mkdir -p "$kept"
cargo test --locked --quiet --test docs_tables the_documents_have_the_tables_that_the_code_writes -- --exact

# The commands of the sections asked for, each once: one command may write several tables.
commands=()
for file in "$kept"/*/*.md; do
  [[ -e $file ]] || { echo "No tables are declared yet, so there is nothing to take."; exit 0; }
  section=$(basename "$file" .md)
  if (($# > 0)) && [[ " $* " != *" $section "* ]]; then
    continue
  fi
  command=$(sed -n '1s/^<!-- verify:[a-z-]*:begin \(.*\) -->$/\1/p' "$file")
  [[ " ${commands[*]/%/$'\n'}" == *" $command"$'\n'* ]] || commands+=("$command")
done
if ((${#commands[@]} == 0)); then
  echo "There is no section named $*." >&2
  exit 1
fi

for command in "${commands[@]}"; do
  echo "== $command"
  bash -c "$command"
done
python3 scripts/assemble.py "$kept" docs "$commit" "$@"

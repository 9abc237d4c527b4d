#!/usr/bin/env bash
# Stands in for the programs that the pages call: notes how it was called, and plays its part as far as the rest of a page
# needs it. What was noted is judged afterwards. It is called by the name of the program.
set -euo pipefail

program=${0##*/}
note=$(mktemp "$STAGE/notes/$(date +%s%N).XXXXXX")
printf '%s\0' "$program" "$PWD" "$@" >"$note"

# What a container runs: netsplit against the agent of this stage, with its files in the place of those in the image.
inside() {
  local what=$1
  shift
  set -- "${@/#\/etc\/netsplit\/config\//$STAGE/config/}"
  set -- "${@/#\/var\/log\//$STAGE/log/}"
  local status=0
  case $what in
    netsplit)
      # A command in a sentence often lacks its arguments.
      if [[ -v MENTIONED || " $PARSED_ONLY " == *" ${1:-} "* ]]; then set -- "$@" --help; fi
      timeout 60 "$NETSPLIT" "$@" 2>"$note.stderr" || status=$?
      ;;
    cat) cat "$@" 2>"$note.stderr" || status=$? ;;
    *) status=127 ;;
  esac
  printf '%s' "$status" >"$note.status"
}

case $program in
  netsplit) inside netsplit "$@" ;;
  kubectl)
    words=" $* "
    case "${1:-}$words" in
      exec*" -- "*)
        while [[ $1 != -- ]]; do shift; done
        shift
        inside "$@"
        ;;
      get*" -o name "*) echo "pod/network-partition-detector-x7x2p" ;;
      logs*) cat "$STAGE/log/partition-events.log" ;;
      create*" --from-file="*) cat "$(sed 's/.* --from-file=\([^ ]*\).*/\1/' <<<"$words")"/* >"$note.files" ;;
      patch*" --patch-file "*) cat "$(sed 's/.* --patch-file \([^ ]*\).*/\1/' <<<"$words")" >"$note.files" ;;
    esac
    ;;
  crictl)
    case ${1:-} in
      pods) echo 0b7d9a51c3e8 ;;
      ps) echo 4f1d0c2b7a9e ;;
      exec) shift 2 && inside "$@" ;;
    esac
    ;;
  # Of 64 hex digits, as it prints them.
  openssl) printf '0123456789abcdef%.0s' 1 2 3 4 && echo ;;
  # The directory that it makes has what the pages use of it.
  git)
    if [[ ${1:-} == clone ]]; then
      mkdir netsplit
      cp -R "$REPOSITORY/daemonset" netsplit/daemonset
    fi
    ;;
  # Only what a page made itself.
  rm)
    for name; do
      [[ $name == -r || $name =~ ^[a-z][a-z.-]*$ ]] || exit 64
    done
    "$RM" "$@"
    ;;
esac

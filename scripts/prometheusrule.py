#!/usr/bin/env python3
"""Writes alerts/netsplit.rules.yaml as a PrometheusRule, for the overlay `monitoring`.

usage: prometheusrule.py RULES > PROMETHEUSRULE
"""

import sys

HEAD = """\
# Written by scripts/prometheusrule.py from alerts/netsplit.rules.yaml, which is the file to change.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: network-partition-detector
  labels: {app: network-partition-detector}
spec:
"""


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = file.read().splitlines()
    rules = lines[lines.index("groups:") :]
    sys.stdout.write(HEAD + "".join(f"  {line}".rstrip() + "\n" for line in rules))


if __name__ == "__main__":
    main()

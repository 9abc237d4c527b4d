#!/usr/bin/env python3
"""Writes rules as a PrometheusRule: alerts/netsplit.rules.yaml is that of the overlay `monitoring`.

usage: prometheusrule.py RULES [NAME] > PROMETHEUSRULE
"""

import sys

HEAD = """\
# Written by scripts/prometheusrule.py from {file}, which is the file to change.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {name}
  labels: {{app: network-partition-detector}}
spec:
"""


def main() -> None:
    name = sys.argv[2] if len(sys.argv) > 2 else "network-partition-detector"
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = file.read().splitlines()
    rules = lines[lines.index("groups:") :]
    head = HEAD.format(file=sys.argv[1], name=name)
    sys.stdout.write(head + "".join(f"  {line}".rstrip() + "\n" for line in rules))


if __name__ == "__main__":
    main()

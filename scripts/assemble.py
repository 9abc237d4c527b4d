#!/usr/bin/env python3
"""Puts the tables kept under target/verify/ between their marks in docs/.

usage: assemble.py KEPT DOCS COMMIT [SECTION...]

KEPT/DOCUMENT/SECTION.md holds a mark, the top of a table (two lines) and its rows in any order; DOCS/DOCUMENT.md has
the mark of the same section, with whatever command it had, and its end. All documents are written, or none.
"""

import os
import pathlib
import re
import sys


def natural(row):
    """Sorts 30 before 100."""
    return [(0, float(part), "") if i % 2 else (1, 0.0, part) for i, part in enumerate(re.split(r"(\d+(?:\.\d+)?)", row))]


def block(kept, commit):
    """The lines from mark to mark."""
    section = kept.stem
    begin, head, rule, *rows = kept.read_text(encoding="utf-8").splitlines()
    command = re.fullmatch(rf"<!-- verify:{re.escape(section)}:begin (.*) -->", begin).group(1)
    if not rows:
        raise SystemExit(f"{section}: `{command}` wrote no row")
    share = os.environ.get("NETSPLIT_VERIFY_SHARE")
    part = f" NETSPLIT_VERIFY_SHARE={share}" if share else ""
    said = f"Written by `{command}` at commit {commit}, with `NETSPLIT_VERIFY=1{part}`."
    return "\n".join([begin, said, "", head, rule, *sorted(rows, key=natural), "", f"<!-- verify:{section}:end -->"])


def main(kept, docs, commit, *sections):
    texts = {}
    for file in sorted(pathlib.Path(kept).glob("*/*.md")):
        if sections and file.stem not in sections:
            continue
        document = pathlib.Path(docs) / f"{file.parent.name}.md"
        text = texts.get(document) or document.read_text(encoding="utf-8")
        new = block(file, commit)
        marks = rf"^<!-- verify:{re.escape(file.stem)}:begin .*?^<!-- verify:{re.escape(file.stem)}:end -->$"
        text, count = re.subn(marks, lambda _: new, text, flags=re.MULTILINE | re.DOTALL)
        if count != 1:
            raise SystemExit(f"{document} has no marks for {file.stem}, or has them twice")
        texts[document] = text
    for document, text in texts.items():
        document.write_text(text, encoding="utf-8")
        print(f"wrote {document}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])

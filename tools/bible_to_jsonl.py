#!/usr/bin/env python3
"""Turns `bible -f` lines ("gen1:1 In the beginning ...") on stdin into JSON lines on stdout, a chapter a document.

Chapters are written in a shuffled order that is always the same: Megatron's `split` holds out the last documents, and
the held-out part should be a sample of the whole book rather than its last letters.
"""

import json
import random
import re
import sys


def chapters(lines):
    """Yields (reference, text) per chapter; every verse is a line of the text."""
    reference, verses = None, []
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(r"(\w+?\d+):\d+ (.*)", line.rstrip("\n"))
        if match is None:
            sys.exit(f"bible_to_jsonl: line {number} is not of the form 'gen1:1 text': {line[:60]!r}")
        if match[1] != reference and verses:
            yield reference, "\n".join(verses)
            verses = []
        reference = match[1]
        verses.append(match[2])
    if verses:
        yield reference, "\n".join(verses)


def main():
    documents = list(chapters(sys.stdin))
    random.Random(1611).shuffle(documents)
    for reference, text in documents:
        print(json.dumps({"id": reference, "text": text}))


main()

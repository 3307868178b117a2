#!/usr/bin/env python3
"""Holds webhook.py to the vectors of examples/signature-vectors.json.

    python3 vectors.py FILE
"""
import json
import sys

import webhook


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    wrong = 0
    for v in vectors:
        headers = {"webhook-id": v["id"], "webhook-timestamp": v["timestamp"], "webhook-signature": v["signature"]}
        problem = webhook.verify(webhook.key_of(v["secret"]), headers, v["body"].encode(), v["now"])
        if (problem is None) != v["valid"]:
            wrong += 1
            print(f"{v['name']}: {problem or 'was taken'}", file=sys.stderr)
    print(f"{len(vectors)} vectors, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

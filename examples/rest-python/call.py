#!/usr/bin/env python3
"""Calls a REST plugin as Parley does, signed, and prints what it answers: to try one out without Parley.

    PARLEY_SIGNING_SECRET=whsec_... python3 call.py URL TEXT
"""
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

import webhook


def envelope(delivery, text):
    """An InvokeRequestV1 for one message."""
    return {
        "invocation_id": delivery, "attempt": 1, "deadline_ms": 5000, "plugin": "trial", "config": {},
        "dialog": {"id": "trial", "channel": "api", "locale": "en", "reset_version": 0, "state": {}},
        "user": {"id": str(uuid.uuid4()), "role": "user", "locale": "en", "name": "Trial"},
        "event": {"type": "text", "message": {"type": "text", "text": text, "user": {"external_id": "trial"}}},
        "trace_id": uuid.uuid4().hex,
    }


def main():
    secret = os.environ.get("PARLEY_SIGNING_SECRET", "")
    if len(sys.argv) != 3 or not secret:
        sys.exit("usage: PARLEY_SIGNING_SECRET=whsec_... call.py URL TEXT")
    delivery, timestamp = str(uuid.uuid4()), int(time.time())
    body = json.dumps(envelope(delivery, sys.argv[2])).encode()
    request = urllib.request.Request(sys.argv[1].rstrip("/") + "/invoke", data=body, headers={
        "Content-Type": "application/json", "webhook-id": delivery, "webhook-timestamp": str(timestamp),
        "webhook-signature": webhook.sign(webhook.key_of(secret), delivery, timestamp, body),
    })
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            print(response.status, response.read().decode())
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code} {error.read().decode(errors='replace')}")
    except urllib.error.URLError as error:
        sys.exit(f"{sys.argv[1]}: {error.reason}")


if __name__ == "__main__":
    main()

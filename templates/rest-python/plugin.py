#!/usr/bin/env python3
"""The REST plugin NAME. `answer` is all of it; server.py does what every REST plugin does.

    PARLEY_SIGNING_SECRET=whsec_... python3 plugin.py [PORT]
"""
import os

import server

TEXTS = {
    "en": "Hello, {name}! This is visit {n}.",
    "ru": "Здравствуйте, {name}! Визит номер {n}.",
    "uk": "Вітаю, {name}! Візит номер {n}.",
}


def answer(request):
    """InvokeRequestV1 -> InvokeResponseV1, as docs/rest-plugins.md has them. What was written is
    request["event"]["message"].get("text"); "state": {"__state": "name"} has the next message come here, too.
    """
    user, kept = request["user"], request["dialog"]["state"]
    text = TEXTS.get((user.get("locale") or "en")[:2], TEXTS["en"])
    visits = kept.get("visits", 0) + 1
    return {
        "actions": [{
            "type": "send", "text": text.format(name=user.get("name") or "you", n=visits),
            "buttons": [[{"text": "+1", "data": {"go": "again"}}]],
        }],
        "state": {"visits": visits},
    }


if __name__ == "__main__":
    server.serve(answer, os.path.dirname(os.path.abspath(__file__)))

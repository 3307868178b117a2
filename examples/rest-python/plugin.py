#!/usr/bin/env python3
"""A REST plugin for Parley, in Python's standard library alone: it rolls dice.

    PARLEY_SIGNING_SECRET=whsec_... python3 plugin.py [PORT]
    PARLEY_URL=http://... PARLEY_REGISTRY_KEY=prl_reg_... python3 plugin.py [PORT]

The first form takes the secret that Parley's configuration has; the second registers itself and gets one.
"""
import os
import random
import re

import server

TEXTS = {
    "en": {"rolled": "You rolled {dice}: {sum}. That was roll number {n}.", "usage": "For example: /roll 2d6"},
    "ru": {"rolled": "Выпало {dice}: {sum}. Это бросок номер {n}.", "usage": "Например: /roll 2d6"},
    "uk": {"rolled": "Випало {dice}: {sum}. Це кидок номер {n}.", "usage": "Наприклад: /roll 2d6"},
}


def answer(request):
    """InvokeRequestV1 -> InvokeResponseV1."""
    text = (request["event"].get("message") or {}).get("text") or ""
    texts = TEXTS.get((request["user"].get("locale") or "en")[:2], TEXTS["en"])
    match = re.fullmatch(r"/roll(?:@\S+)?(?:\s+(\d{1,2})d(\d{1,3}))?\s*", text)
    if not match:
        return {"actions": [{"type": "send", "text": texts["usage"]}]}
    count, sides = max(1, int(match[1] or 1)), max(2, int(match[2] or 6))
    dice = [random.randint(1, sides) for _ in range(count)]
    n = request["dialog"]["state"].get("rolls", 0) + 1
    return {
        "actions": [{
            "type": "send",
            "text": texts["rolled"].format(dice=" + ".join(map(str, dice)), sum=sum(dice), n=n),
            "buttons": [[{"text": f"/roll {count}d{sides}"}]],
        }],
        "state": {"rolls": n},
    }


if __name__ == "__main__":
    server.serve(answer, os.path.dirname(os.path.abspath(__file__)))

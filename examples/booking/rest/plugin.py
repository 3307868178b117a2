#!/usr/bin/env python3
"""Books a table, as a REST plugin. What examples/booking/lua gets from the host is written out here: the question that
is open, the answers so far, what is wrong with an answer, plurals, words that end it all.

    PARLEY_SIGNING_SECRET=whsec_... python3 plugin.py [PORT]
"""
import datetime
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "rest-python"))
import server  # noqa: E402

TIMES = ["12:00", "18:00", "20:00"]
CANCEL = {"/cancel", "cancel", "отмена", "скасувати"}


def load(locale):
    with open(os.path.join(HERE, "..", "lua", "locales", locale + ".json"), encoding="utf-8") as file:
        return json.load(file)


TEXTS = {locale: load(locale) for locale in ("en", "ru", "uk")}


def plural(locale, n):
    """The category of CLDR."""
    if locale == "en":
        return "one" if n == 1 else "other"
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    return "few" if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else "many"


class Dialog:
    """One event of a dialog: what has been asked, what is said."""

    def __init__(self, request):
        self.locale = (request["user"].get("locale") or "en")[:2]
        self.texts = TEXTS.get(self.locale, TEXTS["en"])
        self.locale = self.locale if self.locale in TEXTS else "en"
        self.state = request["dialog"]["state"]
        self.answers = self.state.get("answers") or {}
        self.actions, self.patch = [], {}

    def say(self, key, buttons=None, **values):
        text = self.texts[key]
        if isinstance(text, dict):
            text = text[plural(self.locale, values["n"])]
        action = {"type": "send", "text": text.format(**values)}
        if buttons:
            action["buttons"] = [[{"text": label, "data": {"step": data[0], "v": data[1]}} for label, data in buttons]]
        self.actions.append(action)

    def ask(self, step, retry=None):
        """The question of a step; or what is wrong with its answer."""
        values, buttons = {}, None
        if step == "time":
            buttons = [(time, ("time", time)) for time in TIMES]
        elif step == "sure":
            buttons = [(self.texts["yes"], ("sure", True)), (self.texts["no"], ("sure", False))]
            values = dict(name=self.answers["name"], n=self.answers["guests"], day=self.answers["day"],
                          time=self.answers["time"])
        self.say(retry or step, buttons, **({} if retry else values))
        self.patch = {"__state": step, "answers": self.answers}

    def end(self, key, **values):
        self.say(key, **values)
        self.patch.update({"__state": None, "answers": None})

    def response(self):
        return {"actions": self.actions, "state": self.patch}


def day(text, _dialog):
    match = (re.fullmatch(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})", text)
             or re.fullmatch(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})", text))
    try:
        return datetime.date(int(match["y"]), int(match["m"]), int(match["d"])).isoformat() if match else None
    except ValueError:
        return None


def chosen(text, choices):
    """A label, or its number."""
    folded = [choice.casefold() for choice in choices]
    if text.casefold() in folded:
        return folded.index(text.casefold())
    return int(text) - 1 if text.isdecimal() and 1 <= int(text) <= len(choices) else None


def time(text, _dialog):
    index = chosen(text, TIMES)
    return None if index is None else TIMES[index]


def guests(text, _dialog):
    return int(text) if re.fullmatch("[1-9]", text) else None


def name(text, _dialog):
    return text if 0 < len(text) <= 60 else None


def sure(text, dialog):
    index = chosen(text, [dialog.texts["yes"], dialog.texts["no"]])
    return None if index is None else index == 0


STEPS = ["day", "time", "guests", "name", "sure"]
CHECKS = {"day": day, "time": time, "guests": guests, "name": name, "sure": sure}
RETRIES = {"sure": "yes_or_no"}


def go_on(dialog, step, value):
    if value is None:
        return dialog.ask(step, RETRIES.get(step, step + "_retry"))
    dialog.answers[step] = value
    if step != STEPS[-1]:
        return dialog.ask(STEPS[STEPS.index(step) + 1])
    if not value:
        return dialog.end("cancelled")
    number = dialog.state.get("bookings", 0) + 1
    dialog.patch = {"bookings": number}
    dialog.end("booked", number=number)


def answer(request):
    """InvokeRequestV1 -> InvokeResponseV1."""
    event, dialog = request["event"], Dialog(request)
    message, step = event.get("message") or {}, dialog.state.get("__state")
    text = (message.get("text") or "").strip()
    if event["type"] == "callback":
        data = (message.get("payload") or {}).get("data") or {}
        if data.get("step") == step and step in ("time", "sure"):
            go_on(dialog, step, data.get("v"))
    elif re.match(r"/book\b", text):
        dialog.answers = {}
        dialog.ask("day")
    elif step not in CHECKS:
        return {"actions": [], "declined": True}
    elif text.casefold() in CANCEL:
        dialog.end("cancelled")
    else:
        go_on(dialog, step, CHECKS[step](text, dialog))
    return dialog.response()


if __name__ == "__main__":
    server.serve(answer, HERE)

"""What every REST plugin of Parley needs: signatures (Standard Webhooks), and one effect for one call."""
import base64
import collections
import concurrent.futures
import hashlib
import hmac
import re
import threading

TOLERANCE = 300  # seconds that a timestamp may be off: a recorded call cannot be replayed later
PREFIX = "whsec_"


def key_of(secret):
    """The bytes that a secret stands for. ValueError when it is none."""
    if not secret.startswith(PREFIX):
        raise ValueError("a secret begins with " + PREFIX)
    return base64.b64decode(secret[len(PREFIX):], validate=True)


def sign(key, delivery, timestamp, body):
    """webhook-signature of a body (bytes): HMAC-SHA256 over "id.timestamp.body"."""
    signed = f"{delivery}.{timestamp}.".encode("latin-1") + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def verify(key, headers, body, now):
    """None when a call is Parley's, else what is wrong. `headers` has get(); `now` is seconds since 1970."""
    delivery, timestamp, given = (headers.get("webhook-" + name, "") for name in ("id", "timestamp", "signature"))
    if not delivery:
        return "webhook-id is missing"
    if not re.fullmatch("[0-9]{1,12}", timestamp):
        return "webhook-timestamp is missing, or no number"
    if abs(now - int(timestamp)) > TOLERANCE:
        return "webhook-timestamp is too old or too new"
    expected = sign(key, delivery, timestamp, body).encode()
    # More than one signature may be given while the secret is being changed. Python reads headers as Latin-1.
    if not any(hmac.compare_digest(expected, g) for g in given.encode("latin-1").split(b" ")):
        return "webhook-signature does not fit"
    return None


class Answers:
    """The first answer to each webhook-id, for calls that come again, also while the first one still runs.

    In memory, so a restart forgets them: a plugin that does more than answer keeps the id in its database, in
    the transaction of what it does.
    """

    def __init__(self, most=1000):
        self.most, self.lock, self.answers = most, threading.Lock(), collections.OrderedDict()

    def once(self, delivery, make):
        with self.lock:
            answer = self.answers.get(delivery)
            mine = answer is None
            if mine:
                answer = self.answers[delivery] = concurrent.futures.Future()
                if len(self.answers) > self.most:
                    self.answers.popitem(last=False)
        if mine:
            try:
                answer.set_result(make())
            except Exception as error:
                with self.lock:
                    self.answers.pop(delivery, None)  # nothing was done: the next attempt may succeed
                answer.set_exception(error)
        return answer.result()

"""Registers a plugin with Parley, and tells it again and again that the plugin is alive."""
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request

PATIENCE = 60  # seconds between two attempts, at most


class Registration:
    """`url` is Parley's, `registry_key` a token of the kind reg. What Parley gives - the plugin's own token and
    the signing secret - is shown only once: it is kept in the file `path`, which only its owner may read.
    """

    def __init__(self, url, registry_key, manifest, path):
        self.api = url.rstrip("/") + "/api/v1/plugins/"
        self.registry_key, self.manifest, self.path = registry_key, manifest, path
        self.given, self.registered = {}, False
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.given = json.load(file)

    def post(self, path, header, token, document):
        request = urllib.request.Request(self.api + path, data=json.dumps(document).encode(), headers={
            "Content-Type": "application/json", header: token,
        })
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def register(self):
        """Registers, and returns the signing secret. The same manifest again changes nothing; who has lost what
        was given asks for another token and secret."""
        self.given.update(self.post("register", "X-API-Key", self.registry_key, {
            "manifest": self.manifest, "rotate": "signing_secret" not in self.given,
        }))
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self.given, file)
        return self.given["signing_secret"]

    def heartbeat(self, inflight):
        self.post(self.given["plugin_id"] + "/heartbeat", "X-Plugin-Token", self.given["token"], {
            "status": "ok", "version": self.manifest["version"], "inflight": inflight,
        })

    def beat(self, use_secret, inflight):
        """One heartbeat, after the registration when there was none yet."""
        if not self.registered:
            use_secret(self.register())
            self.registered = True
            print("plugin: registered as", self.given["plugin_id"], file=sys.stderr)
        try:
            self.heartbeat(inflight())
        except urllib.error.HTTPError as refusal:
            if refusal.code in (401, 403):  # Parley does not know the plugin or its token any more
                self.given, self.registered = {}, False
            raise

    def run(self, use_secret, inflight):
        """For ever: registers, hands the secret to use_secret(secret), sends heartbeats. When that fails it tries
        again, ever more patiently."""
        pause = 1
        while True:
            try:
                self.beat(use_secret, inflight)
                pause = 1
                time.sleep(self.given["heartbeat_interval_sec"])
            except (OSError, KeyError, ValueError) as problem:  # urllib's errors are OSErrors
                detail = problem.read(500) if isinstance(problem, urllib.error.HTTPError) else ""
                print("plugin: Parley:", problem, detail, file=sys.stderr)
                time.sleep(pause)
                pause = min(2 * pause, PATIENCE)

    def start(self, use_secret, inflight):
        threading.Thread(target=self.run, args=(use_secret, inflight), daemon=True).start()

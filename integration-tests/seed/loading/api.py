"""The platform's HTTP API, as a client with a login sees it."""

import http.client
import json
import threading
import time
from urllib.parse import quote, urlencode, urlsplit


class ApiError(Exception):
    """An answer that is an error, with what the platform said about it."""

    def __init__(self, what, status, error):
        self.status = status
        self.reason = next((d["reason"] for d in error.get("details", []) if "reason" in d), "")
        super().__init__(f"{what}: {status} {error.get('status', '')} {error.get('message', '')}".rstrip())


class Unreachable(Exception):
    """Nobody answers at the gateway's address."""


class Api:
    """Thread safe: each thread has a connection of its own."""

    ATTEMPTS = 5  # a service may be restarting

    def __init__(self, url):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable(f"'{url}' is no address of a gateway; one looks like http://127.0.0.1:8080.")
        self.url = url
        self._connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._local = threading.local()
        self._login = None
        self._token, self._token_lock = None, threading.Lock()

    def login(self, email, password):
        self._login = {"email": email, "password": password, "deviceName": "demo catalogue"}
        self._renew(None)

    def _renew(self, stale):
        with self._token_lock:
            if self._token == stale:
                self._token = self.send("POST", "/v1/sessions", self._login)["accessToken"]

    def get(self, path, **query):
        return self.call("GET", path, query=query)

    def pages(self, path, field, **query):
        """Everything that a list method has, page by page."""
        query["pageSize"] = 100
        while True:
            page = self.get(path, **query)
            yield from page.get(field, [])
            query["pageToken"] = page.get("nextPageToken")
            if not query["pageToken"]:
                return

    def call(self, method, path, body=None, **more):
        """One call in the name of who logged in. An access token that has run out is renewed once."""
        token = self._token
        try:
            return self.send(method, path, body, token=token, **more)
        except ApiError as error:
            if error.status != 401 or not self._login:
                raise
        self._renew(token)
        return self.send(method, path, body, token=self._token, **more)

    def send(self, method, path, body=None, query=None, key=None, content_type="application/json", token=None):
        """The parsed answer, or its bytes if it is no JSON. `key` becomes the Idempotency-Key."""
        headers = {"Accept": "*/*"}
        if body is not None:
            headers["Content-Type"] = content_type
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        if isinstance(body, (dict, list)):
            body = json.dumps(body, ensure_ascii=False).encode()
        target = quote(path, safe="/:") + ("?" + urlencode(query, doseq=True) if query else "")
        for attempt in range(1, self.ATTEMPTS + 1):
            status, kind, data = self._exchange(method, target, body, headers)
            if status == 503 or (status == 409 and b'"ABORTED"' in data):
                if attempt < self.ATTEMPTS:
                    time.sleep(0.2 * 2**attempt)
                    continue
            break
        answer = data
        if kind.startswith("application/json"):
            answer = json.loads(data or b"{}")
        if status >= 400:
            error = answer.get("error", {}) if isinstance(answer, dict) else {"message": data[:200].decode("latin-1")}
            raise ApiError(f"{method} {path}", status, error)
        return answer

    def _exchange(self, method, target, body, headers):
        for attempt in range(1, self.ATTEMPTS + 1):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._connect(self._host, self._port, timeout=60)
            try:
                connection.request(method, target, body, headers)
                response = connection.getresponse()
                return response.status, response.getheader("Content-Type", ""), response.read()
            except (OSError, http.client.HTTPException) as error:
                # A kept connection may have been closed meanwhile; creates carry a key, so that a repeat is harmless.
                connection.close()
                self._local.connection = None
                if attempt == self.ATTEMPTS or isinstance(error, ConnectionRefusedError) and attempt > 1:
                    raise Unreachable(f"Nobody answers at {self.url} ({error}). './dev up' starts the platform, "
                                      "'./dev status' shows whether it runs.") from None
                time.sleep(0.3 * attempt)
        raise AssertionError("unreachable")

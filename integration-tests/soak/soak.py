#!/usr/bin/env python3
"""Half an hour of mixed load through toxiproxy, on an instance that `run` has started.

Buyers and readers reach the gateway through a slow, choppy network and expect an answer to every call. Beside them clients vanish in the
middle, stall, and send garbage, some over connections that toxiproxy cuts, starves or resets. Each purchase is paid over a connection that
is reset first, and then again with the same Idempotency-Key until it is answered. At the end every order is paid once, nothing is in
flight, and memory and descriptors are where they were after the warm-up.
"""

import argparse
import http.client
import json
import os
import random
import socket
import struct
import sys
import threading
import time
import urllib.request
import uuid
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))
from processes import Processes  # noqa: E402  (the folder is not on the path before)

BUYERS, READERS, BAD = 2, 4, 6
CONFLICT = None  # the answer 409
REST = 100  # seconds after the load: longer than any timeout of the gateway's
BERLIN = {"recipient": "Amina Haddad", "lines": ["Sonnenallee 12"], "city": "Berlin", "postalCode": "12047", "countryCode": "DE"}
# What a network does: toxics by the name of the proxy in front of the gateway.
NETWORKS = {
    "choppy": [("latency", {"latency": 5, "jitter": 10}), ("slicer", {"average_size": 300, "size_variation": 200, "delay": 200})],
    "reset": [("reset_peer", {"timeout": 40})],
    "cut": [("limit_data", {"bytes": 900})],
    "starved": [("bandwidth", {"rate": 1})],
    "dead": [("timeout", {"timeout": 4000})],
}


class Toxiproxy:
    """Its HTTP API: a proxy for each network."""

    def __init__(self, control, gateway):
        self.control = f"http://127.0.0.1:{control}"
        self.ports = {}
        for i, (name, toxics) in enumerate(NETWORKS.items()):
            self.ports[name] = control + 1 + i
            self.post("/proxies", {"name": name, "listen": f"127.0.0.1:{self.ports[name]}", "upstream": gateway})
            for stream in ("upstream", "downstream"):
                for kind, attributes in toxics:
                    self.post(f"/proxies/{name}/toxics", {"type": kind, "stream": stream, "attributes": attributes})

    def post(self, path, body):
        for attempt in range(50):
            try:
                request = urllib.request.Request(self.control + path, json.dumps(body).encode())
                return urllib.request.urlopen(request, timeout=5).read()
            except OSError:  # it has not listened yet
                if attempt == 49:
                    raise
                time.sleep(0.1)


class Soak:
    def __init__(self, toxiproxy):
        self.address = urlsplit(os.environ["SOUK_GATEWAY_URL"])
        self.ports = Toxiproxy(toxiproxy, self.address.netloc).ports
        self.processes = Processes(os.environ["SOUK_TEST_STATE"])
        self.lock = threading.Lock()
        self.counts = Counter()
        self.orders, self.lost = [], []
        self.stop = threading.Event()
        self.products = []

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    # Well-behaved clients

    def call(self, connection, method, path, body=None, token=None, key=None, accept=(200,)):
        """The answer; that there is none, or one that blames the platform, is what must not happen."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            with self.lock:
                self.lost.append(f"{method} {path}: {error!r}")
            raise
        self.count(f"answered {answer.status}")
        if answer.status not in accept:
            with self.lock:
                self.lost.append(f"{method} {path}: {answer.status} {text[:300]!r}")
            raise OSError("not answered as it should be")
        return json.loads(text) if answer.status == 200 else CONFLICT

    def purchase(self, connection, dice):
        token = self.call(connection, "POST", "/v1/sessions:guest", {})["accessToken"]
        for product, variant in dice.sample(self.products, 2):
            self.call(connection, "GET", f"/v1/{product}")
            self.call(connection, "POST", "/v1/cart/items", {"product": product, "variant": variant, "quantity": 1}, token)
        quote = self.call(connection, "POST", "/v1/cart:quoteShipping", {"address": BERLIN}, token)
        order = self.call(connection, "POST", "/v1/orders",
                          {"shippingAddress": BERLIN, "shippingMethod": quote["methods"][0]["name"],
                           "email": f"{uuid.uuid4().hex}@example.com"}, token, uuid.uuid4().hex)["name"]
        with self.lock:
            self.orders.append(order)
        pay, key = {"paymentMethod": "pm_card_visa"}, uuid.uuid4().hex
        self.send_and_lose(f"/v1/{order}:pay", pay, token, key)
        # The first try may be at work still: 409 asks to come again.
        for _ in range(30):
            if self.call(connection, "POST", f"/v1/{order}:pay", pay, token, key, accept=(200, 409)) != CONFLICT:
                break
            time.sleep(1)
        state = self.call(connection, "GET", f"/v1/{order}", token=token)["paymentState"]
        if state != "PAID":
            with self.lock:
                self.lost.append(f"{order} is {state}")
        self.count("purchases")

    def send_and_lose(self, path, body, token, key):
        """Sends a request whole over a connection that is reset before, while or after it is answered."""
        payload = json.dumps(body)
        request = (f"POST {path} HTTP/1.1\r\nHost: souk\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
                   f"Idempotency-Key: {key}\r\nContent-Length: {len(payload)}\r\n\r\n{payload}")
        self.throw("reset", request.encode(), 0.5)

    def read(self, connection, dice):
        path = dice.choice(["/v1/products?pageSize=24", "/v1/categories", f"/v1/{dice.choice(self.products)[0]}", "/openapi.json"])
        self.call(connection, "GET", path)

    def client(self, number, act):
        dice = random.Random(number)
        while not self.stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.ports["choppy"], timeout=60)
            try:
                for _ in range(dice.randint(1, 20)):
                    if self.stop.is_set():
                        break
                    act(connection, dice)
                    time.sleep(dice.random() / 5)
            except OSError:
                time.sleep(1)
            finally:
                connection.close()

    # Badly behaved ones: what they get is of no interest

    def throw(self, network, data, seconds, reset=False):
        port = self.ports[network] if network else self.address.port
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                if reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(data)
                client.settimeout(seconds)
                end = time.monotonic() + seconds
                while time.monotonic() < end and client.recv(65536):
                    pass
        except OSError:
            pass

    def misbehave(self, dice):
        whole = f"GET /v1/{dice.choice(self.products)[0]} HTTP/1.1\r\nHost: souk\r\n\r\n".encode()
        page = b"GET /v1/products?pageSize=100 HTTP/1.1\r\nHost: souk\r\n\r\n"
        post = b"POST /v1/sessions:guest HTTP/1.1\r\nHost: souk\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{"
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        kind = dice.choice(["vanish", "vanish while it is written", "half", "stall", "garbage", "flipped", "http2", "tls", "network"])
        self.count(kind)
        if kind == "vanish":
            self.throw(None, whole * dice.randint(1, 20), 0, reset=dice.random() < 0.5)
        elif kind == "vanish while it is written":
            self.throw("starved", page * 10, dice.random() * 2, reset=True)
        elif kind == "half":
            self.throw(None, whole[:dice.randint(1, len(whole) - 1)], dice.random())
        elif kind == "stall":
            self.throw(None, dice.choice([post, whole[:-2], preface, b""]), 15)
        elif kind == "garbage":
            self.throw(None, dice.randbytes(dice.randint(1, 5000)), 0.2)
        elif kind == "flipped":
            bytes_ = bytearray(post + b" " * 4000 if dice.random() < 0.5 else whole)
            for _ in range(dice.randint(1, 8)):
                bytes_[dice.randrange(len(bytes_))] = dice.randrange(256)
            self.throw(None, bytes(bytes_), 0.3)
        elif kind == "http2":
            frame = struct.pack(">I", dice.randint(0, 64))[1:] + dice.randbytes(6)
            self.throw(None, preface + b"\0\0\0\4\0\0\0\0\0" + frame + dice.randbytes(64), 0.3)
        elif kind == "tls":
            self.throw(None, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(300), 0.3)
        else:
            self.throw(dice.choice(["reset", "cut", "starved", "dead"]), dice.choice([whole, page, post]), dice.random() * 6)

    def nuisance(self, number):
        dice = random.Random(1000 + number)
        while not self.stop.is_set():
            self.misbehave(dice)

    # What is looked at

    def platform(self, by_name):
        """Of the gateway and the services."""
        return {name: value for name, value in by_name.items()
                if self.processes.kind(name) == "service"}

    def sample(self):
        return self.platform(self.processes.own()), self.platform(self.processes.descriptors())

    def in_flight(self):
        """Calls that a process still holds, from /metrics."""
        held = {}
        for name in self.platform(self.processes.pss()):
            held[name] = sum(value for metric, value in self.processes.metrics(name)
                             if metric.split("{")[0].endswith(("_in_flight", "_queued")))
        return held

    def captured(self):
        """How often each order's money was taken, as the payment server tells it."""
        taken, after = Counter(), ""
        while True:
            request = urllib.request.Request(f"{os.environ['SOUK_TEST_STRIPE_URL']}/v1/payment_intents?limit=100{after}",
                                             headers={"Authorization": f"Bearer {os.environ['SOUK_TEST_STRIPE_KEY']}"})
            page = json.load(urllib.request.urlopen(request, timeout=60))
            for intent in page["data"]:
                if intent["status"] in ("succeeded", "requires_capture"):
                    taken.update({value.split("/")[-1] for value in intent["metadata"].values()})
            if not page["has_more"]:
                return taken
            after = f"&starting_after={page['data'][-1]['id']}"

    # The whole

    def load(self, seconds):
        self.stop.clear()
        jobs = [(self.client, (i, self.purchase)) for i in range(BUYERS)]
        jobs += [(self.client, (100 + i, self.read)) for i in range(READERS)]
        jobs += [(self.nuisance, (i,)) for i in range(BAD)]
        threads = [threading.Thread(target=act, args=arguments) for act, arguments in jobs]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(60, left))
            memory, descriptors = self.sample()
            print(f"        {int(end - time.monotonic()) // 60 + 1:3d} min left: {sum(memory.values()) / 1024:6.1f} MiB, "
                  f"{sum(descriptors.values())} descriptors, {self.counts['purchases']} purchases, "
                  f"{sum(n for what, n in self.counts.items() if what.startswith('answered'))} calls answered, {len(self.lost)} lost",
                  flush=True)
        self.stop.set()
        for thread in threads:
            thread.join()

    def run(self, minutes):
        api = http.client.HTTPConnection(self.address.netloc, timeout=30)
        page = self.call(api, "GET", "/v1/products?pageSize=100")
        api.close()
        self.products = [(product["name"], product["variants"][0]["name"]) for product in page["products"]
                         if int(product["variants"][0]["availability"].get("quantity", 0)) >= 100]
        warm_up = min(300, minutes * 60 // 4)
        self.load(warm_up)
        time.sleep(REST)
        before = self.sample()
        self.load(minutes * 60 - warm_up)
        time.sleep(REST)
        return before, self.sample()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--toxiproxy", type=int, required=True, metavar="PORT", help="of its HTTP API; the proxies get those above")
    parser.add_argument("--minutes", type=int, default=30)
    arguments = parser.parse_args()
    soak = Soak(arguments.toxiproxy)
    (memory, descriptors), (memory_after, descriptors_after) = soak.run(arguments.minutes)
    results = []

    def check(sentence, holds, told=""):
        results.append(holds)
        print(f"  {'✓' if holds else '✗'}   {sentence}{f': {told}' if told else ''}")

    print(f"        {dict(sorted(soak.counts.items()))}")
    check("every call was answered", not soak.lost, "; ".join(soak.lost[:5]))
    taken = soak.captured()
    wrong = {order: taken[order.split("/")[-1]] for order in soak.orders if taken[order.split("/")[-1]] != 1}
    check(f"each of {len(soak.orders)} orders was paid once", bool(soak.orders) and not wrong, str(wrong or ""))
    held = {name: count for name, count in soak.in_flight().items() if count}
    check("nothing is in flight", not held, str(held or ""))
    for name, kib in memory.items():
        after = memory_after[name]
        # A tenth, for what caches hold and how malloc lays it out; a leak of a byte a call would be more.
        check(f"{name}: memory stays flat", after <= kib * 1.1 + 512, f"{kib / 1024:.1f} → {after / 1024:.1f} MiB")
        more = descriptors_after[name] - descriptors[name]
        # Pools of connections may have filled; a leak would go with the thousands of calls.
        check(f"{name}: no descriptor leaks", more <= 16, f"{descriptors[name]} → {descriptors_after[name]}")
    print(f"\n{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()

"""What the stores of an instance promise: a service reaches its own database only, Redis and the bus know who speaks.

Run by ./dev test with the tools' Python; .souk/<instance>/environment says where everything is.
"""
import os
import pathlib
import socket
import unittest
import urllib.parse

from pymongo import MongoClient
from pymongo.errors import OperationFailure

STATE = pathlib.Path(os.environ["SOUK_TEST_STATE"])
PREFIX = os.environ["SOUK_TEST_MONGODB_PREFIX"]
THEIRS, OWN = PREFIX + "orders", PREFIX + "cart"
UNAUTHORIZED = 13


def secret(name):
    return (STATE / "secrets" / name).read_text().strip()


def mongodb(user=None):
    uri = urllib.parse.urlsplit(os.environ["SOUK_TEST_MONGODB_URI"])
    host = uri.netloc.rpartition("@")[2]
    if user is None:
        return MongoClient(f"mongodb://{host}/")
    return MongoClient(f"mongodb://{user}:{secret('mongodb-' + user)}@{host}/?authSource={PREFIX}{user}")


class Database(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Collections that no service has: the instance's own data stay as they are.
        cls.admin = MongoClient(os.environ["SOUK_TEST_MONGODB_URI"])
        cls.admin[THEIRS].isolation.insert_one({"_id": "theirs"})
        cls.cart = mongodb("cart")

    @classmethod
    def tearDownClass(cls):
        cls.admin[THEIRS].isolation.drop()
        cls.admin[OWN].isolation.drop()
        cls.cart.close()
        cls.admin.close()

    def test_a_service_reads_and_writes_its_own(self):
        own = self.cart[OWN].isolation
        own.create_index("a")
        own.replace_one({"_id": 1}, {"_id": 1, "a": 2}, upsert=True)
        self.assertEqual(own.find_one({"a": 2}), {"_id": 1, "a": 2})

    def test_nobody_unknown_comes_in(self):
        with mongodb() as nobody, self.assertRaises(OperationFailure):
            nobody[THEIRS].isolation.find_one()

    def test_a_service_cannot_touch_anothers(self):
        theirs, own = self.cart[THEIRS].isolation, self.cart[OWN].isolation
        attempts = {
            "find": lambda: theirs.find_one(),
            "insert": lambda: theirs.insert_one({}),
            "update": lambda: theirs.update_one({}, {"$set": {"stolen": True}}),
            "delete": lambda: theirs.delete_many({}),
            "drop": lambda: self.cart.drop_database(THEIRS),
            "index": lambda: theirs.create_index("a"),
            "count": lambda: theirs.estimated_document_count(),
            "list": lambda: self.cart[THEIRS].list_collection_names(),
            "watch": lambda: theirs.watch(),
            "$out": lambda: own.aggregate([{"$out": {"db": THEIRS, "coll": "isolation"}}]),
            "$merge": lambda: own.aggregate([{"$merge": {"into": {"db": THEIRS, "coll": "isolation"}}}]),
            "rename": lambda: self.cart.admin.command("renameCollection", THEIRS + ".isolation", to=OWN + ".isolation"),
            "createUser": lambda: self.cart.admin.command("createUser", "me", pwd="me", roles=["root"]),
            "grant": lambda: self.cart[OWN].command("grantRolesToUser", "cart", roles=[{"role": "root", "db": "admin"}]),
        }
        for name, attempt in attempts.items():
            with self.subTest(name), self.assertRaises(OperationFailure) as refused:
                attempt()
            self.assertEqual(refused.exception.code, UNAUTHORIZED, name)
        self.assertEqual(list(self.admin[THEIRS].isolation.find()), [{"_id": "theirs"}])


def talk(url, end, *lines):
    """Sends lines over TCP and returns what came back until `end`, or until the connection was closed."""
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall("".join(line + "\r\n" for line in lines).encode())
        answer = b""
        while end.encode() not in answer:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
        return answer.decode()


class Redis(unittest.TestCase):
    url = urllib.parse.urlsplit(os.environ["SOUK_TEST_REDIS_URL"])

    def test_nobody_unknown_comes_in(self):
        self.assertIn("NOAUTH", talk(self.url, "\r\n", "GET a"))

    def test_a_service_keeps_sessions_but_does_not_administrate(self):
        answer = talk(
            self.url, "+PONG", f"AUTH souk {secret('redis')}", "SET isolation 1 EX 1", "FLUSHALL", "CONFIG GET *", "PING"
        )
        self.assertEqual([line.split()[0] for line in answer.splitlines()], ["+OK", "+OK", "-NOPERM", "-NOPERM", "+PONG"])


class Bus(unittest.TestCase):
    url = urllib.parse.urlsplit(os.environ["SOUK_TEST_NATS_URL"])

    def connect(self, user, password):
        return f'CONNECT {{"verbose":false,"user":"{user}","pass":"{password}"}}'

    def test_nobody_unknown_comes_in(self):
        self.assertIn("Authorization Violation", talk(self.url, "PONG", self.connect("cart", "guess"), "PING"))

    def test_a_service_speaks_for_itself_only(self):
        cart = self.connect("cart", secret("nats-cart"))
        self.assertNotIn("-ERR", talk(self.url, "PONG", cart, "PUB souk.cart.v1.isolation.tried 2", "{}", "PING"))
        for subject in "souk.orders.v1.order.paid", "souk.dlq.orders", "$JS.API.STREAM.DELETE.ORDERS", "$JS.API.STREAM.PURGE.ORDERS":
            with self.subTest(subject):
                self.assertIn("Permissions Violation", talk(self.url, "PONG", cart, f"PUB {subject} 2", "{}", "PING"))


if __name__ == "__main__":
    unittest.main()

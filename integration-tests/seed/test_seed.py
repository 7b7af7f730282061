"""The demo catalogue is whole, its pictures draw the same each time, and loading it twice changes nothing."""

import hashlib
import json
import re
import sys
import unittest
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from loading import generate  # noqa: E402  (the folder of this script is not on the path before)
from loading.sync import Sync  # noqa: E402
from pictures import canvas, draw  # noqa: E402

SHELVES = {file.stem: json.loads(file.read_text()) for file in sorted((HERE / "catalogue").glob("*.json"))}
ENTRIES = [(room, entry) for room, shelf in SHELVES.items() for entry in shelf["products"]]
CATEGORIES = [category for shelf in SHELVES.values() for category in shelf["categories"]]
ID = re.compile(r"[A-Za-z0-9._~-]{1,63}")


def check_product(test, entry):
    """What CreateProduct would refuse, and what a shopper would miss."""
    product = entry["product"]
    test.assertRegex(product["name"], r"^products/")
    test.assertTrue(ID.fullmatch(product["name"].split("/")[1]))
    test.assertLessEqual(len(product["displayName"]), 200)
    test.assertLessEqual(len(product["description"]), 5000)
    names = [option["name"] for option in product.get("options", [])]
    chosen = [tuple(variant.get("options", {}).get(name) for name in names) for variant in product["variants"]]
    test.assertEqual(len(chosen), len(set(chosen)), "two variants have the same options")
    for i, option in enumerate(product.get("options", [])):
        test.assertEqual(set(option["values"]), {choice[i] for choice in chosen})
    for variant in product["variants"]:
        test.assertTrue(ID.fullmatch(variant["sku"]))
        test.assertGreater(variant["weightGrams"], 0)
        currencies = [price["amount"]["currencyCode"] for price in variant["prices"]]
        test.assertEqual(currencies, ["EUR", "USD"])
        for price in variant["prices"]:
            for amount in price.values():
                test.assertIsInstance(amount["units"], str)
                test.assertEqual(amount.get("nanos", 0) % 10_000_000, 0, "a cent is the least")
                test.assertEqual(amount["currencyCode"], price["amount"]["currencyCode"])
            worth = [int(a["units"]) * 10**9 + a.get("nanos", 0) for a in (price["amount"], price.get("compareAt")) if a]
            test.assertEqual(worth, sorted(set(worth)), "the struck price is the higher one")
            test.assertGreater(worth[0], 0)
        test.assertGreaterEqual(entry["stock"][variant["sku"]], 0)
    for sku, ahead in entry.get("ahead", {}).items():
        test.assertIn(sku, entry["stock"])
        test.assertIn(ahead["policy"], ("BACKORDER", "PREORDER"))
        test.assertGreater(ahead["limit"], 0)
        test.assertGreater(ahead["promiseDays"], 0)
    test.assertEqual(set(entry["stock"]), {variant["sku"] for variant in product["variants"]})


class Catalogue(unittest.TestCase):
    def test_is_large_enough(self):
        self.assertGreaterEqual(len(ENTRIES), 60)
        self.assertGreaterEqual(len(CATEGORIES), 12)

    def test_names_and_skus_are_unique(self):
        for names in ([entry["product"]["name"] for _, entry in ENTRIES], [category["name"] for category in CATEGORIES],
                      [sku for _, entry in ENTRIES for sku in entry["stock"]]):
            self.assertEqual(len(names), len(set(names)))

    def test_the_tree_is_whole_and_parents_come_first(self):
        seen = set()
        for category in CATEGORIES:
            if "parent" in category:
                self.assertIn(category["parent"], seen)
            seen.add(category["name"])
        for _, entry in ENTRIES:
            self.assertLessEqual(set(entry["product"]["categories"]), seen)

    def test_every_product_can_be_sold(self):
        for room, entry in ENTRIES:
            with self.subTest(room=room, product=entry["product"]["name"]):
                check_product(self, entry)

    def test_some_can_be_ordered_ahead(self):
        policies = {ahead["policy"] for _, entry in ENTRIES for ahead in entry.get("ahead", {}).values()}
        self.assertEqual(policies, {"BACKORDER", "PREORDER"})

    def test_some_is_low_and_some_is_out(self):
        stock = [quantity for _, entry in ENTRIES for quantity in entry["stock"].values()]
        self.assertIn(0, stock)
        self.assertTrue(any(0 < quantity <= 5 for quantity in stock))


class Pictures(unittest.TestCase):
    def test_every_product_has_one_of_its_own(self):
        drawn = {}
        for room, entry in ENTRIES:
            self.assertIn(room, canvas.ROOMS)
            svg = draw(room, entry["picture"], entry["product"]["displayName"])
            with self.subTest(product=entry["product"]["name"]):
                ElementTree.fromstring(svg)
                self.assertLess(len(svg), 200_000)
                self.assertNotIn("href", svg)
                self.assertTrue(entry["altText"])
                self.assertNotIn(svg, drawn)
                self.assertEqual(svg, draw(room, entry["picture"], entry["product"]["displayName"]))
                drawn[svg] = entry


class Generated(unittest.TestCase):
    def test_products_can_be_sold(self):
        known = {category["name"] for category in generate.CATEGORIES}
        for entry in generate.products(300):
            check_product(self, entry)
            self.assertLessEqual(set(entry["product"]["categories"]), known)

    def test_the_same_number_gives_the_same_product(self):
        def digest(entries):
            return hashlib.sha256(json.dumps(list(entries)).encode()).hexdigest()

        self.assertEqual(digest(generate.products(200)), digest(generate.products(200)))
        self.assertEqual(generate.product(150), list(generate.products(200))[149])


class FakeApi:
    """Keeps products and categories as the platform would, and counts what is written."""

    def __init__(self):
        self.categories, self.items, self.files, self.stock, self.ahead = {}, {}, {}, {}, {}
        self.writes = 0
        self.fail_at = None

    def pages(self, path, field):
        return list(self.categories.values())

    def get(self, path, names=None):
        if names is not None:
            return {"products": [json.loads(json.dumps(self.items[name])) for name in names if name in self.items]}
        return self.files[path]

    def call(self, method, path, body=None, query=None, key=None, content_type=None):
        if self.writes == self.fail_at:
            raise RuntimeError("the platform has gone")
        self.writes += 1
        name = path.removeprefix("/v1/")
        if path == "/v1/categories":
            self.categories[f"categories/{query['categoryId']}"] = {**body, "name": f"categories/{query['categoryId']}"}
        elif path == "/v1/products":
            name = f"products/{query['productId']}"
            variants = [{**variant, "name": f"{name}/variants/{variant['sku']}"} for variant in body["variants"]]
            self.items[name] = {**body, "name": name, "state": "DRAFT", "variants": variants}
            return self.items[name]
        elif name.endswith(":publish"):
            self.items[name.removesuffix(":publish")]["state"] = "ACTIVE"
        elif name.endswith("/images"):
            image = f"{name}/{query['imageId']}"
            self.items[name.removesuffix("/images")]["images"] = [{"name": image, "altText": query["altText"]}]
            self.files[f"/v1/{image}"] = body
        elif name.endswith(":adjust"):
            self.stock[name] = body["setTo"]
        elif method == "PATCH" and name.startswith("stockItems/"):
            self.ahead[name] = body
        elif method == "PATCH":
            (self.items.get(name) or self.categories[name]).update(body)
        else:
            raise AssertionError(f"{method} {path} is not known here")
        return {}


class Loading(unittest.TestCase):
    def load(self, api):
        entries = [dict(entry, room=room) for room, entry in ENTRIES]
        sync = Sync(api, lambda entry: b"<svg/>" + entry["altText"].encode(), threads=1)
        sync.categories(CATEGORIES)
        sync.products(entries)
        return sync

    def test_a_second_run_changes_nothing(self):
        api = FakeApi()
        self.load(api)
        self.assertTrue(all(product["state"] == "ACTIVE" for product in api.items.values()))
        self.assertEqual(len(api.stock), sum(len(entry["stock"]) for _, entry in ENTRIES))
        self.assertEqual(len(api.ahead), sum(len(entry.get("ahead", {})) for _, entry in ENTRIES))
        writes = api.writes
        sync = self.load(api)
        self.assertEqual((api.writes, sync.created, sync.changed), (writes, 0, 0))

    def test_a_run_after_a_crash_finishes_the_work(self):
        whole = FakeApi()
        self.load(whole)
        for stop in (0, 20, 50, 101, 102, 103, whole.writes - 1):
            api = FakeApi()
            api.fail_at = stop
            with self.assertRaises(RuntimeError):
                self.load(api)
            api.fail_at = None
            self.load(api)
            self.assertEqual((api.items, api.stock, api.ahead), (whole.items, whole.stock, whole.ahead))

    def test_what_differs_is_changed_and_what_was_sold_stays_sold(self):
        api = FakeApi()
        self.load(api)
        api.items["products/cumin-seeds"]["displayName"] = "Something else"
        api.stock["stockItems/CUMIN-SEED-60G:adjust"] = "1"
        sync = self.load(api)
        self.assertEqual(api.items["products/cumin-seeds"]["displayName"], "Cumin Seeds")
        self.assertEqual(api.stock["stockItems/CUMIN-SEED-60G:adjust"], "1")
        self.assertEqual((sync.created, sync.changed), (0, 1))


if __name__ == "__main__":
    unittest.main()

"""Makes the shop hold what the catalogue says: creates what is missing, changes what differs, leaves the rest alone.

A product is created as a draft, then gets its picture and its stock, and is published last: one that is on sale is complete, and one
that a crash left half done is finished by the next run. Stock is booked only once for each SKU; what was sold since stays sold.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

CHUNK = 100  # BatchGetProducts takes as many

# What is compared, and what a field means when it is not set.
PRODUCT_FIELDS = {"displayName": "", "description": "", "categories": [], "options": [], "attributes": {},
                  "taxClass": "STANDARD"}
CATEGORY_FIELDS = {"displayName": "", "description": "", "parent": "", "position": 0}


def money(amount):
    return amount.get("currencyCode"), int(amount.get("units", 0)), int(amount.get("nanos", 0))


def prices(variant):
    return sorted((money(price["amount"]), money(price["compareAt"]) if "compareAt" in price else ())
                  for price in variant.get("prices", []))


VARIANT_FIELDS = {"options": lambda v: v.get("options", {}), "prices": prices,
                  "weightGrams": lambda v: v.get("weightGrams", 0)}


def differing(wanted, found, fields):
    return [field for field, default in fields.items() if wanted.get(field, default) != found.get(field, default)]


def last(name):
    return name.rsplit("/", 1)[1]


class Sync:
    """`picture(entry)` gives the SVG of a product, or None. `progress(n)` is told of each n products that are done."""

    def __init__(self, api, picture=lambda entry: None, progress=lambda n: None, threads=4):
        self.api, self.picture, self.progress = api, picture, progress
        self.threads = threads
        self.created = self.changed = 0

    def categories(self, wanted):
        """Parents stand before their children."""
        found = {category["name"]: category for category in self.api.pages("/v1/categories", "categories")}
        for category in wanted:
            name = category["name"]
            if name not in found:
                self.create("/v1/categories", {"categoryId": last(name)}, category, name)
                continue
            self.patch(name, category, differing(category, found[name], CATEGORY_FIELDS))

    def products(self, entries):
        """`entries` may be a generator: it is read chunk by chunk."""
        with ThreadPoolExecutor(self.threads) as pool:
            for chunk in chunks(entries, CHUNK):
                names = [entry["product"]["name"] for entry in chunk]
                answer = self.api.get("/v1/products:batchGet", names=names)
                found = {product["name"]: product for product in answer.get("products", [])}
                for future in [pool.submit(self.product, entry, found.get(entry["product"]["name"])) for entry in chunk]:
                    future.result()

    def product(self, entry, found):
        wanted, name = entry["product"], entry["product"]["name"]
        if found is None:
            product = dict(wanted)
            product.pop("name")
            found = self.create("/v1/products", {"productId": last(name)}, product, name)
        else:
            self.patch(name, wanted, differing(wanted, found, PRODUCT_FIELDS))
            self.variants(entry, found)
        self.image(entry, found)
        if found.get("state", "DRAFT") == "DRAFT":
            for variant in wanted["variants"]:
                self.stock(variant["sku"], entry)
            self.api.call("POST", f"/v1/{name}:publish", {})
        self.progress(1)

    def variants(self, entry, found):
        there = {variant["sku"]: variant for variant in found.get("variants", [])}
        for variant in entry["product"]["variants"]:
            sku = variant["sku"]
            if sku not in there:
                self.create(f"/v1/{found['name']}/variants", {}, variant, sku)
                self.stock(sku, entry)
                continue
            fields = [field for field, read in VARIANT_FIELDS.items() if read(variant) != read(there[sku])]
            self.patch(there[sku]["name"], variant, fields)

    def image(self, entry, found):
        svg = self.picture(entry)
        if svg is None:
            return
        name = f"{found['name']}/images/front"
        there = next((image for image in found.get("images", []) if image["name"] == name), None)
        if there and there.get("altText") == entry["altText"] and self.api.get(f"/v1/{name}") == svg:
            return
        self.api.call("POST", f"/v1/{found['name']}/images", svg, content_type="image/svg+xml",
                      query={"imageId": "front", "altText": entry["altText"]})
        self.changed += bool(there)

    def stock(self, sku, entry):
        self.api.call("POST", f"/v1/stockItems/{sku}:adjust", key=f"demo-stock-{sku}", body={
            "setTo": str(entry["stock"][sku]), "reason": "RECEIVED", "cause": "demo catalogue", "allowMissing": True})
        ahead = entry.get("ahead", {}).get(sku)
        if ahead:
            promise = datetime.now(timezone.utc) + timedelta(days=ahead["promiseDays"])
            self.api.call("PATCH", f"/v1/stockItems/{sku}", {
                "backorderPolicy": ahead["policy"], "backorderLimit": ahead["limit"],
                "promiseTime": promise.strftime("%Y-%m-%dT00:00:00Z")})

    def create(self, path, query, body, name):
        answer = self.api.call("POST", path, body, query=query, key=f"demo-{name}")
        self.created += 1
        return answer

    def patch(self, name, wanted, fields):
        if not fields:
            return
        body = {field: wanted[field] for field in fields if field in wanted}
        self.api.call("PATCH", f"/v1/{name}", body, query={"updateMask": ",".join(fields)})
        self.changed += 1


def chunks(entries, size):
    chunk = []
    for entry in entries:
        chunk.append(entry)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk



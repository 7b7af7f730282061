#!/usr/bin/env python3
"""Drives a running instance and counts what it costs; `run` has started it. Prints the table and writes all figures as JSON."""

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "seed")]
import report  # noqa: E402  (the folders are not on the path before)
from loading.api import Api  # noqa: E402
from processes import Processes, difference  # noqa: E402

CONNECTIONS, BUYERS = 32, 8
QUIET = 0.05  # CPU seconds a second above idle: what a purchase set off has been done


def say(text):
    print(f"        {text}", flush=True)


def threads_of(pid):
    try:
        return [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.api = Api(os.environ["SOUK_GATEWAY_URL"])
        self.processes = Processes(os.environ["SOUK_TEST_STATE"])
        self.random = random.Random("souk")
        self.folder = Path(tempfile.mkdtemp(prefix="souk-bench-"))
        self.idle_rate = 0.0
        self.runs = []
        self.profiles = {}

    def file(self, name, lines):
        path = self.folder / name
        path.write_text("".join(line + "\n" for line in lines))
        return path

    # What is asked for

    def prepare(self):
        products = list(self.api.pages("/v1/products", "products"))
        categories = [category["name"] for category in self.api.pages("/v1/categories", "categories")]
        goods = [(product["name"], variant["name"]) for product in products for variant in product["variants"]
                 if int(variant["availability"].get("quantity", 0)) >= 100]
        self.goods = self.file("goods", (f"{product.split('/')[1]} {variant}" for product, variant in goods))
        details = [f"/v1/{product['name']}" for product in products]
        self.random.shuffle(details)
        lists = ["/v1/products?pageSize=24"] + [f"/v1/products?pageSize=24&category={name}" for name in categories]
        self.reads = {"details": self.file("details", details), "lists": self.file("lists", lists),
                      "carts": self.file("carts", (f"/v1/cart {self.cart(goods)}" for _ in range(4 * CONNECTIONS)))}
        say(f"{len(products):,} products, {len(goods):,} variants to buy, {4 * CONNECTIONS} carts of two lines")

    def cart(self, goods):
        token = self.api.send("POST", "/v1/sessions:guest", {})["accessToken"]
        for product, variant in self.random.sample(goods, 2):
            self.api.send("POST", "/v1/cart/items", {"product": product, "variant": variant, "quantity": 1}, token=token)
        return token

    # How it is driven

    def read(self, name, seconds):
        command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--script",
                   str(HERE / "reads.lua"), self.api.url]
        done = subprocess.run(command, env=dict(os.environ, SOUK_BENCH_READS=str(self.reads[name])), check=True,
                              capture_output=True, text=True)
        return json.loads(done.stderr)

    def buy(self, count):
        command = [os.environ["SOUK_BENCH_BUYERS"], str(self.goods), str(count), str(BUYERS)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if not done.stdout:
            sys.exit("The buyers could not buy.")
        return json.loads(done.stdout)

    def settle(self, limit=20):
        """Until what the load set off has been done: mails, parcels, events."""
        before = sum(self.processes.cpu().values())
        for _ in range(limit):
            time.sleep(1)
            now = sum(self.processes.cpu().values())
            if now - before < self.idle_rate + QUIET:
                return
            before = now

    def idle(self, seconds=10):
        before = self.processes.cpu()
        time.sleep(seconds)
        spent = difference(before, self.processes.cpu())
        self.idle_rate = sum(spent.values()) / seconds
        return {"seconds": seconds, "cpu_seconds": self.processes.parts(spent), "processes": spent}

    def measure(self, name, per, drive):
        """`per` is how many of them the cost is given for."""
        self.settle()
        asked = self.processes.database_operations()
        before, load = self.processes.cpu(), resource.getrusage(resource.RUSAGE_CHILDREN)
        said = drive()
        load_after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.settle()
        spent = difference(before, self.processes.cpu())
        asked = self.processes.database_operations() - asked
        whole = said.pop("whole", said)
        run = {"name": name, "per": per, **said, "rate": said["requests"] / said["seconds"],
               "p50_ms": whole["p50_ms"], "p99_ms": whole["p99_ms"], "cpu_seconds": self.processes.parts(spent),
               "load_cpu_seconds": sum(getattr(load_after, field) - getattr(load, field) for field in ("ru_utime", "ru_stime")),
               "processes": spent,
               "database": {kind: {name: count for (name, which), count in asked.items() if which == kind}
                            for kind in ("reads", "writes")}}
        self.runs.append(run)
        say(report.sentence(run))
        if said["failed"]:
            say(f"{said['failed']} of {said['requests']} failed")

    def profile(self, name, drive):
        """Where the CPU goes, by perf's samples of the instance's processes."""
        data = self.folder / f"{name}.perf"
        trees = self.processes.trees()
        pids = [str(pid) for _, tree in trees.values() for pid in tree]
        recorder = subprocess.Popen(["perf", "record", "-q", "-p", ",".join(pids), "-F", "999", "-e", "cpu-clock", "-o", str(data)],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        drive()
        threads = {thread: process for process, (_, tree) in trees.items() for pid in tree for thread in threads_of(pid)}
        recorder.terminate()
        recorder.wait()
        lines = subprocess.run(["perf", "report", "-i", str(data), "--stdio", "--field-separator", "\t", "--show-nr-samples", "--sort",
                                "pid,dso,symbol"], capture_output=True, text=True, check=True).stdout.splitlines()
        sums = [Counter(), Counter(), Counter()]
        for line in lines:
            fields = [field.strip() for field in line.split("\t")]
            if line.startswith("#") or len(fields) < 5:
                continue
            samples, thread, library, symbol = int(fields[1]), int(fields[2].split(":")[0]), fields[3], fields[4].split("] ")[-1]
            process = threads.get(thread, "?")
            for counter, key in zip(sums, ((process, library), (library, symbol), (process, library, symbol))):
                counter[key] += samples
        path = Path(self.arguments.write).parent / f"bench-profile-{name}.txt"
        with path.open("w") as file:
            for counter in sums:
                for key, samples in counter.most_common(60):
                    file.write(f"{100 * samples / counter.total():5.1f} %  {'  '.join(key)}\n")
                file.write("\n")
        say(f"{path}: where the CPU goes")

    def run(self):
        arguments = self.arguments
        self.prepare()
        for name in self.reads:
            self.read(name, 1)  # caches, connections
        self.settle()
        idle = self.idle()
        for name in self.reads:
            self.measure(name, 1000, lambda name=name: self.read(name, arguments.seconds))
        if arguments.purchases:
            self.buy(BUYERS)
            self.measure("purchases", 100, lambda: self.buy(arguments.purchases))
        ended = self.processes.cpu()
        time.sleep(60)
        after = difference(ended, self.processes.cpu())
        memory = self.processes.pss()
        if arguments.profile:
            for name in self.reads:
                self.profile(name, lambda name=name: self.read(name, 5))
            if arguments.purchases:
                self.profile("purchases", lambda: self.buy(max(arguments.purchases // 4, BUYERS)))
        return {
            **machine(),
            "database": os.environ.get("SOUK_BENCH_DATABASE", ""),
            "products": arguments.products,
            "connections": CONNECTIONS,
            "buyers": BUYERS,
            "idle": idle,
            "runs": self.runs,
            "minute_after": {"seconds": 60, "cpu_seconds": self.processes.parts(after), "processes": after},
            "memory_kib": memory,
            "memory_parts_kib": self.processes.parts(memory),
        }


def machine():
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": commit, "cpu": cpu, "cores": os.cpu_count(),
            "kernel": platform.release(), "load_before": os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--purchases", type=int, default=400)
    parser.add_argument("--seconds", type=int, default=10, help="of each kind of read")
    parser.add_argument("--products", type=int, default=1000, help="how many the catalogue holds")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--write", required=True, metavar="FILE")
    arguments = parser.parse_args()
    figures = Bench(arguments).run()
    path = Path(arguments.write)
    before = json.loads(path.read_text()) if path.exists() else {}
    if "peers" in before:  # of ./dev bench peers
        figures["peers"] = before["peers"]
    path.write_text(json.dumps(figures, indent=1) + "\n")
    print()
    print(report.text(figures))
    failed = sum(run["failed"] for run in figures["runs"])
    if failed:
        sys.exit(f"{failed} requests or purchases failed; the figures are not worth much.")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures our server, streams, gateway and publisher beside those of others, round by round on the same machine; `run` has built them all.
Prints the table and writes all figures into build/bench.json, under "peers"."""

import argparse
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import tables  # noqa: E402  (the folders are not on the path before)
from bench import machine  # noqa: E402
from processes import TICK, parse_stat, read  # noqa: E402

GET_PRODUCT = "/souk.catalog.v1.CatalogService/GetProduct"
STREAM = "/souk.bench.v1.StreamService/Stream"
UNARY_WINDOW, STREAM_WINDOW = 16, 20  # bits
STREAM_SIZE = 98  # of the text: a message is 100 bytes
EVENTS_BATCH = 512  # what a relay's turn takes


def say(text):
    print(f"        {text}", flush=True)


def environment_with(variables):
    """An unknown SOUK_ variable, such as ./dev's own, stops a service's start."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("SOUK_")}, **variables}


class Process:
    def __init__(self, command, environment, log):
        self.popen = subprocess.Popen(command, env=environment_with(environment), stdout=log, stderr=log)

    def cpu(self):
        return parse_stat(read(f"/proc/{self.popen.pid}/stat"))[1] / TICK

    def memory(self):
        """KiB: {Pss, Rss}"""
        return {name: int(kib) for name, kib in re.findall(r"^(Pss|Rss): +(\d+)", read(f"/proc/{self.popen.pid}/smaps_rollup"), re.M)}

    def end(self):
        self.popen.terminate()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()


def percentiles(values):
    values = sorted(values)
    return {"p50_ms": values[len(values) // 2], "p99_ms": values[min(len(values) - 1, len(values) * 99 // 100)]}


class Peers:
    def __init__(self, arguments):
        self.arguments = arguments
        self.ours, self.theirs = Path(arguments.ours), Path(arguments.theirs)
        self.folder = Path(tempfile.mkdtemp(prefix="souk-peers-"))
        self.port = arguments.port
        self.log = (self.folder / "log").open("w")
        self.processes, self.ports = {}, {}
        self.figures, self.runs = [], {}
        self.product = str(HERE / "product.json")

    # Processes

    def start(self, name, command, environment=None, http=False):
        port = self.port
        self.port += 2 if http else 1
        place = {"port": port, "address": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{port + 1}"}
        self.processes[name] = Process([word.format(**place) for word in command],
                                       {key: value.format(**place) for key, value in (environment or {}).items()}, self.log)
        self.ports[name] = port
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.processes[name].popen.poll() is None:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    return
            time.sleep(0.05)
        sys.exit(f"{name} did not start; its log is {self.log.name}")

    def start_products(self, name, **environment):
        self.start(name, [str(self.ours / "integration-tests/bench/peers/products")],
                   {"SOUK_GRPC_LISTEN": "{address}", "SOUK_HTTP_LISTEN": "{admin}", "SOUK_PRODUCT": self.product, **environment}, http=True)

    def start_gateway(self, name, backend):
        self.start(name, [str(self.ours / "gateway/souk-gateway")],
                   {"SOUK_HTTP_LISTEN": "{address}", "SOUK_ADMIN_LISTEN": "{admin}", "SOUK_RATE_LIMIT": "1000000000",
                    "SOUK_MAX_CONNECTIONS": "20000", "SOUK_MAX_CLIENT_CONNECTIONS": "0", "SOUK_PEER_CATALOG": f"ipv4:127.0.0.1:{self.ports[backend]}"}, http=True)

    def end(self, *names):
        for name in names or list(self.processes):
            self.processes.pop(name).end()

    # Load

    def encoded(self, message, text):
        """A gRPC frame of the message."""
        includes = [self.arguments.protos, str(HERE), self.arguments.third_party, "/usr/include"]
        done = subprocess.run(["protoc", *(f"-I{path}" for path in includes), f"--encode={message}", "souk/catalog/v1/catalog.proto",
                               "bench.proto"], input=text.encode(), capture_output=True, check=True)
        path = self.folder / message
        path.write_bytes(b"\0" + len(done.stdout).to_bytes(4, "big") + done.stdout)
        return path

    def h2load(self, name, path, body, count, connections, streams, window):
        times = self.folder / "times"
        times.unlink(missing_ok=True)
        done = subprocess.run(["h2load", "-n", str(count), "-c", str(connections), "-m", str(streams), "-w", str(window), "-W", str(window),
                               "-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers", f"--log-file={times}",
                               f"http://127.0.0.1:{self.ports[name]}{path}"], capture_output=True, text=True, check=True)
        seconds, unit = re.search(r"finished in ([\d.]+)(ms|us|s)", done.stdout).groups()
        succeeded = int(re.search(r"(\d+) succeeded", done.stdout)[1])
        return {"requests": count, "seconds": float(seconds) * {"s": 1, "ms": 1e-3, "us": 1e-6}[unit], "failed": count - succeeded,
                "bytes": int(re.search(r"\((\d+)\) data", done.stdout)[1]),
                **percentiles([int(line.split()[2]) / 1000 for line in times.read_text().splitlines()])}

    def wrk(self, name, path, body=None, seconds=None):
        done = subprocess.run(["wrk", "--threads", "1", "--connections", "64", "--duration", f"{seconds or self.arguments.seconds}s",
                               "--script", str(HERE / "requests.lua"), f"http://127.0.0.1:{self.ports[name]}{path}"],
                              env={**os.environ, "SOUK_BENCH_BODY": body or ""}, capture_output=True, text=True, check=True)
        return json.loads(done.stderr)

    def load(self, name, count, *secured):
        began = time.monotonic()
        subprocess.run([str(self.theirs / "load"), f"127.0.0.1:{self.ports[name]}", "8", "16", str(count), *secured], check=True)
        return {"requests": count, "seconds": time.monotonic() - began, "failed": 0}

    # Rounds

    def compare(self, name, contenders, rounds=None):
        """{contender: a function that loads it}, each after the other in every round; the first round only warms up. Sums CPU and requests,
        takes the median of rates and latencies."""
        sums = {}
        for turn in range((rounds or self.arguments.rounds) + 1):
            order = list(contenders)
            for contender in order[turn % len(order):] + order[:turn % len(order)]:
                process = self.processes[contender]
                before = process.cpu()
                said = contenders[contender]()
                said["cpu_seconds"] = process.cpu() - before
                if said["failed"] or not said["requests"]:
                    sys.exit(f"{name}: {said['failed']} of {said['requests']} calls of {contender} failed; the log is {self.log.name}")
                if turn:
                    sums.setdefault(contender, []).append(said)
        result = {}
        for contender, all_said in sums.items():
            requests = sum(said["requests"] for said in all_said)
            result[contender] = {
                "cpu_per_10000": sum(said["cpu_seconds"] for said in all_said) * 10000 / requests,
                "rate": statistics.median(said["requests"] / said["seconds"] for said in all_said),
                **{key: statistics.median(said[key] for said in all_said) for key in ("p50_ms", "p99_ms") if key in all_said[0]},
            }
            figures = result[contender]
            say(f"{name}, {contender}: {figures['cpu_per_10000']:.3f} CPU s for 10,000, {figures['rate']:,.0f}/s"
                + (f", p50 {figures['p50_ms']:.2f} ms, p99 {figures['p99_ms']:.2f} ms" if "p50_ms" in figures else ""))
        self.runs[name] = result
        return result

    def figure(self, what, unit, ours, peer, theirs, must, aim, per_second=False):
        """`per_second`: more is better."""
        self.figures.append({"what": what, "unit": unit, "ours": ours, "against": peer, "theirs": theirs, "ratio": ours / theirs,
                             "must": must, "aim": aim, "more_is_better": per_second})

    # What is measured

    def idle_memory(self):
        self.start_products("souk")
        self.start("grpc-go", [str(self.theirs / "server"), "{address}", self.product])
        self.start("gRPC C++", [str(self.theirs / "server-cc"), "{address}", self.product])
        time.sleep(1)
        memory = {name: process.memory() for name, process in self.processes.items()}
        self.runs["memory idle"] = memory
        self.figure("service, idle: memory", "MiB PSS", memory["souk"]["Pss"] / 1024, "grpc-go", memory["grpc-go"]["Pss"] / 1024, 1.0, 0.7)

    def unary(self):
        body = self.encoded("souk.catalog.v1.GetProductRequest", 'name: "products/mint-tea"')
        for connections, streams in ((8, 16), (50, 1)):
            name = f"unary, 1 KiB, {connections} × {streams}"
            runs = self.compare(name, {server: lambda server=server, c=connections, s=streams: self.h2load(
                server, GET_PRODUCT, body, self.arguments.requests, c, s, UNARY_WINDOW) for server in ("souk", "grpc-go", "gRPC C++")})
            for peer, must, aim in (("grpc-go", 0.65, 0.5), ("gRPC C++", 0.8, 0.65)):
                self.figure(f"{name}: CPU", "s for 10,000", runs["souk"]["cpu_per_10000"], peer, runs[peer]["cpu_per_10000"], must, aim)
            self.figure(f"{name}: throughput", "a second", runs["souk"]["rate"], "grpc-go", runs["grpc-go"]["rate"], 1.3, 1.6, True)

    def stream(self):
        body = self.encoded("souk.bench.v1.StreamRequest", f"count: {self.arguments.messages} size: {STREAM_SIZE}")

        def drive(server):
            said = self.h2load(server, STREAM, body, 1, 1, 1, STREAM_WINDOW)
            if said["bytes"] != self.arguments.messages * (STREAM_SIZE + 2 + 5):
                said["failed"] = 1
            return {"requests": self.arguments.messages, "seconds": said["seconds"], "failed": said["failed"]}

        runs = self.compare("stream of 100-byte messages", {server: lambda server=server: drive(server)
                                                            for server in ("souk", "grpc-go", "gRPC C++")})
        per_cpu = {server: 10000 / run["cpu_per_10000"] for server, run in runs.items()}
        for peer, must, aim in (("grpc-go", 1.2, 2.0), ("gRPC C++", None, None)):
            self.figure("stream of 100-byte messages", "for a CPU s", per_cpu["souk"], peer, per_cpu[peer], must, aim, True)

    def gateway(self):
        self.start_gateway("souk gateway", "souk")
        self.start("grpc-gateway", [str(self.theirs / "gateway"), "{address}", f"127.0.0.1:{self.ports['souk']}"])
        time.sleep(1)
        for name, path, body, aim in (("GET of a product", "/v1/products/mint-tea", None, 0.15),
                                      ("POST of 2 KiB", "/v1/products", self.product, 0.2),
                                      ("list of 24 products", "/v1/products?pageSize=24", None, 0.2)):
            runs = self.compare(f"gateway, {name}", {gateway: lambda gateway=gateway, p=path, b=body: self.wrk(gateway, p, b)
                                                     for gateway in ("souk gateway", "grpc-gateway")})
            ours, theirs = runs["souk gateway"], runs["grpc-gateway"]
            self.figure(f"gateway, {name}: CPU", "s for 10,000", ours["cpu_per_10000"], "grpc-gateway", theirs["cpu_per_10000"], 0.35, aim)
            if not body and "pageSize" not in path:
                self.figure(f"gateway, {name}: throughput", "a second", ours["rate"], "grpc-gateway", theirs["rate"], 2.5, 4.0, True)
                self.figure(f"gateway, {name}: p99", "ms", ours["p99_ms"], "grpc-gateway", theirs["p99_ms"], 0.5, 0.3)
                memory = {gateway: self.processes[gateway].memory() for gateway in runs}
                self.runs["memory gateway"] = memory
                self.figure("gateway under that load: memory", "MiB PSS", memory["souk gateway"]["Pss"] / 1024, "grpc-gateway",
                            memory["grpc-gateway"]["Pss"] / 1024, 1.0, 0.7)

    def secured(self):
        """The same calls with and without certificates and tokens; the caller is the Go client, since h2load has no certificate."""
        token = subprocess.run([str(self.ours / "integration-tests/bench/peers/products"), "--token"], capture_output=True, text=True,
                               check=True).stdout.strip()
        self.start_products("souk with TLS and tokens", SOUK_TLS_DIR=f"{self.arguments.tls}/catalog", SOUK_TOKENS="true")
        runs = self.compare("unary with TLS and tokens", {
            "souk": lambda: self.load("souk", self.arguments.requests),
            "souk with TLS and tokens": lambda: self.load("souk with TLS and tokens", self.arguments.requests, f"{self.arguments.tls}/dev", token),
        })
        self.figure("unary with mutual TLS and a token: CPU", "s for 10,000", runs["souk with TLS and tokens"]["cpu_per_10000"],
                    "souk without", runs["souk"]["cpu_per_10000"], None, 1.3)
        self.end("souk with TLS and tokens")

    def events(self):
        """Publishers are processes of their own, which say what they used."""
        store = self.folder / "nats"
        config = self.folder / "nats.conf"
        config.write_text(f'host: 127.0.0.1\nport: {self.port}\njetstream {{ store_dir: "{store}", max_file_store: 8GB }}\n')
        self.start("nats-server", ["nats-server", "--config", str(config)])
        url = f"nats://127.0.0.1:{self.ports['nats-server']}"
        programs = {"souk": self.ours / "integration-tests/bench/peers/publish", "nats.go": self.theirs / "publish"}
        sums = {}
        for turn in range(self.arguments.rounds + 1):
            for name in sorted(programs, reverse=turn % 2):
                said = json.loads(subprocess.run([str(programs[name]), url, str(self.arguments.events), str(EVENTS_BATCH)],
                                                 capture_output=True, text=True, check=True).stdout)
                if turn:
                    sums.setdefault(name, []).append(said)
        runs = {name: {"rate": statistics.median(said["count"] / said["seconds"] for said in all_said),
                       "per_cpu_second": sum(said["count"] for said in all_said) / sum(said["cpu_seconds"] for said in all_said)}
                for name, all_said in sums.items()}
        self.runs["events"] = runs
        for name, run in runs.items():
            say(f"events, {name}: {run['rate']:,.0f}/s, {run['per_cpu_second']:,.0f} for a CPU second")
        self.figure("events to JetStream, async", "a second", runs["souk"]["rate"], "nats.go", runs["nats.go"]["rate"], 1.0, 1.25, True)
        self.figure("events to JetStream, async", "for a CPU s", runs["souk"]["per_cpu_second"], "nats.go", runs["nats.go"]["per_cpu_second"],
                    1.0, 1.25, True)
        self.end("nats-server")

    def flat(self):
        said = json.loads(subprocess.run([str(self.ours / "integration-tests/bench/peers/flat")], capture_output=True, text=True,
                                         check=True).stdout)
        self.runs["flat"] = said
        match, printed = said["match_ns"], said["print_ns_a_byte"]
        self.figure("route match, 2,000 routes", "ns", match["2000"], "20 routes", match["20"], 1.5, 1.2)
        largest = max(printed, key=int)
        self.figure(f"JSON of {int(largest):,} products printed", "ns a byte", printed[largest], "10 products", printed["10"], 1.5, 1.2)
        body = self.encoded("souk.catalog.v1.GetProductRequest", 'name: "products/mint-tea"')
        self.idle_connections("server", "souk", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
                              lambda: self.h2load("souk", GET_PRODUCT, body, self.arguments.requests, 8, 16, UNARY_WINDOW))
        self.idle_connections("gateway", "souk gateway", b"GET /v1/products/mint-tea HTTP/1.1\r\nhost: x\r\n\r\n",
                              lambda: self.wrk("souk gateway", "/v1/products/mint-tea", seconds=2))

    def idle_connections(self, what, name, greeting, drive):
        """Before each measurement so many connections say hello; the keepalive of either side would end them in half a minute."""
        most = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
        costs = {}
        for count in (10, most):
            held = []
            for _ in range(count):
                connection = socket.create_connection(("127.0.0.1", self.ports[name]))
                connection.sendall(greeting)
                held.append(connection)
            time.sleep(1)
            costs[count] = self.compare(f"{what}, {count:,} idle connections", {name: drive}, 1)[name]["cpu_per_10000"]
            for connection in held:
                connection.close()
            time.sleep(1)
        self.figure(f"{what}, {most:,} idle connections: CPU", "s for 10,000", costs[most], "10 idle connections", costs[10], 1.3, 1.1)

    def profile(self):
        """Where the CPU of ours goes, by perf's samples."""
        body = self.encoded("souk.catalog.v1.GetProductRequest", 'name: "products/mint-tea"')
        stream = self.encoded("souk.bench.v1.StreamRequest", f"count: {self.arguments.messages} size: {STREAM_SIZE}")
        self.runs["profile"] = {}
        for name, process, drive in (
                ("unary", "souk", lambda: self.h2load("souk", GET_PRODUCT, body, 4 * self.arguments.requests, 8, 16, UNARY_WINDOW)),
                ("stream", "souk", lambda: self.h2load("souk", STREAM, stream, 1, 1, 1, STREAM_WINDOW)),
                ("gateway", "souk gateway", lambda: self.wrk("souk gateway", "/v1/products/mint-tea"))):
            data = self.folder / f"{name}.perf"
            recorder = subprocess.Popen(["perf", "record", "-q", "-p", str(self.processes[process].popen.pid), "-F", "999", "-e", "cpu-clock",
                                         "-o", str(data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            drive()
            recorder.terminate()
            recorder.wait()
            shares = {}
            path = Path(self.arguments.write).parent / f"bench-profile-peers-{name}.txt"
            with path.open("w") as file:
                for sort in ("dso", "dso,symbol"):
                    lines = subprocess.run(["perf", "report", "-i", str(data), "--stdio", "--sort", sort, "--percent-limit", "0.3"],
                                           capture_output=True, text=True, check=True).stdout
                    file.writelines(line + "\n" for line in lines.splitlines() if line.strip() and not line.startswith("#"))
                    if sort == "dso":
                        shares = {fields[1]: float(fields[0][:-1]) for fields in (line.split() for line in lines.splitlines())
                                  if len(fields) == 2 and fields[0].endswith("%")}
            self.runs["profile"][name] = shares
            say(f"{path}: where the CPU goes")

    def run(self):
        steps = ["idle_memory", "unary", "stream", "gateway", "secured", "events", "flat"]
        chosen = self.arguments.only.split(",") if self.arguments.only else steps
        try:
            for step in steps + ["profile"] * self.arguments.profile:
                # What others stand on is always started.
                if step in chosen or step in ("idle_memory", "profile") or (step == "gateway" and "flat" in chosen):
                    getattr(self, step)()
        finally:
            self.end()
        self.log.close()
        shutil.rmtree(self.folder)
        return {**machine(), "rounds": self.arguments.rounds, "quick": self.arguments.quick, "figures": self.figures, "runs": self.runs,
                "versions": json.loads(self.arguments.versions)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the load: to see that it works, and roughly where one is")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--only", help="some steps, separated by commas: unary, stream, gateway, secured, events, flat")
    parser.add_argument("--ours", required=True, help="our build folder")
    parser.add_argument("--theirs", required=True, help="the peers' programs")
    parser.add_argument("--protos", required=True)
    parser.add_argument("--third-party", required=True)
    parser.add_argument("--tls", required=True)
    parser.add_argument("--versions", default="{}")
    parser.add_argument("--port", type=int, default=29100)
    parser.add_argument("--write", required=True, metavar="FILE")
    arguments = parser.parse_args()
    quick = arguments.quick
    arguments.rounds = 2 if quick else 6
    arguments.requests = 20000 if quick else 60000
    arguments.messages = 200000 if quick else 1000000
    arguments.events = 20480 if quick else 102400
    arguments.seconds = 2 if quick else 5
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    figures = Peers(arguments).run()
    path = Path(arguments.write)
    written = json.loads(path.read_text()) if path.exists() else {}
    written["peers"] = figures
    path.write_text(json.dumps(written, indent=1) + "\n")
    print()
    print(tables.text(figures))


if __name__ == "__main__":
    main()

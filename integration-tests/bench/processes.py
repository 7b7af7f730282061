"""What an instance's processes have used: CPU seconds and memory, by the parts that they play."""

import os
import urllib.request
from collections import Counter
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PARTS = ("gateway", "services", "stores", "payment server", "inbox", "carrier")
PLATFORM = PARTS[:3]  # what is compared: the rest stands for the outside world
OUTSIDE = {"localstripe": "payment server", "payment-proxy": "payment server"}


def part_of(name, kind):
    if kind == "store":
        return "stores"
    if kind == "service":
        return "gateway" if name == "gateway" else "services"
    return OUTSIDE.get(name, name)


def parse_stat(text):
    """A line of /proc/PID/stat: parent, and ticks of CPU with those of children that have ended. The name may hold anything."""
    fields = text[text.rindex(")") + 2:].split()
    return int(fields[1]), sum(int(field) for field in fields[11:15])


def read(path):
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        return ""


class Processes:
    """Those of .souk/<instance>, each with its children."""

    def __init__(self, state):
        self.run = Path(state) / "run"

    def kind(self, name):
        return read(self.run / name / "kind").strip()

    def trees(self):
        """{name: (part, {pid: ticks})}"""
        ticks, children = {}, {}
        for entry in os.listdir("/proc"):
            stat = read(f"/proc/{entry}/stat") if entry.isdigit() else ""
            if stat:
                parent, ticks[int(entry)] = parse_stat(stat)
                children.setdefault(parent, []).append(int(entry))
        found = {}
        for folder in sorted(self.run.iterdir()):
            root = read(folder / "supervise/pid").strip()
            if not root:
                continue
            tree, left = {}, [int(root)]
            while left:
                pid = left.pop()
                if pid in ticks:
                    tree[pid] = ticks[pid]
                    left += children.get(pid, [])
            found[folder.name] = part_of(folder.name, self.kind(folder.name)), tree
        return found

    def cpu(self):
        """CPU seconds since the start of each: {name: seconds}"""
        return {name: sum(tree.values()) / TICK for name, (_, tree) in self.trees().items()}

    def parts(self, by_name):
        """The same, or a difference of two, summed by part."""
        sums = dict.fromkeys(PARTS, 0.0)
        for name, value in by_name.items():
            part = part_of(name, self.kind(name))
            sums[part] = sums.get(part, 0.0) + value
        return sums

    def memory(self, field):
        """A field of /proc/PID/smaps_rollup: {name: KiB}"""
        memory = {}
        for name, (_, tree) in self.trees().items():
            memory[name] = 0
            for pid in tree:
                for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
                    if line.startswith(f"{field}:"):
                        memory[name] += int(line.split()[1])
        return memory

    def pss(self):
        """Each shared page divided among those that share it: {name: KiB}"""
        return self.memory("Pss")

    def own(self):
        """Heap and stacks, whoever else has the same programs and libraries in use: {name: KiB}"""
        return self.memory("Anonymous")

    def descriptors(self):
        """Open files and sockets: {name: count}"""
        return {name: sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in tree if os.path.isdir(f"/proc/{pid}/fd"))
                for name, (_, tree) in self.trees().items()}


    def metrics(self, name):
        """What its /metrics tells: a name with its labels, and the value."""
        port = int((self.run / name / "ports").read_text().split()[1])
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        for line in page.splitlines():
            if not line.startswith("#"):
                metric, value = line.rsplit(" ", 1)
                yield metric, float(value)

    def database_operations(self):
        """What the services have asked the database until now: {(service, "reads" or "writes"): count}"""
        asked = Counter()
        for name in self.trees():
            if self.kind(name) != "service":
                continue
            for metric, value in self.metrics(name):
                if metric.startswith("db_client_operation_duration_seconds_count{"):
                    asked[name, "reads" if 'name="find"' in metric or 'name="aggregate"' in metric else "writes"] += int(value)
        return asked


def difference(before, after):
    """A process that was started anew in between counts from zero."""
    spent = {name: value - before.get(name, 0) for name, value in after.items()}
    return {name: value if value >= 0 else after[name] for name, value in spent.items()}

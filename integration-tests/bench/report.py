#!/usr/bin/env python3
"""Figures of a bench as tables: for the terminal, and for docs/performance.md between its marks (report.py JSON MARKDOWN)."""

import json
import re
import sys
from pathlib import Path

from processes import PARTS, PLATFORM

# CPU seconds of two peers on two such cores with 1,000 products: Vendure (Node, Postgres) and Medusa (Node, Postgres); for as many as `per`.
PEERS = {
    "details": {"Vendure": 12.4, "Medusa": 19.5},
    "lists": {"Vendure": 3.6, "Medusa": 20.4},
    "carts": {"Vendure": 4.0, "Medusa": 28.6},
    "purchases": {"Vendure": 19.0, "Medusa": 112.0},
}
MEMORY_LIMIT_MIB = 90  # of gateway and services


def cost(run, parts=PLATFORM):
    """CPU seconds for as many as `per`."""
    return sum(run["cpu_seconds"].get(part, 0) for part in parts) * run["per"] / run["requests"]


def share(run):
    """Of what the better of the peers needs."""
    return cost(run) / min(PEERS[run["name"]].values())


def sentence(run):
    return (f"{run['name']}: {run['rate']:,.0f}/s, p50 {run['p50_ms']:.1f} ms, p99 {run['p99_ms']:.1f} ms, "
            f"{cost(run):.2f} CPU s for {run['per']:,}")


def rows(header, lines, align):
    table = [header] + lines
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return ["  ".join(cell.ljust(width) if left else cell.rjust(width) for cell, width, left in zip(row, widths, align)).rstrip()
            for row in table]


def markdown(header, lines, align):
    return ["| " + " | ".join(row) + " |" for row in [header, ["---" if left else "--:" for left in align], *lines]]


def rate_table(figures):
    header = ["", "a second", "p50 ms", "p99 ms", "CPU s for", "gateway", "services", "stores", "together", "Vendure", "Medusa",
              "of the better"]
    lines = []
    for run in figures["runs"]:
        peers = PEERS[run["name"]]
        lines.append([run["name"], f"{run['rate']:,.0f}", f"{run['p50_ms']:.1f}", f"{run['p99_ms']:.1f}", f"{run['per']:,}",
                      *(f"{cost(run, [part]):.2f}" for part in PLATFORM), f"{cost(run):.2f}",
                      *(f"{peers[peer]:g}" for peer in ("Vendure", "Medusa")), f"1/{1 / share(run):.1f}"])
    return header, lines, [True] + [False] * 11


def process_table(figures):
    """CPU milliseconds for one, by process."""
    runs = figures["runs"]
    names = sorted({name for run in runs for name in run["processes"]},
                   key=lambda name: -max(run["processes"].get(name, 0) / run["requests"] for run in runs))
    header = ["CPU ms for one of"] + [run["name"] for run in runs]
    lines = [[name] + [f"{1000 * run['processes'].get(name, 0) / run['requests']:.3f}" for run in runs] for name in names]
    lines.append(["the load itself"] + [f"{1000 * run['load_cpu_seconds'] / run['requests']:.3f}" for run in runs])
    return header, lines, [True] + [False] * len(runs)


def database_table(figures):
    """What one asks of the database, sweepers and relays included."""
    runs = figures["runs"]
    columns = [(kind, run) for run in runs for kind in ("reads", "writes")]
    names = sorted({name for kind, run in columns for name in run["database"][kind]})
    lines = [[name] + [f"{run['database'][kind].get(name, 0) / run['requests']:.1f}" for kind, run in columns] for name in names]
    lines.append(["together"] + [f"{sum(run['database'][kind].values()) / run['requests']:.1f}" for kind, run in columns])
    return ["of the database for one of"] + [f"{run['name']}: {kind}" for kind, run in columns], lines, [True] + [False] * len(columns)


def step_table(figures):
    steps = next((run["steps"] for run in figures["runs"] if "steps" in run), [])
    return (["call of a purchase", "p50 ms", "p99 ms"],
            [[step["name"], f"{step['p50_ms']:.1f}", f"{step['p99_ms']:.1f}"] for step in steps], [True, False, False])


def memory_table(figures):
    platform = [part for part in PARTS if part in ("gateway", "services")]
    mib = figures["memory_parts_kib"]
    lines = [[name, f"{kib / 1024:.1f}"] for name, kib in sorted(figures["memory_kib"].items())]
    lines.append(["gateway and services together", f"{sum(mib[part] for part in platform) / 1024:.1f}"])
    return ["60 s after", "PSS MiB"], lines, [True, False]


TABLES = (rate_table, process_table, database_table, step_table, memory_table)


def notes(figures):
    def spent(what):
        parts = figures[what]["cpu_seconds"]
        return ", ".join(f"{part} {100 * parts[part] / figures[what]['seconds']:.1f}" for part in PARTS if parts.get(part))

    return [f"Idle before, in hundredths of a core: {spent('idle')}.",
            f"In the minute after the last purchase, in hundredths of a core: {spent('minute_after')}."]


def where(figures):
    return (f"{figures['date']}, commit {figures['commit']}, {figures['cores']} cores of {figures['cpu']}, Linux {figures['kernel']}, "
            f"{figures['products']:,} products, database {figures['database']}; reads by wrk at {figures['connections']} connections, "
            f"purchases by {figures['buyers']} buyers; load average before: {figures['load_before']:.1f}.")


def text(figures):
    parts = [[where(figures)]]
    parts += [rows(*table(figures)) for table in TABLES]
    return "\n\n".join("\n".join(part) for part in parts + [notes(figures)])


def document(figures):
    parts = [[where(figures)]]
    parts += [markdown(*table(figures)) for table in TABLES]
    return "\n\n".join("\n".join(part) for part in parts + [notes(figures)])


def replace(page, figures):
    """Puts the tables between the marks."""
    return re.sub(r"(<!-- bench: .*?-->\n).*?(<!-- end of bench -->)", lambda m: f"{m[1]}\n{document(figures)}\n\n{m[2]}", page,
                  flags=re.S)


def main():
    figures, page = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    page.write_text(replace(page.read_text(), figures))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Ratios to the peers as a table: for the terminal, and for docs/performance.md between its marks (tables.py JSON MARKDOWN)."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from report import markdown, rows  # noqa: E402  (the folder is not on the path before)


def verdict(figure):
    """What of `must` and `aim` it keeps."""
    def kept(bound):
        return figure["ratio"] >= bound if figure["more_is_better"] else figure["ratio"] <= bound

    if figure["aim"] is not None and kept(figure["aim"]):
        return "aim"
    if figure["must"] is None:
        return ""
    return "must" if kept(figure["must"]) else "MISSED"


def bound(figure, name):
    if figure[name] is None:
        return ""
    return f"{'≥' if figure['more_is_better'] else '≤'} {figure[name]:.2f}"


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def ratio_table(figures):
    lines = [[figure["what"], figure["unit"], number(figure["ours"]), number(figure["theirs"]), figure["against"],
              f"{figure['ratio']:.2f}", bound(figure, "must"), bound(figure, "aim"), verdict(figure)] for figure in figures["figures"]]
    return (["figure", "", "ours", "theirs", "against", "ratio", "must", "aim", "kept"], lines,
            [True, True, False, False, True, False, False, False, True])


def latency_table(figures):
    lines = [[name, contender, f"{run['cpu_per_10000']:.3f}", f"{run['rate']:,.0f}", f"{run['p50_ms']:.2f}", f"{run['p99_ms']:.2f}"]
             for name, contenders in figures["runs"].items() for contender, run in contenders.items()
             if isinstance(run, dict) and "p50_ms" in run and len(contenders) > 1]
    return ["load", "of", "CPU s for 10,000", "a second", "p50 ms", "p99 ms"], lines, [True, True, False, False, False, False]


def where(figures):
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return (f"{figures['date']}, commit {figures['commit']}, {figures['cores']} cores of {figures['cpu']}, Linux {figures['kernel']}; "
            f"{figures['rounds']} rounds{' of a short run' if figures['quick'] else ''}, load average before: {figures['load_before']:.1f}. "
            f"{versions}.")


def text(figures):
    return "\n\n".join([where(figures)] + ["\n".join(rows(*table(figures))) for table in (ratio_table, latency_table)])


def document(figures):
    return "\n\n".join([where(figures)] + ["\n".join(markdown(*table(figures))) for table in (ratio_table, latency_table)])


def replace(page, figures):
    """Puts the tables between the marks."""
    return re.sub(r"(<!-- peers: .*?-->\n).*?(<!-- end of peers -->)", lambda m: f"{m[1]}\n{document(figures)}\n\n{m[2]}", page, flags=re.S)


def main():
    figures, page = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    if "peers" not in figures:
        sys.exit(f"{sys.argv[1]} has no figures of peers: run ./dev bench peers first.")
    page.write_text(replace(page.read_text(), figures["peers"]))


if __name__ == "__main__":
    main()

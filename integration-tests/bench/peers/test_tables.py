#!/usr/bin/env python3
"""Rules of the ratios' own arithmetic."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tables  # noqa: E402  (the folder is not on the path before)

CPU = {"what": "unary: CPU", "unit": "s for 10,000", "ours": 0.15, "against": "grpc-go", "theirs": 0.25, "ratio": 0.6, "must": 0.65,
       "aim": 0.5, "more_is_better": False}
RUN = {"cpu_per_10000": 0.15, "rate": 40000.0, "p50_ms": 1.0, "p99_ms": 2.0}
FIGURES = {"date": "2026-01-01", "commit": "abc", "cores": 2, "cpu": "some", "kernel": "6", "rounds": 6, "quick": False,
           "load_before": 0.5, "versions": {"grpc-go": "v1"}, "figures": [CPU],
           "runs": {"unary": {"souk": RUN, "grpc-go": RUN}, "alone": {"souk": RUN}, "flat": {"match_ns": {"20": 1.0}}}}


class Tables(unittest.TestCase):
    def test_less_is_better_for_costs_and_more_for_rates(self):
        self.assertEqual(tables.verdict(CPU), "must")
        self.assertEqual(tables.verdict({**CPU, "ratio": 0.5}), "aim")
        self.assertEqual(tables.verdict({**CPU, "ratio": 0.66}), "MISSED")
        rate = {**CPU, "must": 1.3, "aim": 1.6, "more_is_better": True}
        self.assertEqual([tables.verdict({**rate, "ratio": ratio}) for ratio in (1.2, 1.3, 1.6)], ["MISSED", "must", "aim"])

    def test_what_is_only_reported_cannot_be_missed(self):
        self.assertEqual(tables.verdict({**CPU, "must": None, "ratio": 9.0}), "")
        self.assertEqual(tables.verdict({**CPU, "must": None, "aim": None, "ratio": 9.0}), "")

    def test_latencies_are_shown_of_what_was_compared(self):
        self.assertEqual([line[:2] for line in tables.latency_table(FIGURES)[1]], [["unary", "souk"], ["unary", "grpc-go"]])

    def test_the_tables_replace_what_stands_between_the_marks(self):
        page = tables.replace("Before\n<!-- peers: by a program -->\n<!-- end of peers -->\nAfter\n", FIGURES)
        self.assertIn("| unary: CPU | s for 10,000 | 0.150 | 0.250 | grpc-go | 0.60 | ≤ 0.65 | ≤ 0.50 | must |", page)
        self.assertTrue(page.startswith("Before\n") and page.endswith("<!-- end of peers -->\nAfter\n"))
        self.assertEqual(tables.replace(page, FIGURES), page)


if __name__ == "__main__":
    unittest.main()

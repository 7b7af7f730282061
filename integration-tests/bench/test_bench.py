#!/usr/bin/env python3
"""Rules of the bench's own arithmetic."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import processes  # noqa: E402  (the folder is not on the path before)
import report  # noqa: E402

RUN = {"name": "details", "per": 1000, "requests": 2000, "failed": 0, "seconds": 2.0, "rate": 1000.0, "p50_ms": 1.0, "p99_ms": 2.0,
       "cpu_seconds": {"gateway": 0.5, "services": 1.0, "stores": 0.5, "payment server": 9.0},
       "load_cpu_seconds": 0.1, "database": {"reads": {"catalog": 2000}, "writes": {}},
       "processes": {"gateway": 0.5, "catalog": 1.0, "mongodb": 0.5, "localstripe": 9.0}}
FIGURES = {"date": "2026-01-01", "commit": "abc", "cores": 2, "cpu": "some", "kernel": "6", "products": 1000, "database": "mongod",
           "connections": 32, "buyers": 8, "load_before": 0.5, "runs": [RUN], "memory_kib": {"gateway": 2048, "catalog": 1024},
           "memory_parts_kib": {"gateway": 2048, "services": 1024},
           "idle": {"seconds": 10, "cpu_seconds": {"stores": 0.1}}, "minute_after": {"seconds": 60, "cpu_seconds": {}}}


class Bench(unittest.TestCase):
    def test_a_name_with_blanks_and_brackets_does_not_shift_the_fields(self):
        stat = "7 (a) b (c) S 3 7 7 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 11 0 5"
        self.assertEqual(processes.parse_stat(stat), (3, 127))

    def test_a_process_started_anew_counts_from_zero(self):
        self.assertEqual(processes.difference({"a": 5.0, "b": 9.0}, {"a": 7.0, "b": 1.0, "c": 2.0}), {"a": 2.0, "b": 1.0, "c": 2.0})

    def test_the_outside_world_is_apart(self):
        self.assertEqual(processes.part_of("gateway", "service"), "gateway")
        self.assertEqual(processes.part_of("cart-2", "service"), "services")
        self.assertEqual(processes.part_of("redis", "store"), "stores")
        self.assertEqual(processes.part_of("localstripe", "outside"), "payment server")
        self.assertEqual(processes.part_of("inbox", "outside"), "inbox")

    def test_cost_is_of_the_platform_alone(self):
        self.assertAlmostEqual(report.cost(RUN), 1.0)
        self.assertAlmostEqual(report.share(RUN), 1 / 12.4)

    def test_the_tables_replace_what_stands_between_the_marks(self):
        page = report.replace("Before\n<!-- bench: by a program -->\nold\n<!-- end of bench -->\nAfter\n", FIGURES)
        self.assertNotIn("old", page)
        self.assertTrue(page.startswith("Before\n") and page.endswith("<!-- end of bench -->\nAfter\n"))
        self.assertIn("| details | 1,000 | 1.0 | 2.0 | 1,000 | 0.25 | 0.50 | 0.25 | 1.00 | 12.4 | 19.5 | 1/12.4 |", page)
        self.assertIn("| catalog | 1.0 | 0.0 |", page)
        self.assertEqual(report.replace(page, FIGURES), page)


if __name__ == "__main__":
    unittest.main()

"""The line of totals tells the truth, whatever ended how."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

COUNT = pathlib.Path(__file__).with_name("count.py")
CHECK = "Running suite(s): cart\n{}%: Checks: {}, Failures: {}, Errors: {}\n"


def totals(*tests, options=()):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
        for result, stdout in tests:
            print(json.dumps({"name": "t", "result": result, "stdout": stdout, "returncode": 1}), file=log)
        log.flush()
        done = subprocess.run([sys.executable, COUNT, *options, log.name], capture_output=True, text=True)
        return done.stdout.splitlines()[-1], done.returncode


class Totals(unittest.TestCase):
    def test_checks_add_up_over_programs(self):
        self.assertEqual(totals(("OK", CHECK.format(100, 12, 0, 0)), ("OK", CHECK.format(100, 3, 0, 0))), ("15 passed, 0 failed", 0))

    def test_failures_and_errors_fail(self):
        self.assertEqual(totals(("FAIL", CHECK.format(70, 10, 2, 1) + "a.c:3:F:cart:x:0: no\n")), ("7 passed, 3 failed", 1))

    def test_a_program_without_a_summary_is_one_test(self):
        self.assertEqual(totals(("OK", "fine\n")), ("1 passed, 0 failed", 0))
        self.assertEqual(totals(("FAIL", "bad\n"), ("OK", "")), ("1 passed, 1 failed", 1))

    def test_a_crash_or_a_time_limit_fails_even_after_a_good_summary(self):
        self.assertEqual(totals(("FAIL", CHECK.format(100, 5, 0, 0))), ("5 passed, 1 failed", 1))
        self.assertEqual(totals(("TIMEOUT", "")), ("0 passed, 1 failed", 1))

    def test_unittest_counts_too(self):
        self.assertEqual(totals(("OK", "...\nRan 7 tests in 0.1s\n\nOK\n")), ("7 passed, 0 failed", 0))
        self.assertEqual(totals(("FAIL", "Ran 7 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=1)\n")), ("3 passed, 3 failed, 1 skipped", 1))

    def test_a_skip_fails_only_where_it_must_not_be(self):
        tests = ("OK", ""), ("SKIP", "")
        self.assertEqual(totals(*tests), ("1 passed, 0 failed, 1 skipped", 0))
        self.assertEqual(totals(*tests, options=["--skips-fail"]), ("1 passed, 0 failed, 1 skipped", 1))

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(totals(), ("0 passed, 0 failed", 1))

    def test_what_broke_outside_counts_when_nothing_else_failed(self):
        self.assertEqual(totals(("OK", ""), options=["--broken", "x"]), ("1 passed, 1 failed", 1))
        self.assertEqual(totals(("FAIL", ""), options=["--broken", "x"]), ("0 passed, 1 failed", 1))

    def test_a_finding_counts_whatever_else_failed(self):
        self.assertEqual(totals(("FAIL", ""), options=["--finding", "x", "--broken", "y"]), ("0 passed, 2 failed", 1))


if __name__ == "__main__":
    unittest.main()

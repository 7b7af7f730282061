"""Counts tests over all programs and prints the failed ones and one line of totals: count.py [--skips-fail] [--finding TEXT]... [--broken NAME]... LOG...

The logs are Meson's testlog JSON. A program that uses Check says how many tests it ran ("100%: Checks: 12, Failures: 0, Errors: 0"), and so
does Python's unittest ("Ran 12 tests in 0.1s", "FAILED (failures=1)"); any other program is one test. A program that ended badly without a failure of its own, as by a crash or a time limit, is one failed test more.
So is each finding; and when nothing else failed, whatever is said to be broken.
"""
import argparse
import json
import re
import sys

SUMMARY = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n+(?:OK|FAILED)(?: \((.*)\))?$", re.MULTILINE)
FAILURE = re.compile(r"^(?:.+:\d+:[FES]:.*|(?:FAIL|ERROR): .*)$", re.MULTILINE)
GOOD = ("OK", "EXPECTEDFAIL")


def count(test):
    """Returns (passed, failed, skipped, lines that tell what failed) of one program."""
    if test["result"] == "SKIP":
        return 0, 0, 1, []
    output = (test.get("stdout") or "") + (test.get("stderr") or "")
    ran, failed, skipped, summaries = 0, 0, 0, 0
    for checks, failures, errors in SUMMARY.findall(output):
        ran, failed, summaries = ran + int(checks), failed + int(failures) + int(errors), summaries + 1
    for tests, details in UNITTEST.findall(output):
        found = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", details)}
        ran, summaries = ran + int(tests), summaries + 1
        failed += found.get("failures", 0) + found.get("errors", 0)
        skipped += found.get("skipped", 0)
    lines = FAILURE.findall(output)
    if test["result"] in GOOD and not summaries:
        return 1, 0, 0, []
    passed = max(ran - failed - skipped, 0)
    if test["result"] not in GOOD and not failed:
        failed = 1
        lines.append(f"{test['result'].lower()}, exit status {test['returncode']}")
    return passed, failed, skipped, lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skips-fail", action="store_true")
    parser.add_argument("--finding", action="append", default=[])
    parser.add_argument("--broken", action="append", default=[])
    parser.add_argument("logs", nargs="*")
    arguments = parser.parse_args()

    passed, failed, skipped = 0, 0, 0
    for log in arguments.logs:
        with open(log, encoding="utf-8") as file:
            for line in file:
                test = json.loads(line)
                p, f, s, lines = count(test)
                passed, failed, skipped = passed + p, failed + f, skipped + s
                for text in lines:
                    print(f"failed: {test['name']}: {text}")
                if s:
                    print(f"skipped: {test['name']}")
    for text in arguments.finding:
        failed += 1
        print(f"failed: {text}")
    if not failed:
        for name in arguments.broken:
            failed += 1
            print(f"failed: {name}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(bool(failed or not passed or (skipped and arguments.skips_fail)))


if __name__ == "__main__":
    main()

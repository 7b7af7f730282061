#!/usr/bin/env bash
# Runs test_stores.py with the Python that has pymongo.
set -euo pipefail
exec "${SOUK_TEST_PYTHON:?run this through ./dev test store}" "$(dirname "${BASH_SOURCE[0]}")/test_stores.py"

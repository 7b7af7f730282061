"""Runs localstripe, unchanged, as this platform's payment server: payment_server.py --port PORT --state FILE --webhook URL [--from-scratch]

localstripe's own command listens on all interfaces, keeps its state in one fixed file under /tmp (which it unpickles, whoever wrote it,
and which two instances would share), and forgets at each start where its webhooks go. Here it listens on loopback, its state is in
the file given, and the webhook is registered before the first request. The signing secret comes from WEBHOOK_SECRET.
"""
import argparse
import logging
import os

from aiohttp import web
from localstripe import resources, server
from localstripe.webhooks import register_webhook

FIXED_STATE = "/tmp/localstripe.pickle"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", required=True)
    parser.add_argument("--webhook", required=True)
    parser.add_argument("--from-scratch", action="store_true")
    arguments = parser.parse_args()

    # The module's own name `open` hides the builtin there, and only there.
    resources.open = lambda path, mode: open(arguments.state if path == FIXED_STATE else path, mode)
    if not arguments.from_scratch:
        resources.store.try_load_from_disk()
    register_webhook("souk", arguments.webhook, os.environ["WEBHOOK_SECRET"], None)

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    web.run_app(server.app, host="127.0.0.1", port=arguments.port, access_log=logging.getLogger("aiohttp.access"), print=None)


if __name__ == "__main__":
    main()

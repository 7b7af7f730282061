"""A mail inbox for tests, and for people without node: inbox.py --smtp PORT --http PORT --folder FOLDER

Takes every mail by SMTP and shows them as maildev does, so that a test reads either:
    GET /email          [{id, subject, from[{address, name}], to[...], date, time, text, html, headers{}, messageId, envelope{from, to[]}}]
    GET /email/ID       one of them            GET /email/ID/download   as it came
    DELETE /email/all   DELETE /email/ID       GET /                    a page
and, beyond maildev, misbehaves when told to, for the next `count` mails:
    POST /_control      {"reply": "451 4.3.0 try again later", "count": 1}    refuse with this reply
                        {"lose_answer": true, "count": 1}                     keep the mail, but hang up instead of saying so
Each mail is a file in the folder too. The newest 10,000 are kept.
"""
import argparse
import asyncio
import collections
import email
import email.policy
import email.utils
import html
import pathlib
import secrets

from aiohttp import web
from aiosmtpd.smtp import SMTP

MAILS_MAX = 10000
MAIL_BYTES_MAX = 10 * 1024 * 1024


def addresses(message, header):
    return [{"address": address, "name": name} for name, address in email.utils.getaddresses(message.get_all(header, []))]


def body(message, kind):
    part = message.get_body(preferencelist=(kind,))
    return part.get_content() if part else ""


class Inbox:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mails = collections.OrderedDict()
        self.fault, self.fault_count = None, 0
        for file in sorted(self.folder.glob("*.eml"), key=lambda file: file.stat().st_mtime):
            self.add(file.stem, file.read_bytes(), None, [])

    def add(self, id, content, sender, recipients):
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.mails[id] = {
            "id": id,
            "subject": str(message.get("subject", "")),
            "from": addresses(message, "from"),
            "to": addresses(message, "to"),
            "date": str(message.get("date", "")),
            "time": email.utils.localtime().isoformat(timespec="milliseconds"),
            "text": body(message, "plain"),
            "html": body(message, "html"),
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "messageId": str(message.get("message-id", "")).strip("<>"),
            "envelope": {"from": {"address": sender}, "to": [{"address": to} for to in recipients]},
            "size": len(content),
        }
        while len(self.mails) > MAILS_MAX:
            self.remove(next(iter(self.mails)))

    def remove(self, id):
        del self.mails[id]
        (self.folder / f"{id}.eml").unlink(missing_ok=True)

    # aiosmtpd calls this with each mail.
    async def handle_DATA(self, smtp, session, envelope):
        fault = self.fault if self.fault_count > 0 else None
        if fault:
            self.fault_count -= 1
        if fault and "reply" in fault:
            return fault["reply"]
        id = secrets.token_hex(4)
        (self.folder / f"{id}.eml").write_bytes(envelope.content)
        self.add(id, envelope.content, envelope.mail_from, envelope.rcpt_tos)
        if fault:
            smtp.transport.abort()
        return "250 2.0.0 kept as " + id


def routes(inbox):
    table = web.RouteTableDef()

    def find(request):
        id = request.match_info["id"]
        if id not in inbox.mails:
            raise web.HTTPNotFound(text=f"No mail has the id {id}.\n")
        return id

    @table.get("/healthz")
    async def healthz(request):
        return web.json_response(True)

    @table.get("/email")
    async def mails(request):
        return web.json_response(list(inbox.mails.values()))

    @table.delete("/email/all")
    async def remove_all(request):
        for id in list(inbox.mails):
            inbox.remove(id)
        return web.json_response(True)

    @table.get("/email/{id}")
    async def mail(request):
        return web.json_response(inbox.mails[find(request)])

    @table.get("/email/{id}/download")
    async def download(request):
        return web.FileResponse(inbox.folder / f"{find(request)}.eml", headers={"Content-Type": "message/rfc822"})

    @table.delete("/email/{id}")
    async def remove(request):
        inbox.remove(find(request))
        return web.json_response(True)

    @table.post("/_control")
    async def control(request):
        inbox.fault = await request.json()
        inbox.fault_count = inbox.fault.get("count", 1) if inbox.fault else 0
        return web.json_response(inbox.fault)

    @table.get("/")
    async def page(request):
        rows = "".join(
            f"<details><summary>{html.escape(mail['date'])} · <b>{html.escape(mail['subject'])}</b> · to "
            f"{html.escape(', '.join(to['address'] for to in mail['to']))}</summary><pre>{html.escape(mail['text'] or mail['html'])}</pre></details>"
            for mail in reversed(inbox.mails.values())
        )
        text = f"<!doctype html><meta charset=utf-8><title>Inbox</title><style>body{{font:16px sans-serif;margin:2em}}</style><h1>Inbox</h1>{rows or 'No mail yet.'}"
        return web.Response(text=text, content_type="text/html")

    return table


async def serve(arguments):
    inbox = Inbox(arguments.folder)
    await asyncio.get_running_loop().create_server(
        lambda: SMTP(inbox, hostname="localhost", data_size_limit=MAIL_BYTES_MAX, enable_SMTPUTF8=True), "127.0.0.1", arguments.smtp
    )
    app = web.Application()
    app.add_routes(routes(inbox))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", arguments.http).start()
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smtp", type=int, required=True)
    parser.add_argument("--http", type=int, required=True)
    parser.add_argument("--folder", required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()

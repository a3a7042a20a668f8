"""ClickHouse's HTTP interface in front of chdb, ClickHouse as a library. For tests only.

    front.py DIRECTORY

keeps its tables in DIRECTORY, prints the port it listens on at 127.0.0.1, and ends when its standard
input does, so that it never outlives who started it. It speaks what the collector's client says: POST
with the statement in the URL (data in the body) or in the body, `database`, settings and `param_x` in
the URL, errors as text with X-ClickHouse-Exception-Code.
"""

import os
import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session

NOT_SETTINGS = {"query", "database", "default_format"}


class Database:
    """The one session; statements run one after the other."""

    def __init__(self, directory):
        self.session = Session(directory)
        self.lock = threading.Lock()

    def run(self, statement, database, output_format, settings):
        with self.lock:
            self.session.query(f"USE `{database}`")
            for name, value in settings.items():
                quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                self.session.query(f"SET {name} = '{quoted}'")
            try:
                return self.session.query(statement, output_format).bytes()
            finally:
                for name in settings:
                    if not name.startswith("param_"):
                        self.session.query(f"SET {name} = DEFAULT")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.body()
        try:
            if "query" not in parameters:
                answer = self.ask(body.decode(), parameters)
            else:
                # The library takes a statement's data from a file only: beside it, it looks for an end.
                with tempfile.NamedTemporaryFile() as data:
                    data.write(body)
                    data.flush()
                    insert, form = parameters["query"].rsplit(" FORMAT ", 1)
                    statement = f"{insert} FROM INFILE '{data.name}' FORMAT {form}"
                    answer = self.ask(statement, parameters)
        except Exception as error:
            self.refuse(str(error))
        else:
            self.answer(200, answer)

    def ask(self, statement, parameters):
        return self.server.database.run(
            statement,
            parameters.get("database", "default"),
            parameters.get("default_format", "TabSeparated"),
            {k: v for k, v in parameters.items() if k not in NOT_SETTINGS},
        )

    def refuse(self, message):
        code = re.search(r"Code: (\d+)", message)
        self.answer(500, message.encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "0"})

    def answer(self, status, body, headers={}):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.database = Database(sys.argv[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    # The library's own threads are not waited for.
    os._exit(0)


main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""A profile store for tests of lprofd's pushes: accepts what Pyroscope and Parca do, or misbehaves as it is told."""
import base64
import json
import socket
import ssl
import struct
import threading
import time
import urllib.parse

# What it may be told to do with a request: a status to answer, or one of these.
MISBEHAVIOURS = ("reset", "nonsense", "hang", "cut", "page", "slow")
# And these accept it, with more to say than anybody reads.
TALKATIVE = ("long", "flood")


class Request:
    def __init__(self, head, body):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.time = time.monotonic()
        self.method, target, _ = first.split(" ", 2)
        self.path, _, query = target.partition("?")
        self.query = {key: values[0] for key, values in urllib.parse.parse_qs(query).items()}
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body = body
        self.order = self.done = None

    def profile(self):
        """pprof's bytes, however they were wrapped; and the labels."""
        if self.path == "/ingest":
            name, _, labels = self.query["name"].partition("{")
            pairs = [pair.split("=") for pair in labels.rstrip("}").split(",") if pair]
            return self.body, {"service_name": name, **dict(pairs)}
        (series,) = json.loads(self.body)["series"]
        labels = series["labels"] if isinstance(series["labels"], list) else series["labels"]["labels"]
        (sample,) = series["samples"]
        return base64.b64decode(sample["rawProfile"], validate=True), {label["name"]: label["value"] for label in labels}


class Store:
    """Listens at 127.0.0.1 from up() to down(); `orders` are for the next requests, then all are accepted."""

    def __init__(self, certificate=None):
        self.orders = []
        self.requests = []
        self.accepted = []
        self.lock = threading.Lock()
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        self.listener = None
        self.port = 0
        self.up()

    def up(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(64)
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()

    def down(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def url(self, path="/ingest"):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}{path}"

    def serve(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        try:
            peer.settimeout(30)
            if self.context:
                peer = self.context.wrap_socket(peer, server_side=True)
            request = self.read(peer)
            with self.lock:
                order = self.orders.pop(0) if self.orders else 200
                request.order = request.done = order
                self.requests.append(request)
            self.answer(peer, request, order)
        except OSError:
            pass
        finally:
            peer.close()

    @staticmethod
    def read(peer):
        data = b""
        while b"\r\n\r\n" not in data:
            more = peer.recv(65536)
            if not more:
                raise OSError("ended within the head")
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        request = Request(head, b"")
        wanted = int(request.headers.get("content-length", 0))
        while len(body) < wanted:
            more = peer.recv(65536)
            if not more:
                raise OSError("ended within the body")
            body += more
        request.body = body
        return request

    def answer(self, peer, request, order):
        if order == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif order == "nonsense":
            peer.sendall(b"\0\xff 220 mail.example ESMTP\r\n\x1b[31m{}")
        elif order == "hang":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
            peer.recv(1)
        elif order == "cut":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        elif order == "page":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
        elif order == "slow":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            for _ in range(100):
                time.sleep(0.1)
                peer.sendall(b" ")
        elif order in TALKATIVE:
            with self.lock:
                request.done = 200
                self.accepted.append(request)
            peer.sendall(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 1048576\r\n" if order == "long" else b"") + b"\r\n")
            for _ in range(16) if order == "long" else iter(int, 1):
                peer.sendall(b"x" * 65536)
        else:
            status, more = order if isinstance(order, tuple) else (order, "")
            with self.lock:
                if status == 200:
                    self.accepted.append(request)
            text = b"{}" if status == 200 else b"it is \x1b[31mnot\x1b[0m to be\r\nsecond line"
            peer.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{more}\r\n".encode() + text)

    def wait(self, holds, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.lock:
                if holds(self):
                    return True
            time.sleep(0.02)
        return False

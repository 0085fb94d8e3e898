"""Receives results of usage queries, as a customer's own server would: over plain http."""

import http.server
import threading
import time


class Receiver:
    """Keeps what is sent to each of its addresses, and answers as that address was told to."""

    def __init__(self, host="127.0.0.1", port=0):
        self.statuses, self.received, self.came = {}, {}, threading.Condition()
        handler = type("Handler", (Handler,), {"receiver": self})
        self.server = http.server.ThreadingHTTPServer((host, port), handler)
        self.base = f"http://{host}:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def address(self, name, *statuses):
        """An address that answers with these statuses in turn, and goes on with the last."""
        with self.came:
            self.statuses[f"/{name}"] = list(statuses or (200,))
            self.received[f"/{name}"] = []
        return f"{self.base}/{name}"

    def took(self, path, headers, body):
        """Keeps a delivery; gives the status of its answer."""
        delivery = {"at_ms": time.time_ns() // 1_000_000, "headers": headers, "body": body}
        with self.came:
            kept = self.received.setdefault(path, [])
            statuses = self.statuses.get(path, [404])
            status = statuses[min(len(kept), len(statuses) - 1)]
            kept.append(delivery)
            self.came.notify_all()
        return status

    def wait(self, name, count=1, timeout_s=120):
        """The deliveries to an address, once there are so many."""
        with self.came:
            kept = lambda: self.received[f"/{name}"]
            came = self.came.wait_for(lambda: len(kept()) >= count, timeout_s)
            assert came, f"{name}: {len(kept())} of {count} deliveries within {timeout_s} s"
            return list(kept())


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; a body comes with its length or in chunks."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(self.receiver.took(self.path, headers, body))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return whole

    def log_message(self, *_):
        pass

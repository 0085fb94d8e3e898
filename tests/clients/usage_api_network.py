"""A network of one's own: all addresses are here, names lead anywhere, packets are counted."""

import ctypes
import http.server
import os
import pathlib
import socket
import socketserver
import struct
import subprocess
import threading
import urllib.parse

import usage_api_hostile as hostile

NAMESERVER, TESTER = "127.0.0.53", "127.9.9.9"
PORTS = (22, 80, 443, 3128, 8080)
HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.0.0.5 inside inside.example\n"
A, CNAME, AAAA, EMPTY, UNKNOWN = 1, 5, 28, 0, 3
# Linux: if_packet.h, socket.h.
SOL_PACKET, PACKET_STATISTICS, SO_ATTACH_FILTER, EVERY_PROTOCOL = 263, 6, 26, 3


def make(place):
    """Brings up loopback with every address on it, and our own ways from names to addresses."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo")
    run("ip", "-6", "route", "add", "local", "::/0", "dev", "lo")
    texts = {"/etc/resolv.conf": f"nameserver {NAMESERVER}\noptions timeout:2 attempts:2\n"}
    texts["/etc/hosts"] = HOSTS
    for number, (path, text) in enumerate(texts.items()):
        own = pathlib.Path(place) / f"etc{number}"
        own.write_text(text)
        run("mount", "--bind", own, os.path.realpath(path))


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{words[0]}: {done.stderr.strip()}"


class Counter:
    """Counts what opens a connection or goes by datagram, but to somebody, by us, or for names.

    A filter of the kernel's (classic BPF) says which packets count, and the kernel counts them.
    """

    def __init__(self):
        self.socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERY_PROTOCOL)
        )
        program = b"".join(struct.pack("HBBI", *line) for line in assembled(FILTER))
        self.program = ctypes.create_string_buffer(program)
        lines = len(program) // 8
        attached = struct.pack("HL", lines, ctypes.addressof(self.program))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, attached)
        self.packets = 0
        # What came before the filter was there.
        self.counted(), self.seen()
        self.packets = 0

    def counted(self):
        """How many so far; the kernel forgets its count whenever it tells it."""
        told = self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        self.packets += struct.unpack("II", told)[0]
        return self.packets

    def seen(self):
        """Where the first of them went that were not looked at yet."""
        found = []
        while True:
            try:
                packet = self.socket.recv(128, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return sorted(set(found))
            is_four = packet[0] >> 4 == 4
            target = packet[16:20] if is_four else packet[24:40]
            family = socket.AF_INET if is_four else socket.AF_INET6
            found.append(socket.inet_ntop(family, target))


def number(text):
    """The words of an address."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    packed = socket.inet_pton(family, text)
    return struct.unpack(f"!{len(packed) // 4}I", packed)


SOMEBODY, SOMEBODY_6 = (
    number(block.split("/")[0]) for block in (hostile.PUBLIC, hostile.PUBLIC_6)
)
# Of classic BPF: load a byte, half or word, also behind the header; compare; return.
LOAD, LOAD_BEHIND = {1: 0x30, 2: 0x28, 4: 0x20}, {1: 0x50, 2: 0x48}
HEADER, AND, SHIFT, EQUAL, ANY, RETURN = 0xB1, 0x54, 0x74, 0x15, 0x45, 0x06
SYN, ACK, TCP, UDP, DNS = 2, 16, 6, 17, 53
# Lines with labels: (label, code, operand, where to if so, where to if not).
FILTER = [
    ("", LOAD[1], 0, "", ""),
    ("", SHIFT, 4, "", ""),
    ("", EQUAL, 4, "four", "six"),
    # IPv4: whose packet, where to, and what.
    ("four", LOAD[4], 12, "", ""),
    ("", EQUAL, number(TESTER)[0], "no", ""),
    ("", LOAD[4], 16, "", ""),
    ("", EQUAL, number(TESTER)[0], "no", ""),
    ("", AND, 0xFFFFFF00, "", ""),
    ("", EQUAL, SOMEBODY[0], "no", ""),
    ("", HEADER, 0, "", ""),
    ("", LOAD[1], 9, "", ""),
    ("", EQUAL, TCP, "four tcp", ""),
    ("", EQUAL, UDP, "", "no"),
    ("", LOAD_BEHIND[2], 0, "", ""),
    ("", EQUAL, DNS, "no", ""),
    ("", LOAD_BEHIND[2], 2, "", ""),
    ("", EQUAL, DNS, "no", "yes"),
    ("four tcp", LOAD_BEHIND[1], 13, "", ""),
    ("", AND, SYN | ACK, "", ""),
    ("", EQUAL, SYN, "yes", "no"),
    # IPv6: the same.
    ("six", LOAD[4], 24, "", ""),
    ("", EQUAL, SOMEBODY_6[0], "", "six what"),
    ("", LOAD[4], 28, "", ""),
    ("", EQUAL, SOMEBODY_6[1], "no", ""),
    ("six what", LOAD[1], 6, "", ""),
    ("", EQUAL, TCP, "six tcp", ""),
    ("", EQUAL, UDP, "", "no"),
    ("", LOAD[2], 40, "", ""),
    ("", EQUAL, DNS, "no", ""),
    ("", LOAD[2], 42, "", ""),
    ("", EQUAL, DNS, "no", "yes"),
    ("six tcp", LOAD[1], 53, "", ""),
    ("", AND, SYN | ACK, "", ""),
    ("", EQUAL, SYN, "yes", "no"),
    ("yes", RETURN, 0xFFFF, "", ""),
    ("no", RETURN, 0, "", ""),
]


def assembled(lines):
    """The lines as the kernel takes them: code, steps if so, steps if not, operand."""
    at = {label: place for place, (label, *_) in enumerate(lines) if label}

    def steps(place, label):
        return at[label] - place - 1 if label else 0

    return [
        (code, steps(place, so), steps(place, not_so), operand)
        for place, (_, code, operand, so, not_so) in enumerate(lines)
    ]


class Names:
    """A name server: a name's answers one after another, the last again and again."""

    def __init__(self):
        self.answers, self.asked, self.was_asked = {}, {}, threading.Condition()
        handler = type("Question", (Question,), {"names": self})
        self.server = socketserver.ThreadingUDPServer((NAMESERVER, 53), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told(self, name, kind):
        """The turn of a question, and whether the name is known at all."""
        with self.was_asked:
            answers = self.answers.get(name)
            if answers is None:
                return [], UNKNOWN
            # Both kinds are asked for at a time, and have their turns apart.
            count = self.asked.get((name, kind), 0)
            self.asked[name, kind] = count + 1
            self.was_asked.notify_all()
            return answers[min(count, len(answers) - 1)], EMPTY

    def wait(self, name, count, timeout_s):
        with self.was_asked:
            came = lambda: self.asked.get((name, A), 0) >= count
            assert self.was_asked.wait_for(came, timeout_s), f"{name}: fewer than {count} questions"


class Question(socketserver.BaseRequestHandler):
    """One question, and its answer."""

    def handle(self):
        packet, reply = self.request
        end = packet.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(packet[at + 1 : at + 1 + packet[at]].decode("ascii", "replace"))
            at += 1 + packet[at]
        kind, section = struct.unpack("!H", packet[end + 1 : end + 3])[0], packet[12 : end + 5]
        turn, code = self.names.told(".".join(labels).lower(), kind)
        records = [record for text in turn if (record := self.record(turn, text, kind))]
        head = packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(records), 0, 0)
        reply.sendto(head + section + b"".join(records), self.client_address)

    def record(self, turn, text, kind):
        """A record of the asked kind; behind an alias its name is another."""
        alias = encoded("behind.hooks.example")
        if text == "alias":
            return b"\xc0\x0c" + struct.pack("!HHIH", CNAME, 1, 0, len(alias)) + alias
        if kind != (AAAA if ":" in text else A):
            return None
        packed = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, text)
        name = alias if "alias" in turn else b"\xc0\x0c"
        return name + struct.pack("!HHIH", kind, 1, 0, len(packed)) + packed


def encoded(name):
    labels = (bytes([len(label)]) + label.encode() for label in name.split("."))
    return b"".join(labels) + b"\0"


class Receivers:
    """Web servers at every address: they answer as the path says, and keep who was called."""

    def __init__(self):
        self.called, self.was_called = [], threading.Condition()
        handler = type("Caller", (Caller,), {"receivers": self})
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for port in PORTS:
                kind = type("Server", (Server,), {"address_family": family})
                server = kind((host, port), handler)
                threading.Thread(target=server.serve_forever, daemon=True).start()

    def note(self, address, path):
        with self.was_called:
            self.called.append((address, path))
            self.was_called.notify_all()

    def wait(self, path, timeout_s):
        with self.was_called:
            came = lambda: any(called == path for _, called in self.called)
            assert self.was_called.wait_for(came, timeout_s), f"{path} was not called"


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()

    def handle_error(self, request, client_address):
        # Whoever speaks TLS here is not understood.
        pass


class Caller(http.server.BaseHTTPRequestHandler):
    """One call: `/STATUS/HEADER/VALUE`, quoted, says what is answered; else it is 500."""

    # Whoever speaks TLS waits for a word that does not come.
    timeout = 2

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.receivers.note(self.request.getsockname()[0], self.path)
        parts = self.path.split("/")
        self.send_response(int(parts[1]) if len(parts) == 4 else 500)
        if len(parts) == 4:
            self.send_header(parts[2], urllib.parse.unquote(parts[3]))
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    do_GET = do_CONNECT = do_POST

    def log_message(self, *_):
        pass

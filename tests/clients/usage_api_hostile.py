"""Addresses for callbacks that lead to where nobody may be called, made from a seed.

Blocks are those of IANA's registries of special-purpose addresses; spellings are whatever parsers
take for an address.
"""

import ipaddress
import itertools

IPV4 = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24
    198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
""".split()
IPV6 = """
    ::/128 ::1/128 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23
    2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10
    ff00::/8
""".split()
# Somebody's on the internet; within the namespace they are the receiver's.
PUBLIC, PUBLIC_6 = "93.184.216.0/24", "2606:2800:220:1::/64"
SOMEBODY = "93.184.216.34"
FULL_WIDTH = {ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}
CIRCLED = {ord("0"): 0x24EA} | {ord("1") + n: 0x2460 + n for n in range(9)}


def within(block, draw):
    """The first, the last or another address of a block."""
    block = ipaddress.ip_network(block)
    return draw.choice([block[0], block[-1], block[draw.randrange(block.num_addresses)]])


def spellings_4(ip):
    """Hosts that stand for an IPv4 address, by the name of the spelling."""
    one, two, three, four = parts = [int(part) for part in str(ip).split(".")]
    whole, text, high = int(ip), str(ip), f"{one:02x}{two:02x}:{three:02x}{four:02x}"
    return {
        "dotted": text,
        "dot at the end": f"{text}.",
        "decimal": f"{whole}",
        "hexadecimal": f"0x{whole:08x}",
        "hexadecimal, mixed case": f"0X{whole:08X}",
        "octal": f"0{whole:o}",
        "octal parts": ".".join(f"0{part:03o}" for part in parts),
        "hexadecimal parts": ".".join(f"0x{part:x}" for part in parts),
        "parts of all kinds": f"{one}.0x{two:x}.0{three:o}.{four}",
        "two parts": f"{one}.{whole & 0xFFFFFF}",
        "three parts": f"{one}.{two}.{whole & 0xFFFF}",
        "percent": "".join(f"%{ord(char):02x}" for char in text),
        "full width": text.translate(FULL_WIDTH),
        "circled": text.translate(CIRCLED),
        "other dots": text.replace(".", "\u3002"),
        "soft hyphen": f"{text[:1]}\u00ad{text[1:]}",
        "mapped": f"[::ffff:{text}]",
        "mapped, hexadecimal": f"[::FFFF:{high}]",
        "compatible": f"[::{text}]",
        "translated": f"[::ffff:0:{text}]",
        "6to4": f"[2002:{high}::1]",
        "NAT64": f"[64:ff9b::{text}]",
        "NAT64 of an operator": f"[64:ff9b:1::{high}]",
        "ISATAP": f"[fe80::5efe:{text}]",
        "Teredo": f"[2001:0:{high}::1]",
        "zone": f"[::ffff:{text}%25lo]",
    }


def spellings_6(ip):
    """Hosts that stand for an IPv6 address, by the name of the spelling."""
    short, four = str(ip), ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    front = ip.exploded[:29]
    return {
        "short": f"[{short}]",
        "whole": f"[{ip.exploded}]",
        "capitals": f"[{ip.exploded.upper()}]",
        "an IPv4 address at the end": f"[{front}:{four}]",
        "zone": f"[{short}%25lo]",
        "zone as it is": f"[{short}%lo]",
        "zone of a number": f"[{short}%251]",
    }


def wraps(host, draw):
    """Addresses around a host; a parser that reads one otherwise must not be the one that sends."""
    scheme = draw.choice(["http", "https", "HTTP", "Https"])
    port = draw.choice(["", "", ":80", ":443", ":8080", ":22"])
    path = draw.choice(["/", "", "/hook", "/hook?a=b#c", f"/@{SOMEBODY}/", f"#@{SOMEBODY}"])
    return draw.choice(
        [
            f"{scheme}://{host}{port}{path}",
            f"{scheme}://{host}{port}{path}",
            f"{scheme}://{host}{port}{path}",
            f"{scheme}://user@{host}{port}{path}",
            f"{scheme}://user:word@{host}{port}{path}",
            f"{scheme}://{SOMEBODY}@{host}{port}{path}",
            f"{scheme}://{SOMEBODY}:80@{host}{port}{path}",
            f"{scheme}:\\\\{host}{port}{path}",
            f"{scheme}:/{host}{port}{path}",
            f"{scheme}:{host}{port}{path}",
            f" {scheme}:///{host}{port}{path} ",
            f"{scheme}://{host[:2]}\t{host[2:]}{port}{path}",
            f"{scheme}://{host[:2]}\n{host[2:]}{port}{path}",
        ]
    )


def literals(draw, count):
    """(what it is, address) for so many addresses that name a host by number."""
    blocks = [*IPV4, *IPV6]
    kinds = [(block, kind) for block in blocks for kind in spelled(within(block, draw))]
    draw.shuffle(kinds)
    for block, kind in itertools.islice(itertools.cycle(kinds), count):
        host = spelled(within(block, draw))[kind]
        yield f"{block} {kind}", wraps(host, draw)


def spelled(ip):
    return spellings_4(ip) if ip.version == 4 else spellings_6(ip)


def tricks(draw):
    """(what it is, address): parsers differ on whom these name; they may well be somebody's."""
    for block in IPV4:
        host = str(within(block, draw))
        yield f"{block} backslash", f"http://{SOMEBODY}\\@{host}/trick"
        yield f"{block} fragment", f"http://{SOMEBODY}#@{host}/trick"
        yield f"{block} question mark", f"http://{SOMEBODY}?@{host}/trick"
        yield f"{block} two hosts", f"http://{SOMEBODY}:80:{host}/trick"
        yield f"{block} two users", f"http://{SOMEBODY}@{host}@{SOMEBODY}/trick"
        yield f"{block} space", f"http://{SOMEBODY} {host}/trick"
        yield f"{block} nothing", f"http://{SOMEBODY}%00.{host}/trick"
        yield f"{block} line end", f"http://{SOMEBODY}/trick\r\nHost: {host}"


# How a name leads there: what its questions are answered, one after another; the last is repeated.
# `private` stands for the hostile address, `public` for somebody's.
ROUTES = {
    "direct": [("private",)],
    "alias": [("alias", "private")],
    "beside a public one": [("public", "private")],
    "before a public one": [("private", "public")],
    "from the second question": [("public",), ("private",)],
    "from the third question": [("public",), ("public",), ("private",)],
    "by turns": [("public",), ("private",), ("public",), ("private",)],
    "alias from the second question": [("public",), ("alias", "private")],
}


def names(draw, count):
    """(what it is, name, answers by question) for so many names; addresses in answers are text."""
    kinds = [(block, route) for block in [*IPV4, *IPV6] for route in ROUTES]
    draw.shuffle(kinds)
    for number, (block, route) in enumerate(itertools.islice(itertools.cycle(kinds), count)):
        stands_for = {"private": within(block, draw), "public": somebody(number), "alias": "alias"}
        answers = [[str(stands_for[word]) for word in words] for words in ROUTES[route]]
        yield f"{block} {route}", f"n{number}.hooks.example", answers


def somebody(number):
    block = ipaddress.ip_network(PUBLIC)
    return block[1 + number % 250]


# What a receiver answers to lead on: status and header.
LEADS = [(status, "Location") for status in (300, 301, 302, 303, 305, 307, 308)]
LEADS += [(200, "Refresh"), (200, "Alt-Svc"), (200, "Link"), (401, "WWW-Authenticate")]
LEADS += [(503, "Location"), (407, "Proxy-Authenticate")]


def leads(draw, count):
    """(what it is, status, header, its value) for so many answers that lead on."""
    kinds = [(block, lead) for block in [*IPV4, *IPV6] for lead in LEADS]
    draw.shuffle(kinds)
    for block, (status, header) in itertools.islice(itertools.cycle(kinds), count):
        spellings = spelled(within(block, draw)).values()
        host = draw.choice([host for host in spellings if host.isascii()])
        value = {
            "Refresh": f"0; url=http://{host}/led",
            "Alt-Svc": f'h2="{host}:443"; ma=9, h3="{host}:443"; ma=9',
            "Link": f"<http://{host}/led>; rel=canonical",
            "WWW-Authenticate": f'Bearer realm="http://{host}/led"',
            "Proxy-Authenticate": f'Basic realm="http://{host}/led"',
        }.get(header, f"http://{host}/led")
        yield f"{block} {status} {header}", status, header, value

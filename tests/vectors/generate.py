#!/usr/bin/env python3
"""Writes the test vectors beside this file from docs/protocol.md alone: a second implementation of the wire.

    python3 tests/vectors/generate.py            write the files
    python3 tests/vectors/generate.py --check    exit 1 if a file is not what would be written

Nothing but the standard library, and nothing from the Rust code.
"""

import hashlib
import hmac
import ipaddress
import json
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).parent
OLD, NEW, FOREIGN = bytes(range(32)), bytes(range(32, 64)), bytes([0xAA] * 32)
CELLS = {".": 0, "?": 1, "u": 2, "l": 3, "d": 4, "a": 5}
STATES = {".": 0, "?": 1, "u": 2, "d": 3}
HEARING = {"unknown": 0, "heard": 1, "silent": 2}
REASONS = {None: 0, "stopped": 1, "restarting": 2}


def node_id(name, cluster="production"):
    fields = b"".join(struct.pack(">I", len(part)) + part for part in (cluster.encode(), name.encode()))
    return hashlib.sha256(fields).digest()[:8]


def key_id(key):
    return hashlib.sha256(key).digest()[0]


def row_body(row):
    """A whole row, or those cells of one that begin at `from`."""
    planes = b""
    for bit in range(3):
        plane = bytearray((len(row["cells"]) + 7) // 8)
        for index, letter in enumerate(row["cells"]):
            plane[index // 8] |= (CELLS[letter] >> bit & 1) << (index % 8)
        planes += plane
    return struct.pack(">IIHH", row["version"], row["roster"], row.get("from", 0), row.get("total", len(row["cells"]))) + planes


def text(value):
    data = value.encode()
    return bytes([len(data)]) + data


def hello_body(hello):
    host, port = hello["address"].rsplit(":", 1)
    agent = address_bytes(host.strip("[]")) + struct.pack(">H", int(port))
    host = address_bytes(hello["host"]) + struct.pack(">H", hello["http_port"])
    return text(hello["name"]) + text(hello["zone"]) + agent + host + text(hello["version"])


def address_bytes(written):
    if written is None:
        return b"\0"
    address = ipaddress.ip_address(written)
    return bytes([address.version]) + address.packed


def relay_body(relay):
    numbers = (relay["incarnation"], relay["heard"], relay["age_microseconds"], relay["impaired"])
    return bytes.fromhex(relay["owner"]) + struct.pack(">QIIB", *numbers) + row_body(relay["row"])


def roster_body(part):
    return struct.pack(">IHH", part["digest"], part["total"], part["from"]) + b"".join(map(bytes.fromhex, part["ids"]))


def where(address):
    host, port = address.rsplit(":", 1)
    ip = ipaddress.ip_address(host.strip("[]"))
    return bytes([ip.version]) + ip.packed + struct.pack(">H", int(port))


def electorate_body(part):
    entries = b"".join(
        bytes.fromhex(entry["id"]) + struct.pack(">IB", entry["stamp"], entry["removed"]) for entry in part["electors"])
    numbers = (part["digest"], part["floor"], part["floor_stamp"], part["total"], part["from"])
    return struct.pack(">IHIHH", *numbers) + entries


def introduction_body(node):
    return text(node["name"]) + text(node["zone"]) + where(node["address"])


def wanted_body(wanted):
    return struct.pack(">IH", wanted["digest"], wanted["from"])


def rows_wanted_body(rows):
    return b"".join(
        bytes.fromhex(row["owner"]) + struct.pack(">QI", row["incarnation"], row["version"]) for row in rows)


def rows_unchanged_body(rows):
    names = ("incarnation", "version", "heard", "age_microseconds", "impaired")
    return b"".join(
        bytes.fromhex(row["owner"]) + struct.pack(">QIIIB", *(row[name] for name in names)) for row in rows)


def endpoint_states_body(block):
    states = block["states"]
    planes = [bytearray((len(states) + 7) // 8) for _ in range(2)]
    for index, letter in enumerate(states):
        for bit, plane in enumerate(planes):
            plane[index // 8] |= (STATES[letter] >> bit & 1) << (index % 8)
    return struct.pack(">IIH", block["version"], block["list"], len(states)) + b"".join(planes)


BLOCKS = {
    "row": (1, row_body),
    "row_part": (1, row_body),
    "relay": (2, relay_body),
    "challenge": (3, bytes.fromhex),
    "answer": (4, bytes.fromhex),
    "newest_incarnation": (5, lambda incarnation: struct.pack(">Q", incarnation)),
    "slept": (6, lambda slept: struct.pack(">QQ", slept["length_microseconds"], slept["ago_microseconds"])),
    "hello": (7, hello_body),
    "roster_wanted": (8, wanted_body),
    "roster": (9, roster_body),
    "electorate_wanted": (10, wanted_body),
    "electorate": (11, electorate_body),
    "nodes_wanted": (12, lambda ids: b"".join(map(bytes.fromhex, ids))),
    "introduction": (13, introduction_body),
    "rows_wanted": (15, rows_wanted_body),
    "rows_unchanged": (16, rows_unchanged_body),
    "endpoint_states": (17, endpoint_states_body),
    "also_counted": (14, lambda digests: struct.pack(f">{len(digests)}I", *digests)),
}


def block(entry):
    (name, value), = entry.items()
    code, body = BLOCKS[name][0], BLOCKS[name][1](value)
    return struct.pack(">BH", code, len(body)) + body


def header(fields, signing_key, newest_key):
    names = [name for entry in fields["blocks"] for name in entry]
    flags = (
        fields["poll"] | fields["final"] << 1 | (fields["goodbye"] is not None) << 2 | fields["impaired"] << 3
        | ("row" in names or "row_part" in names) << 4 | ("relay" in names) << 5 | HEARING[fields["hearing"]] << 6
        | fields["cut"] << 8
    )
    kind = {"heartbeat": 0, "hello": 1}[fields["kind"]]
    head = struct.pack(">BBHBBH", 1 << 4 | kind, signing_key, flags, newest_key, REASONS[fields["goodbye"]], 0)
    ids = bytes.fromhex(fields["sender"]) + bytes.fromhex(fields["receiver"])
    numbers = [fields[name] for name in (
        "sequence", "pace_microseconds", "echo_sequence", "echo_delay_microseconds", "row_version", "row_digest",
        "held_digest", "roster_digest", "electorate_digest", "epoch")]
    clock = fields["clock_milliseconds"] << 16 | fields["clock_counter"]
    return head + ids + struct.pack(">Q10IQ", fields["incarnation"], *numbers, clock)


def content(fields, signing_key, newest_key):
    data = header(fields, signing_key, newest_key) + b"".join(map(block, fields["blocks"]))
    return data.ljust(608 - 16, b"\0") if fields["kind"] == "hello" else data


def tagged(data, key):
    return data + (hmac.new(key, data, hashlib.sha256).digest()[:16] if key else bytes(16))


def fields(**changes):
    """A healthy heartbeat from node-1 to node-2, but for the changes."""
    healthy = {
        "kind": "heartbeat", "poll": False, "final": False, "goodbye": None, "impaired": False, "hearing": "heard", "cut": False,
        "sender": node_id("node-1").hex(), "receiver": node_id("node-2").hex(),
        "incarnation": 1795262400000000, "sequence": 4711, "pace_microseconds": 1000000,
        "echo_sequence": 4699, "echo_delay_microseconds": 312500,
        "row_version": 12, "row_digest": 0xA1B2C3D4, "held_digest": 0x01020304, "roster_digest": 0xCAFEF00D,
        "electorate_digest": 0xDEADBEEF, "epoch": 3,
        "clock_milliseconds": 1795266000123, "clock_counter": 5, "blocks": [],
    }
    assert changes.keys() <= healthy.keys()
    return healthy | changes


def vector(description, says, keys=(OLD,), signed_with=OLD, peer_newest=None):
    sealed = tagged(content(says, key_id(signed_with) if keys else 0, key_id(keys[-1]) if keys else 0),
                    signed_with if keys else None)
    return {
        "description": description, "keys": [key.hex() for key in keys],
        "peer_newest_key": None if peer_newest is None else key_id(peer_newest),
        "opened_by": node_id("node-2").hex(), "newest_key": key_id(keys[-1]) if keys else 0,
        "fields": says, "sealed": sealed.hex(),
    }


def refused(description, reason, sealed, **more):
    return {"description": description, "keys": [OLD.hex()], "opened_by": node_id("node-2").hex(),
            "refusal": reason, **more, "sealed": sealed.hex()}


def hello(address, host=None, http_port=0, **changes):
    who = {"name": "node-1", "zone": "east", "address": address, "host": host, "http_port": http_port,
           "version": "0.1.0"}
    return fields(kind="hello", receiver="00" * 8, hearing="unknown", sequence=1, echo_sequence=0,
                  echo_delay_microseconds=0, held_digest=0, blocks=[{"hello": who}, {"challenge": "0f" * 16}], **changes)


ROW = {"version": 13, "roster": 0xCAFEF00D, "cells": "uuldau?.uuu"}
RELAY = {"owner": node_id("node-3").hex(), "incarnation": 1795262300000000, "heard": 99, "age_microseconds": 250000,
         "impaired": True, "row": ROW | {"version": 7}}
PART = {"version": 13, "roster": 0xCAFEF00D, "total": 5000, "from": 2816, "cells": "uuldau?." * 16}
WANTED = [{"owner": node_id("node-3").hex(), "incarnation": 1795262300000000, "version": 7},
          {"owner": node_id("node-4").hex(), "incarnation": 0, "version": 0}]
UNCHANGED = [WANTED[0] | {"heard": 103, "age_microseconds": 40000, "impaired": False},
             WANTED[0] | {"owner": node_id("node-5").hex(), "heard": 12, "age_microseconds": 4294967295, "impaired": True}]
ROSTER = {"digest": 0xCAFEF00D, "total": 5, "from": 2, "ids": sorted(node_id(f"node-{n}").hex() for n in (3, 4, 5))}


ELECTORATE = {"digest": 0xBADCAB1E, "floor": 9, "floor_stamp": 1, "total": 3, "from": 1, "electors": [
    {"id": id, "stamp": stamp, "removed": stamp == 4}
    for stamp, id in zip((1, 4), sorted(node_id(f"node-{n}").hex() for n in (3, 4)))]}


def good():
    yield "healthy-heartbeat", vector("nothing to tell: 96 bytes", fields())
    yield "poll", vector("a suspected peer is asked to answer at once", fields(poll=True, hearing="silent"))
    yield "final-with-row", vector("the answer to a poll, with the sender's row", fields(final=True, blocks=[{"row": ROW}]))
    yield "goodbye", vector("the sender was told to stop", fields(goodbye="stopped"))
    yield "goodbye-restarting", vector("the sender stops to start anew", fields(goodbye="restarting"))
    yield "hello", vector("a starting agent, padded to 608 bytes, for anyone", hello("10.0.0.1:7475"))
    yield "hello-ipv6", vector("the same on IPv6", hello("[2001:db8::1]:7475"))
    yield "hello-with-host", vector("the same, with the host's address and the HTTP port",
                                    hello("10.0.0.1:7475", "192.0.2.1", 7476))
    yield "hello-with-host-ipv6", vector("an IPv4 agent on an IPv6 host", hello("10.0.0.1:7475", "2001:db8::1", 65535))
    yield "challenge-and-answer", vector(
        "a new incarnation proves that it is alive, and asks for the same",
        fields(hearing="unknown", blocks=[
            {"answer": "00112233445566778899aabbccddeeff"}, {"challenge": "ffeeddccbbaa99887766554433221100"},
            {"newest_incarnation": 1795262399999999}]))
    yield "cut", vector("the sender has a complete cut open", fields(cut=True))
    yield "relay", vector("node-3's row by way of node-1; its owner distrusted it", fields(blocks=[{"relay": RELAY}]))
    yield "rows-wanted", vector("the rows of two that the sender does not hear; it holds one of them", fields(
        blocks=[{"rows_wanted": WANTED}]))
    yield "rows-unchanged", vector("two rows are what the receiver has; the age of one does not fit", fields(
        blocks=[{"rows_unchanged": UNCHANGED}]))
    yield "endpoint-states", vector("what the probes of nine endpoints come to", fields(
        blocks=[{"endpoint_states": {"version": 12, "list": 0xFEEDBEEF, "states": "uud?.uudd"}}]))
    yield "row-part", vector("128 of the 5,000 cells of a row", fields(final=True, blocks=[{"row_part": PART}]))
    yield "relay-part", vector("a part of node-3's row by way of node-1", fields(
        blocks=[{"relay": RELAY | {"impaired": False, "row": PART}}]))
    yield "roster-wanted", vector("the rest of a roster is asked for", fields(
        blocks=[{"roster_wanted": {"digest": 0xCAFEF00D, "from": 2}}]))
    yield "roster-part", vector("three of five ids", fields(blocks=[{"roster": ROSTER}]))
    yield "electorate-wanted", vector("a peer counts by another electorate, which is asked for", fields(
        blocks=[{"electorate_wanted": {"digest": 0xBADCAB1E, "from": 1}}]))
    yield "electorate-part", vector("one joined, one was removed; nine addresses have no name yet", fields(
        blocks=[{"also_counted": [0xDEADBEEF, 0xCAFEF00D]}, {"electorate": ELECTORATE}]))
    yield "nodes-wanted", vector("two members of an electorate that the sender does not know", fields(
        blocks=[{"nodes_wanted": [entry["id"] for entry in ELECTORATE["electors"]]}]))
    yield "introductions", vector("they are introduced", fields(blocks=[
        {"introduction": {"name": "node-3", "zone": "east", "address": "10.0.0.3:7475"}},
        {"introduction": {"name": "node-4", "zone": "", "address": "[2001:db8::4]:7475"}}]))
    yield "slept", vector("two hours of suspension, more than 32 bits of microseconds hold", fields(
        impaired=True, blocks=[{"slept": {"length_microseconds": 7200000000, "ago_microseconds": 1500}}]))
    yield "insecure", vector("no keys: key ids and tag are zero", fields(), keys=())
    yield "rotation-peer-has-the-old-key", vector(
        "the sender holds two keys, the peer only the old one", fields(), (OLD, NEW), OLD, peer_newest=OLD)
    yield "rotation-peer-has-the-new-key", vector(
        "the sender holds two keys, and so does the peer", fields(), (OLD, NEW), NEW, peer_newest=NEW)
    yield "rotation-peer-never-heard", vector(
        "the sender holds two keys, and knows nothing of the peer", fields(), (OLD, NEW), OLD)
    yield "rotation-peer-is-ahead", vector(
        "the peer announced a key that has not come here", fields(), (OLD,), OLD, peer_newest=NEW)


def bad():
    data = content(fields(), key_id(OLD), key_id(OLD))
    sealed = tagged(data, OLD)
    yield "tag", refused("the last bit of the tag is wrong", "tag", sealed[:-1] + bytes([sealed[-1] ^ 1]))
    yield "altered", refused("one bit of the epoch was altered", "tag", data[:71] + bytes([data[71] ^ 1]) + sealed[72:])
    yield "truncated", refused("the last byte is missing", "too_short", sealed[:-1])
    yield "truncated-row", refused("the last byte of a larger datagram is missing", "tag",
                                   tagged(content(fields(blocks=[{"row": ROW}]), key_id(OLD), key_id(OLD)), OLD)[:-1])
    yield "unaligned-row-part", refused("a part of a row that begins in the middle of a word", "malformed", tagged(
        content(fields(blocks=[{"row_part": PART | {"from": 2817}}]), key_id(OLD), key_id(OLD)), OLD))
    yield "too-long", refused("1,201 bytes", "too_long", tagged(data.ljust(1185, b"\0"), OLD))
    yield "short-hello", refused("a hello that is not padded", "too_short", tagged(b"\x11" + data[1:], OLD))
    yield "old-version", refused("there was no version 0", "version", tagged(b"\x00" + data[1:], OLD))
    newer = {"version": 2, "sender": fields()["sender"], "incarnation": fields()["incarnation"],
             "sequence": fields()["sequence"]}
    yield "newer-version", refused("authentic, of version 2", "newer_version",
                                   tagged(b"\x2f" + data[1:] + b"unheard of", OLD), newer=newer)
    yield "forged-newer-version", refused("of version 2, with a tag of nothing", "tag", b"\x20" + data[1:] + bytes(16))
    yield "kind", refused("there is no kind 15", "kind", tagged(b"\x1f" + data[1:], OLD))
    elsewhere = content(fields(receiver=node_id("node-9").hex()), key_id(OLD), key_id(OLD))
    yield "receiver", refused("for node-9, whose address node-2 has now", "receiver", tagged(elsewhere, OLD))
    anyone = content(fields(receiver="00" * 8), key_id(OLD), key_id(OLD))
    yield "heartbeat-for-anyone", refused("only a hello may be for anyone", "receiver", tagged(anyone, OLD))
    yield "unknown-key", refused("signed with a key of another cluster", "key",
                                 tagged(content(fields(), key_id(FOREIGN), key_id(FOREIGN)), FOREIGN))
    yield "short-block", refused("a challenge of 15 bytes", "malformed", tagged(data + b"\x03\x00\x0f" + bytes(15), OLD))
    yield "short-rows-wanted", refused("an entry of 19 bytes asks for a row", "malformed",
                                       tagged(data + b"\x0f\x00\x13" + bytes(19), OLD))
    yield "unfinished-block", refused("a block that is longer than what is left", "malformed",
                                      tagged(data + b"\x03\x00\x11" + bytes(16), OLD))
    yield "padding", refused("something in the padding", "malformed", tagged(data + b"\x00\x00\x01", OLD))
    yield "hello-without-address", refused("a hello with no address of its agent", "malformed",
                                           tagged(data + b"\x07\x00\x09" + bytes(9), OLD))
    yield "nobody", refused("a sender of 0", "malformed",
                            tagged(content(fields(sender="00" * 8), key_id(OLD), key_id(OLD)), OLD))


def main():
    files = dict(good()) | {f"refused-{name}": vector for name, vector in bad()}
    wanted = {HERE / f"{name}.json": json.dumps(vector, indent=2) + "\n" for name, vector in files.items()}
    if "--check" in sys.argv:
        found = {path: path.read_text() for path in HERE.glob("*.json")}
        stale = sorted(path.name for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))
        sys.exit(f"not as generated: {', '.join(stale)}" if stale else 0)
    for path, data in wanted.items():
        path.write_text(data)


main()

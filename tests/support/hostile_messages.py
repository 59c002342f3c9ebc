"""Messages of the plan topic as nobody should send them: valid plans, and what becomes of them in hostile hands. Seeded."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["ARM", "CLOCK_MS", "EXPERIMENT", "RUN", "HostileMessage", "hostile_messages"]

EXPERIMENT, ARM, RUN = "exp", "aura", "run-1"
KEY = f"{EXPERIMENT}/{ARM}/0".encode()
CLOCK_MS = 1_000_000
"""Where the arm's clock stands while the messages come."""

Fields = dict[str, Any]
FIELDS = (
    "evict", "prefetch", "policy", "version", "plan_id", "run", "arm", "window", "shard", "context_id", "planner", "replica",
    "issued_at", "apply_at", "expires_at", "latency_s", "outcome", "reason", "answer", "guard",
)  # fmt: skip
TEXTS = ("plan_id", "run", "arm", "planner", "replica", "reason", "answer", "context_id", "guard", "outcome")
KEYS = (
    "aura:state", "aura:config", "aura:policy", "aura:plans", "aura:plan:x", "user:1", "session:1", "item", "items:1", "ITEM:1",
    " item:1", "item:", "item: ", "item:*", "item:[a-z]?", "item:a:b", "item:a/b", "item:{1}2", "item:a\nb", "item:a\r\nFLUSHALL\r\n",
    "item:\0", "item:a\x7f", "item:\t", "\ufeffitem:1", "item:\u202e1", "item:é", "item:😀", "item:" + "k" * 245, "item:" + "k" * 246,
    "item:" + "é" * 123, "*1\r\n$8\r\nFLUSHALL\r\n", "$-1\r\n", "", "*", "../item:1", "item:1;DEL aura:state", "__proto__",
)  # fmt: skip
NUMBERS = (
    "-1", "-0", "0", "1e400", "-1e400", "1e308", "NaN", "Infinity", "-Infinity", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "18446744073709551616", "1.5", "1e3", "0x10", "01", "1" * 400, "1" * 5000, "1e99999", "+1", "1_000",
)  # fmt: skip
FRAGMENTS = (
    b"*1\r\n$8\r\nFLUSHALL\r\n", b"*3\r\n$3\r\nSET\r\n$10\r\naura:state\r\n$1\r\nx\r\n", b"$-1\r\n", b"+OK\r\n", b"FLUSHALL\r\n",
    b"", b"\0", b"null", b"true", b"[]", b"\"plan\"", b"{", b"}", b"{}{}", b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b"{'evict': []}",
    b"```json\n{}\n```", b"GET / HTTP/1.1\r\n\r\n", b"\xed\xa0\x80", b"\xc0\xaf", b"{\"evict\": [\"item:1\"]",
)  # fmt: skip
MESSAGE_KEYS = (
    None, b"", b"/", b"//", b"a/b/c/d", b"exp/aura", b"exp/aura/x", b"exp/aura/-1", b"exp/aura/1", b"exp/aura/99999999999999999999",
    b"exp/random/0", b"other/aura/0", b"\xff\xfe/aura/0", b"exp/\xff/0", b"exp/aura/0\r\n", b"k" * 5000,
)  # fmt: skip


@dataclass(frozen=True)
class HostileMessage:
    """One message; a payload of None is a tombstone."""

    key: bytes | None
    payload: bytes | None


def hostile_messages(count: int, seed: int) -> Iterator[HostileMessage]:
    """`count` messages, the same for the same seed; about one in ten thousand is as large as a message may be."""
    lots = random.Random(seed)
    ids: list[str] = []
    kinds, weights = zip(*KINDS, strict=True)
    for number in range(count):
        plan = _plan(lots, number)
        made: HostileMessage = lots.choices(kinds, weights)[0](lots, plan, ids)
        ids.append(plan["plan_id"])
        del ids[:-200]
        yield made


def _plan(lots: random.Random, number: int) -> Fields:
    """A plan that an executor carries out; half of them with all of the envelope."""
    plan: Fields = {"plan_id": f"p-{number}", "run": RUN}
    if lots.random() < 0.7:
        plan["evict"] = [f"item:{lots.randrange(500)}" for _ in range(lots.randrange(4))]
        plan["prefetch"] = [{"k": f"item:{lots.randrange(500)}", "v": "payload", "ttl": lots.choice((5, 900, 86_400))}]
    if lots.random() < 0.3:
        rule = {"on": "request", "expand": "covisit", "confidence": "high", "fanout": lots.randrange(1, 11)}
        plan["policy"] = {"frequency": "low", "admit": "all", "ttl": {"tea": "long"}, "protect": ["tea"], "rules": [rule]}
    if lots.random() < 0.5:
        plan |= {
            "version": 1,
            "arm": ARM,
            "window": number,
            "shard": 0,
            "planner": "heuristic",
            "latency_s": 0.5,
            "issued_at": 1.5,
        }
        plan |= {"apply_at": CLOCK_MS - 5, "expires_at": CLOCK_MS + 5, "outcome": "planned", "answer": "{}", "reason": None}
    return plan


def _text(lots: random.Random, plan: Fields) -> str:
    return json.dumps(plan, ensure_ascii=lots.random() < 0.5, separators=lots.choice(((",", ":"), (", ", ": "))))


def _sent(lots: random.Random, plan: Fields) -> HostileMessage:
    return HostileMessage(KEY, _text(lots, plan).encode("utf-8", "surrogatepass"))


def _valid(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    return _sent(lots, plan)


def _cut(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    text = _text(lots, plan).encode()
    return HostileMessage(KEY, text[: lots.randrange(len(text))])


def _flipped(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    text = bytearray(_text(lots, plan).encode())
    for _ in range(lots.randrange(1, 4)):
        text[lots.randrange(len(text))] = lots.randrange(256)
    return HostileMessage(KEY, bytes(text))


def _fragment(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    fragment, text = lots.choice(FRAGMENTS), _text(lots, plan).encode()
    return HostileMessage(KEY, lots.choice((fragment, fragment + text, text + fragment, text + text)))


def _tombstone(_lots: random.Random, _plan: Fields, _ids: list[str]) -> HostileMessage:
    return HostileMessage(KEY, None)


def _mistyped(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    junk: tuple[Any, ...] = (
        None,
        True,
        1,
        -1,
        1.5,
        "x",
        "",
        [],
        {},
        [[]],
        [None],
        [1],
        {"a": 1},
        ["item:1", 2],
        [{"k": 1}],
        [{"k": "item:1", "v": "v"}],
    )
    plan[lots.choice(FIELDS)] = lots.choice(junk)
    return _sent(lots, plan)


def _numbered(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    # apply_at stays out: a plan whose time is near is right to wait.
    plan[lots.choice(("window", "shard", "version", "latency_s", "issued_at", "expires_at", "policy", "evict"))] = "@"
    return HostileMessage(KEY, _text(lots, plan).replace('"@"', lots.choice(NUMBERS)).encode())


def _keyed(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    plan["evict"] = [lots.choice(KEYS) for _ in range(lots.randrange(1, 5))]
    plan["prefetch"] = [
        {"k": lots.choice(KEYS), "v": lots.choice(KEYS), "ttl": lots.randrange(-5, 5000)} for _ in range(lots.randrange(3))
    ]
    return _sent(lots, plan)


def _crowded(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    count = lots.choice((19, 20, 21, 100))
    plan["evict"] = [f"item:{lots.randrange(500)}" for _ in range(count)]
    plan["prefetch"] = [{"k": f"item:{lots.randrange(500)}", "v": "", "ttl": 60} for _ in range(count)]
    return _sent(lots, plan)


def _foreign(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    name, value = lots.choice((("run", "run-2"), ("run", ""), ("run", "run-1 "), ("arm", "random"), ("arm", ""), ("shard", 1)))
    plan[name] = value
    return _sent(lots, plan)


def _again(lots: random.Random, plan: Fields, ids: list[str]) -> HostileMessage:
    if ids:
        plan["plan_id"] = lots.choice(ids)
    return _sent(lots, plan)


def _mistimed(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    late = {"apply_at": 0, "expires_at": lots.choice((0, CLOCK_MS - 1))}
    never = {"apply_at": lots.choice((CLOCK_MS + 1, 2**53, 2**63 - 1)), "expires_at": CLOCK_MS}
    far = {"apply_at": lots.choice((CLOCK_MS + 10**9, 2**53, 2**63 - 1)), "expires_at": lots.choice((2**63 - 1, None))}
    plan |= lots.choice((late, never, far))
    return _sent(lots, plan)


def _named(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    plan["plan_id"] = lots.choice(
        ("", "x" * 200, "x" * 201, "é" * 200, "a\r\nb", "aura:state", "*", "\0", "applied,1,2", "vetoed,0,0")
    )
    return _sent(lots, plan)


def _surrogate(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    plan[lots.choice(TEXTS)] = "@"
    escaped = lots.choice(("\\ud800", "\\udfff\\ud800", "\\ud83d\\ude00", "\\u0000", "\\x", "\\u12", "\ud800", "\x00", "\n"))
    return HostileMessage(KEY, _text(lots, plan).replace('"@"', f'"{escaped}"').encode("utf-8", "surrogatepass"))


def _repeated_name(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    return HostileMessage(KEY, b'{"run":"run-1",' + _text(lots, plan)[1:].encode())


def _nested(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    depth = 100_000 if lots.random() < 0.001 else lots.choice((61, 62, 63, 64, 65, 127, 128, 200))
    left, right = lots.choice((("[", "]"), ('{"a":', "}")))
    value = left * depth + ("1" if left != "[" else "") + right * depth
    return HostileMessage(KEY, f'{_text(lots, plan)[:-1]},"x":{value}}}'.encode())


def _versioned(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    plan["version"] = lots.choice((-1, 0, 1, 2, 3, 2**62))
    return _sent(lots, plan)


def _misaddressed(lots: random.Random, plan: Fields, ids: list[str]) -> HostileMessage:
    inner = lots.choice((_valid, _cut, _mistyped, _versioned))(lots, plan, ids)
    return HostileMessage(lots.choice(MESSAGE_KEYS), inner.payload)


def _huge(lots: random.Random, plan: Fields, _ids: list[str]) -> HostileMessage:
    size = lots.choice((70_000, 900_000, 1_048_000, 1_060_000))
    filler = lots.choice(("x", "\x7f", "\\u0000", "é", "\\n"))
    filler *= size // len(filler.encode())
    whole = lots.choice((
        '{"answer":"@"}', '{"run":"@"}', '{"arm":"aura","planner":"@","evict":1}', '{"policy":{"frequency":"@"}}', '{"plan_id":"@"}',
        '{"prefetch":[{"k":"item:1","v":"@","ttl":60}]}', '{"evict":["@"]}', '{"@":1,"@":2}', "@", '["@"]',
    ))  # fmt: skip
    if lots.random() < 0.3:
        piece = lots.choice(('""', "[]", "{}", "0", '{"k":"","v":"","ttl":0}'))
        field = lots.choice(('{"evict":[@]}', '{"prefetch":[@]}', '{"policy":{"protect":[@]}}', '{"x":[@]}'))
        return HostileMessage(KEY, field.replace("@", ",".join([piece] * (1_000_000 // (len(piece) + 1)))).encode())
    return HostileMessage(KEY, whole.replace("@", filler).encode())


KINDS: tuple[tuple[Callable[[random.Random, Fields, list[str]], HostileMessage], float], ...] = (
    (_valid, 10), (_cut, 8), (_flipped, 10), (_fragment, 6), (_tombstone, 1), (_mistyped, 12), (_numbered, 8), (_keyed, 12),
    (_crowded, 2), (_foreign, 5), (_again, 5), (_mistimed, 5), (_named, 3), (_surrogate, 5), (_repeated_name, 2), (_nested, 3),
    (_versioned, 3), (_misaddressed, 5), (_huge, 0.01),
)  # fmt: skip

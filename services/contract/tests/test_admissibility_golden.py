"""The executor's rules: the same vectors that the executor's own tests read."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_contract.admissibility import KEY_PREFIX, Admissible, Refused, admissible
from aura_contract.limits import ExecutorSpec
from aura_contract.receipt import DeadLetter, Receipt

GOLDEN = Path(__file__).parents[1] / "golden"
VECTORS: list[dict[str, Any]] = json.loads((GOLDEN / "plan_admissibility.json").read_text(encoding="utf-8"))


def payload_of(vector: dict[str, Any]) -> bytes:
    if "payload_base64" in vector:
        return base64.b64decode(vector["payload_base64"])
    if "payload_parts" in vector:
        return "".join(text * times for text, times in vector["payload_parts"]).encode()
    return str(vector["payload"]).encode()


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_vector(vector: dict[str, Any]) -> None:
    caps = ExecutorSpec.model_validate(vector.get("caps", {}))

    verdict = admissible(payload_of(vector), caps)

    expect = vector["expect"]
    if isinstance(verdict, Refused):
        assert {"fault": verdict.reason} == expect, verdict.detail
    else:
        assert {
            "evict": list(verdict.evict),
            "prefetch": [{"k": action.k, "ttl": action.ttl} for action in verdict.prefetch],
            "clamped": verdict.clamped,
            "refused": verdict.refused,
        } == expect


def test_every_reason_has_a_vector() -> None:
    expected = [vector["expect"] for vector in VECTORS]
    faults = {expect["fault"] for expect in expected if "fault" in expect}
    reasons = {reason for expect in expected for reason in expect.get("refused", ())}
    assert faults == {"too_large", "not_json", "schema", "version"}
    assert reasons == {"foreign_key", "bad_key", "repeated_key", "value_too_large", "over_cap"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("item:1"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["evict", "prefetch", "k", "v", "ttl", "policy", "window", "x"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_gets_a_verdict_within_the_caps(payload: bytes) -> None:
    caps = ExecutorSpec(max_evict=2, max_prefetch=2, ttl_min=60, ttl_max=90)
    verdict = admissible(payload, caps)
    if isinstance(verdict, Admissible):
        keys = [*verdict.evict, *(action.k for action in verdict.prefetch)]
        assert all(key.startswith(KEY_PREFIX) for key in keys)
        assert len(set(keys)) == len(keys)
        assert len(verdict.evict) <= 2
        assert len(verdict.prefetch) <= 2
        assert all(60 <= action.ttl <= 90 for action in verdict.prefetch)


def test_the_executors_receipts_are_read_as_they_were_written() -> None:
    golden = json.loads((GOLDEN / "receipts.json").read_text(encoding="utf-8"))
    assert {"receipts", "dead_letters"} == set(golden)
    for receipt in golden["receipts"]:
        assert Receipt.model_validate(receipt, strict=True).model_dump(mode="json") == receipt
    for letter in golden["dead_letters"]:
        assert DeadLetter.model_validate(letter, strict=True).model_dump(mode="json") == letter

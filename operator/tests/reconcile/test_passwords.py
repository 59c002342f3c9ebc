"""Passwords are those of the Secret; what it lacks is filled in where the servers can still be told."""

import base64
from typing import Any

import pytest
from operator_samples import child

from aura_operator.builders import secrets
from aura_operator.reconcile.passwords import completed, in_use

ALL = {"redis", "kafka", "mongodb", "milvus"}


def secret(**passwords: str) -> dict[str, Any]:
    return {"data": {part: base64.b64encode(text.encode()).decode() for part, text in passwords.items()}}


def workload(kind: str, component: str, *variables: str) -> dict[tuple[str, str], Any]:
    container = {"name": component, "env": [{"name": name, "value": "x"} for name in variables]}
    item = child(kind, component, spec={"template": {"spec": {"containers": [container]}}})
    return {(kind, item["metadata"]["name"]): item}


def test_each_part_has_a_password_of_24_random_bytes_of_its_own() -> None:
    found = completed(None, {})
    assert found.keys() == ALL
    assert len(set(found.values())) == len(ALL)
    assert all(len(base64.urlsafe_b64decode(password)) == 24 for password in found.values())


def test_only_what_a_secret_lacks_is_filled_in() -> None:
    made_earlier = secret(redis="of-redis", mongodb="of-mongodb")
    assert secrets.read(made_earlier) == {"redis": "of-redis", "mongodb": "of-mongodb"}
    found = completed(made_earlier, {})
    assert (found["redis"], found["mongodb"]) == ("of-redis", "of-mongodb")
    assert len(found["kafka"]) == len(found["milvus"]) == 32


def test_a_secret_that_has_lost_one_gets_it_again() -> None:
    before = completed(None, {})
    assert completed(secret(redis=before["redis"], kafka=""), before) == before
    assert completed(None, before) == before


@pytest.mark.parametrize(
    ("observed", "started", "lacking"),
    [
        ({}, False, set()),
        ({}, True, set()),
        (workload("Job", "replayer", "AURA_KAFKA"), True, {"kafka"}),
        # Before the start the Job is made anew.
        (workload("Job", "replayer", "AURA_KAFKA"), False, set()),
        (workload("Job", "replayer", "AURA_KAFKA_PASSWORD"), True, set()),
        (workload("StatefulSet", "milvus"), False, {"milvus"}),
        (workload("StatefulSet", "milvus", "COMMON_SECURITY_DEFAULTROOTPASSWORD"), True, set()),
    ],
)
def test_what_an_earlier_operator_started_is_not_locked_out(observed: Any, started: bool, lacking: set[str]) -> None:
    passwords = completed(None, {})
    found = in_use(passwords, "grocer", observed, started=started)
    assert passwords.keys() - found.keys() == lacking
    assert found.items() <= passwords.items()

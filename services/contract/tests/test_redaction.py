"""Addresses and manifests as they may be shown."""

import re

import pytest
import yaml

from aura_contract.dependencies import LOGIN
from aura_contract.manifest import ManifestError, parse_manifest
from aura_contract.redaction import redacted, redacted_manifest

SECRET = [
    ("redis://:pw@host:1/0", "redis://***@host:1/0"),
    ("user:p@w@host:1", "***@host:1"),
    ("mongodb+srv://u:p@host/db?authSource=admin", "mongodb+srv://***@host/db?authSource=admin"),
    ("HTTPS://token@host/v1", "HTTPS://***@host/v1"),
]
OPEN = ["host:1", "a:1,b:2", "http://host/a@b", "http://[::1]:80/v1?user=a@b", "mongodb://a:1,b/db"]


@pytest.mark.parametrize(("address", "shown"), SECRET)
def test_a_login_is_hidden_and_refused_in_a_cluster(address: str, shown: str) -> None:
    assert redacted(address) == shown
    assert re.search(f"(?i){LOGIN}", address)


@pytest.mark.parametrize("address", OPEN)
def test_an_address_without_one_stays_as_it_is(address: str) -> None:
    assert redacted(address) == address
    assert not re.search(LOGIN, address)


def test_signatures_and_tokens_of_a_url_are_hidden() -> None:
    url = "https://bucket/log.csv?X-Amz-Expires=60&X-Amz-Signature=abc&X-Amz-Security-Token=d%2Be#top"
    hidden = "https://bucket/log.csv?X-Amz-Expires=60&X-Amz-Signature=***&X-Amz-Security-Token=***#top"
    assert redacted(url) == hidden


def test_only_addresses_of_a_manifest_are_changed() -> None:
    plain = "# mine\nspec: {workload: {source: {url: 'https://host/log.csv'}, columns: {item: 'a@b'}}}\n"
    assert redacted_manifest(plain) == plain
    text = redacted_manifest(
        plain.replace("https://host", "https://u:p@host") + "more: ['u:p@x']\nendpoints: {aura: 'u:p@h:1'}\n"
    )
    found = yaml.safe_load(text)
    assert found["spec"]["workload"] == {"source": {"url": "https://***@host/log.csv"}, "columns": {"item": "a@b"}}
    assert (found["more"], found["endpoints"]) == (["u:p@x"], {"aura": "***@h:1"})


def test_a_manifest_that_is_wrong_is_quoted_without_its_login() -> None:
    text = "spec: {dependencies: {kafka: {external: 'u:secret-word@k:9092'}}}"
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text)
    assert "'***@k:9092'" in str(caught.value)
    assert "secret-word" not in str(caught.value)

"""Certificates, servers, and an environment without credentials."""

import os
from collections.abc import Iterator

import pytest
from tls_front import Certificates, make_certificates

from aura_cli.embedded import Household
from aura_contract.credentials import PARTS


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    with Household(tmp_path_factory.mktemp("logs")) as house:
        yield house


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(tuple(f"AURA_{part}_" for part in PARTS)):
            monkeypatch.delenv(name)

"""Certificates, servers, and an environment without credentials."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tls_front import Certificates, make_certificates

from aura_cli.embedded import Household
from aura_cli.embedded.ports import answers, free_port, wait_until
from aura_contract.credentials import PARTS, Part


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    with Household(tmp_path_factory.mktemp("logs")) as house:
        yield house


@pytest.fixture(scope="session")
def milvus_lite(servers: Household, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Port of Milvus Lite's own server, which speaks no TLS and takes no password."""
    port, folder = free_port(), tmp_path_factory.mktemp("milvus")
    argv = [str(Path(sys.executable).with_name("milvus-lite")), "server", "--data-dir", str(folder), "--host", "127.0.0.1"]
    server = servers.start("milvus", "Milvus Lite", [*argv, "--port", str(port)], abrupt=True)
    wait_until(partial(answers, port), server, 60, lambda: None)
    return port


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(tuple(f"AURA_{part}_" for part in PARTS)):
            monkeypatch.delenv(name)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets credentials of a part in the environment, by their names."""

    def set_all(part: Part, **fields: object) -> None:
        for field, value in fields.items():
            monkeypatch.setenv(f"AURA_{part}_{field.upper()}", str(value))

    return set_all

"""The command: flags, exit codes, and messages without a traceback."""

import socket
from pathlib import Path

import pytest

from aura_operator import main as command
from aura_operator.main import main

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:PORT"}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
users: [{name: nobody, user: {}}]
"""


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig of a cluster that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.replace("PORT", str(port)))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "aura-operator --namespace team-a --namespace team-b" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [["--wrong"], ["--log-level", "loud"], ["--priority", "high"]])
def test_a_wrong_flag_ends_with_2(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2
    assert flags[0] in capsys.readouterr().err


@pytest.mark.parametrize("listen", ["8080:", "0.0.0.0", "host:port", "host:-1", "0.0.0.0:70000", ""])
def test_a_wrong_address_ends_with_2(listen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--listen", listen]) == 2
    message = f"aura-operator: --listen {listen} is not HOST:PORT; write it like 0.0.0.0:8080\n"
    assert capsys.readouterr().err == message


def test_settings_that_cannot_be_read_end_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings", str(tmp_path / "no.yaml")]) == 2
    assert capsys.readouterr().err == f"aura-operator: {tmp_path}/no.yaml: cannot be read: No such file or directory\n"


def test_a_cluster_that_does_not_answer_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--listen", "127.0.0.1:0", "--log-level", "error"]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("aura-operator: the cluster cannot be used: ")
    assert last.endswith("; check the kubeconfig or the service account")


def test_no_kubeconfig_at_all_ends_with_1(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    assert main(["--listen", "127.0.0.1:0", "--log-level", "error"]) == 1
    assert "the cluster cannot be used: " in capsys.readouterr().err


def test_a_port_that_is_taken_ends_with_2(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "connect", lambda *_: object())
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert main(["--listen", address]) == 2
    assert f"aura-operator: --listen {address} cannot be used: " in capsys.readouterr().err


def test_each_of_several_operators_has_a_priority_of_its_own() -> None:
    assert len({command._parser().parse_args([]).priority for _ in range(4)}) > 1

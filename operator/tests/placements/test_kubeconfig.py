"""What a kubeconfig may say, and the exact sentence for everything else."""

import base64
import ssl
from typing import Any

import pytest
import yaml

from aura_operator.builders.certificates import issue
from aura_operator.placements.kubeconfig import KubeconfigError, parse

SERVER = "https://203.0.113.7:6443"
WAYS = "give a token, client-certificate-data with client-key-data, or username with password"


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(*, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **changes: Any) -> str:
    found = {
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": "s3cret"} if user is None else user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return yaml.safe_dump({**found, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "is not valid YAML at line 1, column 5"),
        ("just words", "is no kubeconfig: it needs clusters, contexts and users"),
        ("clusters: {}\nusers: []\ncontexts: []", "is no kubeconfig: it needs clusters, contexts and users"),
        (kubeconfig(**{"current-context": ""}), "has no current-context; set the placement's context"),
        (kubeconfig(**{"current-context": "y"}), "has no context y (it has x)"),
        (kubeconfig(contexts=[{"name": "x", "context": {"cluster": "d", "user": "u"}}]), "has no cluster d (it has c)"),
        (kubeconfig(contexts=[{"name": "x", "context": {"cluster": "c"}}]), "is incomplete: context x has no user"),
        (kubeconfig(cluster={"server": ""}), "is incomplete: cluster c has no server"),
        (kubeconfig(cluster={"server": "http://a:1"}), "has the server http://a:1; write it like https://203.0.113.7:6443"),
        (kubeconfig(cluster={"server": "https://u:p@"}), "has the server https://***@; write it like https://203.0.113.7:6443"),
        (kubeconfig(user={}), f"is of no use: user u has nothing to log in with; {WAYS}"),
        (kubeconfig(user={"username": "me"}), f"is of no use: user u has nothing to log in with; {WAYS}"),
        (kubeconfig(user={"token": 7}), "is of no use: token of u is no text; put it into quotes"),
        (kubeconfig(user={"token": "two\nlines"}), "is of no use: user u has a token that is not one line of text"),
        (
            kubeconfig(cluster={"certificate-authority-data": "%"}),
            "is of no use: certificate-authority-data of c is no PEM file in base64",
        ),
        ("x" * 300_000, "is larger than 64 KiB"),
    ],
)
def test_what_is_no_kubeconfig_is_said_exactly(text: str, message: str) -> None:
    with pytest.raises(KubeconfigError) as refused:
        parse(text, None)
    assert (refused.value.reason, str(refused.value)) == ("KubeconfigInvalid", message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"user": {"exec": {"command": "sh"}}},
            f"is refused: user u uses exec, which would run a program in the operator's pod; {WAYS}",
        ),
        (
            {"user": {"auth-provider": {"name": "gcp"}}},
            f"is refused: user u uses auth-provider, which would run code in the operator's pod; {WAYS}",
        ),
        (
            {"user": {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}},
            "is refused: user u names a file (tokenFile), and the operator reads none for it; put its content into token",
        ),
        (
            {"user": {"client-key": "/etc/passwd", "token": "t"}},
            "is refused: user u names a file (client-key), and the operator reads none for it; put its content into client-key-data",
        ),
        (
            {"cluster": {"certificate-authority": "/etc/ssl/ca.pem"}},
            (
                "is refused: cluster c names a file (certificate-authority), and the operator reads none for it; "
                "put its content into certificate-authority-data"
            ),
        ),
        (
            {"cluster": {"insecure-skip-tls-verify": True}},
            "is refused: cluster c skips the verification of certificates; give certificate-authority-data",
        ),
        (
            {"cluster": {"proxy-url": "http://p"}},
            "is refused: cluster c uses proxy-url, which the operator does not support; leave it out",
        ),
        ({"user": {"token": "t", "as": "root"}}, "is refused: user u uses as, which the operator does not support; leave it out"),
    ],
)
def test_what_would_run_programs_or_read_files_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(KubeconfigError) as refused:
        parse(kubeconfig(**change), None)
    assert (refused.value.reason, str(refused.value)) == ("KubeconfigRefused", message)


def test_the_ways_to_log_in() -> None:
    assert parse(kubeconfig(), None).headers == {"Authorization": "Bearer s3cret"}
    basic = parse(kubeconfig(user={"username": "me", "password": "pw"}), None)
    assert basic.headers == {"Authorization": f"Basic {coded('me:pw')}"}
    pems = issue("203.0.113.7")
    pair = {"client-certificate-data": coded(pems.certificate), "client-key-data": coded(pems.key)}
    found = parse(kubeconfig(user=pair, cluster={"certificate-authority-data": coded(pems.ca)}), None)
    assert not found.headers
    assert found.tls().verify_mode == ssl.CERT_REQUIRED
    other = {**pair, "client-key-data": coded(issue("203.0.113.7").key)}
    with pytest.raises(KubeconfigError, match="a certificate and a key that do not belong together"):
        parse(kubeconfig(user=other), None).tls()


def test_a_context_may_be_chosen() -> None:
    users = [{"name": "u", "user": {"token": "mine"}}, {"name": "v", "user": {"token": "other"}}]
    contexts = [{"name": name, "context": {"cluster": "c", "user": user}} for name, user in (("x", "u"), ("y", "v"))]
    text = kubeconfig(users=users, contexts=contexts)
    assert parse(text, None).headers["Authorization"] == "Bearer mine"
    assert parse(text, "y").headers["Authorization"] == "Bearer other"


def test_a_login_shows_no_secret() -> None:
    assert "s3cret" not in repr(parse(kubeconfig(), None))

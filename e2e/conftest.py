"""One cluster for all tests, a restricted namespace for each, and what is kept of those that fail."""

import json
import re
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

# Test folders are no packages, so what test modules share has to be put on the path.
sys.path.insert(0, str(Path(__file__).parent))

import evidence
from cluster import Cluster, Namespace
from installation import OUT, RESTRICTED, SYSTEM, Options, install, remove
from operator_pod import system

PHASES = pytest.StashKey[dict[str, bool]]()
OPTIONS = Options.read()
LONGEST = [
    "test_clusters.py",
    "test_quickstart.py",
    "test_monitoring.py",
    "test_kills.py",
    "test_shards.py",
    "test_ollama.py",
    "test_scale.py",
    "test_upgrade.py",
    "test_external.py",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")
    # The longest first, so that no worker is left with one of them at the end.
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def _leads(config: pytest.Config) -> bool:
    """Whether this process is no worker of pytest-xdist, and has tests to run."""
    return not hasattr(config, "workerinput") and not config.option.collectonly


def pytest_sessionstart(session: pytest.Session) -> None:
    if not _leads(session.config):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    say = reporter.write_line if reporter else print
    try:
        install(OPTIONS, lambda line: say(f"e2e: {line}"))
    except AssertionError as error:
        if OPTIONS.kubeconfig.exists():
            evidence.keep(Cluster(OPTIONS.kubeconfig).namespace(SYSTEM), OUT / "installation")
        remove(OPTIONS)
        pytest.exit(f"e2e: {error}", returncode=1)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _leads(session.config):
        remove(OPTIONS)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Seconds of each case and what it measured, also as e2e/out/summary.json."""
    rows = []
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if outcome == "error" or report.when == "call":
                case = report.nodeid.rpartition("/")[2]
                rows.append(
                    {"case": case, "outcome": outcome, "seconds": round(report.duration, 1), **dict(report.user_properties)}
                )
    if not rows:
        return
    terminalreporter.section("e2e")
    for row in rows:
        measured = ", ".join(f"{key} {value}" for key, value in row.items() if key not in ("case", "outcome", "seconds"))
        terminalreporter.write_line(f"{row['outcome']:6} {row['seconds']:6.1f} s  {row['case']}  {measured}")
    (OUT / "summary.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash.setdefault(PHASES, {})[report.when] = report.failed
    if report.failed:
        folder = OUT / item.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{report.when}.txt").write_text(report.longreprtext, encoding="utf-8")
    return report


@pytest.fixture(scope="session")
def options() -> Options:
    return OPTIONS


@pytest.fixture(scope="session")
def cluster(options: Options) -> Cluster:
    return Cluster(options.kubeconfig)


@pytest.fixture
def new_namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Callable[[], Namespace]]:
    """Makes namespaces that enforce the restricted Pod Security Standard; of a failed test everything is kept first."""
    made: list[Namespace] = []
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")[:30].strip("-")

    def make() -> Namespace:
        namespace = cluster.namespace(f"{name}-{uuid.uuid4().hex[:4]}")
        namespace.create(RESTRICTED)
        made.append(namespace)
        return namespace

    yield make
    if any(request.node.stash.get(PHASES, {}).values()):
        folder = OUT / request.node.name
        for namespace in made:
            evidence.keep(namespace, folder / namespace.name)
        evidence.keep(system(cluster), folder / SYSTEM)
    for namespace in made:
        namespace.delete()


@pytest.fixture
def namespace(new_namespace: Callable[[], Namespace]) -> Namespace:
    return new_namespace()

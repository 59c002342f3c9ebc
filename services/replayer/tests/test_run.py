"""Whole runs of the replayer as a process of its own, with a real planner process beside it."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis

from aura_bus import Subscriber
from aura_contract.context import ContextSnapshot, context_id
from aura_contract.results import Ending, Progress, Verdict, WindowRecord
from aura_contract.topics import Topics

ROWS = 60_000
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: {name}}}
spec:
  workload: {{source: {{dataset: complete-journey}}, requests: [purchase], limit: {rows}}}
  catalog: {{source: {{dataset: complete-journey}}}}
  cache: {{capacity: 5%}}
  planner: {{backend: noop}}
  dependencies: {{kafka: {{topicPrefix: {name}-}}}}
"""

Start = Callable[..., subprocess.Popen[str]]


class Parts:
    """Servers and folders of one run."""

    def __init__(self, folder: Path, name: str, kafka: str, urls: dict[str, str], rows: int = ROWS) -> None:
        self.folder, self.name, self.kafka, self.urls = folder, name, kafka, urls
        self.manifest = folder / "experiment.yaml"
        self.manifest.write_text(MANIFEST.format(name=name, rows=rows))
        self.out = folder / "out"
        self.processes: list[subprocess.Popen[str]] = []

    def planner(self) -> None:
        self._start("aura_planner", "--listen", "127.0.0.1:0")

    def replayer(self, *more: str) -> subprocess.Popen[str]:
        arms = [part for name, url in self.urls.items() for part in ("--arm", f"{name}={url}")]
        return self._start("aura_replayer", "--out", str(self.out), "--ending", str(self.folder / "ending"), *arms, *more)

    def _start(self, module: str, *options: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", module, "--manifest", str(self.manifest), "--run", "r1", "--kafka", self.kafka, *options]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def verdict(self) -> Verdict:
        return Verdict.model_validate_json((self.out / "verdict.json").read_text())

    def windows(self) -> list[WindowRecord]:
        lines = (self.out / "windows.jsonl").read_text().splitlines()
        return [WindowRecord.model_validate_json(line) for line in lines]

    def ending(self) -> Ending:
        return Ending.model_validate_json((self.folder / "ending").read_text())


@pytest.fixture
def parts(tmp_path: Path, kafka: str, new_redis: Callable[[], str], request: pytest.FixtureRequest) -> Iterator[Parts]:
    name = request.node.name.replace("_", "-")[:39].strip("-")
    parts = Parts(tmp_path, name, kafka, {"baseline": new_redis(), "aura": new_redis()})
    yield parts
    for process in parts.processes:
        process.kill()
        process.communicate()


def check_counts(parts: Parts) -> None:
    records = parts.windows()
    for name, arm in parts.verdict().arms.items():
        mine = [record for record in records if record.arm == name]
        assert [record.window for record in mine] == list(range(ROWS // 5000))
        assert arm.requests == arm.hits + arm.misses == ROWS
        assert sum(record.requests for record in mine) == ROWS
        assert sum(record.hits for record in mine) == arm.hits


def test_whole_run_counts_every_request_once(parts: Parts) -> None:
    parts.planner()
    replayer = parts.replayer()
    output, errors = replayer.communicate(timeout=200)
    assert replayer.returncode == 0, errors
    assert json.loads(output)["events"] == ROWS
    check_counts(parts)
    verdict = parts.verdict()
    assert verdict.arms["aura"].plans.decided == ROWS // 5000 - 1  # nothing to plan for after the last window
    assert verdict.arms["aura"].planner == "noop"
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    over = [line for line in lines if line["message"].startswith("window is over")]
    assert [(line["window"], line["arm"]) for line in over] == [(r.window, r.arm) for r in parts.windows()]
    assert {(line["experiment"], line["run"]) for line in lines} == {(parts.name, "r1")}


def test_ended_run_answers_again_without_its_servers(parts: Parts) -> None:
    parts.manifest.write_text(parts.manifest.read_text().replace(f"limit: {ROWS}", "limit: 30000"))
    parts.planner()
    assert parts.replayer("--report").wait(200) == 0
    verdict, ending, page = parts.verdict(), parts.ending(), (parts.out / "report.html").read_text()
    assert (ending.exit_code, ending.verdict, ending.message) == (0, verdict, f"{verdict.verdict}: {verdict.reason}")
    assert {"lru", "s3fifo", "belady"} < set(json.loads((parts.out / "ceilings.json").read_text()))
    (parts.folder / "ending").unlink()
    parts.kafka, parts.urls = "127.0.0.1:1", {name: f"redis://127.0.0.1:{port}" for port, name in enumerate(parts.urls, 1)}
    output, errors = parts.replayer("--report").communicate(timeout=60)
    assert output, errors
    assert (Verdict.model_validate_json(output), parts.ending(), parts.verdict()) == (verdict, ending, verdict), errors
    assert (parts.out / "report.html").read_text() == page
    # A report that was lost, or not reached, is written then.
    (parts.out / "report.html").unlink()
    assert parts.replayer("--report").wait(60) == 0
    assert (parts.out / "report.html").read_text() == page


def test_another_run_in_the_same_folder_starts_afresh(parts: Parts) -> None:
    parts.manifest.write_text(parts.manifest.read_text().replace(f"limit: {ROWS}", "limit: 30000"))
    parts.planner()
    assert parts.replayer().wait(200) == 0
    output, errors = parts.replayer("--run", "r2").communicate(timeout=200)
    assert Verdict.model_validate_json(output).run == "r2", errors
    assert [record.window for record in parts.windows() if record.arm == "aura"] == list(range(6))


def test_progress_tells_what_is_going_on(parts: Parts) -> None:
    parts.kafka = "127.0.0.1:1"
    replayer = parts.replayer()
    assert replayer.stderr is not None
    address = replayer.stderr.readline().split()[-1]
    with urlopen(f"http://{address}/progress") as answer:
        progress = Progress.model_validate_json(answer.read())
    assert (progress.phase, progress.message) == ("starting", "waiting for Kafka at 127.0.0.1:1")


def contexts(parts: Parts) -> Iterator[bytes]:
    with Subscriber(parts.kafka, [Topics(f"{parts.name}-").context]) as topic:
        while (message := topic.poll(5)) is not None:
            yield message.value


def test_contexts_hold_to_the_contract(parts: Parts) -> None:
    # No executor: the first plan stays unanswered, so the first window is the only one that is asked about.
    parts.manifest.write_text(parts.manifest.read_text().replace("backend: noop", "backend: heuristic, mode: async"))
    parts.planner()
    assert parts.replayer().wait(200) == 0
    (message,) = contexts(parts)
    snapshot = ContextSnapshot.model_validate_json(message, strict=True)
    assert snapshot.window == 0
    assert snapshot.context_id == context_id(workload_text(message))
    assert snapshot.workload.events == snapshot.workload.requests == 5000
    assert snapshot.workload.top_items[0].title
    assert 100 < len(snapshot.workload.candidates.item) <= 500
    assert snapshot.workload.sessions[0].events[0].startswith("purchase:")
    assert snapshot.cache.resident
    assert parts.verdict().arms["aura"].plans.unplanned["busy"] == ROWS // 5000 - 2


def test_planner_that_never_acts_gets_outlines(parts: Parts) -> None:
    parts.planner()
    assert parts.replayer().wait(200) == 0
    snapshots = [ContextSnapshot.model_validate_json(message, strict=True) for message in contexts(parts)]
    assert [snapshot.window for snapshot in snapshots] == list(range(ROWS // 5000 - 1))
    assert {len(snapshot.workload.candidates.item) for snapshot in snapshots} == {0}


def workload_text(message: bytes) -> str:
    text = message.decode()
    return text[text.index('"workload":') + len('"workload":') : text.index(',"cache":')]


def rows_done(address: str) -> int:
    with urlopen(f"http://{address}/progress") as answer:
        return int(json.load(answer)["events"])


def a_quarter_through(parts: Parts) -> tuple[subprocess.Popen[str], str]:
    """A replayer in the middle of its run, and the address of its endpoints."""
    parts.planner()
    replayer = parts.replayer()
    assert replayer.stderr is not None
    address = replayer.stderr.readline().split()[-1]
    while rows_done(address) < ROWS // 4:
        time.sleep(0.01)
    return replayer, address


def test_killed_replayer_resumes_and_counts_nothing_twice(parts: Parts) -> None:
    replayer, _ = a_quarter_through(parts)
    replayer.send_signal(signal.SIGKILL)
    replayer.wait()
    assert not (parts.out / "verdict.json").exists()
    resumed = parts.replayer()
    _, errors = resumed.communicate(timeout=200)
    assert resumed.returncode == 0, errors
    check_counts(parts)


@pytest.mark.parametrize("seen", [True, False], ids=["while it runs", "while it is started again"])
@pytest.mark.parametrize("arm", ["baseline", "aura"])
def test_an_arm_that_was_restarted_empty_ends_the_run(parts: Parts, arm: str, seen: bool) -> None:
    replayer, _ = a_quarter_through(parts)
    if not seen:
        replayer.kill()
        replayer.wait()
    with redis.Redis.from_url(parts.urls[arm]) as client:
        # One go, as a new server: nothing of the run, and no library.
        client.pipeline().flushall().function_flush().execute()
    sentence = f"Redis of arm {arm} was restarted empty; its counts are lost, start the experiment again"
    fails(replayer if seen else parts.replayer(), 3, sentence)
    fails(parts.replayer(), 3, sentence)
    assert parts.ending().final, "trying again cannot help"
    assert not (parts.out / "verdict.json").exists()


def test_a_catalogue_that_was_lost_meanwhile_is_not_gone_on_with(parts: Parts) -> None:
    replayer, _ = a_quarter_through(parts)
    replayer.kill()
    replayer.wait()
    whole = parts.manifest.read_text()
    (parts.folder / "items.csv").write_text("item,title,category,brand\nx,Tea,,\n")
    parts.manifest.write_text(
        whole.replace("catalog: {source: {dataset: complete-journey}}", "catalog: {source: {path: items.csv}}")
    )
    sentence = "the catalogue lacks items that it had when the run began, or has more; load it again with aura load"
    fails(parts.replayer(), 3, sentence)
    parts.manifest.write_text(whole)
    _, errors = parts.replayer().communicate(timeout=200)
    assert parts.ending().exit_code == 0, errors
    check_counts(parts)


def test_shards_are_merged_by_the_first_whoever_is_killed(parts: Parts, new_redis: Callable[[], str]) -> None:
    text = parts.manifest.read_text().replace(
        "dataset: complete-journey}, requests", "dataset: complete-journey}, shards: 2, requests", 1
    )
    parts.manifest.write_text(text)
    parts.planner()
    first = parts.replayer("--shard", "0", "--merge")
    parts.urls = {"baseline": new_redis(), "aura": new_redis()}
    second = parts.replayer("--shard", "1")
    windows = parts.out / "shards" / "1" / "windows.jsonl"
    while not windows.exists() or windows.read_text().count("\n") < 4:
        assert second.poll() is None
        time.sleep(0.05)
    second.kill()
    while not (parts.out / "shards" / "0" / "verdict.json").exists():
        assert first.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    assert first.poll() is None, "nothing is merged while a shard is missing"
    again = parts.replayer("--shard", "1")
    output, errors = again.communicate(timeout=200)
    assert (again.returncode, output) == (0, "shard 1 of 2 is done\n"), errors
    output, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    assert Verdict.model_validate_json(output) == parts.verdict()
    check_counts(parts)


def test_a_shard_that_there_is_not(parts: Parts) -> None:
    sentence = f"--shard 2: {parts.manifest} has workload.shards 1, so give one of 0 to 0"
    fails(parts.replayer("--shard", "2"), 2, sentence)


def test_stop_signal_ends_cleanly_and_can_be_resumed(parts: Parts) -> None:
    replayer, _ = a_quarter_through(parts)
    replayer.send_signal(signal.SIGTERM)
    _, errors = replayer.communicate(timeout=20)
    assert replayer.returncode == 130
    assert errors.splitlines()[-1] == "aura: stopped before the end of the log; no verdict was written"
    assert parts.ending() == Ending(run="r1", exit_code=130, message="stopped before the end of the log; no verdict was written")
    assert parts.replayer().wait(200) == 0
    check_counts(parts)


def test_metrics_are_served(parts: Parts) -> None:
    _, address = a_quarter_through(parts)
    with urlopen(f"http://{address}/metrics") as answer:
        text = answer.read().decode()
    for name in ("aura_cache_hits_total", "aura_cache_misses_total", "aura_window_hit_ratio", "aura_memory_pressure_ratio"):
        assert f'{name}{{arm="aura"}}' in text
    assert 'aura_batch_seconds_bucket{arm="aura",le="0.0005"}' in text
    assert re.search(r'^aura_windows_total\{arm="aura"\} [1-9]', text, re.MULTILINE)
    assert re.search(r'^aura_contexts_total\{arm="aura"\} [1-9]', text, re.MULTILINE)
    assert "_created" not in text


def fails(process: subprocess.Popen[str], code: int, sentence: str) -> None:
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.splitlines()[-1]) == (code, f"aura: {sentence}")


def test_taken_port_is_named(parts: Parts) -> None:
    first = parts.replayer()
    assert first.stderr is not None
    address = first.stderr.readline().split()[-1]
    fails(
        parts.replayer("--listen", address),
        2,
        f"--listen {address}: Address already in use; choose another port, or 0 for any",
    )


def test_lost_redis_is_named(parts: Parts) -> None:
    parts.urls["aura"] = "redis://127.0.0.1:1"
    sentence = "Redis of arm aura at 127.0.0.1:1 does not answer (ConnectionError); check the address or start the server"
    fails(parts.replayer(), 3, sentence)
    assert parts.ending().exit_code == 3
    assert parts.ending().message == sentence


def test_missing_arm_is_named(parts: Parts) -> None:
    del parts.urls["aura"]
    fails(parts.replayer(), 2, f"{parts.manifest}: arm aura has no Redis; add --arm aura=redis://HOST:PORT")
    assert parts.ending().exit_code == 2


def test_small_capacity_says_what_to_do(parts: Parts) -> None:
    parts.manifest.write_text(parts.manifest.read_text().replace("5%", "0.1%").replace(f"limit: {ROWS}", "limit: 2000"))
    process = parts.replayer()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "distinct items; an arm needs room for 32: raise cache.capacity or cache.memory" in errors.splitlines()[-1]

"""Children and folders are gone however the parent ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_helpers import ENVIRONMENT, eventually, group_alive

from aura_cli.embedded import Household
from aura_cli.errors import PartLostError

SCRIPT = """
import signal, sys, time
from pathlib import Path
from aura_cli.embedded import Household
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.redis import start_redis

# A shell in the background starts its children with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
with Household(Path(sys.argv[1])) as house:
    children = [start_redis(house, "aura").child, start_broker(house).child]
    children.append(house.start("stubborn", "a", ["sh", "-c", "trap '' TERM; sleep 600 & wait"]))
    print(house.folder, *(child.pid for child in children), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_is_left_when_the_parent_is_ended(number: signal.Signals, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "logs")], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert parent.stdout is not None
    folder, *pids = parent.stdout.readline().split()
    groups = [int(pid) for pid in pids]
    assert len(groups) == 3
    assert all(group_alive(pid) for pid in groups)
    assert Path(folder).is_dir()

    parent.send_signal(number)
    parent.wait(30)

    assert eventually(lambda: not any(group_alive(pid) for pid in groups))
    assert eventually(lambda: not Path(folder).exists())


def test_leaving_the_block_ends_all_and_keeps_the_logs(tmp_path: Path) -> None:
    with Household(tmp_path / "logs") as house:
        child = house.start("talker", "the talker", ["sh", "-c", "echo hello; exec sleep 600"])
        assert eventually(lambda: child.log.read_text() == "hello\n")
        folder = house.folder
    assert not group_alive(child.pid)
    assert not folder.exists()
    assert (tmp_path / "logs" / "talker.log").read_text() == "hello\n"


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(house: Household) -> None:
    child = house.start("stubborn", "a", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
    assert eventually(lambda: child.log.read_text() == "ready\n")
    started = time.monotonic()
    house.stop(seconds=0.5)
    assert time.monotonic() - started < 5
    assert not group_alive(child.pid)


def test_the_last_sentence_for_the_user_is_found(house: Household) -> None:
    script = "echo noise; echo 'aura: first'; echo 'aura-planner: the second'; echo '{\"level\": \"info\"}'; exit 2"
    child = house.start("sayer", "the sayer", ["sh", "-c", script])
    assert child.wait(5)
    assert child.said == "the second"
    assert child.ending == "exit code 2"


def test_a_program_that_is_not_there_is_named(house: Household) -> None:
    with pytest.raises(PartLostError, match="the thing cannot be started: /no/such: No such file or directory"):
        house.start("thing", "the thing", ["/no/such"])

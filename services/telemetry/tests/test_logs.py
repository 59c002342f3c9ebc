"""Log lines of the Python services."""

import io
import json
import logging

import pytest

from aura_telemetry import logs


@pytest.fixture
def lines():
    """Sets up logging with fixed fields; what was logged since as parsed lines."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.setup({"experiment": "quick", "run": "quick-1"}, stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)


def test_every_line_names_the_experiment_and_those_about_a_plan_its_id(lines):
    log = logging.getLogger("aura_replayer.book")
    log.info("plan %s", "applied", extra={"arm": "aura", "window": 7, "plan_id": "quick-1-aura-7", "reason": None})
    (line,) = lines()
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info", "logger": "aura_replayer.book", "message": "plan applied",
        "experiment": "quick", "run": "quick-1", "arm": "aura", "window": 7, "plan_id": "quick-1-aura-7",
    }  # fmt: skip


def test_window_0_is_a_window(lines):
    logging.getLogger("x").info("over", extra={"window": 0})
    assert lines()[0]["window"] == 0


def test_a_traceback_and_foreign_text_stay_within_one_line(lines):
    try:
        raise ValueError('a "quoted"\nreason')
    except ValueError:
        logging.getLogger("x").exception("item\n{}")
    (line,) = lines()
    assert line["message"] == "item\n{}"
    assert line["traceback"].endswith('ValueError: a "quoted"\nreason')

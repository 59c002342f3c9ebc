"""Logs as one JSON object a line."""

import json
import logging
import sys
import time
from typing import TextIO

__all__ = ["JsonFormatter", "setup"]

FIELDS = (
    "experiment",
    "run",
    "arm",
    "window",
    "shard",
    "plan_id",
    "outcome",
    "reason",
    "latency_s",
    "planner",
    "address",
    "answer",
    "namespace",
    "phase",
)


class JsonFormatter(logging.Formatter):
    """Time (UTC), level, logger and message, the fields of `FIELDS` that a record has, and `fixed` ones on every line."""

    def __init__(self, fixed: dict[str, str] | None = None) -> None:
        super().__init__()
        self._fixed = fixed or {}

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {"ts": f"{stamp}.{int(record.msecs):03d}Z", "level": record.levelname.lower()}
        line |= {"logger": record.name, "message": record.getMessage(), **self._fixed}
        line |= {name: record.__dict__[name] for name in FIELDS if record.__dict__.get(name) is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def setup(fixed: dict[str, str], level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (standard error) as JSON."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(fixed))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)

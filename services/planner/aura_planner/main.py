"""The planner's process: `aura-planner`, or `python -m aura_planner`."""

import argparse
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from aura_bus import BusError, Publisher, Subscriber, ensure_topics
from aura_contract.experiment import AuraExperiment
from aura_contract.manifest import ManifestError, load_manifest
from aura_contract.topics import PLANNER_GROUP, Topics
from aura_data.errors import ServerError
from aura_planner.errors import SetupError
from aura_planner.metrics import Metrics
from aura_planner.pipeline import Pipeline
from aura_planner.reasoners import build
from aura_planner.service import Service
from aura_planner.sources import open_enrichment
from aura_telemetry import logs
from aura_telemetry.endpoints import Endpoints
from aura_telemetry.tracing import TracingError, open_tracing

__all__ = ["main"]

LEAVE_S = 1.0
KAFKA_WAIT_S = 30.0

log = logging.getLogger("aura_planner")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit status: 0 stopped, 1 a server is missing, 2 the manifest or a flag is wrong."""
    options = _options(argv)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        experiment = load_manifest(options.manifest)
        fixed = {"experiment": experiment.metadata.name, "run": options.run, "replica": options.replica_id}
        logs.setup(fixed, options.log_level)
        _serve(options, experiment, stop)
    except (ManifestError, SetupError, TracingError) as error:
        return _fail(error, 2)
    except (BusError, ServerError) as error:
        return _fail(error, 1)
    log.info("stopped")
    return 0


def _serve(options: argparse.Namespace, experiment: AuraExperiment, stop: threading.Event) -> None:
    spec, base = experiment.spec, options.manifest.resolve().parent
    topics = Topics(spec.dependencies.kafka.topic_prefix)
    metrics = Metrics(spec.planned_arms)
    enrichment = open_enrichment(spec, base, metrics.failed_lookup)
    pipelines = {
        arm: Pipeline(build(backend, spec, base, enrichment), spec, enrichment, replica=options.replica_id)
        for arm, backend in spec.planned_arms.items()
    }
    ensure_topics(options.kafka, topics.partitions, timeout=KAFKA_WAIT_S)
    publisher = Publisher(options.kafka)
    patient = not spec.acting_arms
    subscriber = Subscriber(options.kafka, [topics.context], group=PLANNER_GROUP, patient=patient)
    tracing = open_tracing("aura-planner")
    service = Service(options.run, pipelines, subscriber, publisher, topics.plan, metrics, tracing)
    endpoints = _endpoints(options.listen, metrics, service)
    log.info("planning", extra={"address": endpoints.address})
    for arm, pipeline in pipelines.items():
        log.info("arm", extra={"arm": arm, "planner": pipeline.reasoner.name})
    # What lives for ever is not looked through again with every window.
    gc.collect()
    gc.freeze()
    try:
        service.run(stop)
    finally:
        _leave(subscriber, endpoints)
        tracing.close()


def _endpoints(listen: str, metrics: Metrics, service: Service) -> Endpoints:
    host, _, port = listen.rpartition(":")
    try:
        return Endpoints(host.strip("[]") or "127.0.0.1", int(port), metrics.registry, service.healthy, service.ready)
    except (OSError, OverflowError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not HOST:PORT"
        raise SetupError(f"--listen {listen} cannot be used: {reason}; take another port, or 0 for any free one") from error


def _leave(subscriber: Subscriber, endpoints: Endpoints) -> None:
    """Leave the group and stop serving, but wait no longer than a second for a broker that does not answer."""
    leaving = threading.Thread(target=subscriber.close, daemon=True)
    leaving.start()
    endpoints.close()
    leaving.join(LEAVE_S)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    env = os.environ.get
    parser = argparse.ArgumentParser(
        prog="aura-planner", description="Plans for the arms of one Aura run: contexts in, plans out."
    )

    def flag(name: str, variable: str, default: str | None, text: str) -> None:
        value = env(variable, default)
        parser.add_argument(name, default=value, required=value is None, help=f"{text} (environment: {variable})")

    flag("--manifest", "AURA_MANIFEST", None, "the AuraExperiment, a YAML or JSON file")
    flag("--run", "AURA_RUN", None, "id of the run whose contexts are planned for")
    flag("--kafka", "AURA_KAFKA", None, "the broker, HOST:PORT")
    flag("--listen", "AURA_LISTEN", "127.0.0.1:0", "HOST:PORT of /metrics, /healthz and /readyz; port 0 picks one")
    flag("--replica-id", "AURA_REPLICA_ID", f"planner-{os.getpid()}", "name of this replica in logs and plans")
    flag("--log-level", "AURA_LOG_LEVEL", "info", "debug, info, warning or error")
    options = parser.parse_args(argv)
    options.manifest = Path(options.manifest)
    if options.log_level.lower() not in {"debug", "info", "warning", "error"}:
        parser.error(f"--log-level {options.log_level} is not one of debug, info, warning, error")
    return options


def _fail(error: Exception, status: int) -> int:
    print(f"aura-planner: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

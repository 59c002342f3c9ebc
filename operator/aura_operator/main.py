"""The operator's process: `aura-operator`, or `python -m aura_operator`."""

import argparse
import asyncio
import logging
import random
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import kopf
from kopf._core.engines.peering import Identity

from aura_operator.cluster.children import Children
from aura_operator.cluster.client import Cluster, connect
from aura_operator.cluster.kinds import OWNED, PODS, SERVICE_MONITORS
from aura_operator.cluster.watching import Watches
from aura_operator.handlers import Bells, configure, register
from aura_operator.metrics import Metrics
from aura_operator.reconcile.reconciler import Reconciler
from aura_operator.settings import OperatorSettings, SettingsError, load_settings
from aura_telemetry import logs
from aura_telemetry.endpoints import Endpoints

__all__ = ["main"]

SYNC_SECONDS = 60.0
ASK_AGAIN_SECONDS = 60.0
EXAMPLE = """examples:
  aura-operator --settings settings.yaml
  aura-operator --namespace team-a --namespace team-b
  aura-operator --peering aura      (one of two; needs the chart's peering)
"""

log = logging.getLogger("aura_operator")


class Monitoring:
    """Whether to make ServiceMonitors; a Prometheus Operator that comes later is seen within a minute."""

    def __init__(self, cluster: Cluster, mode: str) -> None:
        self._cluster, self._mode = cluster, mode
        self._asked, self._there = float("-inf"), False

    def __call__(self) -> bool:
        """Whether to make them now."""
        if self._mode != "auto":
            return self._mode == "always"
        if not self._there and time.monotonic() - self._asked > ASK_AGAIN_SECONDS:
            self._there, self._asked = self._cluster.serves(SERVICE_MONITORS), time.monotonic()
        return self._there


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit status: 0 stopped, 1 the cluster cannot be used, 2 settings or a flag are wrong."""
    options = _parser().parse_args(argv)
    try:
        settings = load_settings(options.settings)
        host, _, port = options.listen.rpartition(":")
        number = int(port)
    except SettingsError as error:
        return _fail(str(error), 2)
    except ValueError:
        return _fail(f"--listen {options.listen} is not HOST:PORT; write it like 0.0.0.0:8080", 2)
    logs.setup({}, options.log_level)
    try:
        with tempfile.TemporaryDirectory() as cache:
            cluster = connect(Path(cache), settings.workers + len(OWNED) + 4)
            asyncio.run(_serve(options, settings, cluster, (host or "0.0.0.0", number)))  # noqa: S104 - probes come from outside
    except OSError as error:
        return _fail(f"--listen {options.listen} cannot be used: {error.strerror or error}; take another port", 2)
    except Exception as error:
        log.error("ended", exc_info=True)
        return _fail(f"the cluster cannot be used: {error}; check the kubeconfig or the service account", 1)
    return 0


async def _serve(options: argparse.Namespace, settings: OperatorSettings, cluster: Cluster, address: tuple[str, int]) -> None:
    metrics, children, bells = Metrics(), Children(), Bells(asyncio.get_running_loop())
    ready = asyncio.Event()
    endpoints = Endpoints(*address, metrics.registry, healthy=lambda: True, ready=ready.is_set)
    reconciler = Reconciler(cluster, children, settings, metrics, Monitoring(cluster, settings.service_monitors))
    kinds = (*OWNED, PODS)
    monitors = await asyncio.to_thread(cluster.serves, SERVICE_MONITORS)
    watches = Watches(cluster, (*kinds, SERVICE_MONITORS) if monitors else kinds, options.namespace, children, bells.ring)
    if not await asyncio.to_thread(watches.wait, SYNC_SECONDS):
        log.warning("not all kinds could be listed within %g s; see the warnings before", SYNC_SECONDS)
    registry, configuration = kopf.OperatorRegistry(), kopf.OperatorSettings()
    configure(configuration)
    # Rights in a few namespaces do not cover kinds and namespaces of the whole cluster.
    configuration.scanning.disabled = bool(options.namespace)
    register(registry, reconciler, bells, metrics)
    log.info("operating", extra={"address": endpoints.address})
    try:
        await kopf.operator(
            registry=registry,
            settings=configuration,
            clusterwide=not options.namespace,
            namespaces=options.namespace,
            peering_name=options.peering,
            priority=options.priority,
            standalone=options.peering is None,
            # Kopf would ask for the user's name, and a pod's user has none.
            identity=Identity(socket.gethostname()),
            ready_flag=ready,
        )
    finally:
        watches.stop()
        endpoints.close()
        await reconciler.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aura-operator",
        description="Brings up what AuraExperiments need, runs them, and reports the hit ratios on the resource.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", type=Path, help="YAML file: images, resources, intervals; defaults without it")
    parser.add_argument("--namespace", action="append", default=[], help="look only into this namespace; may be given again")
    parser.add_argument("--listen", default="0.0.0.0:8080", help="HOST:PORT of /metrics, /healthz and /readyz")
    parser.add_argument("--peering", help="name of the peering that keeps one of several operators active")
    # Operators of one priority would all wait, and replicas have no way to be told different ones.
    priority = random.randrange(2**31)
    parser.add_argument("--priority", type=int, default=priority, help="the highest in a peering is active; random without it")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


def _fail(sentence: str, status: int) -> int:
    print(f"aura-operator: {sentence}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

"""The operator's process: `aura-operator`, or `python -m aura_operator`."""

import argparse
import asyncio
import logging
import os
import random
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import kopf
from kopf._core.engines.peering import Identity

from aura_operator.blueprint import MONITORING
from aura_operator.cluster.children import Children
from aura_operator.cluster.client import Cluster, connect
from aura_operator.cluster.kinds import EVENTS, OPTIONAL, OWNED, PODS
from aura_operator.cluster.optional import OptionalApis
from aura_operator.cluster.watching import Watches
from aura_operator.handlers import Bells, configure, register, register_removals
from aura_operator.metrics import Metrics
from aura_operator.reconcile.reconciler import Reconciler
from aura_operator.settings import OperatorSettings, SettingsError, load_settings
from aura_telemetry import logs
from aura_telemetry.endpoints import Endpoints

__all__ = ["main"]

SYNC_SECONDS = 60.0
EXAMPLE = """examples:
  aura-operator --settings settings.yaml
  aura-operator --namespace team-a --namespace team-b
  aura-operator --peering aura      (one of two; needs the chart's peering)
"""

log = logging.getLogger("aura_operator")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit status: 0 stopped, 1 the cluster cannot be used, 2 settings or a flag are wrong."""
    options = _parser().parse_args(argv)
    try:
        settings = load_settings(options.settings)
        address = _address(options.listen)
        logs.setup({}, options.log_level)
        with tempfile.TemporaryDirectory() as cache:
            kinds = len(OWNED) + sum(map(len, OPTIONAL.values())) + 2
            watches = kinds * max(1, len(options.namespace))
            cluster = connect(Path(cache), settings.workers + watches + 4)
            asyncio.run(_serve(options, settings, cluster, address))
    except SettingsError as error:
        return _fail(str(error), 2)
    except Exception as error:
        log.error("ended", exc_info=True)
        return _fail(f"the cluster cannot be used: {error}; check the kubeconfig or the service account", 1)
    return 0


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"--listen {listen} is not HOST:PORT; write it like 0.0.0.0:8080")
    return host or "0.0.0.0", int(port)  # noqa: S104 - probes come from outside


async def _serve(options: argparse.Namespace, settings: OperatorSettings, cluster: Cluster, address: tuple[str, int]) -> None:
    metrics, children, bells = Metrics(), Children(), Bells(asyncio.get_running_loop())
    ready = asyncio.Event()
    try:
        endpoints = Endpoints(*address, metrics.registry, healthy=lambda: True, ready=ready.is_set)
    except OSError as error:
        raise SettingsError(f"--listen {options.listen} cannot be used: {error.strerror or error}; take another port") from error
    watches = Watches(cluster, (*OWNED, PODS, EVENTS), options.namespace, children, bells.ring)
    unwanted = {MONITORING} if settings.service_monitors == "never" else set()
    optional = OptionalApis(cluster, watches, {group: kinds for group, kinds in OPTIONAL.items() if group not in unwanted})
    await optional.ask()
    following = asyncio.create_task(optional.follow(bells.ring_all))
    reconciler = Reconciler(cluster, children, settings, metrics, lambda: optional.served, bells.ring)
    if not await asyncio.to_thread(watches.wait, SYNC_SECONDS):
        log.warning("not all kinds could be listed within %g s; see the warnings before", SYNC_SECONDS)
    registry, configuration = kopf.OperatorRegistry(), kopf.OperatorSettings()
    configure(configuration)
    # Rights in a few namespaces do not cover kinds and namespaces of the whole cluster.
    configuration.scanning.disabled = bool(options.namespace)
    register(registry, reconciler, bells, metrics)
    register_removals(registry, reconciler.removals)
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
            # Kopf would ask for the user's name, and a pod's user has none; two on one machine are two.
            identity=Identity(f"{socket.gethostname()}-{os.getpid()}"),
            ready_flag=ready,
        )
    finally:
        following.cancel()
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

"""What is replayed in a run, and which faults hit it: drawn from the run's seed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
from chaos.faults import CONTEXT, Fault, context_schedule, schedule
from chaos.servers import MODEL, Servers, context_servers

__all__ = ["Scene", "plain_scene", "scene_with_context", "started_servers"]

PLAN_SECONDS = 5
PLAIN = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: chaos}}
spec:
  workload: {{source: {{dataset: complete-journey}}, requests: [purchase], limit: {rows}}}
  catalog: {{source: {{dataset: complete-journey}}}}
  cache: {{capacity: 5%}}
  trigger: {{everyEvents: {window}}}
  planner: {{backend: heuristic, timeoutSeconds: {seconds}}}
"""
ROWS, WINDOW = 30_000, 500

WITH_CONTEXT = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: chaos}}
spec:
  workload: {{source: {{path: '{log}'}}, limit: {rows}, columns: {{time: null, user: null, session: null, item: item, action: null}}}}
  catalog: {{source: {{path: '{items}'}}}}
  cache: {{capacity: 5%}}
  trigger: {{everyEvents: {window}}}
  planner: {{backend: ollama, model: '{model}', endpoint: '{endpoint}', timeoutSeconds: {seconds}, latency: free}}
  dependencies: {{mongodb: {{external: {{endpoint: '{mongodb}'}}}}, milvus: {{external: {{endpoint: '{milvus}'}}}}}}
"""
CONTEXT_WINDOW, MODEL_WINDOWS, FIXED_WINDOWS = 400, 6, 50
MODEL_SECONDS, MODEL_CHANCE = 15, 0.4
ITEMS, NEW_ITEMS = 900, 30
"""Items that are asked for in the first window, and how many of them later ones exchange: what was looked up once is kept at hand."""


@dataclass(frozen=True)
class Scene:
    """A manifest, its number of windows and the requests in each, how many seconds a window's plan may take, and the faults."""

    manifest: str
    windows: int
    window: int
    seconds: float
    faults: Sequence[Fault]


def plain_scene(seed: int) -> Scene:
    """The heuristic planner, with no servers but the arms and the broker."""
    manifest = PLAIN.format(rows=ROWS, window=WINDOW, seconds=PLAN_SECONDS)
    return Scene(manifest, ROWS // WINDOW, WINDOW, PLAN_SECONDS, schedule(Random(seed)))


def scene_with_context(seed: int, servers: Servers) -> Scene:
    """MongoDB, Milvus and a model: now and then the one in the container, which takes seconds, else one that always says the same."""
    random = Random(seed)
    real = random.random() < MODEL_CHANCE
    windows, seconds = (MODEL_WINDOWS, MODEL_SECONDS) if real else (FIXED_WINDOWS, PLAN_SECONDS)
    manifest = WITH_CONTEXT.format(
        log=servers.folder / "log.csv",
        items=servers.folder / "items.csv",
        rows=windows * CONTEXT_WINDOW,
        window=CONTEXT_WINDOW,
        model=MODEL if real else servers.fixed_model,
        endpoint=servers.endpoint("ollama") if real else servers.fixed_url,
        seconds=seconds,
        mongodb=servers.endpoint("mongodb"),
        milvus=servers.endpoint("milvus"),
    )
    parts = [part for part in CONTEXT if real or part != "ollama"]
    return Scene(manifest, windows, CONTEXT_WINDOW, seconds, context_schedule(random, parts))


@contextmanager
def started_servers() -> Iterator[Servers]:
    """The context servers with the catalogue of these scenes; needs docker."""
    with TemporaryDirectory(prefix="aura-chaos-data-") as folder:
        _write_data(Path(folder))
        with context_servers(Path(folder)) as servers:
            yield servers


def _write_data(folder: Path) -> None:
    """`log.csv`, whose items change from window to window, and `items.csv`, its catalogue."""
    rows = np.arange(FIXED_WINDOWS * CONTEXT_WINDOW)
    wanted = np.random.default_rng(5).zipf(1.2, len(rows)) % ITEMS + rows // CONTEXT_WINDOW * NEW_ITEMS
    (folder / "log.csv").write_text("item\n" + "\n".join(map(str, wanted.tolist())) + "\n")
    items = [f"{n},{('green', 'black', 'white', 'herbal')[n % 4]} tea {n},tea,acme" for n in range(int(wanted.max()) + 1)]
    (folder / "items.csv").write_text("item,title,category,brand\n" + "\n".join(items) + "\n")

"""One visit to a placement: bring what is there to what should be there, or remove it, and tell what was seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aura_contract.placements import Place
from aura_operator.blueprint import Manifest
from aura_operator.cluster.client import ApiError
from aura_operator.naming import PLACEMENT, RUN
from aura_operator.placements.kubeconfig import KubeconfigError, Login
from aura_operator.placements.objects import Placed
from aura_operator.placements.remote import KINDS, PODS, UNREACHABLE, UNTRUSTED, Remote
from aura_operator.reconcile.actions import stamped
from aura_operator.reconcile.drift import difference
from aura_operator.status.facts import gather
from aura_operator.status.troubles import troubles

__all__ = ["PENDING", "READY", "STARTING", "Seen", "Trip", "fault", "keep", "remove"]

READY, STARTING, PENDING, REMOVED = "Ready", "Starting", "Pending", "Removed"
SAID = 400


@dataclass(frozen=True)
class Seen:
    """What a visit found: `reason` and a sentence, planners that are ready, and whether nothing of the experiment is left.

    `reached` tells that the cluster let us look, so that things may be made there.
    """

    reason: str
    message: str
    ready: int = 0
    reached: bool = False
    gone: bool = False


@dataclass(frozen=True)
class Trip:
    """Where a visit goes: the place, what leads there, the run's labels there, and seconds for one request."""

    place: Place
    login: Login
    run: str
    seconds: float

    @property
    def labels(self) -> dict[str, str]:
        """Labels of everything of the run in this place."""
        return {RUN: self.run, PLACEMENT: self.place.name}

    def open(self) -> Remote:
        """A connection; raises KubeconfigError."""
        return Remote(self.login, self.place.namespace, self.seconds)


async def keep(trip: Trip, placed: Placed, wanted: list[Manifest], *, make: bool) -> Seen:
    """Bring the place to `wanted`; without `make` only see whether it could be done. Raises ApiError and KubeconfigError."""
    async with trip.open() as remote:
        there = {(item["kind"], item["metadata"]["name"]): item for item in await _everything(remote, trip.labels)}
        if not make:
            return Seen(PENDING, "planners are about to be made", reached=True)
        for item in map(stamped, wanted):
            key = (item["kind"], item["metadata"]["name"])
            there[key] = await _corrected(remote, item, there.get(key))
        names = {(item["kind"], item["metadata"]["name"]) for item in wanted}
        for kind, name in there.keys() - names:
            await remote.delete(kind, name)
        pods = await remote.listed(PODS, trip.labels)
    return _told(placed, [*there.values(), *pods])


async def remove(trip: Trip) -> Seen:
    """Remove everything of the run from the place; raises ApiError and KubeconfigError."""
    async with trip.open() as remote:
        for item in await _everything(remote, trip.labels):
            await remote.delete(item["kind"], item["metadata"]["name"])
        left = await _everything(remote, trip.labels)
    if left:
        return Seen("Removing", f"{len(left)} objects are still being deleted")
    return Seen(REMOVED, "nothing is left", gone=True)


async def _everything(remote: Remote, labels: Mapping[str, str]) -> list[Manifest]:
    return [item for kind in KINDS for item in await remote.listed(kind, dict(labels))]


async def _corrected(remote: Remote, item: Manifest, there: Manifest | None) -> Manifest:
    if there is not None and not difference(item, there):
        return there
    made = await remote.apply(item)
    if difference(item, made):
        # What others have added stays when it is applied.
        version = {**item["metadata"], "resourceVersion": made["metadata"]["resourceVersion"]}
        made = await remote.replace({**item, "metadata": version})
    return made


def _told(placed: Placed, objects: Iterable[Manifest]) -> Seen:
    facts = gather(objects)
    wanted, ready = placed.spec.planner.replicas, facts.planners.ready
    if ready >= wanted:
        return Seen(READY, f"{ready} of {wanted} planners are ready", ready, reached=True)
    for trouble in troubles(facts, placed.spec):
        return Seen(trouble.reason, trouble.message, ready, reached=True)
    return Seen(STARTING, f"{ready} of {wanted} planners are ready", ready, reached=True)


def fault(error: ApiError | KubeconfigError, place: Place, server: str) -> Seen:
    """What a visit that failed says: the reason, and a sentence that names what to do."""
    secret = f"Secret {place.kubeconfig_secret_ref.name}"
    if isinstance(error, KubeconfigError):
        return Seen(error.reason, f"{place.key} of {secret} {error}")
    reason, what, advice = _judged(error, place, secret)
    return Seen(reason, f"the cluster at {server} {what}{f'; {advice}' if advice else ''}")


def _judged(error: ApiError, place: Place, secret: str) -> tuple[str, str, str]:
    """Reason, what the cluster does, and what to do about it."""
    said = _short(str(error))
    if error.reason == UNTRUSTED:
        found = (UNTRUSTED, f"has a certificate that is not trusted ({said})", f"correct certificate-authority-data in {secret}")
    elif error.status == 0:
        found = (UNREACHABLE, f"cannot be reached ({said})", f"start it, or correct server in {secret}")
    elif error.status == 401:
        found = ("Unauthorized", "does not know who asks (401)", f"renew the token, certificate or password in {secret}")
    elif "exceeded quota" in said:
        found = ("QuotaExceeded", f"refuses it: {said}", "raise the quota there")
    elif error.status == 403 and "because it is being terminated" not in said:
        found = ("Forbidden", f"forbids it: {said}", f"give the user of {secret} the Role of docs/clusters.md")
    elif error.status == 404 and f'namespaces "{place.namespace}" not found' in said:
        found = (
            "NamespaceNotFound", f"has no namespace {place.namespace}", "create it there, or correct the placement's namespace",
        )  # fmt: skip
    else:
        found = ("ApiRefused", f"refuses it: {said}", "")
    return found


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".; ")
    return line if len(line) <= SAID else f"{line[:SAID]}…"

"""What keeps an experiment from going on, each with a reason and a sentence that names the object and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass

from aura_contract.experiment import ExperimentSpec
from aura_operator.blueprint import Manifest
from aura_operator.builders.endpoints import OLLAMA
from aura_operator.status.facts import REPLAYER, Facts, component, ending_of

__all__ = ["Trouble", "troubles"]

PULLS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
UNSTARTED = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
SAID = 400
BAD_INPUT, PART_LOST = 2, 3


@dataclass(frozen=True)
class Trouble:
    """A reason in CamelCase and one sentence; `servers` when it keeps the servers from being ready."""

    reason: str
    message: str
    servers: bool = True


def troubles(facts: Facts, spec: ExperimentSpec) -> list[Trouble]:
    """All troubles of the observed pods, those that come first in a start before the others."""
    found = [Trouble(_refusal_reason(why), _refusal(name, why), _serves(name)) for name, why in sorted(facts.refused.items())]
    for pod in sorted(facts.pods, key=lambda pod: (component(pod) == REPLAYER, str(pod["metadata"]["name"]))):
        if not pod["metadata"].get("deletionTimestamp"):
            found += _of_pod(pod, spec)
    return found


def _refusal_reason(why: str) -> str:
    return "QuotaExceeded" if "exceeded quota" in why else "PodsRefused"


def _refusal(name: str, why: str) -> str:
    advice = "raise the quota or set smaller resources" if "exceeded quota" in why else "allow its pods in this namespace"
    return f"the API server refuses the pods of {name}: {_short(why)}; {advice}"


def _of_pod(pod: Manifest, spec: ExperimentSpec) -> Iterator[Trouble]:
    status, name = pod.get("status") or {}, str(pod["metadata"]["name"])
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            said = _short(condition.get("message", ""))
            message = f"pod {name} finds no node: {said}; add nodes or change its resources or spec.pods"
            yield Trouble("Unschedulable", message, _serves(component(pod)))
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _of_container(name, component(pod), container, spec)


def _of_container(pod: str, part: str, container: Manifest, spec: ExperimentSpec) -> Iterator[Trouble]:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, said = waiting.get("reason", ""), _short(waiting.get("message", ""))
    if reason in PULLS:
        where = _image_setting(part, spec)
        message = f"image {container.get('image')} of {part} cannot be pulled; correct {where} ({said})"
        yield Trouble("ImageNotPulled", message, _serves(part))
    elif reason in UNSTARTED:
        yield Trouble("PodConfigError", f"pod {pod} cannot start: {said}; create what is missing", _serves(part))
    elif not container.get("ready") and container.get("restartCount"):
        # One that has ended well in the end is no trouble any more.
        ended = (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            yield _failing(pod, part, container, ended)


def _failing(pod: str, part: str, container: Manifest, ended: Manifest) -> Trouble:
    ending = ending_of(container) if part == REPLAYER else None
    if ending is not None:
        reasons = {BAD_INPUT: "BadInput", PART_LOST: "PartLost"}
        again = "it is tried again by itself"
        return Trouble(reasons.get(ending.exit_code, "ReplayerFailed"), f"{_short(ending.message)}; {again}", servers=False)
    if ended.get("reason") == "OOMKilled":
        return Trouble("OutOfMemory", f"{part} needs more memory than its limit (pod {pod}); raise its resources", _serves(part))
    lines = str(ended.get("message") or "").strip().splitlines()
    said = _short(lines[-1] if lines else f"exit code {ended.get('exitCode')}")
    if part == OLLAMA:
        return Trouble(
            "ModelNotPulled", f"the embedded Ollama ended (pod {pod}): {said}; correct spec.planner.model", servers=True
        )
    count = container.get("restartCount")
    return Trouble("PartFailing", f"{part} ended {count} times (pod {pod}): {said}", _serves(part))


def _serves(part: str) -> bool:
    return not part.startswith(("planner", "executor", REPLAYER))


def _image_setting(part: str, spec: ExperimentSpec) -> str:
    family = part.partition("-")[0]
    dependency = getattr(spec.dependencies, family, None)
    embedded = getattr(dependency, "embedded", None)
    if embedded is not None and embedded.image:
        return f"spec.dependencies.{family}.embedded.image"
    image = {"loader": "planner"}.get(family, family)
    return f"images.{image} in the chart's values, or add a pull secret"


def _short(text: str) -> str:
    """Text from outside as part of a sentence: one line, not too long, no end of its own."""
    line = " ".join(str(text).split()).rstrip(".; ")
    # The end of a log says more than its beginning.
    return line if len(line) <= SAID else f"…{line[-SAID:]}"

"""Traces on a cluster: each window's spans from replayer, planner and executor arrive at a collector as one trace."""

import base64
from collections import defaultdict

from cluster import Namespace, until
from experiments import Experiment, manifest
from installation import Options, images, upgrade
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from operator_pod import restarting
from servers import manifests, ready

SERVICES = {"aura-replayer", "aura-planner", "aura-executor"}


def traces(namespace: Namespace) -> dict[bytes, set[tuple[str, str]]]:
    """Service and experiment of the spans that have arrived, by trace."""
    found: defaultdict[bytes, set[tuple[str, str]]] = defaultdict(set)
    for line in namespace.kubectl("logs", "deployment/collector", "--tail=-1").splitlines():
        path, _, body = line.partition(" ")
        assert path == "/v1/traces"
        for sent in ExportTraceServiceRequest.FromString(base64.b64decode(body)).resource_spans:
            resource = {one.key: one.value.string_value for one in sent.resource.attributes}
            for span in (span for scope in sent.scope_spans for span in scope.spans):
                found[span.trace_id].add((resource["service.name"], resource["aura.experiment"]))
    return found


def test_windows_are_traced_through_three_services(namespace: Namespace, options: Options) -> None:
    namespace.apply(*manifests("collector", IMAGE=images(options)["planner"]))
    ready(namespace, "collector")
    with restarting():
        upgrade(options, tracingEndpoint=f"http://collector.{namespace.name}.svc:4318")
        try:
            experiment = Experiment.applied(namespace, manifest("traced"))
            status = experiment.wait_for("Succeeded", seconds=300)
        finally:
            upgrade(options)
    applied = int(status["arms"]["aura"]["plansApplied"])
    assert applied > 3

    def whole() -> bool:
        ours = [spans for spans in traces(namespace).values() if {name for _, name in spans} == {"traced"}]
        return sum({service for service, _ in spans} == SERVICES for spans in ours) >= applied

    until(f"{applied} whole traces", whole, 60, otherwise=lambda: str(list(traces(namespace).values())[:20]))

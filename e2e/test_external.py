"""Redis and Kafka of somebody else, in another namespace: passwords, SASL and TLS from Secrets."""

from collections.abc import Callable
from pathlib import Path

from cluster import Namespace
from experiments import Experiment, manifest
from installation import Options
from servers import redis_and_kafka


def test_external_redis_and_kafka(new_namespace: Callable[[], Namespace], options: Options, tmp_path: Path) -> None:
    theirs, ours = new_namespace(), new_namespace()
    servers = redis_and_kafka(theirs, options, tmp_path)
    ours.apply(ours.secret("redis-login", **servers.redis_login), ours.secret("kafka-login", **servers.kafka_login))
    parts = {
        "redis": {"external": {"endpoints": servers.endpoints, "tls": True, "secretRef": {"name": "redis-login"}}},
        "kafka": {"external": {"endpoint": servers.kafka, "tls": True, "secretRef": {"name": "kafka-login"}}},
    }
    experiment = Experiment.applied(ours, manifest("guest", dependencies=parts))
    status = experiment.wait_for("Succeeded", seconds=300)
    assert {arm["requests"] for arm in status["arms"].values()} == {"20000"}
    assert int(status["arms"]["aura"]["plansApplied"]) > 0
    assert not experiment.children("statefulsets")

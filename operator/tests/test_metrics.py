"""Experiments by phase."""

from prometheus_client import generate_latest

from aura_operator.metrics import Metrics


def test_an_experiment_is_in_one_phase_at_a_time() -> None:
    metrics = Metrics()
    value = metrics.registry.get_sample_value
    for namespace in ("shop", "lab"):
        metrics.moved((namespace, "quick"), "", "Pending")
    metrics.moved(("shop", "quick"), "Pending", "Running")
    metrics.moved(("shop", "quick"), "Running", "Running")
    assert (
        value("aura_operator_experiments", {"phase": "Pending"}),
        value("aura_operator_experiments", {"phase": "Running"}),
    ) == (1, 1)
    series = [
        line
        for line in generate_latest(metrics.registry).decode().splitlines()
        if line.startswith("aura_operator_experiment_phase{")
    ]
    assert sorted(series) == [
        'aura_operator_experiment_phase{experiment="quick",namespace="lab",phase="Pending"} 1.0',
        'aura_operator_experiment_phase{experiment="quick",namespace="shop",phase="Running"} 1.0',
    ]


def test_a_deleted_experiment_leaves_no_series() -> None:
    metrics = Metrics()
    metrics.moved(("shop", "quick"), "", "Running")
    metrics.moved(("shop", "quick"), "Running", "")
    assert metrics.registry.get_sample_value("aura_operator_experiments", {"phase": "Running"}) == 0
    assert "experiment_phase{" not in generate_latest(metrics.registry).decode()

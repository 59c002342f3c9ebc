"""Values that cannot work are refused before anything is installed, by a message that names the value."""

import pytest
from helm import Refused

CASES = [
    ({"scope": "all"}, "at '/scope': value must be one of 'cluster', 'namespaced'"),
    ({"operator": {"replicas": "two"}}, "at '/operator/replicas': got string, want integer"),
    ({"operator": {"replicas": -1}}, "at '/operator/replicas': minimum: got -1, want 0"),
    ({"operator": {"resource": {}}}, "at '/operator': additional properties 'resource' not allowed"),
    ({"replicas": 2}, "additional properties 'replicas' not allowed"),
    ({"settings": {"workerz": 2}}, "at '/settings': additional properties 'workerz' not allowed"),
    ({"settings": {"resultsStorage": "much"}}, "at '/settings/resultsStorage': 'much' does not match pattern"),
    ({"settings": {"resources": {"redis": {"limits": {"memory": "1 GB"}}}}}, "at '/settings/resources/redis/limits/memory'"),
    ({"settings": {"serviceMonitors": True}}, "at '/settings/serviceMonitors': value must be one of 'auto', 'always', 'never'"),
    ({"images": {"redis": "redis"}}, "at '/images/redis': 'redis' does not match pattern"),
    ({"images": {"valkey": "valkey:8"}}, "at '/images': additional properties 'valkey' not allowed"),
    ({"imagePullPolicy": "Sometimes"}, "at '/imagePullPolicy': value must be one of"),
    ({"imagePullSecrets": [{"name": "pull"}]}, "at '/imagePullSecrets/0': got object, want string"),
    ({"podSecurity": {"runAsUser": 0}}, "at '/podSecurity/runAsUser': minimum: got 0, want 1"),
    ({"metrics": {"serviceMonitor": {"interval": "soon"}}}, "at '/metrics/serviceMonitor/interval'"),
    ({"shared": {"kafka": {"enabled": "yes"}}}, "at '/shared/kafka/enabled': got string, want boolean"),
    ({"shared": {"postgres": {"enabled": True}}}, "at '/shared': additional properties 'postgres' not allowed"),
    ({"shared": {"ollama": {"models": ["a b; rm -rf /"]}}}, "at '/shared/ollama/models/0'"),
    ({"watchNamespaces": ["a"]}, "watchNamespaces: needs scope: namespaced; leave it empty for scope: cluster"),
    ({"serviceAccount": {"create": False}}, "serviceAccount.name: name the ServiceAccount to use"),
]


@pytest.mark.parametrize(("values", "message"), CASES, ids=[message for _, message in CASES])
def test_bad_value_is_refused(render, values, message):
    with pytest.raises(Refused) as refused:
        render(values)
    assert message in str(refused.value)

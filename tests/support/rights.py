"""What service accounts may do, from manifests: roles and bindings written out, right by right."""

from collections.abc import Iterable, Mapping
from typing import Any

import pod_security

__all__ = ["EVERYWHERE", "Rights", "granted", "rights", "table", "tokens"]

Manifest = Mapping[str, Any]
Rights = set[tuple[str, str, str]]
"""Where (a namespace, or EVERYWHERE), resource as RESOURCE.GROUP, verb."""

EVERYWHERE = "every namespace"


def granted(rules: Iterable[Manifest], where: str) -> Rights:
    """The rights of a role's rules; rules for single objects keep their names in the resource."""
    return {
        (where, _resource(group, resource, rule.get("resourceNames", [])), verb)
        for rule in rules
        for group in rule.get("apiGroups", [])
        for resource in rule.get("resources", [])
        for verb in rule["verbs"]
    } | {(where, url, verb) for rule in rules for url in rule.get("nonResourceURLs", []) for verb in rule["verbs"]}


def _resource(group: str, resource: str, names: Iterable[str]) -> str:
    return "".join([f"{resource}.{group}" if group else resource, *(f" {name}" for name in names)])


def rights(objects: Iterable[Manifest]) -> dict[str, Rights]:
    """The rights of every service account that is made, bound or used by a pod, by NAMESPACE/NAME."""
    objects = list(objects)
    roles = {_key(item): item["rules"] for item in objects if item["kind"] in ("Role", "ClusterRole")}
    found: dict[str, Rights] = {name: set() for name in tokens(objects)}
    for item in objects:
        if item["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        where = item["metadata"].get("namespace", EVERYWHERE)
        # A binding in a namespace may name a cluster's role: the rights are those of the namespace.
        role = item["roleRef"]
        rules = roles[(role["kind"], "" if role["kind"] == "ClusterRole" else where, role["name"])]
        for subject in item["subjects"]:
            assert subject["kind"] == "ServiceAccount", subject
            found.setdefault(f"{subject['namespace']}/{subject['name']}", set()).update(granted(rules, where))
    return found


def _key(item: Manifest) -> tuple[str, str, str]:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def tokens(objects: Iterable[Manifest]) -> dict[str, bool]:
    """Whether any pod of an account has a token mounted, by NAMESPACE/NAME; an account without pods is told by itself."""
    objects = list(objects)
    accounts = {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}": item.get("automountServiceAccountToken", True)
        for item in objects
        if item["kind"] == "ServiceAccount"
    }
    used: dict[str, bool] = {}
    for item in objects:
        for spec in pod_security.pod_specs(item):
            name = f"{item['metadata']['namespace']}/{spec.get('serviceAccountName', 'default')}"
            used[name] = used.get(name, False) or spec.get("automountServiceAccountToken", accounts.get(name, True))
    return {**accounts, **used}


def table(found: Rights) -> dict[str, dict[str, str]]:
    """Rights as people read them: verbs of each resource, by where."""
    verbs: dict[str, dict[str, set[str]]] = {}
    for where, resource, verb in found:
        verbs.setdefault(where, {}).setdefault(resource, set()).add(verb)
    return {
        where: {resource: " ".join(sorted(verbs[where][resource])) for resource in sorted(verbs[where])}
        for where in sorted(verbs)
    }

"""What a pod is told to log in with: environment variables and files from Secrets, never the values themselves."""

from dataclasses import dataclass

from aura_contract.credentials import PARTS, Part, variable
from aura_contract.dependencies import External, ExternalArms
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints, secrets
from aura_operator.builders.pod import env, secret_env

__all__ = ["API_KEY", "FOLDER", "MONGODB_USER", "Access", "access"]

FOLDER = "/etc/aura"
MONGODB_USER = MILVUS_USER = "root"
KAFKA_MECHANISM = "PLAIN"

API_KEY = "api-key"
TEXTS = {"username": "username", "password": "password", "mechanism": "mechanism", API_KEY: "api_key"}
EMBEDDED: dict[Part, dict[str, str]] = {
    "REDIS": {},
    "KAFKA": {"username": secrets.KAFKA_USER, "mechanism": KAFKA_MECHANISM},
    "MONGODB": {"username": MONGODB_USER},
    "MILVUS": {"username": MILVUS_USER},
}
"""What clients of embedded servers are told besides the password."""

FILES = {"ca.crt": "ca", "tls.crt": "cert", "tls.key": "key"}


@dataclass(frozen=True)
class Access:
    """`env` for the container, and `sources` of the projected volume that is mounted at /etc/aura."""

    env: tuple[Manifest, ...] = ()
    sources: tuple[Manifest, ...] = ()

    def __add__(self, other: "Access") -> "Access":
        return Access(self.env + other.env, self.sources + other.sources)


def access(blueprint: Blueprint, service: str) -> Access:
    """The credentials of exactly the parts that a service (replayer, planner, executor or loader) talks to."""
    clients = endpoints.CLIENTS[service]
    parts = [part for part in PARTS if part.lower() in clients]
    return sum((_part(blueprint, part) for part in parts), Access())


def _part(blueprint: Blueprint, part: Part) -> Access:
    name = part.lower()
    dependency = getattr(blueprint.spec.dependencies, name)
    external: External | ExternalArms | None = dependency.external if dependency else None
    if external is not None:
        return _external(blueprint, part, external)
    if part == "OLLAMA":
        return _model_server(blueprint)
    return _embedded(blueprint, part) if endpoints.embeds(blueprint, name) else Access()


def _embedded(blueprint: Blueprint, part: Part) -> Access:
    """The generated passwords; nothing for a server that was made without one."""
    if part.lower() not in blueprint.passwords:
        return Access()
    password = secret_env(variable(part, "password"), blueprint.child(secrets.PASSWORDS), part.lower())
    plain = {variable(part, field): value for field, value in EMBEDDED[part].items()}
    return Access((*env(plain), password))


def _model_server(blueprint: Blueprint) -> Access:
    """What the Secret of `planner.secretRef` has for the server that `planner.endpoint` names."""
    planner = blueprint.spec.planner
    if planner.secret_ref is None:
        return Access()
    openai = "openai" in blueprint.spec.planned_arms.values()
    names = ["AURA_OPENAI_API_KEY"] if openai else []
    if blueprint.spec.asks_ollama or not openai:
        names.append(variable("OLLAMA", "api_key"))
    files = _certificates(blueprint, "OLLAMA", planner.secret_ref.name)
    return Access(tuple(secret_env(name, planner.secret_ref.name, API_KEY) for name in names)) + files


def _external(blueprint: Blueprint, part: Part, external: External | ExternalArms) -> Access:
    found = env({variable(part, "tls"): "true"}) if external.tls else []
    if external.secret_ref is None:
        return Access(tuple(found))
    secret = external.secret_ref.name
    keys = blueprint.secret_keys.get(secret, frozenset())
    found += [secret_env(variable(part, field), secret, key) for key, field in TEXTS.items() if key in keys]
    return Access(tuple(found)) + _certificates(blueprint, part, secret)


def _certificates(blueprint: Blueprint, part: Part, secret: str) -> Access:
    """The Secret's PEM files, and where the service finds them."""
    keys, folder = blueprint.secret_keys.get(secret, frozenset()), f"tls/{part.lower()}"
    files = {key: field for key, field in FILES.items() if key in keys}
    if not files:
        return Access()
    items = [{"key": key, "path": f"{folder}/{key}"} for key in files]
    paths = {variable(part, field): f"{FOLDER}/{folder}/{key}" for key, field in files.items()}
    return Access(tuple(env(paths)), ({"secret": {"name": secret, "items": items}},))

"""What a visit needs of the experiment's namespace: the kubeconfig, and the values of the Secrets that are copied."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable

from aura_contract.placements import Place
from aura_operator.blueprint import Manifest
from aura_operator.cluster.kinds import Kind
from aura_operator.placements.kubeconfig import INVALID, KubeconfigError
from aura_operator.placements.objects import Copy

__all__ = ["ReadSecret", "copied", "kubeconfig"]

SECRET = Kind("v1", "Secret")

ReadSecret = Callable[[str], Awaitable[Manifest | None]]
"""Reads a Secret of the experiment's namespace by name."""


async def kubeconfig(read: ReadSecret, place: Place) -> str:
    """The text of a place's kubeconfig; raises KubeconfigError when there is none."""
    secret = await read(place.kubeconfig_secret_ref.name)
    if secret is None:
        raise KubeconfigError("SecretNotFound", f"cannot be read: the Secret does not exist; create it with the key {place.key}")
    value = (secret.get("data") or {}).get(place.key)
    if not value:
        raise KubeconfigError("SecretIncomplete", "cannot be read: the Secret lacks the key; add it")
    try:
        return base64.b64decode(value).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise KubeconfigError(INVALID, "is no text") from None


async def copied(read: ReadSecret, wanted: Iterable[Copy]) -> dict[str, dict[str, str]]:
    """Base64 values by component and key; what is missing at home is missing there."""
    found: dict[str, dict[str, str]] = {}
    for copy in wanted:
        data = ((await read(copy.source)) or {}).get("data") or {}
        found[copy.component] = {key: data[key] for key in copy.keys if data.get(key)}
    return found

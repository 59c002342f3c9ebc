"""One namespace of another cluster's API server; every request is bounded in time."""

import json
import ssl
from types import TracebackType
from typing import Any

import httpx

from aura_operator.blueprint import Manifest
from aura_operator.cluster.client import ApiError
from aura_operator.naming import FIELD_MANAGER
from aura_operator.placements.kubeconfig import Login

__all__ = ["KINDS", "PODS", "UNREACHABLE", "UNTRUSTED", "Remote"]

KINDS = {"Deployment": ("apps/v1", "deployments")} | {
    kind: ("v1", f"{kind.lower()}s") for kind in ("ServiceAccount", "Secret", "ConfigMap")
}
"""What a placement may have: API version and resource, in the order in which they are removed."""
PODS = "Pod"

UNREACHABLE, UNTRUSTED = "Unreachable", "CertificateNotTrusted"
LARGEST_ANSWER = 8 * 1024 * 1024


class Remote:
    """Objects as plain dictionaries; every method raises ApiError, with status 0 when nobody answered."""

    def __init__(self, login: Login, namespace: str, seconds: float) -> None:
        """`seconds` for one request; raises KubeconfigError for certificates that cannot be read."""
        self._login, self._namespace, self._seconds = login, namespace, seconds
        self._extensions = {"sni_hostname": login.tls_name} if login.tls_name else {}
        # Neither proxies nor credentials of the operator's own environment.
        self._http = httpx.AsyncClient(
            verify=login.tls(), timeout=seconds, headers=dict(login.headers), trust_env=False, follow_redirects=False
        )

    async def __aenter__(self) -> "Remote":
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._http.aclose()

    async def listed(self, kind: str, labels: dict[str, str]) -> list[Manifest]:
        """All objects of a kind with these labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found = await self._ask("GET", kind, params={"labelSelector": selector})
        version = "v1" if kind == PODS else KINDS[kind][0]
        # A list leaves out what its items all have.
        return [{"apiVersion": version, "kind": kind, **item} for item in found.get("items") or []]

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply: the object as it is now."""
        return await self._ask(
            "PATCH",
            manifest["kind"],
            manifest["metadata"]["name"],
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(manifest),
        )

    async def replace(self, manifest: Manifest) -> Manifest:
        """Put the object as it is given: also takes out what others have added."""
        return await self._ask(
            "PUT",
            manifest["kind"],
            manifest["metadata"]["name"],
            params={"fieldManager": FIELD_MANAGER},
            headers={"Content-Type": "application/json"},
            content=json.dumps(manifest),
        )

    async def delete(self, kind: str, name: str) -> None:
        """Delete an object and what it owns, if it is there."""
        try:
            await self._ask("DELETE", kind, name, params={"propagationPolicy": "Background"})
        except ApiError as error:
            if not error.gone:
                raise

    async def _ask(self, method: str, kind: str, name: str = "", **options: Any) -> Manifest:
        version, resource = ("v1", "pods") if kind == PODS else KINDS[kind]
        root = f"{self._login.server}/{'api' if version == 'v1' else 'apis'}/{version}"
        url = f"{root}/namespaces/{self._namespace}/{resource}{f'/{name}' if name else ''}"
        try:
            async with self._http.stream(method, url, extensions=self._extensions, **options) as answer:
                content = await _content(answer)
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise self._silence(error) from error
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        body: Manifest = found if isinstance(found, dict) else {}
        if answer.is_success and body:
            return body
        said = body.get("message") or f"HTTP status {answer.status_code}, not as a Kubernetes API server answers"
        raise ApiError(answer.status_code, str(body.get("reason") or answer.reason_phrase), str(said))

    def _silence(self, error: Exception) -> ApiError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return ApiError(0, UNTRUSTED, cause.verify_message.rstrip("."))
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx.TimeoutException):
            return ApiError(0, UNREACHABLE, f"no answer within {self._seconds:g} s")
        return ApiError(0, UNREACHABLE, " ".join(str(error).split()) or type(error).__name__)


async def _content(answer: httpx.Response) -> bytes:
    """The body, or nothing when it is larger than any answer that is asked for."""
    found = bytearray()
    async for part in answer.aiter_bytes():
        found += part
        if len(found) > LARGEST_ANSWER:
            return b""
    return bytes(found)

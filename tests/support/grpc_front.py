"""A gRPC server that wants TLS and a password, before one that wants neither: as Milvus does with authorization switched on."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from tls_front import Certificates

__all__ = ["GrpcFront"]

WORKERS = 8


class GrpcFront(grpc.GenericRpcHandler):  # type: ignore[misc] # it has no types
    """Passes on every unary call to `target` (a port), once the caller has shown user and password.

    `heard` is told of each call, and whether it was passed on.
    """

    def __init__(
        self,
        certificates: Certificates,
        target: int,
        user: str,
        password: str,
        *,
        address: str = "127.0.0.1:0",
        heard: Callable[[str, bool], object] = lambda _call, _known: None,
    ) -> None:
        self._heard = heard
        self._wanted = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{target}")
        self._server = grpc.server(ThreadPoolExecutor(WORKERS), handlers=[self])
        pair = (certificates.server_key.read_bytes(), certificates.server.read_bytes())
        self.port = self._server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        self._server.start()

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler:
        """The call of this name on the server behind; messages stay bytes."""
        behind = self._channel.unary_unary(handler_call_details.method)
        known = dict(handler_call_details.invocation_metadata).get("authorization") == self._wanted
        self._heard(handler_call_details.method, known)

        def call(request: bytes, context: grpc.ServicerContext) -> Any:
            if not known:
                # Milvus' own words.
                context.abort(
                    grpc.StatusCode.UNAUTHENTICATED, "auth check failure, please check username and password are correct"
                )
            try:
                return behind(request)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        return grpc.unary_unary_rpc_method_handler(call)

    def close(self) -> None:
        """Stop serving."""
        self._server.stop(0).wait()
        self._channel.close()

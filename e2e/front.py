"""In a pod of the planner's image: TLS and a login before a server of the same pod. `python front.py mongodb|milvus|model`."""

import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from grpc_front import GrpcFront
from model_server import model_server
from tls_front import Certificates, TlsFront

PEMS = Path("/certificates")
ANSWER = '{"frequency":"high","admit":"all","long":[],"short":[],"protect":[],"seeds":[],"drop":[]}'


def main(server: str) -> None:
    """Serve for ever; what comes in is printed, without a login."""
    own = PEMS / "tls.crt", PEMS / "tls.key"
    pems = Certificates(PEMS / "ca.crt", *own, *own, PEMS / "ca.crt")
    password = os.environ["PASSWORD"]
    with ExitStack() as stack:
        if server == "mongodb":
            # It asks for the login itself.
            TlsFront(pems, 27017, address=("", 27018))
        elif server == "milvus":
            GrpcFront(pems, 19530, "root", password, address="[::]:19531", heard=_call)
        else:
            url = stack.enter_context(model_server("tiny", ANSWER, authorization=f"Bearer {password}", heard=_question))
            TlsFront(pems, int(url.rpartition(":")[2]), address=("", 11435))
        threading.Event().wait()


def _call(name: str, known: bool) -> None:
    print("passed on" if known else "refused", name.rpartition("/")[2], flush=True)


def _question(body: bytes) -> None:
    print(body.decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

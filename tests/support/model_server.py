"""A server that speaks Ollama's protocol and OpenAI's and always answers the same: what a run does with a model, without one."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["model_server"]


@contextmanager
def model_server(
    model: str,
    answer: str,
    seconds: float = 0.0,
    authorization: str = "",
    heard: Callable[[bytes], object] = lambda _: None,
) -> Iterator[str]:
    """Its url; it has one `model`, which says `answer` after so many seconds, whatever it is asked.

    With `authorization` it answers 401 to whoever does not send that header; `heard` is told of each question that it answers.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"models": [{"name": f"{model}:latest"}]})

        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            if authorization in ("", self.headers["Authorization"]):
                heard(question)
            time.sleep(seconds)
            said = {"message": {"content": answer}}
            openai = self.path.endswith("/v1/chat/completions")
            self._answer({"choices": [said]} if openai else {**said, "done": True, "done_reason": "stop"})

        def _answer(self, body: dict[str, Any]) -> None:
            given = self.headers["Authorization"] or ""
            refused = authorization not in ("", given)
            text = json.dumps({"error": f"unauthorized: {given}"} if refused else body).encode()
            self.send_response(401 if refused else 200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

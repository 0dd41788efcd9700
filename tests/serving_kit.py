"""A real speech server on a real socket, in a thread of its own, and requests to it."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from ttsartifact.serving.request import SpeechRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["TEXT", "asked", "example", "serving"]

TEXT = "The north wind and the sun."


def example() -> ModuleType:
    """Return examples/speech_server.py as a module."""
    if "speech_server" not in sys.modules:
        path = Path(__file__).resolve().parent.parent / "examples" / "speech_server.py"
        spec = importlib.util.spec_from_file_location("speech_server", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["speech_server"] = module
        spec.loader.exec_module(module)
    return sys.modules["speech_server"]


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """Yield the address of an ASGI application that listens on a port of the loopback interface."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def asked(url: str, text: str = TEXT, **params: Any) -> SpeechRequest:
    """Return a request to the example server; `inject` says what is to go wrong."""
    held = {key: params.pop(key) for key in ("timeout_s", "idle_timeout_s", "leave_after_s") if key in params}
    return SpeechRequest(url=f"{url}/v1/audio/speech", text=text, params=params, **held)

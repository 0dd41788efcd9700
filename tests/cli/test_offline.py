"""No command that reads an artifact touches a network: all carriers, in a namespace that has none (S13)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import encoded
import kit
import pytest

if TYPE_CHECKING:
    from pathlib import Path

CALLS = """
import contextlib, io, socket, sys
from ttsartifact.cli import main
if sys.argv[1] == "cut off":
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except OSError as error:
        assert error.errno == 101, error  # ENETUNREACH: not even the loopback is up
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event.startswith("socket.") else None)
codes = []
for path in sys.argv[2:]:
    for call in (["verify"], ["verify", "--format", "json"], ["validate"], ["show"], ["show", "--receipt"]):
        with contextlib.redirect_stdout(io.StringIO()):
            codes.append(main([call[0], path, *call[1:]]))
with contextlib.redirect_stdout(io.StringIO()):
    codes += [main(["explain", "HSH02"]), main(["schema", "descriptor"])]
assert asked == [], asked
print(*codes)
"""


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Return a run in each carrier, with URLs wherever one may stand."""
    words = {
        "run__notes": "http://192.0.2.1/",
        "ext": {"org.example": {"ref": "http://192.0.2.1/", "$schema": "https://example.org/"}},
    }
    patch = kit.put(**words)
    plain = [kit.artifact(tmp_path, name=f"run.tts.{carrier}", patch=patch) for carrier in ("wav", "parquet")]
    return [*plain, *(encoded.artifact(tmp_path, carrier, patch=patch) for carrier in ("flac", "mp3"))]


def test_no_socket_is_asked_for(paths: list[Path]) -> None:
    """Not one socket is made, looked up or connected, whatever stands in the file."""
    child = subprocess.run([sys.executable, "-c", CALLS, "", *paths], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert set(child.stdout.split()) <= {"0", "1"}


def test_without_a_network_nothing_is_missing(paths: list[Path]) -> None:
    """The same codes come out of an empty network namespace, where even the loopback is down."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets us make no network namespace: `unshare -rn` fails, so nothing was shown here")
    said = [
        subprocess.run([*ahead, sys.executable, "-c", CALLS, word, *paths], capture_output=True, text=True, check=False)
        for ahead, word in (([], ""), ([unshare, "-rn"], "cut off"))
    ]
    assert said[1].returncode == 0, said[1].stderr
    assert said[0].stdout == said[1].stdout

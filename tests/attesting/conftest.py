"""Keys, an authority and a log that the tests of this room share."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from authority import make_authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with root.pem and everything that signs under it."""
    return make_authority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.fixture(scope="session")
def ssh_keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Private key files by kind, made by ssh-keygen."""
    folder = tmp_path_factory.mktemp("ssh")
    kinds = {"ed25519": [], "rsa": ["-b", "2048"], "ecdsa": ["-b", "256"]}
    for kind, more in kinds.items():
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, *more, "-N", "", "-C", "tester", "-f", folder / kind], check=True
        )
    return {kind: folder / kind for kind in kinds}

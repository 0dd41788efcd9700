"""The environment (clause 6.6): what can change a run, and nothing about whose machine it is."""

from __future__ import annotations

import getpass
import json
import os
import socket
from typing import TYPE_CHECKING

from ttsartifact.recording import environment
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def captured(**environ: str) -> dict[str, object]:
    return environment.capture(
        devices=[], runtime=[], no_devices=absent("not_measured"), in_process=True, environ=os.environ | environ
    )


def test_a_capture_names_the_machine_and_not_its_owner() -> None:
    """6.6: no host name, user name or home path, whatever the environment holds."""
    home = os.path.expanduser("~")
    words = json.dumps(
        captured(TORCH_HOME=f"{home}/.cache/torch", CUDA_CACHE_PATH="/scratch/someone/nv", OMP_NUM_THREADS="2")
    )

    found = json.loads(words)

    assert found["os"]["kernel"] == os.uname().release
    assert found["cpu"]["logical_cores"] == os.cpu_count()
    assert socket.gethostname() not in words
    assert home not in words
    assert "someone" not in words
    assert {"name": "OMP_NUM_THREADS", "value": "2"} in found["variables"]
    user = getpass.getuser()
    assert not any(user in json.dumps(found[key]) for key in ("os", "cpu", "variables", "virtualisation"))


def test_only_variables_of_the_allow_list_are_taken() -> None:
    """6.6: a secret in the environment is nobody's condition; a device's UUID becomes its digest."""
    uuid = "GPU-12345678-1234-1234-1234-123456789abc"

    found = environment.variables(
        {"AWS_SECRET_ACCESS_KEY": "x", "HOME": "/root", "CUDA_VISIBLE_DEVICES": uuid, "TORCH_HOME": "/home/me"}
    )

    assert found == [
        {"name": "CUDA_VISIBLE_DEVICES", "value": digest.of(uuid.encode())},
        {"name": "TORCH_HOME", "value": "(a path, withheld)"},
    ]


def test_a_package_is_what_was_installed_wherever_it_lies() -> None:
    """5.8: bytecode, scripts and installer files differ between two installs of the same wheel, and are left out."""
    one = "a/__init__.py,sha256=x,3\na-1.dist-info/RECORD,,\n../../bin/a,sha256=here,9\n"
    two = "a-1.dist-info/RECORD,,\na/__pycache__/__init__.cpython-311.pyc,,\na/__init__.py,sha256=x,3\n"

    assert environment.record_digest(one) == environment.record_digest(two)
    assert environment.record_digest(one) != environment.record_digest(one.replace("=x", "=y"))


def test_the_lock_holds_every_distribution_and_the_list_those_that_matter() -> None:
    """5.8: what else is installed is in the lock, line by line, and not among the packages that can change samples."""
    packages, lock = environment.packages(), environment.dependency_lock()

    names = [each["name"] for each in packages]
    assert {"numpy", "soundfile", "ttsartifact"} <= set(names)
    assert "pytest" not in names
    assert (lock.kind, b"\npytest==" in lock.listing) == ("pip-record", True)
    assert lock.to_value()["packages"] == lock.listing.count(b"\n") > len(packages)


def installed(site: Path, name: str, content: str) -> None:
    """Write what an installer leaves of one distribution of one file."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{name}.py,sha256={content},1\n{info.name}/RECORD,,\n")


def test_the_list_takes_whole_names_and_the_lock_what_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6.6 and 5.8: `torch` is of the list and `torch-of-our-client` is not; another content of one version shows."""
    locks = []
    for content in ("one", "two"):
        site = tmp_path / content
        for name in ("torch", "torch-of-our-client", "numpy-secret"):
            installed(site, name, content)
        digests = environment.record_digest(f"torch.py,sha256={content},1\n")
        locks.append(environment.dependency_lock([str(site)]))
        lines = locks[-1].listing.decode().splitlines()
        assert [line.split("==")[0] for line in lines] == ["numpy-secret", "torch-of-our-client", "torch"]
        assert lines[2] == f"torch==1.0 {digests}"
    assert locks[0].to_value()["digest"] != locks[1].to_value()["digest"]
    monkeypatch.setattr(environment, "_installed", lambda: environment._distributions([str(tmp_path / "one")]))
    assert [entry["name"] for entry in environment.packages()] == ["torch"]
    longer = {"XCUDA_VISIBLE_DEVICES": "0", "LANGUAGE": "de", "TZ_OF_OURS": "x", "OMP_NUM_THREADS": "2"}
    assert environment.variables(longer) == [{"name": "OMP_NUM_THREADS", "value": "2"}]


def test_an_engine_elsewhere_is_not_described_by_our_interpreter() -> None:
    """6.6: the recorder's Python is no condition of a command."""
    found = environment.capture(devices=[], runtime=[], no_devices=absent("unknown"), in_process=False)

    assert {found[key]["reason"] for key in ("python", "packages", "sound_library")} == {"unknown"}

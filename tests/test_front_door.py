"""The front door: everything that is promised is behind it, and opening it costs nothing."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import kit
import pytest

import ttsartifact

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
CONSTANTS = {"FORMAT_VERSION": "1.0"}


def test_every_name_is_there_and_says_what_it_is() -> None:
    """Each name loads, and has a docstring of its own."""
    for name in ttsartifact.__all__:
        value = getattr(ttsartifact, name)
        if name in CONSTANTS:
            assert value == CONSTANTS[name]
        else:
            assert inspect.getdoc(value), name


def test_the_names_are_sorted_and_told_to_type_checkers() -> None:
    """`__all__`, the lazy table and the imports that type checkers see are one list."""
    constants = sorted(name for name in ttsartifact.__all__ if name.isupper())
    classes = sorted(name for name in ttsartifact.__all__ if name[0].isupper() and not name.isupper())
    acts = sorted(name for name in ttsartifact.__all__ if name[0].islower())
    assert ttsartifact.__all__ == [*constants, *classes, *acts]
    assert set(ttsartifact.__all__) == set(ttsartifact._HOMES)
    assert set(dict(imported_for_types())) == set(ttsartifact.__all__)
    assert dict(imported_for_types()) == ttsartifact._HOMES


def imported_for_types() -> Iterator[tuple[str, str]]:
    tree = ast.parse(Path(ttsartifact.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ttsartifact."):
            yield from ((alias.asname or alias.name, str(node.module)) for alias in node.names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="module 'ttsartifact' has no attribute 'nothing'"):
        ttsartifact.nothing  # noqa: B018


def test_a_stage_is_no_act() -> None:
    """`ttsartifact.verify` is a function and `ttsartifact.verifying` a package; they do not collide."""
    import ttsartifact.verifying.engine as engine

    assert ttsartifact.verify is engine.verify


def test_importing_it_imports_nothing() -> None:
    """Not even our own modules."""
    code = "import sys; before = set(sys.modules); import ttsartifact; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = [name for name in ast.literal_eval(done.stdout) if name.startswith("ttsartifact")]
    assert ours == ["ttsartifact"]


def test_all_of_it_imports_no_torch_and_no_driver() -> None:
    """The whole door and the command line leave torch and NVML outside."""
    code = (
        "import sys, ttsartifact, ttsartifact.cli.app\n"
        "for name in ttsartifact.__all__: getattr(ttsartifact, name)\n"
        "print(sorted({'torch', 'pynvml', 'reference_runner', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_version_is_the_packages() -> None:
    """One version, in pyproject.toml and at the door."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ttsartifact.__version__ == project["version"]


def test_the_road_through_the_door(tmp_path: Path) -> None:
    """What the docstring tells, in its order, by the names that it tells."""
    path = kit.artifact(tmp_path)
    artifact = ttsartifact.open(path)
    assert isinstance(artifact, ttsartifact.Artifact)
    assert isinstance(artifact.descriptor, ttsartifact.Descriptor)
    assert isinstance(artifact.trace("chunks"), ttsartifact.Trace)
    (report,) = ttsartifact.verify(path)
    assert report.verdict == ttsartifact.Verdict.INTACT
    assert ttsartifact.validate(path)[0].failures == ()
    bare = tmp_path / "bare.wav"
    assert ttsartifact.strip(path, bare) == artifact.descriptor.known("/audio/digest")
    assert ttsartifact.reattach(bare, path, tmp_path / "again.tts.wav") == artifact.artifact_id
    assert (tmp_path / "again.tts.wav").read_bytes() == path.read_bytes()
    bare.write_bytes(kit.wav(bytes(1600)))
    with pytest.raises(ttsartifact.Refused, match="other audio"):
        ttsartifact.reattach(bare, path, tmp_path / "forged.tts.wav")

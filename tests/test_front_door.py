"""The front door: everything that is promised is behind it, and opening it costs nothing."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from importlib import metadata
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


@pytest.mark.parametrize("name", [name for name in ttsartifact.__all__ if name[0].islower()])
def test_every_function_documents_its_parameters_and_errors(name: str) -> None:
    """Each parameter has an entry under `Args:`, in order; each name under `Raises:` is a public error or Python's."""
    described = inspect.getdoc(getattr(ttsartifact, name)) or ""
    stars = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    taken = [
        stars.get(each.kind, "") + each.name
        for each in inspect.signature(getattr(ttsartifact, name)).parameters.values()
    ]
    assert entries(described, "Args") == taken
    for error in entries(described, "Raises"):
        is_pythons = error in {"TypeError", "ValueError"}  # a word that is wrong in every program
        assert is_pythons or issubclass(getattr(ttsartifact, error), ttsartifact.TtsArtifactError)


def entries(described: str, section: str) -> list[str]:
    """Return the names that a section of a docstring in Google's form describes."""
    _, _, body = described.partition(f"\n{section}:\n")
    return re.findall(r"^    ([*\w]+): ", body.split("\n\n")[0], re.MULTILINE)


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
            names = (alias.asname or alias.name for alias in node.names)
            yield from ((name, str(node.module)) for name in names if name != "__version__")


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
    """One version: the door states it, and the distribution takes it from there."""
    assert metadata.version("ttsartifact") == ttsartifact.__version__
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dynamic"]


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
    with pytest.raises(ttsartifact.Refused, match="not the recorded audio"):
        ttsartifact.reattach(bare, path, tmp_path / "forged.tts.wav")


# What carriers and their credentials are made of: an Artifact holds it, and its methods speak of it.
CARRIER_PARTS = {"Binding", "Capsule", "Chunk", "Place", "Riff", "RunTable", "State", "WaveFormat"}
ALIASES = {"DriverSample", "Piece", "Reading"}  # other names for a tuple, for bytes | Span and for a dict


def annotations_of(value: object) -> Iterator[tuple[str, str]]:
    """Yield every annotation of a function, or of the public members of a class, with where it stands."""
    if inspect.isfunction(value):
        yield from ((name, str(text)) for name, text in value.__annotations__.items())
    if not inspect.isclass(value):
        return
    for name, text in vars(value).get("__annotations__", {}).items():
        if not name.startswith("_"):
            yield name, str(text)
    for name, member in vars(value).items():
        if name.startswith("_") and name != "__init__":
            continue
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if inspect.isfunction(function):
            yield from ((f"{name}({key})", str(text)) for key, text in function.__annotations__.items())


def test_every_type_in_a_public_signature_is_public() -> None:
    """Whoever calls an act can name what it takes and returns, and what hangs on that, without a private import."""
    hidden = []
    for name in ttsartifact.__all__:
        value = getattr(ttsartifact, name)
        module = sys.modules.get(getattr(value, "__module__", ""))
        known = imports_of(module.__file__) if module is not None and module.__file__ else set()
        for where, text in annotations_of(value):
            named = set(re.findall(r"\b[A-Z]\w+\b", text)) & known
            hidden += [f"{name}.{where}: {each}" for each in named - set(ttsartifact.__all__) - CARRIER_PARTS - ALIASES]
    assert sorted(set(hidden)) == []


def imports_of(path: str) -> set[str]:
    """Return the classes of this package that a module defines or imports, be it for type checkers alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ttsartifact"):
            found |= {alias.asname or alias.name for alias in node.names}
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
    return {name for name in found if name[0].isupper() and not name.isupper()}


def test_an_artifact_shows_itself_in_one_line(tmp_path: Path) -> None:
    """A notebook shows what it is, and not its bytes."""
    artifact = ttsartifact.open(kit.artifact(tmp_path))
    assert repr(artifact) == f"<Artifact 'run.tts.wav': wav, {artifact.artifact_id[:19]}..., 800 frames>"

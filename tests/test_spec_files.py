"""spec/ and the kit are found in a checkout and in an installation, and the module is the command."""

from __future__ import annotations

import json
import os
import runpy
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ttsartifact import _spec

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = Path(__file__).parents[1] / "spec" / "1.0"


def forget() -> None:
    _spec.load_json.cache_clear()
    _spec.table.cache_clear()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of spec/1.0 as a wheel has it: tables and schemas in two files of JSON, and no TOML."""
    folder = tmp_path / "spec" / "1.0"
    folder.mkdir(parents=True)
    held = {"registry/x": {"row": [1]}, "descriptor.schema.json": {"title": "a run"}}
    (folder / "tables.json").write_text(json.dumps(held))
    (folder / "documents.json").write_text(json.dumps({"card.schema.json": {"title": "a card"}, "words.json": 7}))
    (folder / "own.schema.json").write_text('{"title": "a file"}')
    monkeypatch.setattr(_spec, "SPEC_DIR", str(tmp_path / "spec"))
    forget()
    yield folder
    forget()


def test_the_schemas_of_a_checkout_are_its_files() -> None:
    """By name, without what all of them end with."""
    assert _spec.schemas() == sorted(path.name[: -len(".schema.json")] for path in SPEC.glob("*.schema.json"))


def test_the_schemas_of_an_installation_are_in_its_tables(installed: Path) -> None:
    """And in its documents, and beside them."""
    assert _spec.schemas() == ["card", "descriptor", "own"]
    titles = [_spec.load_json(f"{name}.schema.json")["title"] for name in ("card", "descriptor", "own")]
    assert titles == ["a card", "a run", "a file"]
    assert _spec.load_json("words.json") == 7
    assert _spec.table("registry/x") == {"row": [1]}
    with pytest.raises(KeyError):
        _spec.load_json("none.json")
    (installed / "tables.json").unlink()
    forget()
    with pytest.raises(FileNotFoundError):
        _spec.load_json("none.json")


@pytest.mark.parametrize(("age_s", "row"), [(1, "edited"), (0, "built"), (-1, "built")])
def test_a_table_that_was_edited_is_read_itself(age_s: int, row: str, installed: Path) -> None:
    """Until the package is built again."""
    (installed / "tables.json").write_text('{"x": {"row": "built"}}')
    (installed / "x.toml").write_text('row = "edited"')
    os.utime(installed / "tables.json", (1_000, 1_000))
    os.utime(installed / "x.toml", (1_000 + age_s, 1_000 + age_s))
    assert _spec.table("x") == {"row": row}
    (installed / "tables.json").unlink()
    forget()
    assert _spec.table("x") == {"row": "edited"}


def test_every_table_is_what_its_file_says() -> None:
    """tables.json of this checkout is that of its TOML."""
    for path in (SPEC / "registry").glob("*.toml"):
        assert _spec.table(f"registry/{path.stem}") == tomllib.loads(path.read_text(encoding="utf-8"))


def test_the_kit_lies_beside_the_specification(installed: Path) -> None:
    """With its manifest; a folder without one is none."""
    place = installed.parents[1] / "fixtures"
    without = _spec.kit_folder()
    assert without != str(place)
    place.mkdir()
    assert _spec.kit_folder() == without
    (place / "manifest.json").touch()
    assert _spec.kit_folder() == str(place)


def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m ttsartifact` ends as `ttsa` does; that it is imported runs nothing."""
    monkeypatch.setattr(sys, "argv", ["ttsa", "--version"])
    runpy.run_module("ttsartifact.__main__", run_name="imported")
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("ttsartifact", run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip()
    monkeypatch.setattr(sys, "argv", ["ttsa", "verify", "nowhere.tts.wav"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("ttsartifact", run_name="__main__")
    assert ended.value.code not in (0, None)

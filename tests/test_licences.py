"""What comes from elsewhere is named, with the text that its owners ask to keep, in each place where it is found."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import write_card

ROOT = Path(__file__).parent.parent
RUNNER = ROOT / "reference_runner"
OURS = "Apache-2.0"


def spaced(text: str) -> str:
    """Return a text with its lines joined."""
    return re.sub(r"\s+", " ", text)


def test_every_file_of_others_is_in_the_notice():
    """REUSE.toml and NOTICE name the same files and the same licences."""
    said = spaced((ROOT / "NOTICE").read_text())
    others = [
        entry
        for entry in tomllib.loads((ROOT / "REUSE.toml").read_text())["annotations"]
        if entry["SPDX-License-Identifier"] != OURS
    ]
    for entry in others:
        for path in [entry["path"]] if isinstance(entry["path"], str) else entry["path"]:
            assert list(ROOT.glob(path)), path
            assert max(path.split("*"), key=len) in said or Path(path).name in said, path
    licences = {name for entry in others for name in entry["SPDX-License-Identifier"].split(" AND ")}
    assert {path.stem for path in (ROOT / "LICENSES").iterdir()} == licences
    assert [name for name in licences - {OURS} if name not in said] == []


def test_the_runner_brings_the_texts_along():
    """Its wheel has no LICENSES folder: the notices stand whole in its NOTICE, and its metadata names each licence."""
    notice = (RUNNER / "NOTICE").read_text()
    texts = {path.stem: path.read_text() for path in (ROOT / "LICENSES").iterdir() if path.stem != OURS}
    assert [name for name, text in texts.items() if text not in notice] == []
    stated = tomllib.loads((RUNNER / "pyproject.toml").read_text())["project"]["license"]
    assert set(stated.split(" AND ")) == {OURS, *texts}


def test_the_sample_with_a_clip_has_its_licence_beside_it():
    """The clip in a sample is an utterance of a synthesiser whose licence asks to be kept."""
    assert (ROOT / "LICENSES" / "MIT-Festival.txt").read_text() in (ROOT / "fixtures/released/NOTICE").read_text()


def test_one_licence_stands_in_four_places():
    """Each distribution has its own copy."""
    copies = [ROOT / "LICENSE", RUNNER / "LICENSE", ROOT / "fixtures" / "LICENSE", ROOT / "LICENSES" / f"{OURS}.txt"]
    assert len({path.read_bytes() for path in copies}) == 1


def test_the_card_has_the_figures_of_the_files_beside_it():
    """Otherwise: python tests/write_card.py."""
    assert write_card.CARD.read_text() == write_card.card(write_card.CARD.read_text())

"""The runner's own commands: what is missing or unreadable ends each with one sentence and exit code 2."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "fixtures" / "valid" / "L1"
FLAC = str(KIT / "flac" / "flac.tts.flac")
TRAINING = 'run: pip install "ttsartifact-reference-runner[training]"'
EVALUATION = TRAINING.replace("training", "evaluation")
WEIGHTS_ONLY = "run: pip install --no-deps Resemblyzer"
PEOPLE = "the encoder that was trained on people"
LISTENER_OUT = ("--no-listener", "--output", "x")
COMMANDS = (
    ("evaluation", ["measurements", "words", FLAC, "--output", "x.json"], "pocketsphinx", "the listener", TRAINING),
    ("evaluation", ["artifacts", FLAC, "--no-encoder", "--output", "x"], "pocketsphinx", "the listener", TRAINING),
    ("evaluation", ["artifacts", FLAC, "--no-listener", "--output", "x"], "matplotlib", "the picture", TRAINING),
    ("evaluation", ["artifacts", FLAC, *LISTENER_OUT], "speechmos", "the naturalness figure (DNSMOS)", EVALUATION),
    ("evaluation", ["artifacts", FLAC, *LISTENER_OUT, "--no-naturalness"], "resemblyzer", PEOPLE, WEIGHTS_ONLY),
    ("evaluation", ["checkpoint", "--output", "x"], "matplotlib", "the picture", TRAINING),
    ("laboratory.product", ["--output", "x"], "pocketsphinx", "the listener", TRAINING),
    ("laboratory.ablation", ["--output", "x"], "pocketsphinx", "the listener", TRAINING),
    ("laboratory.ablation", ["--output", "x"], "matplotlib", "the picture", TRAINING),
    ("laboratory.training", ["assemble"], "matplotlib", "the picture of the losses", TRAINING),
    ("exporting", ["--output", "x"], "onnx", "an export", TRAINING.replace("training", "onnx")),
)
NO_CORPUS = (
    ("evaluation", ["checkpoint", "--corpus", "none", "--output", "x"]),
    ("laboratory.voice_population", ["--corpus", "none"]),
)


def ended(module: str, words: list[str], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Call a command's main and return what it said when it ended with exit code 2."""
    name = f"reference_runner.{module}"
    try:
        main = importlib.import_module(f"{name}.__main__").main
    except ModuleNotFoundError:
        main = importlib.import_module(name).main
    patch.setattr(sys, "argv", [module, *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2, said
    assert said.startswith(f"python -m {name}: ")
    assert said.endswith("\n")
    assert said.count("\n") == 1
    return said.removeprefix(f"python -m {name}: ").removesuffix("\n")


@pytest.mark.parametrize(("module", "words", "package", "what", "remedy"), COMMANDS)
def test_a_missing_package_is_one_sentence(module, words, package, what, remedy, tmp_path, monkeypatch, capsys):
    """It names the package and the command that installs it; nothing was made, so no work is lost."""
    monkeypatch.chdir(tmp_path)
    for loaded in [one for one in sys.modules if f"{one}.".startswith((f"{package}.", "reference_runner.exporting."))]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    said = ended(module, words, monkeypatch, capsys)
    assert said == f"{what} needs {package}, which is not installed; {remedy}"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("module", "words"), NO_CORPUS)
def test_a_corpus_that_is_not_there_is_named(module, words, tmp_path, monkeypatch, capsys):
    """A wrong path is said like any wrong word of a call."""
    monkeypatch.chdir(tmp_path)
    assert "none" in ended(module, words, monkeypatch, capsys)


def test_every_command_ends_so():
    """Each module that `python -m` runs has a `main` that is decorated with the module's own name."""
    found = {}
    for path in (ROOT / "reference_runner").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "main"]:
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
            found[module] = [ast.unparse(one) for one in function.decorator_list]
    assert len(found) >= 9
    assert found == {module: [f"stopping_in_a_sentence({module!r})"] for module in found}

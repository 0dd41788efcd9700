"""An option that means nothing without another, or beside one, is refused, and never left out in silence."""

from __future__ import annotations

import pytest

from ttsartifact.cli import main
from ttsartifact.cli.options import Argument, CommandParameter
from ttsartifact.cli.table import COMMANDS

DEPENDENT = [
    (command.name, parameter)
    for command in COMMANDS.values()
    for parameter in command.parameters
    if parameter.declared.needs or parameter.declared.not_with
]
REFUSED = [
    (
        "record --http http://127.0.0.1:1 --text x -o a --no-repair-header",
        "--no-repair-header and --http cannot be combined",
    ),
    ("record --http http://127.0.0.1:1 --text x -o a --sync-burst", "--sync-burst and --http cannot be combined"),
    ("record --text x -o a --allow-net -- true", "--allow-net needs --http"),
    ("record --text x -o a --model-file m.bin -- true", "--model-file needs --model"),
    ("record --text x -o a --sync-chip 500 -- true", "--sync-chip needs --sync-burst"),
    ("record --text x -o a --ref-origin other:x -- true", "--ref-origin needs --ref"),
    ("run x -o a --ref-origin other:x", "--ref-origin needs --ref or --prompt"),
    ("run x -o a --batch-size 2", "--batch-size needs --batch"),
    ("bench http://127.0.0.1:1 -o a --arrivals constant", "--arrivals needs --rate"),
    ("rerun a --pcm s16le:8000:1", "--pcm needs -- CMD"),
    ("rerun a --text-on-stdin --runner stable-tts", "--text-on-stdin needs -- CMD"),
    ("align a --sensor b --name wall", "--name needs --append"),
    ("align a --sensor b --meter make=x", "--meter needs --append"),
    ("align a --sensor b --no-keep-log", "--no-keep-log needs --append"),
    ("align a --sensor b --marks a,b", "--marks needs --method markers"),
    ("align a --sensor b --method clock --offset-ms 3", "--offset-ms needs --method manual"),
    ("claim new c.toml --exploratory --template session-consistency", "--exploratory needs RUNS"),
    ("claim check c.toml --log l", "--log needs RUNS"),
    ("claim new c.toml run.tts.wav --template session-consistency", "RUNS... needs `claim check`"),
    ("log check l f.toml", "FILE... needs `log add`"),
    ("claim check c.toml --template session-consistency", "--template needs `claim new`"),
    ("log add l f --index 3", "--index needs `log prove`"),
    ("log check l --key k", "--key needs `log init` or `log checkpoint`"),
    (
        "statement computation-receipt f --at 2026-01-01T00:00:00Z",
        "--at needs `statement prml` or `statement eval-result`",
    ),
    ("sign f --ssh-key k --rerun r.json", "--rerun needs --key"),
    ("log chek l --key k", "unknown action chek; expected one of init, add, checkpoint, stamp, prove, check"),
    ("claim chek c.toml --exploratory", "unknown action chek; expected one of new, check"),
    ("statement prm f --at 1", "unknown form prm; expected one of prml, eval-result, computation-receipt"),
    ("record --text x -o a.tts.wav --suffix .mp3 -- true", "--suffix needs {out} in the command, or --out -"),
    ("run x -o a --prompt-text y", "--prompt-text needs --prompt self, or --prompt CLIP"),
    ("run x -o a --prompt prior --prompt-text y", "--prompt-text needs --prompt self, or --prompt CLIP"),
    ("timestamp f --request q --out g", "--out needs --reply"),
    ("publish f -o g", "--out needs --ssh-key or --key or --log"),
    ("publish f --log-key k", "--log-key needs --log"),
    ("session f --measurements m.json", "--measurements needs --metric"),
    ("align a --sensor b --time-form iso", "--time-form needs --time"),
    ("align a --sensor b -o c", "--out needs --append"),
    (
        "record -o a.tts.parquet --text x --suffix .flac -- say {text}",
        "--suffix needs {out} in the command, or --out -",
    ),
    ("record --http http://127.0.0.1:1 --text x -o a --ref clip.wav", "--ref and --http cannot be combined"),
    ("record --text x -o a --sensor none --period 20 -- true", "--period and --sensor none cannot be combined"),
    ("record --text x -o a --dry-run --report p.html -- true", "--report and --dry-run cannot be combined"),
    (
        "bench http://127.0.0.1:1 -o a --rate 1 --arrivals constant --schedule-seed 3",
        "--schedule-seed and --arrivals constant cannot be combined",
    ),
    ("rerun a --factory m:f --timeout 5", "--timeout and --factory cannot be combined"),
    ("show a --receipt --format json", "--receipt and --format cannot be combined"),
    ("show a --receipt --plot p.png", "--receipt and --plot cannot be combined"),
    ("show a --plot p.png --format tsv", "--plot and --format tsv cannot be combined"),
    ("verify a --config b --isolated", "--isolated and --config cannot be combined"),
    (
        "stats a.attempts.parquet --attempts b.attempts.parquet",
        "--attempts needs a SET that is not an attempts table; found a.attempts.parquet",
    ),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_an_option_without_what_it_belongs_to_is_wrong_usage(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the quick parser and by typer alike, before any file is opened."""
    assert main(words.split()) == 2
    assert f"usage: {said} (" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("unpack a -o b --out=c", "--out is given more than once; the last one counts"),
        ("bench http://127.0.0.1:1 -o a --requests 2 --requests=3 --rate x", "--requests is given more than once"),
        ("record --text a -o b.tts.wav -- true --text c --text d", ""),
        ("verify a b --ignore X --ignore Y", ""),
        ("unpack -q a -o b --out=c", ""),
    ],
)
def test_an_option_of_one_value_that_is_given_twice_is_told(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the quick parser and by typer alike; a script may set what an alias has set before."""
    main(words.split())
    told = capsys.readouterr().err
    assert ("more than once" in told) is bool(said)
    assert said in told


def test_what_an_option_needs_is_there() -> None:
    """Each name of `needs` is a parameter of one of the commands that have the option, and each option needs one."""
    assert len(DEPENDENT) > 40
    for name, parameter in DEPENDENT:
        kin = [known(each.parameters) for each in COMMANDS.values() if any(declares(each.parameters, parameter))]
        for need in (*parameter.declared.needs.split(), *parameter.declared.not_with.split()):
            assert any(need.partition("=")[0] in names for names in kin), (name, parameter.flag, need)


def known(parameters: list[CommandParameter]) -> set[str]:
    return {each.keyword for each in parameters}


def declares(parameters: list[CommandParameter], wanted: CommandParameter) -> list[bool]:
    return [each.declared is wanted.declared for each in parameters]


@pytest.mark.parametrize(
    ("given", "is_refused"),
    [
        ({"act": "check", "runs": ["a"], "exploratory": True}, False),
        ({"act": "check", "runs": [], "exploratory": True}, True),
        ({"act": "check", "exploratory": False}, False),
        ({"act": "new"}, False),
    ],
)
def test_a_default_is_never_refused(given: dict[str, object], is_refused: bool) -> None:
    """Typer hands over every default; only what differs from it was typed for a reason."""
    others = {each.keyword: each for each in COMMANDS["claim"].parameters}
    assert bool(others["exploratory"].misfit("claim", others, given)) is is_refused


@pytest.mark.parametrize(("given", "is_unknown"), [({}, False), ({"act": "new"}, False), ({"act": "nwe"}, True)])
def test_a_word_that_may_be_left_out_is_not_unknown_where_it_is(given: dict[str, str], *, is_unknown: bool) -> None:
    """Without it the options are still asked for what they need."""
    act = Argument("ACT", "What to do.", words=lambda: ("new", "check"))
    optional = CommandParameter(keyword="act", kind=str, many=False, required=False, default=None, declared=act)
    assert optional.has_unknown_word(given) is is_unknown

"""Right and wrong calls one after the other, as somebody types them, held to kept outputs (tests/kept)."""

from __future__ import annotations

import io
import shlex
import sys
from typing import TYPE_CHECKING

import full_run
import kit
import pytest
from imperfect_voice import voiced_run
from kept import assert_kept

from ttsartifact.attesting.keys import generate_key
from ttsartifact.cli import main
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

RECEIPT = "sha256:" + "0" * 64
COPY = "import shutil, sys; shutil.copy('tone.wav', sys.argv[1])"
POLICY = 'id = "house"\nversion = "1.0"\n[[check]]\nmetric = "{metric}"\noperator = ">="\nthreshold = {least}\n{more}'
PLAN = (
    'seed = "4711"\n[[layer]]\nid = "gap"\nkind = "block"\nper_frame = 0.1\nlength_ms = 20\n'
    '[[layer]]\nid = "two"\nkind = "click"\nat = [5, 9]\n'
)
CLAIM = (
    'claim = "1.0"\ntitle = "loud"\n[factor]\nby = "none"\n[runs]\nminimum = 2\n'
    '[[expect]]\nmetric = "rtf"\neffect = "level"\ndirection = "less"\nmargin = 2.0\ndraws = 99\n'
)
CALLS = {
    "reading": [
        "verify small.tts.wav full.tts.wav",
        "-q verify small.tts.wav bad.tts.wav",
        "verify small.tts.wav letter.tts.wav none.tts.wav bare.wav --format tsv",
        f"verify small.tts.wav full.tts.wav --receipt {RECEIPT}",
        f"verify small.tts.wav --receipt {RECEIPT}",
        f"verify bare.wav --receipt {RECEIPT}",
        "verify small.tts.wav --quick --text x",
        "verify small.tts.wav --text 'Other words.'",
        f"verify small.tts.wav --text '{kit.TEXT}'",
        "verify full.tts.wav --ref clip.wav",
        "verify small.tts.wav --level L3 --profile power",
        "verify small.tts.wav --ignore HSH02",
        "verify small.tts.wav --ignore ZZZ01=why",
        "verify bad.tts.wav --ignore HSH02=known --ignore HSH03=known",
        "verify . --jobs 1",
        "verify empty",
        "verify @list",
        "verify @nothing",
        "verify - -",
        "validate small.tts.wav bad.tts.wav",
        "show small.tts.wav none.tts.wav letter.tts.wav",
        "show small.tts.wav full.tts.wav --plot p.png",
        "show small.tts.wav --receipt",
        "show --receipt --format json small.tts.wav",
        "diff small.tts.wav letter.tts.wav",
        "diff bare.wav bare.wav",
        "small.tts.wav -q",
        "shov small.tts.wav",
        "zzz",
        "--version",
        "schema nothing",
        "explain --format",
        "completion tcsh",
        "export small.tts.wav -o trace.json",
        "export small.tts.wav --perfetto -o trace.json",
        "export small.tts.wav full.tts.wav --perfetto -o trace.json",
        "export small.tts.wav full.tts.wav --perfetto -o trace.json --force",
        "report letter.tts.wav -o page.html",
        "report small.tts.wav letter.tts.wav full.tts.wav -o page.html",
        "conform --select zzz true",
        "stats set.tts.parquet",
    ],
    "carriers": [
        "convert small.tts.wav -o a.tts.parquet",
        "convert small.tts.wav -o a.tts.parquet",
        "convert small.tts.wav full.tts.wav -o a.tts.parquet --force",
        "convert small.tts.wav -o a.tts.mp3",
        "convert small.tts.wav full.tts.wav -o a.tts.wav",
        "convert full.tts.wav --multichannel -o m.tts.wav",
        "convert small.tts.wav --multichannel -o n.tts.wav",
        "convert small.tts.wav full.tts.wav --multichannel -o n.tts.wav",
        "unpack small.tts.wav -o parts",
        "unpack small.tts.wav -o parts",
        "unpack small.tts.wav -o -",
        "strip small.tts.wav -o copy.wav --capsule capsule",
        "strip small.tts.wav -o copy.wav",
        "strip a.tts.parquet -o copy2.wav",
        "reattach copy.wav --descriptor capsule -o again.tts.wav",
        "reattach copy.wav --descriptor parts -o again2.tts.wav",
        "reattach tone2.wav --descriptor capsule -o again3.tts.wav",
        "reattach copy.wav --descriptor copy.wav -o again3.tts.wav",
        "pack copy.wav --descriptor parts/descriptor.json -o packed.tts.wav",
        "pack copy.wav --descriptor letter.tts.wav -o packed2.tts.wav",
        "pack copy.wav --descriptor parts/descriptor.json --trace letter.tts.wav -o packed2.tts.wav",
        "pack letter.tts.wav --descriptor parts/descriptor.json -o packed2.tts.wav",
        "align full.tts.wav --sensor m.csv --marks a",
        "align full.tts.wav --sensor m.csv --meter make",
        "align full.tts.wav --sensor m.csv --method clock",
        "align full.tts.wav --sensor m.csv --method manual",
        "align full.tts.wav --sensor m.csv --method manual --offset-ms 0",
        "align full.tts.wav --sensor m.csv --method manual --offset-ms 0 --bound-ms 100 --lag-ms 3",
        "align full.tts.wav --sensor m.csv --method manual --offset-ms 0 --bound-ms 100 --sync-ms 3",
        "align full.tts.wav --sensor m.csv --method manual --offset-ms 0 --bound-ms 100",
        "align full.tts.wav --sensor m.csv --method manual --offset-ms 0 --bound-ms 100 --format json",
        "align full.tts.wav --sensor m.csv --offset-ms 0 --bound-ms 9 --method manual --append -o al.tts.wav --name p",
        "align full.tts.wav --sensor m.csv --method manual --offset-ms 0 --bound-ms 1 --append -o z --meter make=x",
    ],
    "making": [
        f'record -o r.tts.wav --text Ah. --sensor none -- {shlex.quote(sys.executable)} -c "{COPY}" {{out}} {{text}}',
        "record -o s.tts.wav --text Ah.",
        "record -o s.tts.wav --http http://127.0.0.1:1 --text Ah. -- true",
        "record -o s.tts.wav --http http://127.0.0.1:1 --text Ah. --suffix .mp3",
        "record -o s.tts.wav --text Ah. --suffix .mp3 -- true {text}",
        "record -o - --text Ah. --report p.html -- true {text}",
        "record -o s.tts.wav --text Ah. --report - -- true {text}",
        "record -o s.tts.wav -- true {text}",
        "record -o s.tts.wav --text Ah. --text-file letter.tts.wav -- true {text}",
        "record -o s.tts.wav --text Ah. --seed many -- true {text}",
        "record -o s.tts.wav --text Ah. --seed a=b -- true {text}",
        "record -o s.tts.wav --text Ah. --param speed -- true {text}",
        "record -o s.tts.wav --text Ah. --ref clip.wav --ref-origin who -- true {text} {ref}",
        "record -o s.tts.wav --text Ah. --ref clip.wav --ref-origin zzz:who -- true {text} {ref}",
        "record -o s.tts.wav --text Ah. --model x -- true {text}",
        "record -o s.tts.wav --text Ah. --vocoder x -- true {text}",
        "record -o s.tts.wav --text Ah. --engine x -- true {text}",
        "record -o s.tts.wav --text Ah. --frontend x -- true {text}",
        "record -o s.tts.wav --text Ah. --marking zzz -- true {text}",
        "record -o s.tts.wav --text Ah. --precision float16,zzz=1 -- true {text}",
        "record -o s.tts.wav --text Ah. --sensor zzz -- true {text}",
        "record -o s.tts.wav --text Ah. --sync-burst --sync-chip 60001 -- true {text}",
        "record -o s.tts.wav --text Ah. --preregistered none.toml -- true {text}",
        "record -o s.tts.wav --text Ah. --gate scored.toml -- true {text}",
        "record -o s.tts.txt --text Ah. -- true {text}",
        "record -o s.tts.wav --text Ah. --sensor none -- true {text}",
        "record -o s.tts.wav --text Ah. --sensor none -- false {text}",
        "record -o s.tts.wav --text Ah. --sensor none -- no-such-command {text}",
        "recover none.journal.jsonl",
        "recover letter.tts.wav",
        "run -o - --runner zzz --batch list",
        "bench http://127.0.0.1:1 -o -",
        "bench http://127.0.0.1:1 -o b.tts.parquet --text Ah. --concurrency one",
        "bench http://127.0.0.1:1 -o b.tts.parquet --text Ah. --concurrency 0",
        "bench http://127.0.0.1:1 -o b.tts.parquet --text Ah. --rate -1",
        "bench http://127.0.0.1:1 -o b.tts.parquet --text Ah. --same-seed --concurrency 1",
        "bench http://127.0.0.1:1 -o b.tts.parquet --text Ah. --same-seed --concurrency 2,4",
        "bench http://127.0.0.1:1 -o b.tts.parquet --text Ah. --same-seed --rate 1",
        "bench http://127.0.0.1:1 -o b.tts.parquet --text-file blank",
        "bench http://example.org -o b.tts.parquet --text Ah.",
        "proxy --to http://127.0.0.1:1 -o out --listen zzz",
        "proxy --to http://127.0.0.1:1 -o out --listen 127.0.0.1:65536",
        "proxy --to http://127.0.0.1:1 -o out --listen 0.0.0.0:0",
        "proxy --to http://127.0.0.1:1 -o out --listen 0.0.0.0:65535",
        "proxy --to http://example.org -o out",
        "import letter.tts.wav -o a.parquet",
        "import letter.tts.wav -o a.attempts.parquet",
        "rerun small.tts.wav --runner zzz -- true {text}",
        "rerun small.tts.wav --param a=1 -- true {text}",
        "rerun small.tts.wav",
        f'rerun r.tts.wav -- {shlex.quote(sys.executable)} -c "{COPY}" {{out}} {{text}}',
        "rerun small.tts.wav -- false {text}",
    ],
    "judging": [
        "gate small.tts.wav --policy loud.toml -o g.tts.wav",
        "gate small.tts.wav --policy quiet.toml -o h.tts.wav",
        "gate small.tts.wav full.tts.wav --policy quiet.toml -o g.tts.parquet",
        "gate small.tts.wav full.tts.wav --policy scored.toml -o g2.tts.parquet --score mos=3",
        "gate small.tts.wav --policy scored.toml -o g2.tts.wav",
        "gate small.tts.wav --policy scored.toml -o g2.tts.wav --score mos=3.61,3.62",
        "gate small.tts.wav --policy scored.toml -o g3.tts.wav --score mos=3.61,3.9",
        "gate small.tts.wav --policy scored.toml -o g4.tts.wav --score mos",
        "gate small.tts.wav --policy scored.toml -o g4.tts.wav --score mos=many",
        "gate small.tts.wav --policy scored.toml -o g4.tts.wav --scores scores.tsv",
        "gate small.tts.wav --policy scored.toml -o g5.tts.wav --scores list",
        "gate small.tts.wav --policy scored.toml -o g5.tts.wav --scores strange.tsv --score mos=4",
        "perturb voiced.tts.wav --spec plan.toml -o x.tts.wav",
        "perturb voiced.tts.wav --spec letter.tts.wav -o y.tts.wav",
        "gallery voiced.tts.wav -o gallery.html --seed 3",
        "gallery voiced.tts.wav -o gallery.html",
        "claim new c.toml",
        "claim new c.toml --template speed-accuracy",
        "claim new c.toml --template speed-accuracy",
        "claim new c.toml --template zzz",
        "claim zzz c.toml",
        "claim check c.toml",
        "claim check c.toml --format json",
        "claim check letter.tts.wav",
        "claim check loud-claim.toml small.tts.wav full.tts.wav",
        "claim check loud-claim.toml small.tts.wav full.tts.wav --exploratory",
        "claim check loud-claim.toml stated.tts.wav small.tts.wav --log zzz",
        "session small.tts.wav full.tts.wav --metric rtf --format tsv",
        "session small.tts.wav full.tts.wav --metric rtf",
        "session small.tts.wav --metric zzz",
        "statement zzz small.tts.wav",
        "statement prml c.toml",
        "statement prml c.toml --at 2026-01-15T09:00:00Z --by me",
        "statement prml c.toml --at 2026-01-15T09:00:00Z --by me --dataset words",
        "statement prml c.toml --at 2026-01-15T09:00:00Z --by me --dataset words=list",
        "statement prml c.toml --at 2026-01-15T09:00:00Z --by me --dataset words=list --expectation 2",
        "statement prml c.toml --at 2026-01-15T09:00:00Z --by me --dataset words=list --expectation 3",
        "statement prml c.toml --at yesterday --by me --dataset words=list",
        "statement eval-result g.tts.wav --at 2026-01-15T09:00:00Z --by me",
        "statement eval-result h.tts.wav --at 2026-01-15T09:00:00Z --by me",
        "statement eval-result small.tts.wav --at 2026-01-15T09:00:00Z --by me",
        "statement eval-result list.json --at 2026-01-15T09:00:00Z --by me",
        "statement eval-result number.json --at 2026-01-15T09:00:00Z --by me",
        "statement computation-receipt full.tts.wav",
        "statement computation-receipt small.tts.wav",
    ],
    "attesting": [
        "sign small.tts.wav",
        "sign small.tts.wav --key key.pem --ssh-key key.pem",
        "sign small.tts.wav --key none.pem",
        "sign small.tts.wav --key key.pem -o signed.tts.wav",
        "sign small.tts.wav --key key.pem --rerun list",
        "sign small.tts.wav --key key.pem --rerun number.json",
        "sign set.tts.parquet --key key.pem -o signed.tts.parquet",
        "verify signed.tts.wav",
        "timestamp small.tts.wav",
        "timestamp small.tts.wav --request a.tsq --reply a.tsr",
        "timestamp set.tts.parquet --request a.tsq",
        "timestamp small.tts.wav --request a.tsq",
        "log zzz log",
        "log init log",
        "log init log --origin example.org/runs --key log/key.pem",
        "log init log --origin example.org/runs --key key.pem",
        "log init log --origin example.org/runs --key key.pem",
        "log add log",
        "log add log list",
        "log add log small.tts.wav set.tts.parquet quiet.toml --by me",
        "log add log loud-claim.toml --kind policy",
        "log checkpoint log",
        "log checkpoint log --key key.pem",
        "log prove log",
        "log prove log --index 9",
        "log prove log --index 0 -o signed.tts.wav",
        "log check log",
        "log check log --log-key zzz",
        "log check log --checkpoint letter.tts.wav",
        "log stamp log",
        "log stamp log --request log.tsq",
        "log check none",
        "verify signed.tts.wav --log log",
        "publish bad.tts.wav --key key.pem",
        "publish full.tts.wav --key key.pem -o published.tts.wav --log log --log-key key.pem",
        "publish small.tts.wav",
        "claim check loud-claim.toml stated.tts.wav small.tts.wav --log log --exploratory",
    ],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of runs and other files, in which the calls are made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    claim = digest.of(CLAIM.encode())
    kit.artifact(tmp_path, name="small.tts.wav")
    kit.artifact(
        tmp_path, name="stated.tts.wav", patch=kit.put(run__preregistered=[claim], run__run_id=kit.RUN_ID[:-1] + "0")
    )
    full_run.artifact(tmp_path, name="full.tts.wav")
    data = bytearray((tmp_path / "small.tts.wav").read_bytes())
    data[200] ^= 1
    (tmp_path / "bad.tts.wav").write_bytes(data)
    voiced_run(tmp_path).rename(tmp_path / "voiced.tts.wav")
    for name, pcm in (("bare.wav", None), ("tone.wav", None), ("tone2.wav", bytes(1600)), ("clip.wav", kit.tone(160))):
        (tmp_path / name).write_bytes(kit.wav(pcm))
    (tmp_path / "empty").mkdir()
    main(["-q", "convert", "small.tts.wav", "full.tts.wav", "-o", "set.tts.parquet"])
    texts = {
        "letter.tts.wav": "The run was fine.\n",
        "list": "small.tts.wav\nfull.tts.wav\n",
        "nothing": "\n",
        "blank": " \n\n",
        "loud.toml": POLICY.format(metric="loudness", least=-5, more=""),
        "quiet.toml": POLICY.format(metric="loudness", least=-60, more=""),
        "scored.toml": POLICY.format(metric="mos", least=3.5, more='source = "utmos@1.2.0"\nspread = 0.05\n'),
        "plan.toml": PLAN,
        "loud-claim.toml": CLAIM,
        "scores.tsv": f"# a comment\n\n{kit.RUN_ID}\tmos\t3.7,3.71\n",
        "strange.tsv": "another\tmos\t3.7\n",
        "list.json": "[",
        "number.json": "5",
        "m.csv": "time,i,v,p\n" + "".join(f"{n / 10},0,12,{300 if 3 < n < 30 else 200}\n" for n in range(60)),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    generate_key(str(tmp_path / "key.pem"))
    return tmp_path


@pytest.mark.parametrize("kind", CALLS)
def test_calls_are_answered_as_kept(
    kind: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on stdout, on stderr, and the exit code."""
    lines = []
    capsys.readouterr()
    for call in CALLS[kind]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        code = main(shlex.split(call))
        said = capsys.readouterr()
        lines += [f"$ ttsa {call}", *said.out.splitlines(), *(f"! {line}" for line in said.err.splitlines())]
        lines += [f"[{code}]"] if code else []
    text = "\n".join(lines).replace(sys.executable, "python")
    assert_kept(f"calls/{kind}.txt", text, place)

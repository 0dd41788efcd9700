"""Secrets are masked before anything is written, and what was masked is said (clause 11.1)."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

import kit
import pytest

from ttsartifact import _spec
from ttsartifact.errors import CommandFailed
from ttsartifact.formulas import secrets
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

KEY = "q1w2e3r4t5"
LONG = "0a1B2c3D4e5F6a7B8c9D0e1F2a3B4c5D"

# Command lines, headers, addresses and notes that state a secret; SECRET stands for it, kept as it is in the mask.
STATED = (
    ["sshpass", "-p", "SECRET", "ssh", "host"],
    ["sshpass", "-pSECRET", "scp"],
    ["/usr/bin/mysql", "-u", "root", "-pSECRET"],
    ["redis-cli", "-h", "host", "-a", "SECRET", "get"],
    ["docker", "login", "-u", "me", "-p", "SECRET"],
    ["docker", "login", "-p=SECRET"],
    ["mongosh", "-p", "SECRET"],
    ["unzip", "-P", "SECRET", "a.zip"],
    ["7z", "x", "-pSECRET"],
    ["openssl", "enc", "-k", "SECRET"],
    ["smbclient", "-U", "me%SECRET"],
    ["curl", "-bsid=SECRET"],
    ["curl", "--oauth2-bearer", "SECRET"],
    ["tts", "--key", "SECRET"],
    ["tts", "--key=SECRET"],
    ["tts", "-k", "SECRET"],
    ["tts", "--credentials-json", '{"a":"SECRET"}'],
    ["tts", "--token-base64", "SECRET"],
    ["gh", "auth", "login", "--with-token", "SECRET"],
    ["env", "PGPASSWORD=SECRET"],
    ["env", "MYSQL_PWD=SECRET"],
    ["env", "OPENAI_API_KEY_2=SECRET"],
    ["env", "aws_session_token=SECRET"],
    ["-H", "X-Signature: SECRET"],
    ["-H", "X-Functions-Key: SECRET"],
    ["-H", "token:SECRET"],
    ["http", "X-Token:SECRET"],
    ["https://x.org/?api%5Fkey=SECRET"],
    ["https://x.org/?api%255Fkey=SECRET&a=b"],
    ["https://x.org/?next=https%3A%2F%2Fy%3Fapi_key%3DSECRET%26a%3Db"],
    [r'{"api\u005fkey": "SECRET"}'],
    ["wss://x/?authorization=Bearer%20SECRET"],
    ["sh", "-c", "sshpass -p SECRET ssh host"],
    ["sh", "-c", "tts --api-key SECRET --text a"],
    ["sh", "-c", "curl -u me:SECRET https://x.org"],
    ["sh", "-c", "echo SECRET | docker login --password-stdin"],
    "machine api.x.org login me password SECRET",
    "machine api.x.org\n  login me\n  password SECRET\n",
    "with Token SECRET of the day",
    {"x": "Bearer SECRET"},
    {"headers": {"Authorization": ["Bearer SECRET"]}},
    {"cookies": {"sid": "SECRET"}},
    {"auth": ["me", "SECRET"]},
    {"api_keys": {"a": "SECRET"}},
    ["snmpget", "-v2c", "-c", "SECRET", "host", "sysDescr"],
    "snmpwalk -v2c -c SECRET host",
    ["htpasswd", "-b", "users", "me", "SECRET"],
    ["htpasswd", "-nb", "me", "SECRET"],
    ["smbclient", "//host/share", "SECRET", "-N"],
    ["net", "use", "Z:", r"\\host\share", "SECRET"],
    ["rabbitmqctl", "add_user", "me", "SECRET"],
    ["mysqladmin", "-u", "root", "password", "SECRET"],
    ["redis-cli", "AUTH", "SECRET"],
    ["nmcli", "dev", "wifi", "connect", "net", "password", "SECRET"],
    ["wpa_passphrase", "net", "SECRET"],
    ["vault", "login", "SECRET"],
    ["wandb", "login", "SECRET"],
    ["aws", "configure", "set", "aws_secret_access_key", "SECRET"],
    ["plink", "-pw", "SECRET", "me@host.org"],
    ["xfreerdp", "/u:me", "/p:SECRET"],
    ["ssh-keygen", "-N", "SECRET"],
    ["keytool", "-list", "-storepass", "SECRET"],
    ["useradd", "-p", "SECRET", "me"],
    ["kubectl", "create", "secret", "generic", "x", "--from-literal=pw=SECRET"],
    ["gh", "secret", "set", "X", "--body", "SECRET"],
    ["curl", "-E", "cert.pem:SECRET", "https://x.org"],
    ["curl", "-d", '{"voice":"a","auth":{"token":"SECRET"}}'],
    ["curl", "-H", "AUTHORIZATION: BEARER SECRET"],
    ["curl", "-H", "authorization:basic SECRET"],
    r'curl -d "{\"api_key\":\"SECRET\"}" https://x.org',
    "echo 'me:SECRET' | chpasswd",
    "docker login --password-stdin <<< SECRET",
    "otpauth://totp/x?secret=SECRET",
    'api_token = "SECRET"',
    "https://me%3ASECRET@x.org/",
    "//me:SECRET@x.org/a",
    "with BEARER SECRET of the day",
)

# What engines and honest people write; nothing in it is a secret.
HONEST = (
    ["espeak-ng", "-v", "en-us", "-s", "160", "-p", "50", "-a", "100", "-k", "20", "-w", "{out}", "{text}"],
    ["flite", "-voice", "rms", "--setf", "duration_stretch=1.2", "-t", "{text}", "-o", "{out}"],
    ["text2wave", "-eval", "(voice_kal_diphone)", "-o", "{out}"],
    ["pico2wave", "-l", "en-US", "-w", "{out}", "{text}"],
    ["piper", "--model", "en_US-joe-medium.onnx", "--output_file", "{out}", "--speaker", "3"],
    ["tts", "--text", "{text}", "--model_name", "tts_models/en/ljspeech/vits--neon", "--out_path", "{out}"],
    ["RHVoice-test", "-p", "Anna", "-o", "{out}"],
    ["sing", "--key", "Cmaj7", "-k", "Gm7b5", "--key-signature", "3s", "--time-signature", "4/4"],
    ["sox", "-n", "{out}", "synth", "3", "sine", "440"],
    ["curl", "-k", "https://host1.example2.org/v1/speak", "-d", '{"text":"{text}"}', "--key", "client1a2b.pem"],
    ["curl", "-H", "X-Request-Id: 0a1b2c3d4e5f6a7b8c9d", "-H", "Idempotency-Key: 0a1b2c3d", "https://x.org"],
    ["docker", "run", "-p", "8080:80", "-u", "1000:1000", "-a", "stdout", "ghcr.io/x/tts"],
    ["mysql", "-p", "db", "-P", "3306"],
    ["psql", "-p", "5432"],
    ["sort", "-k", "2,2n"],
    ["pytest", "-k", "test_utf8_b16"],
    ["openssl", "enc", "-pass", "env:KEY", "-passin", "file:key.txt"],
    ["sh", "-c", "espeak-ng -w \"$1\" -p 50 -k 5 'my password is lost'", "_", "{out}"],
    ["sh", "-c", "echo '{text}' | piper -m a -f {out}"],
    ["env", "PWD=/srv/tts", "OMP_NUM_THREADS=4", "TOKENIZERS_PARALLELISM=false"],
    {
        "key": "minor",
        "keys": ["a1b2c3d4"],
        "voice_key": "alba1a2b3c",
        "tokens": ["hel", "lo"],
        "token": ["<s>", "</s>"],
    },
    {"key": "speaker", "value": "p225a1b2"},
    {"credentials": "none", "license": "CC-BY-4.0", "stop_token": "a1b2c3"},
    ["--license", "apache-2.0-with-x1y2", "--access", "public", "--pat", "pattern1a"],
    "The key: a minor. Token 12 of 40 was slow; token budget 200 tokens; basic voice1 test.",
    "Used the --token option to set it, and --password as well - see -k and -p below.",
    "The login page asks for a password twice; a machine that is password protected. Bearer of news; Token abc123.",
    "see https://x.org/a%20b?text=hello%3Dworld, 50%; Voice key: en-US-Wavenet-D1; X-Ray: yes; token: <eos>",
    ["ssh", "-p", "22", "host"],
    ["train.py", "--pin-memory", "true", "--pin", "17", "--pinned", "1024"],
    ["gpio", "--pin", "GPIO17"],
    ["python", "-c", "print(1)"],
    ["tar", "-c", "-f", "x", "-X", "list", "-A", "y"],
    ["snmpget", "-v2c", "-c", "$COMMUNITY", "host"],
    ["smbclient", "//host/share", "-N"],
    ["vault", "login", "-method=oidc"],
    ["aws", "configure", "list"],
    ["redis-cli", "GET", "key"],
    ["ssh-keygen", "-t", "rsa", "-N", ""],
    ["xfreerdp", "/v:host"],
    "a vault login page; net use of energy; each token is said once - the word password too, and basic training",
    "ak-47, as-is, st. petersburg, SKATEBOARD, cio, key-value-store-implementation-notes, co-operation, pul-ling",
    "sdk-build-2026, the pin: two metres, secret_sauce_recipe_of_the_old_bakery, https://example.org/@me/a",
    "fw_version=1.2.3, ops_per_second, model_v1_multilingual_finetuned_checkpoint_000123, eyJuYW1lIjoieCJ9",
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["say", "--api-key", KEY], ["say", "--api-key", "{secret}"]),
        ([f"--token={KEY}"], ["--token={secret}"]),
        (["-H", f"Authorization: Bearer {KEY}"], ["-H", "Authorization: Bearer {secret}"]),
        (["-H", f"xi-api-key: {KEY}"], ["-H", "xi-api-key: {secret}"]),
        ([f"https://x.org/a?voice=b&api_key={KEY}&c=d"], ["https://x.org/a?voice=b&api_key={secret}&c=d"]),
        (["env", f"API_KEY={KEY}", "say"], ["env", "API_KEY={secret}", "say"]),
        ([f"https://me:{KEY}@x.org/"], ["https://me:{secret}@x.org/"]),
        ([f'{{"apiKey":"{KEY}","voice":"a"}}'], ['{"apiKey":"{secret}","voice":"a"}']),
        (["hf_" + "a1" * 17], ["{secret}"]),
        ({"name": "TORCH_SECRET_TOKEN", "value": KEY}, {"name": "TORCH_SECRET_TOKEN", "value": "{secret}"}),
        ({"openai_api_key": KEY, "max_tokens": 7}, {"openai_api_key": "{secret}", "max_tokens": 7}),
        (["curl", "-u", f"me:{KEY}", "https://x.org"], ["curl", "-u", "me:{secret}", "https://x.org"]),
        (["/usr/bin/curl", f"--proxy-user=me:{KEY}"], ["/usr/bin/curl", "--proxy-user=me:{secret}"]),
        (["curl", f"-ume:{KEY}", "https://x.org"], ["curl", "-ume:{secret}", "https://x.org"]),
        (["curl", "-b", f"sid={KEY}"], ["curl", "-b", "{secret}"]),
        (["docker", "run", "-u", "1000:1000", "-b", "a=b"], ["docker", "run", "-u", "1000:1000", "-b", "a=b"]),
        (["-H", f"Cookie: a=b; sid={KEY}"], ["-H", "Cookie: {secret}"]),
        (["-H", f"Authorization: Key 0a1b:{KEY}"], ["-H", "Authorization: Key {secret}"]),
        (["-H", f"X-Auth-Token: {KEY}"], ["-H", "X-Auth-Token: {secret}"]),
        (["-H", "X-Signature: sesame"], ["-H", "X-Signature: {secret}"]),
        (["-H", "token: sesame"], ["-H", "token: {secret}"]),
        (["http", "X-Auth-Token:sesame"], ["http", "X-Auth-Token:{secret}"]),
        (["-H", f"token: {KEY * 3}"], ["-H", "token: {secret}"]),
        ([f"redis://:{KEY}@db:6379"], ["redis://:{secret}@db:6379"]),
        ([f"https://{KEY * 3}@x.org/"], ["https://{secret}@x.org/"]),
        ([f"https://x.org/speak?key={KEY * 3}&text=a"], ["https://x.org/speak?key={secret}&text=a"]),
        ([f"https://x.org/speak?code={KEY * 3}"], ["https://x.org/speak?code={secret}"]),
        (["https://x.org/speak?key=minor&code=en"], ["https://x.org/speak?key=minor&code=en"]),
        ([f"Bearer {KEY * 3}"], ["{secret}"]),
        ([f"aws_secret_access_key = {KEY}"], ["aws_secret_access_key = {secret}"]),
        (["env", f"AZURE_SPEECH_KEY={KEY}"], ["env", "AZURE_SPEECH_KEY={secret}"]),
        (["env", f"API_\u212aEY={KEY}"], ["env", "API_\u212aEY={secret}"]),
        ([["api_key", KEY]], [["api_key", "{secret}"]]),
        ({"key": "API_KEY", "value": KEY}, {"key": "API_KEY", "value": "{secret}"}),
        ("the token: what a model reads", "the token: what a model reads"),
        (["--eos-token", KEY, "--n-tokens", "12"], ["--eos-token", KEY, "--n-tokens", "12"]),
        (["--token", "{text}", "--password", "$PASSWORD"], ["--token", "{text}", "--password", "$PASSWORD"]),
    ],
)
def test_a_secret_is_masked_by_its_name_or_its_look(given: object, kept: object) -> None:
    """Everything beside it stays as it was."""
    assert secrets.masked(given)[0] == kept
    assert secrets.masked(kept) == (kept, [])


@pytest.mark.parametrize("given", STATED, ids=str)
@pytest.mark.parametrize("secret", [KEY, LONG])
def test_what_states_a_secret_is_masked(given: object, secret: str) -> None:
    """By option, header, scheme, percent-encoded name, line of a shell, netrc or holder; and it is found afterwards."""
    said = json.loads(json.dumps(given).replace("SECRET", secret))
    held, reported = secrets.masked(said)
    assert len(reported) == 1
    assert secret not in json.dumps(held)
    assert secrets.masked(held) == (held, [])
    for ensure_ascii in (True, False):
        assert secrets.is_marked(json.dumps(said, ensure_ascii=ensure_ascii).encode())


@pytest.mark.parametrize("given", HONEST, ids=str)
def test_what_engines_say_is_no_secret(given: object) -> None:
    """Pitches, ports, musical keys, tokens of a model, files and prose stay as they are."""
    assert secrets.masked(given) == (given, [])


@pytest.mark.parametrize(
    ("line", "masked_in_prose"),
    [
        ("tts --api-key SECRET --text a", False),
        ("redis-cli -h x AUTH SECRET", False),
        ("vault login SECRET -x", False),
        ("sshpass -p SECRET ssh h", True),
    ],
)
def test_a_word_of_letters_is_a_secret_in_a_shells_line(line: str, masked_in_prose: bool) -> None:
    """Prose names options and programs too; there only a program's own option is believed of a plain word."""
    said = line.replace("SECRET", "letmein")
    for option in ("-c", "-lc", "-ec", "-ic"):
        assert secrets.masked(["sh", option, said])[0][2] == line.replace("SECRET", secrets.MASK)
    assert secrets.masked(["sh", "-x", said])[0][2] == (
        line.replace("SECRET", secrets.MASK) if masked_in_prose else said
    )
    assert secrets.masked(line.replace("SECRET", KEY))[0] == line.replace("SECRET", secrets.MASK)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('token = "letmein"', 'token = "letmein"'),
        ('token = "l3tmein"', 'token = "{secret}"'),
        ("token = l3tmein", "token = l3tmein"),
    ],
)
def test_an_assignment_in_prose_is_a_secret_where_it_is_quoted_and_no_word(said: str, kept: str) -> None:
    """Between blanks; a config file writes it so, and people write words."""
    assert secrets.masked(said)[0] == kept


def test_the_digits_of_a_pin_are_masked() -> None:
    """An option for a PIN and a program that takes a password are believed of digits; a pin of a board is none."""
    for given in (["tool", "--pin", "839201"], ["tool", "--so-pin=8392"], ["pkcs11-tool", "-p", "8392"]):
        held, reported = secrets.masked(given)
        assert "8392" not in json.dumps(held)
        assert len(reported) == 1
        assert secrets.is_marked(json.dumps(given).encode())


@pytest.mark.parametrize(
    "given",
    [
        ["curl", "-H", "X-Token: open sesame", "http://x/"],
        ["curl", "-HX-Token: open sesame", "http://x/"],
        ["curl", "--header", "X-Api-Key: a b sesame", "http://x/"],
        ["curl", "--header=X-Auth: open sesame", "http://x/"],
        ["sh", "-c", "curl -H 'X-Token: open sesame' -H 'X-Auth: open sesame' http://x/"],
        {"headers": "X-Secret: open sesame\nAccept: audio/wav"},
    ],
)
def test_all_of_a_headers_value_is_masked(given: object) -> None:
    """It may have blanks; what follows the first was published. Other headers stay."""
    kept = json.dumps(secrets.masked(given)[0])
    assert "sesame" not in kept
    assert "http://x/" in kept or "Accept: audio/wav" in kept
    assert secrets.is_marked(json.dumps(given).encode())


def test_no_program_is_listed_twice() -> None:
    """The second entry would hide the first."""
    programs = [program for command in _spec.table("registry/privacy")["commands"] for program in command["programs"]]
    assert len(programs) == len(set(programs))


def test_a_name_in_other_letters_is_the_same_name() -> None:
    """Names are folded by NFKC and case (clause 11.1), and what lies beside the value stays as it was written."""
    given = f"\uff34emperature \u0130=\u212a; to\u212aen={KEY}\uff06\u212a&\ufb01"
    assert secrets.masked(given) == (
        "\uff34emperature \u0130=\u212a; to\u212aen={secret}&\ufb01",
        [": the value of to\u212aen"],
    )
    assert secrets.masked({"\u212aey": "\u212aelvin", "to\u212aens": "three"})[1] == []


def test_every_word_of_the_registry_is_marked() -> None:
    """The look at the bytes that spares the walk sees every name and every key."""
    words = _spec.table("registry/privacy")
    for name in (*words["endings"], *words["exact"]):
        assert secrets.is_marked(f'"my-{name.replace(" ", "-")}"'.encode()), name
    for key in words["keys"]:
        before = "123456789" if "before" in key else ""  # of a bot
        assert all(secrets.is_marked(f'"{before}{start}{"7" * key["least"]}"'.encode()) for start in key["starts"]), key
        assert all(secrets.masked([before + start + "7" * 99])[1] for start in key["starts"]), key
    for name in words["doubtful"]:
        assert secrets.is_marked(f'["say","--{name}","{KEY}"]'.encode()), name
    for command in words["commands"]:
        after = "".join(f'"{word}",' for word in command.get("after", ()))
        assert all(secrets.is_marked(f'["{program}"]'.encode()) for program in command["programs"]), command
        for option in (option for kind in ("values", "joined", "pairs", "jars") for option in command.get(kind, ())):
            for program in command["programs"]:
                assert secrets.is_marked(f'["/usr/bin/{program}",{after}"{option}","a:b=c"]'.encode()), option
                assert secrets.is_marked(f'["{program} {option} a:b=c"]'.encode()), option


@pytest.mark.parametrize(
    "given",
    [
        {"api key": KEY},
        {"name": "API KEY", "value": KEY},
        {"passé": KEY},
        {"to\u212aen": KEY},
        {"\uff34\uff4f\uff4b\uff45\uff4e": KEY},
        ["--\u017fecret", KEY],
        [f"API_\u212aEY={KEY}"],
        f"x {chr(0x1D42D)}o{chr(0x1D424)}en={KEY}&c=d",
        {"token/": KEY},
        ["--token,", KEY],
        ["curl", "-d", f'{{"pass": "{KEY}"}}'],
        f"{{'sig': '{KEY}'}}",
        f'{{\n"sas": "{KEY}"}}',
    ],
)
def test_what_is_masked_is_marked(given: object) -> None:
    """A name is folded before it is judged, so the look at the bytes folds too; else a secret passes unseen."""
    assert secrets.masked(given)[1]
    for ensure_ascii in (True, False):
        assert secrets.is_marked(json.dumps(given, ensure_ascii=ensure_ascii).encode())


def test_record_masks_before_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command, notes, parameters and variables: the artifact breaks no privacy rule, and each mask is said."""
    monkeypatch.setenv("TORCH_SECRET_TOKEN", KEY)
    (tmp_path / "in.wav").write_bytes(kit.wav())
    engine = tmp_path / "engine.py"
    engine.write_text("import shutil, sys; assert 'q1w2' in sys.argv[3]; shutil.copy(sys.argv[1], sys.argv[2])")
    argv = [sys.executable, str(engine), str(tmp_path / "in.wav"), "{out}", f"--api-key={KEY}", "{text}"]
    said: list[str] = []
    out = tmp_path / "run.tts.wav"
    record_command(
        argv, text="hello there", out=out, notes=f"password: {KEY}, hello there", withhold_text=True, say=said.append
    )
    artifact = open_artifact(out)
    assert KEY.encode() not in out.read_bytes()
    assert artifact.descriptor.at("/generation/command/argv")[4] == "--api-key={secret}"
    assert artifact.descriptor.at("/run/notes") == "password: {secret}, {text}"
    assert not kit.failed(verify(out)[0])
    names = [entry["name"] for entry in artifact.descriptor.at("/env/variables")]
    masks = [line.removeprefix("masked in the artifact: ") for line in said if line.startswith("masked")]
    assert sorted(masks) == [
        f"/env/variables/{names.index('TORCH_SECRET_TOKEN')}/value: the value of TORCH_SECRET_TOKEN",
        "/generation/command/argv/4: the value of api-key",
        "/run/notes: the value of password",
        "/run/notes: the withheld text",
    ]


def test_a_journal_is_its_owners_and_holds_no_secret(tmp_path: Path) -> None:
    """What is left of a recording that failed."""
    argv = [sys.executable, "-c", "import sys; sys.stderr.write('token=" + KEY + "'); sys.exit(3)", "{text}"]
    with pytest.raises(CommandFailed):
        record_command(argv, text="hi", out=tmp_path / "run.tts.wav")
    journal = tmp_path / "run.tts.wav.journal.jsonl"
    assert stat.S_IMODE(os.stat(journal).st_mode) == 0o600
    assert KEY not in journal.read_text()
    assert [json.loads(line)["what"] for line in journal.read_text().splitlines()][-1] == "abandoned"


def test_a_journal_is_not_written_through_a_link(tmp_path: Path) -> None:
    """Somebody else's link would choose what we append to."""
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "run.tts.wav.journal.jsonl").symlink_to(tmp_path / "victim")
    with pytest.raises(CommandFailed):
        record_command([sys.executable, "{text}"], text="hi", out=tmp_path / "run.tts.wav")
    assert (tmp_path / "victim").read_text() == "mine"

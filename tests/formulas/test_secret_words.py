"""11: what is masked is said by what it is the value of; each case with all of its words in refusals.json."""

from __future__ import annotations

from typing import Any

import pytest
import refusals

from ttsartifact.formulas.secrets import MASK, masked, secrets_of

DRAWN = "kD93jfLq0ZpX7vBn2WcR5tYm8sHa4GuE"
KEY = f"-----BEGIN {'PRIVATE'} KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
STATED: dict[str, tuple[Any, bool]] = {
    "a scheme": ({"notes": f"sent with Bearer {DRAWN} today"}, True),
    "a scheme and a word": ({"notes": "the bearer of this letter"}, False),
    "a pipe": ({"notes": "echo hunter2x | docker login --password-stdin"}, True),
    "a pipe to something else": ({"notes": "echo hunter2x | wc"}, False),
    "an input": ({"notes": "docker login --password-stdin <<< hunter2x"}, True),
    "an input of something else": ({"notes": "wc <<< hunter2x"}, False),
    "a netrc": ({"notes": "machine a.example login me password hunter2x"}, True),
    "a private key": ({"notes": KEY}, True),
    "a token of the web": (
        {"notes": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"},
        True,
    ),
    "an address": ({"uri": "https://me:hunter2x@a.example/"}, True),
    "an address of nobody": ({"uri": "https://a.example/x?y=z"}, False),
    "a query": ({"uri": f"https://a.example/?key={DRAWN}"}, True),
    "an option": ({"argv": ["say", "--password", "hunter2x"]}, True),
    "an option with a sign": ({"argv": ["say", "--password=hunter2x"]}, True),
    "an option behind an option": ({"argv": ["say", "--password", "--loud"]}, True),
    "an option in prose": ({"notes": "run it with --api-key hunter2x now"}, True),
    "an option behind an option in prose": ({"notes": "run it with --api-key --loud now"}, False),
    "a name in prose": ({"notes": "the password hunter2x-like is none"}, False),
    "a short option": ({"argv": ["sshpass", "-p", "hunter2x", "ssh", "a"]}, True),
    "a short option of another program": ({"argv": ["mkdir", "-p", "hunter2x"]}, False),
    "a variable": ({"notes": f"HF_TOKEN={DRAWN} python x.py"}, True),
    "a header": ({"headers": {"Authorization": f"Token {DRAWN}"}}, True),
    "a header in prose": ({"notes": f"X-Api-Key: {DRAWN}"}, True),
    "a member": ({"client_secret": "hunter2x"}, True),
    "a member of another name": ({"client_secrecy": "hunter2x"}, False),
    "a digest": ({"notes": "sha256:" + "ab" * 32}, False),
    "a bot": ({"notes": f"123456789:{'AA'}{DRAWN}h asked for it"}, True),
    "a bot in an address": ({"uri": f"http://127.0.0.1:8081/bot1234567890:{'AA'}{DRAWN}_/sendVoice"}, True),
    "a bot without its number": ({"notes": f":{'AA'}{DRAWN}h"}, False),
    "a bot of a short number": ({"notes": f"1234567:{'AA'}{DRAWN}h"}, False),
    "a bot of a long number": ({"notes": f"12345678901:{'AA'}{DRAWN}h"}, False),
    "a bot that is cut": ({"notes": f"123456789:{'AA'}{DRAWN}"}, False),
    "a bot of other letters": ({"notes": f"123456789:AB{DRAWN}h, 123456789:{'AA'}/{DRAWN}h"}, False),
    "a number behind a word": ({"notes": f"v123456789:{'AA'}{DRAWN}h"}, False),
    "an address of a network": ({"notes": "00:AA:BB:CC:DD:EE, 2026-11-28T10:20:30Z, 123456789:AAC"}, False),
    "a key of Kaggle": ({"notes": f"{'KGAT'}_{'0a1b2c3d' * 4}"}, True),
    "a key of Kaggle that is cut": ({"notes": f"{'KGAT'}_{'0a1b2c3d' * 3}"}, False),
    "a variable of Kaggle": ({"argv": ["env", f"KAGGLE_KEY={'0a1b2c3d' * 4}", "say"]}, True),
    "a variable of Kaggle's user": ({"argv": ["env", "KAGGLE_USERNAME=me0a1b2c3d", "say"]}, False),
    "an address at Kaggle": ({"uri": "kaggle://me/voice-of-mine/0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d"}, False),
    "an escape": ({"notes": "a%5Ftoken%3D" + DRAWN}, True),
}


@pytest.mark.parametrize("name", STATED)
def test_a_secret_is_called_by_what_it_is_the_value_of(name: str) -> None:
    """And nothing else is taken for one."""
    value, is_secret = STATED[name]
    found = list(secrets_of(value))
    assert bool(found) is is_secret
    refusals.require_same(f"{each.where}: {each.name}; {each.start} to {each.end}" for each in found)
    kept, _ = masked(value)
    assert (MASK in str(kept)) is is_secret
    assert not any(word in str(kept) for word in ("hunter2x", DRAWN) if is_secret)

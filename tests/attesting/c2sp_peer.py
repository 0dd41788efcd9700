"""Another implementation of the C2SP logs (aics-tlog, pure Python, 3.12 and newer) reads our logs and writes one.

c2sp_peer.py check FOLDER LOG_KEY       audit a log: signature, every tile and entry, proofs, consistency
c2sp_peer.py write FOLDER               write the log that lies in c2sp_log, byte for byte the same each time
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import aics_tlog as peer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "peer.example/runs"
COUNT = 300
TIME_S = 1_764_000_000


def check(folder: Path, line: str) -> dict[str, object]:
    """Return what the other implementation finds in a log; it raises where something does not hold."""
    key = peer.parse_vkey(line)
    note = peer.parse_note((folder / "checkpoint").read_text())
    verdict = peer.verify_checkpoint(note, key, expected_origin=key.name)
    head = peer.parse_checkpoint(note.text)
    tiles = peer.FileSystemTileReader(folder)
    peer.audit_tiles(tiles, head.size, head.root)
    included = sum(
        peer.verify_leaf_inclusion(
            peer.read_entry(tiles, index, head.size),
            index,
            head.size,
            peer.inclusion_proof_from_tiles(tiles, index, head.size),
            head.root,
        )
        for index in range(head.size)
    )
    consistent = []
    for old in sorted(int(path.name) for path in (folder / "history").iterdir() if path.name.isdigit()):
        before = peer.parse_checkpoint(peer.parse_note((folder / "history" / str(old)).read_text()).text)
        proof = peer.consistency_proof_from_tiles(tiles, old, head.size)
        consistent.append(peer.verify_consistency(old, head.size, before.root, head.root, proof))
    return {"signed": verdict.ok, "size": head.size, "included": included, "consistent": consistent}


def write(folder: Path) -> None:
    """Write a log of COUNT runs with a checkpoint that a witness signed too, from keys that everybody may know."""
    log_key, witness = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
    leaves = [b'{"digest":"sha256:%064x","kind":"run"}' % number for number in range(COUNT)]
    store = peer.DirectoryTileStore(folder, fsync=False)
    peer.IncrementalTileWriter(store).append(leaves)
    head = peer.Checkpoint(ORIGIN, COUNT, peer.MerkleTree(leaves).root())
    note = peer.sign_checkpoint(head, log_key, ORIGIN)
    _, line = peer.sign_cosignature(witness, "witness.example", TIME_S, ORIGIN, COUNT, head.root)
    both = peer.Note(note.text, (*note.signatures, line))
    (folder / "checkpoint").write_bytes(both.to_bytes())
    keys = [
        peer.vkey_from_ed25519(ORIGIN, log_key.public_key()),
        peer.cosignature_vkey("witness.example", witness.public_key()),
    ]
    (folder / "keys").write_text("".join(f"{peer.format_vkey(key)}\n" for key in keys))
    (folder / "origin").write_text(f"{ORIGIN}\n")


if __name__ == "__main__":
    act, place, *rest = sys.argv[1:]
    if act == "write":
        write(Path(place))
    else:
        sys.stdout.write(json.dumps(check(Path(place), *rest)))

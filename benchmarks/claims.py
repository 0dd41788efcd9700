"""How often a claim is supported that should not be, and how often one that should: simulated sets of 24 runs.

Each set is a session of 24 runs whose pitch scatters by 0.4 semitones, with a drift of 0.5 semitones behind run 12 or
without one; the claim is that the pitch rises, by permutation at alpha 0.05. Other sets have a planted confounder, or
too few runs. Printed: the rate of false `supported` with its one-sided 99.9 % bounds (Clopper and Pearson 1934),
of which the lower must not lie above alpha, the power, and that confounders and missing runs were named.

python benchmarks/claims.py [SETS, 2000] [JSON]
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from claim_kit import drift_claim, measured, session
from scipy.stats import beta

from ttsartifact.claiming.evaluate import Answer, evaluate

RUNS, AFTER, DRIFT, SCATTER = 24, 12, 0.5, 0.4
CLAIM = drift_claim()


def values(seed: int, drift: float, count: int = RUNS) -> dict[str, list[float]]:
    """Return the pitch of a set."""
    noise = random.Random(seed)
    return {"pitch": [8 + noise.gauss(0, SCATTER) + (drift if n > AFTER else 0) for n in range(1, count + 1)]}


def revised(n: int, value: dict[str, Any]) -> None:
    """Plant a confounder: another revision from run 14 on."""
    revision = ("a" if n < 14 else "b") * 40
    value["pins"]["model"] = {"uri": "hf:a/b", "revision": revision, "files": [], "license": "mit"}


def supported(sets: int, drift: float, first: int) -> int:
    """Return how many of so many sets support the claim. The runs differ in their values alone."""
    runs = session(CLAIM, RUNS)
    found = (evaluate(CLAIM, runs, measured(runs, values(first + n, drift))) for n in range(sets))
    return sum(each.answer is Answer.SUPPORTED for each in found)


def bounds(hits: int, sets: int, tail: float = 0.001) -> tuple[float, float]:
    """Return the lower and the upper one-sided bound of a rate."""
    low = float(beta.ppf(tail, hits, sets - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, sets - hits)) if hits < sets else 1.0
    return low, high


def named(sets: int) -> tuple[int, int]:
    """Return how many sets with a confounder, and how many with too few runs, are not decidable and say why."""
    confounded, few = session(CLAIM, RUNS, revised), session(CLAIM, 17)
    counts = [0, 0]
    for n in range(sets):
        one = evaluate(CLAIM, confounded, measured(confounded, values(n, DRIFT)))
        counts[0] += one.answer is Answer.NOT_DECIDABLE and "model changed at run 14" in one.reasons[0].message
        two = evaluate(CLAIM, few, measured(few, values(n, DRIFT, 17)))
        counts[1] += two.answer is Answer.NOT_DECIDABLE and two.reasons[0].count == 5
    return counts[0], counts[1]


def main(sets: int, out: Path | None) -> None:
    """Simulate, print, and keep the figures where a file is named."""
    alpha = CLAIM.expectations[0].alpha_ppm / 1e6
    false = supported(sets, 0.0, 0)
    low, high = bounds(false, sets)
    true = supported(sets, DRIFT, sets)
    confounded, few = named(min(sets, 200))
    print(f"{sets} sets of {RUNS} runs, pitch scatters by {SCATTER} semitones, permutation test, alpha {alpha}")
    print(f"no drift:   supported in {false}, {false / sets:.4f}; 99.9 % one-sided bounds {low:.4f} and {high:.4f}")
    print(
        f"            false support is {'not shown to be more' if low <= alpha else 'MORE'} frequent than alpha {alpha}"
    )
    print(f"drift {DRIFT}:  supported in {true}, power {true / sets:.4f}")
    print(f"confounder: not decidable and named in {confounded} of {min(sets, 200)}")
    print(f"17 runs:    not decidable, 5 missing, in {few} of {min(sets, 200)}")
    if out is not None:
        figures = {
            "sets": sets, "runs": RUNS, "scatter": SCATTER, "drift": DRIFT, "alpha_percent": 100 * alpha,
            "false_percent": 100 * false / sets, "low_percent": 100 * low, "high_percent": 100 * high,
            "power_percent": 100 * true / sets, "planted": min(sets, 200), "confounders_named": confounded,
            "missing_named": few,
        }  # fmt: skip
        out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, Path(sys.argv[2]) if len(sys.argv) > 2 else None)

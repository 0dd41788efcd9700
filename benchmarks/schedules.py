"""Whether the portable draws do what they say: 10,000 seeded schedules a trigger, counted and held against chance.

    python benchmarks/schedules.py [JSON]

For each trigger the counts of events of all schedules are compared with their exact distribution by chi-square (bins of
at least 5 expected counts), and the draws of a trigger with the uniform one in 64 bins. A p-value below 1e-3 is told.
"""

from __future__ import annotations

import json
import sys
from math import comb, exp, lgamma, log
from pathlib import Path
from typing import Any

from ttsartifact import draw, schedule
from ttsartifact.formulas.draws import DRAW_ONE, probability

SEEDS, OPPORTUNITIES, LEVEL = 10_000, 60, 1e-3
TRIGGERS: dict[str, dict[str, Any]] = {
    "per_word 5 %": {"per_word_ppm": 50_000},
    "per_frame 30 %": {"per_frame_ppm": 300_000},
    "per_packet 1 %": {"per_packet_ppm": 10_000},
    "rate 30 a minute": {"rate_per_min_milli": 30_000},
    "rate 600 a minute": {"rate_per_min_milli": 600_000},
    "markov p 5 % r 40 %": {"markov": {"p_ppm": 50_000, "r_ppm": 400_000, "k_ppm": 1_000_000, "h_ppm": 0}},
    "markov k 98 % h 30 %": {"markov": {"p_ppm": 50_000, "r_ppm": 400_000, "k_ppm": 980_000, "h_ppm": 300_000}},
}


def main() -> None:
    worst, kept = 1.0, []
    print(f"{SEEDS} schedules of {OPPORTUNITIES} opportunities each")
    print(f"{'trigger':22} {'expected':>9} {'measured':>9} {'chi2':>8} {'dof':>4} {'p':>7}")
    for name, trigger in TRIGGERS.items():
        counts = [0] * (OPPORTUNITIES + 1)
        for seed in range(SEEDS):
            decided = schedule(f"{name}/{seed}", {"id": "x", "trigger": trigger}, OPPORTUNITIES)
            counts[sum(fires for _, fires in decided)] += 1
        chances = distribution(trigger)
        statistic, freedom = chi_square(counts, [chance * SEEDS for chance in chances])
        p = upper_tail(statistic, freedom)
        worst = min(worst, p)
        mean = sum(k * chance for k, chance in enumerate(chances))
        measured = sum(k * count for k, count in enumerate(counts)) / SEEDS
        print(f"{name:22} {mean:9.4f} {measured:9.4f} {statistic:8.2f} {freedom:4} {p:7.4f}")
        kept.append({"name": name, "expected": mean, "measured": measured, "chi2": statistic, "dof": freedom, "p": p})
    bins = [0] * 64
    for seed in range(SEEDS):
        for index in range(16):
            bins[draw(str(seed), "x/fire", index) * 64 // DRAW_ONE] += 1
    statistic, freedom = chi_square(bins, [sum(bins) / 64] * 64)
    p = upper_tail(statistic, freedom)
    print(f"{'draws in 64 bins':22} {sum(bins) / 64:9.1f} {'':9} {statistic:8.2f} {freedom:4} {p:7.4f}")
    kept.append({"name": "draws in 64 bins", "chi2": statistic, "dof": freedom, "p": p})
    print("all above" if min(worst, p) > LEVEL else "NOT all above", f"{LEVEL:g}")
    if len(sys.argv) > 1:
        found = {"seeds": SEEDS, "opportunities": OPPORTUNITIES, "triggers": kept}
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def distribution(trigger: dict[str, Any]) -> list[float]:
    """Return how likely each count of events is: binomial, or of a chain by its states."""
    chance = probability(trigger)
    if chance is not None:
        p = chance[0] / chance[1]
        return [comb(OPPORTUNITIES, k) * p**k * (1 - p) ** (OPPORTUNITIES - k) for k in range(OPPORTUNITIES + 1)]
    chain = {key: value / 1_000_000 for key, value in trigger["markov"].items()}
    turn, fires = (chain["p_ppm"], chain["r_ppm"]), (1 - chain["k_ppm"], 1 - chain["h_ppm"])
    states = [[1.0] + [0.0] * OPPORTUNITIES, [0.0] * (OPPORTUNITIES + 1)]
    for _ in range(OPPORTUNITIES):
        turned = [
            [states[s][k] * (1 - turn[s]) + states[1 - s][k] * turn[1 - s] for k in range(OPPORTUNITIES + 1)]
            for s in (0, 1)
        ]
        states = [
            [
                turned[s][k] * (1 - fires[s]) + (turned[s][k - 1] * fires[s] if k else 0)
                for k in range(OPPORTUNITIES + 1)
            ]
            for s in (0, 1)
        ]
    return [a + b for a, b in zip(*states, strict=True)]


def chi_square(counts: list[int], expected: list[float]) -> tuple[float, int]:
    """Return the statistic and its degrees of freedom; neighbours are joined until each bin expects 5."""
    bins: list[list[float]] = []
    held, wanted = 0.0, 0.0
    for count, expectation in zip(counts, expected, strict=True):
        held, wanted = held + count, wanted + expectation
        if wanted >= 5:
            bins.append([held, wanted])
            held = wanted = 0.0
    bins[-1][0] += held
    bins[-1][1] += wanted
    return sum((found - wish) ** 2 / wish for found, wish in bins), len(bins) - 1


def upper_tail(statistic: float, freedom: int) -> float:
    """Return the probability of at least this statistic: the regularised incomplete gamma function by its series."""
    a, x = freedom / 2, statistic / 2
    if x == 0:
        return 1.0
    term = total = 1 / a
    n = a
    while term > total * 1e-15:
        n += 1
        term *= x / n
        total += term
    return max(0.0, 1 - total * exp(a * log(x) - x - lgamma(a)))


if __name__ == "__main__":
    main()

"""How each stage is trained: one table, from random weights and on from weights that are trained already."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reference_runner.laboratory.training.stage_loop import StageSettings

__all__ = ["RECIPES", "Recipe"]

_BATCH = 12
"""Items a step that the learning rates are for; with others they go with the root."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One stage."""

    name: str
    steps: int
    learning_rate: float
    continued_steps: int
    """Where a trained checkpoint is the beginning. For a GPU: a limit in minutes ends most of them earlier."""
    continued_rate: float
    after: tuple[str, ...] = ()
    """Stages whose weights it begins with."""
    betas: tuple[float, float] = (0.9, 0.98)
    batch: int = _BATCH

    def settings(
        self, *, batch: int, seed: int, continued: bool, steps: int | None, limit_s: float | None
    ) -> StageSettings:
        """Return the settings for so many items a step; `steps` replaces the table's."""
        rate = self.continued_rate if continued else self.learning_rate
        planned = self.continued_steps if continued else self.steps
        settings = StageSettings(
            name=self.name, steps=steps or planned, learning_rate=rate * (batch / self.batch) ** 0.5, seed=seed,
            betas=self.betas, limit_s=limit_s,
        )  # fmt: skip
        # Moments of a trained model's gradients are not known yet: it would be moved far by its first steps.
        return replace(settings, warm_up_steps=500) if continued else settings


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="vocoder", steps=12_000, learning_rate=1.5e-3, continued_steps=60_000, continued_rate=2e-4,
            betas=(0.8, 0.99),
        ),
        Recipe(name="acoustic", steps=8_000, learning_rate=2e-3, continued_steps=12_000, continued_rate=4e-4),
        Recipe(
            name="refine", steps=6_000, learning_rate=1.5e-3, continued_steps=6_000, continued_rate=3e-4,
            after=("acoustic",),
        ),
        Recipe(
            name="prosody", steps=6_000, learning_rate=1e-3, continued_steps=6_000, continued_rate=4e-4,
            after=("acoustic", "refine"),
        ),
        Recipe(
            name="vocoder-on-model", steps=4_000, learning_rate=5e-4, continued_steps=40_000, continued_rate=1e-4,
            after=("acoustic", "refine", "vocoder"), betas=(0.8, 0.99),
        ),
    )
}  # fmt: skip
"""In the order in which later ones replace what earlier ones left."""

"""What a figure of matplotlib shows, in lines: its axes, lines, areas, marks, words and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

__all__ = ["described", "kept_figures"]


def kept_figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that each figure is put on when it is saved."""
    from matplotlib.figure import Figure

    found: list[Any] = []
    save = Figure.savefig

    def saved(figure: Any, *given: Any, **more: Any) -> None:
        save(figure, *given, **more)
        found.append((figure, {key: value for key, value in more.items() if key != "bbox_inches"}))

    monkeypatch.setattr(Figure, "savefig", saved)
    return found


def _few(values: Any) -> str:
    numbers = [f"{float(value):.5g}" for value in values]
    return f"{len(numbers)}: {' '.join(numbers if len(numbers) <= 6 else [*numbers[:3], '...', *numbers[-3:]])}"


def _colour(value: Any) -> str:
    from matplotlib.colors import to_hex

    return str(to_hex(value, keep_alpha=True))


def described(figure: Any) -> Iterator[str]:
    """Yield the lines."""
    yield f"size {figure.get_size_inches().tolist()}"
    if figure.get_suptitle():
        yield f"title {figure.get_suptitle()!r}"
    for legend in figure.legends:
        yield f"legend {[text.get_text() for text in legend.get_texts()]} in {legend._ncols} columns"
    for axes in figure.axes:
        yield f"axes x {axes.get_xlabel()!r} y {axes.get_ylabel()!r} title {axes.get_title()!r}"
        yield f"  limits x {_few(axes.get_xlim())} y {_few(axes.get_ylim())}"
        for line in axes.lines:
            looks = f"{_colour(line.get_color())} {line.get_linestyle()} {line.get_linewidth():g} {line.get_marker()!r}"
            looks += f" {line.get_drawstyle()} alpha {line.get_alpha()}"
            yield f"  line {line.get_label()!r} {looks}"
            yield f"    x {_few(line.get_xdata())}"
            yield f"    y {_few(line.get_ydata())}"
        for area in axes.collections:
            edges = [edge for path in area.get_paths() for edge in path.vertices.ravel()]
            colours = {_colour(each) for each in (*area.get_facecolor(), *area.get_edgecolor())}
            yield f"  area {area.get_label()!r} {sorted(colours)} {len(area.get_paths())} parts"
            yield f"    {_few(edges)}"
        for patch in axes.patches:
            box = patch.get_path().get_extents(patch.get_patch_transform())
            yield f"  span {patch.get_label()!r} {_colour(patch.get_facecolor())} {_few(box.extents)}"
        for image in axes.images:
            shape = image.get_array().shape
            yield f"  image {image.get_cmap().name} {image.get_clim()} {_few(image.get_extent())} {shape}"
        for text in axes.texts:
            yield f"  text {text.get_text()!r} {text.get_ha()} {_few(text.get_position())} size {text.get_fontsize():g}"

"""Drawings of experiments and of what happens inside a network: notebooks 01 and 05 to 07."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

import ipywidgets as widgets
import matplotlib
import numpy
import pandas
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from utils.data import CLASSES
from utils.plots._style import BLUE, GRAY, GREEN, ORANGE, SKY, Figure, bars, listed

# Color, marker and line style of each family.
STYLES = {"plain": (ORANGE, "s", "--"), "residual": (BLUE, "o", "-")}
PREACTIVATION = {"pre-activation": (GREEN, "^", "-.")}
# From light to dark: the deeper the network, the darker its line.
DEPTH_SHADES, DEPTH_LINES = matplotlib.colormaps["cividis"], ("-", "--", "-.", ":")
GUESSING = 1 / len(CLASSES)
PLACES = (
    ("at the upper left", "at the top", "at the upper right"),
    ("at the left", "in the middle", "at the right"),
    ("at the lower left", "at the bottom", "at the lower right"),
)
BLUE_FOR_TRUE_ORANGE_FOR_ANSWER = LinearSegmentedColormap.from_list("for", [BLUE, "white", ORANGE])


def depths(table: pandas.DataFrame) -> Figure:
    """Draw final training loss and validation accuracy against depth.

    Each run is a dot; a line joins the means over the seeds. `table` is what `experiments.final`
    returns.
    """
    figure = Figure(9, 3.6)
    titles = {"train_loss": "Training images: loss", "valid_accuracy": "New images: accuracy"}
    units = {"train_loss": "cross-entropy, nats", "valid_accuracy": "accuracy, share of images"}
    for axes, (column, title) in zip(figure.subplots(1, 2), titles.items()):
        for family, runs in table.groupby("family"):
            color, marker, line = (STYLES | PREACTIVATION)[family]
            axes.plot(runs.depth, runs[column], marker, color=color, alpha=0.5, ms=5, mew=0)
            mean = runs.groupby("depth")[column].mean()
            label = "{family}, mean".format(family=family)
            axes.plot(mean.index, mean, line, color=color, label=label)
        axes.set(title=title, xlabel="layers with weights", ylabel=units[column])
        axes.set_xticks(sorted(table.depth.unique()))
        axes.set_ylim(0, 1 if column == "valid_accuracy" else None)
        axes.grid(alpha=0.3)
        axes.legend()
    layers = ", ".join(map(str, sorted(table.depth.unique())))
    changes = []
    for family, runs in table.groupby("family"):
        losses = runs.groupby("depth").train_loss.mean()
        changes.append("{} {}".format(family, " → ".join(map("{:.2f}".format, losses))))
    title = "Training loss at {layers} layers: {changes}"
    figure.suptitle(title.format(layers=layers, changes=", ".join(changes)))
    figure.alt = _about_depths(table)
    return figure


def _about_depths(table: pandas.DataFrame) -> str:
    said = [
        "Two plots against the number of layers; each dot is a run, a line joins the means over "
        "the seeds."
    ]
    sentence = (
        "{family}, {depth} layers: training loss {loss:.2f} nats on average, {lowest:.2f} to "
        "{highest:.2f} over {count} runs; accuracy on new images {accuracy:.2f}."
    )
    said += [
        sentence.format(
            family=family,
            depth=depth,
            loss=runs.train_loss.mean(),
            lowest=runs.train_loss.min(),
            highest=runs.train_loss.max(),
            count=len(runs),
            accuracy=runs.valid_accuracy.mean(),
        )
        for (family, depth), runs in table.groupby(["family", "depth"])
    ]
    return " ".join(said)


def learning(runs: Sequence[dict]) -> Figure:
    """Draw training loss by epoch: for each depth, the mean over the seeds and their range."""
    table = pandas.DataFrame(runs)
    figure = Figure(9, 3.6)
    depths = sorted(table.depth.unique())
    shades = DEPTH_SHADES(numpy.linspace(0.6, 0.0, len(depths)))  # seen on white: 3 to 1
    ends: dict[str, list[str]] = {family: [] for family in STYLES}
    said = [
        "Two plots of the training loss, in nats, against the epoch, a line for each depth: the "
        "mean over the seeds. A band reaches from the lowest to the highest seed."
    ]
    sentence = (
        "{family}, {depth} layers: {first:.2f} in the first epoch, {last:.2f} in the last, where "
        "the seeds lie between {lowest:.2f} and {highest:.2f}."
    )
    for axes, family in zip(figure.subplots(1, 2, sharey=True), STYLES):
        for depth, shade, line in zip(depths, shades, cycle(DEPTH_LINES)):
            chosen = table[(table.family == family) & (table.depth == depth)]
            losses = numpy.array(chosen.train_loss.tolist())
            means, low, high = losses.mean(axis=0), losses.min(axis=0), losses.max(axis=0)
            epochs = numpy.arange(1, losses.shape[1] + 1)
            label = "{depth} layers".format(depth=depth)
            axes.plot(epochs, means, line, marker="o", ms=3, color=shade, label=label)
            axes.fill_between(epochs, low, high, color=shade, alpha=0.2)
            ends[family].append("{last:.2f}".format(last=means[-1]))
            said.append(
                sentence.format(
                    family=family,
                    depth=depth,
                    first=means[0],
                    last=means[-1],
                    lowest=low[-1],
                    highest=high[-1],
                )
            )
        axes.set(title=family, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    figure.axes[0].set(ylabel="training loss, nats", ylim=(0, None))
    columns = len(depths)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    title = "Last epoch at {layers} layers: {changes}"
    changes = ("{} {}".format(family, " → ".join(losses)) for family, losses in ends.items())
    layers = ", ".join(map(str, depths))
    figure.suptitle(title.format(layers=layers, changes=", ".join(changes)))
    figure.alt = " ".join(said)
    return figure


def by_layer(
    panels: dict[str, tuple[str, dict[str, pandas.Series]]], title: str, stages: int = 1
) -> Figure:
    """Draw norms against the number of the layer, a line for each family.

    `panels` maps a title to a unit and the norms of each family. Panels with the same unit share
    an axis, which is logarithmic where the norms differ by more than a factor of ten. The layers
    are 3x3 convolutions, unless the index of the norms has another name. Thin lines separate the
    network's stages, all of the same number of layers.
    """
    figure = Figure(9, 3.6)
    units = {unit for unit, _ in panels.values()}
    said = [title.rstrip(".") + "."]
    sentence = (
        "{panel}, {family}: {unit}{scale}, against the {layer}, {count} of them; {course}; "
        "lowest {lowest:.3g}, highest {highest:.3g}."
    )
    sentences = []
    drawn = figure.subplots(1, len(panels), sharey=len(units) == 1, squeeze=False)[0]
    for axes, (name, (unit, families)) in zip(drawn, panels.items()):
        for family, norms in families.items():
            color, marker, line = STYLES[family]
            numbers = numpy.arange(1, len(norms) + 1)
            axes.plot(numbers, norms, line, marker=marker, ms=3, color=color, label=family)
            layer = norms.index.name or "3×3 convolution"
            about = {
                "panel": name,
                "family": family,
                "unit": unit,
                "layer": layer,
                "course": _course(norms, stages),
                "count": len(norms),
                "lowest": norms.min(),
                "highest": norms.max(),
            }
            sentences.append((axes, about))
        for stage in range(1, stages):
            axes.axvline(len(norms) * stage / stages + 0.5, color=GRAY, lw=0.8)
        axes.set(title=name, xlabel="{layer}, from the input".format(layer=layer), ylabel=unit)
        axes.set_xlim(0.5, len(norms) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    for sharing in [drawn] if len(units) == 1 else drawn[:, None]:
        low, high = numpy.array([axes.dataLim.intervaly for axes in sharing]).T
        if high.max() > 10 * low.min():
            sharing[0].set_yscale("log")
        else:
            sharing[0].set_ylim(0, None)
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(title)
    for axes, about in sentences:
        scale = " on a logarithmic axis" if axes.get_yscale() == "log" else ""
        said.append(sentence.format(scale=scale, **about))
    if stages > 1:
        said.append("Thin lines separate the stages.")
    figure.alt = " ".join(said)
    return figure


def _course(norms: pandas.Series, stages: int) -> str:
    """Say where norms begin and end, in the whole network or in each of its stages."""
    if stages == 1:
        return (
            "{first:.3g} at the first, {middle:.3g} in the middle, {last:.3g} at the last".format(
                first=norms.iloc[0], middle=norms.iloc[len(norms) // 2], last=norms.iloc[-1]
            )
        )
    return "; ".join(
        "{first:.3g} at the first of stage {number}, {last:.3g} at its last".format(
            first=part[0], number=number, last=part[-1]
        )
        for number, part in enumerate(numpy.split(norms.to_numpy(), stages), start=1)
    )


def lesions(accuracies: dict[str, pandas.Series]) -> Figure:
    """Draw the accuracy that is left when a block is removed, a panel for each family.

    The index of each series holds the names of the blocks; its first entry is that of the whole
    network.
    """
    height = 2.0 + 0.28 * max(map(len, accuracies.values()))
    figure = Figure(9, height)
    panels = figure.subplots(1, len(accuracies), squeeze=False)[0]
    for axes, (family, series) in zip(panels, accuracies.items()):
        whole, left = series.iloc[0], series.iloc[1:]
        bars(axes, left, STYLES[family][0])
        axes.set(xlabel="accuracy, share of images", xlim=(0, 1), ylabel="block removed")
        _values_at_bars(axes, left, "{:.3f}")
        label = "nothing removed: {accuracy:.3f}".format(accuracy=whole)
        axes.axvline(whole, color="black", ls="--", label=label)
        axes.axvline(GUESSING, color=GRAY, ls=":", label="guessing")
        axes.set_title(
            "{family}\nmissed most: {block} ({lost:.3f} lost)".format(
                family=family, block=left.idxmin(), lost=whole - left.min()
            )
        )
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.6 / height), ncols=2)
    figure.alt = "Bars: the accuracy that is left when one block is removed. {families}".format(
        families=" ".join(_lesions_in_words(*item) for item in accuracies.items())
    )
    return figure


def _lesions_in_words(family: str, series: pandas.Series) -> str:
    whole, left = series.iloc[0], series.iloc[1:]
    return (
        "The {family} network has {whole:.3f} as a whole, a dashed line; guessing, a dotted line, "
        "gives {guessing:.1f}. Without one block it has: {left}. It loses most without {worst} "
        "({most:.3f}) and least without {best} ({least:.3f}). It stays above one half without "
        "{half} of these {count} blocks, each removed alone.".format(
            family=family,
            whole=whole,
            guessing=GUESSING,
            left=listed(left, "{:.3f}"),
            worst=left.idxmin(),
            most=whole - left.min(),
            best=left.idxmax(),
            least=whole - left.max(),
            half=(left > 0.5).sum(),
            count=len(left),
        )
    )


def moves(table: pandas.DataFrame, title: str) -> Figure:
    """Draw for each block how far it moves its input, and what is lost without it.

    `table` has a row for each block: `ratio`, the length of g(x) relative to x, and `lost`, the
    accuracy that is lost. The blocks with the largest numbers are named.
    """
    figure = Figure(7, 4)
    axes = figure.subplots()
    axes.plot(table.ratio, table.lost, "o", color=BLUE, ms=7, mew=0, alpha=0.8)
    axes.axhline(0, color=GRAY, lw=0.8)
    for name in dict.fromkeys([table.ratio.idxmax(), table.lost.idxmax()]):
        right = table.ratio[name] > table.ratio.mean()
        axes.annotate(
            name,
            (table.ratio[name], table.lost[name]),
            xytext=(-6 if right else 6, 6),
            textcoords="offset points",
            ha="right" if right else "left",
            size=9,
        )
    axes.set(xlabel="length of g(x), in lengths of x", ylabel="accuracy lost without the block")
    axes.set_title(title)
    axes.margins(x=0.08, y=0.12)
    axes.grid(alpha=0.3)
    pair = "{name} {ratio:.2f} and {lost:+.3f}"
    figure.alt = (
        "{title}. A dot for each of {count} blocks: to the right, the length of g(x) in lengths of "
        "x; upward, the accuracy that is lost without the block. {pairs}.".format(
            title=title.rstrip("."),
            count=len(table),
            pairs=", ".join(
                pair.format(name=name, ratio=row.ratio, lost=row.lost)
                for name, row in table.iterrows()
            ),
        )
    )
    return figure


def _values_at_bars(axes: Axes, values: pandas.Series, form: str) -> None:
    """Write each value at the end of its bar: inside, or beside it where the bar is short."""
    for row, value in enumerate(values):
        inside = value > 0.3 * axes.get_xlim()[1]
        axes.annotate(
            form.format(value),
            (value, row),
            xytext=(-4 if inside else 4, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="center",
            color="white" if inside else "black",
            size=9,
            bbox={"fc": "none" if inside else "white", "ec": "none", "pad": 1},
        )


def feature_maps(image: numpy.ndarray, maps: dict[str, numpy.ndarray], title: str) -> Figure:
    """Draw an image (28, 28), and beside it the six strongest of each layer's maps (C, h, w)."""
    figure = Figure(9, 0.4 + 1.45 * len(maps))
    grid = figure.add_gridspec(len(maps), 8)
    whole = figure.add_subplot(grid[:, :2])
    whole.imshow(image, cmap="gray")
    whole.set_title("image, {size}×{size}".format(size=len(image)), size=9)
    whole.axis("off")
    for row, (name, channels) in enumerate(maps.items()):
        for column, channel in enumerate(_strongest(channels)):
            axes = figure.add_subplot(grid[row, 2 + column])
            axes.imshow(channels[channel], cmap="cividis", vmin=0, vmax=channels.max())
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(False)
            axes.set_title("channel {number}".format(number=channel), size=8)
            if column == 0:
                height, width = channels.shape[1:]
                axes.set_ylabel(f"{name}\n{height}×{width}")
    figure.suptitle(title)
    figure.alt = (
        "{title}. Beside the image, a row of six maps for each part of the network: the channels "
        "that answer most strongly, brighter where they answer more. A correlation says how much "
        "they look like the image, pixel by pixel and without its sign: 1 would be a copy of the "
        "image or of its negative. {rows}".format(
            title=title, rows=" ".join(_maps_in_words(image, *item) for item in maps.items())
        )
    )
    return figure


def _strongest(channels: numpy.ndarray) -> numpy.ndarray:
    """Return the numbers of the six channels with the largest mean, the largest first."""
    return channels.mean(axis=(1, 2)).argsort()[::-1][:6]


def _maps_in_words(image: numpy.ndarray, name: str, channels: numpy.ndarray) -> str:
    count, height, width = channels.shape
    chosen = _strongest(channels)
    return "{name}, {height} by {width} pixels, channels {numbers} of {count}: {looks}.".format(
        name=name,
        height=height,
        width=width,
        numbers=", ".join(map(str, chosen)),
        count=count,
        looks=_looks(image, channels[chosen]),
    )


def _looks(image: numpy.ndarray, shown: numpy.ndarray) -> str:
    """Say how much maps look like the image, and where the strongest of them is brightest."""
    ys, xs = (len(image) * (2 * numpy.arange(n) + 1) // (2 * n) for n in shown.shape[1:])
    small = image[ys][:, xs].ravel()
    varied = [channel.ravel() for channel in shown if channel.std() and small.std()]
    alike = [abs(numpy.corrcoef(small, channel)[0, 1]) for channel in varied]
    return "correlations from {low:.2f} to {high:.2f}; the strongest is brightest {place}".format(
        low=min(alike, default=0), high=max(alike, default=0), place=_brightest(shown[0])
    )


def _brightest(field: numpy.ndarray) -> str:
    """Say where the largest value of a map is: "at the upper left", ..., "in the middle"."""
    row, column = numpy.unravel_index(field.argmax(), field.shape)
    return PLACES[int(3 * row / field.shape[0])][int(3 * column / field.shape[1])]


def by_image(draw: Callable[[int], Figure], count: int) -> object:
    """Return a slider that calls `draw(image=...)` for any of `count` images.

    Outside JupyterLab it is replaced by a sentence, since Colab and HTML pages may not show
    widgets. `draw` must not compute with MXNet: a widget calls it in a context where `npx.set_np`
    is not in effect.
    """
    if "JPY_SESSION_NAME" not in os.environ:  # set by Jupyter's server for the kernels it starts
        return HTML(
            "<p>The slider needs JupyterLab. Here, change the number in the cell above.</p>"
        )
    image = widgets.IntSlider(max=count - 1, continuous_update=False)
    return widgets.interactive(draw, image=image)


def class_activations(rows: Sequence[tuple]) -> Figure:
    """Draw images above the maps of what speaks for a wrong answer and for the true class.

    A row holds the image (28, 28), the true class, the answer, and the map (h, w): how much each
    pixel speaks for the answer rather than for the true class. All maps share one scale.
    """
    figure = Figure(1.9 * len(rows), 4.4)
    limit = max(abs(lead).max() for *_, lead in rows)
    for (above, below), (image, true, answer, lead) in zip(
        figure.subplots(2, len(rows), squeeze=False).T, rows
    ):
        above.set_title(true, size=9)
        above.imshow(image, cmap="gray", extent=(0, 28, 28, 0))
        below.set_title("→ {answer}".format(answer=answer), size=9)
        shown = below.imshow(
            lead,
            cmap=BLUE_FOR_TRUE_ORANGE_FOR_ANSWER,
            vmin=-limit,
            vmax=limit,
            extent=(0, 28, 28, 0),
            interpolation="bilinear",
        )
        below.contour(numpy.arange(28) + 0.5, numpy.arange(28) + 0.5, image, [64], colors="k")
        above.axis("off")
        below.axis("off")
    label = "← for the true class | for the answer →"
    figure.colorbar(shown, ax=figure.axes, label=label, location="bottom", shrink=0.6)
    title = "Wrong answers, the surest first: the true class, and what spoke for the answer"
    figure.suptitle(title)
    figure.alt = (
        "{title}. Each column has an image, and below it a map of its pixels: blue where they "
        "speak for the true class, orange where they speak for the answer. {rows}".format(
            title=title, rows=" ".join(_activation_in_words(*row) for row in rows)
        )
    )
    return figure


def _activation_in_words(_: numpy.ndarray, true: str, answer: str, lead: numpy.ndarray) -> str:
    for_answer = (
        "True class {true}, answer {answer}: the answer leads by {mean:.1f} on average, and by "
        "{most:.1f} where it leads most, {place}; {rest}."
    )
    rest = "no pixel speaks for the true class"
    if lead.min() < 0:
        rest = "the true class leads by {most:.1f} where it leads most, {place}".format(
            most=-lead.min(), place=_brightest(-lead)
        )
    return for_answer.format(
        true=true,
        answer=answer,
        mean=lead.mean(),
        most=lead.max(),
        place=_brightest(lead),
        rest=rest,
    )


RESULTS = {"valid_accuracy": "accuracy, validation images", "train_loss": "training loss, nats"}


def ingredients(table: pandas.DataFrame) -> Figure:
    """Draw validation accuracy and training loss of a recipe and its variants, a dot for each run.

    An upright mark shows the mean of the seeds. `table` is what `experiments.final` returns; its
    first rows are the recipe's own.
    """
    figure, said = _by_change(table, _costly)
    for axes in figure.axes:
        mean = axes.lines[-1].get_xdata()[0]
        axes.axvline(mean, color=GRAY, ls="--", lw=1, label="mean of the recipe")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.alt = ROWS.format(row="change", said=said)
    return figure


def loss_log(table: pandas.DataFrame) -> Figure:
    """Draw the rows of a loss log as `ingredients` does; each row keeps the changes above it."""
    figure, said = _by_change(table, _largest_step)
    for axes in figure.axes:
        axes.lines[-1].set(linestyle="-", linewidth=1)  # from mean to mean
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.alt = ROWS.format(row="line of the log", said=said)
    return figure


ROWS = (
    "Two plots with a row of dots for each {row}, a dot for each run and a mark at the mean. {said}"
)


def _by_change(
    table: pandas.DataFrame, title: Callable[[str, pandas.Series], str]
) -> tuple[Figure, str]:
    """Return a figure with a row for each change, and what it shows, in words."""
    figure = Figure(9.5, 3.6)
    drawn = figure.subplots(1, len(RESULTS), sharey=True)
    said = []
    for axes, (measure, name) in zip(drawn, RESULTS.items()):
        means = table.groupby("change", sort=False)[measure].mean()
        axes.plot(table[measure], table.change, "o", color=BLUE, alpha=0.6, ms=6, mew=0)
        axes.plot(means, means.index, "|", color=ORANGE, ms=16, mew=2.5, label="mean of the seeds")
        axes.set(xlabel=name, title=title(measure, means))
        axes.grid(axis="x", alpha=0.3)
        said.append("{title}.".format(title=title(measure, means)))
        said += _changes_in_words(table, measure, name)
    drawn[0].yaxis.set_inverted(True)
    return figure, " ".join(said)


def _largest_step(_: str, means: pandas.Series) -> str:
    """Say which row of a log differs most from the one above it."""
    steps = means.diff().iloc[1:]
    largest = steps.abs().idxmax()
    return "Largest step: {change} ({by:+.3f})".format(change=largest, by=steps[largest])


def _costly(measure: str, means: pandas.Series) -> str:
    """Say which change costs the most accuracy, or raises the training loss most."""
    if measure == "valid_accuracy":
        worst, form = means.iloc[1:].idxmin(), "Largest loss of accuracy: {change} ({by:+.3f})"
    else:
        worst, form = means.iloc[1:].idxmax(), "Highest training loss: {change} ({by:+.3f})"
    return form.format(change=worst, by=means[worst] - means.iloc[0])


def _changes_in_words(table: pandas.DataFrame, measure: str, name: str) -> Iterator[str]:
    for change, runs in table.groupby("change", sort=False)[measure]:
        said = "{name}, {change}: mean {mean:.4f}, runs from {low:.4f} to {high:.4f}."
        yield said.format(
            name=name, change=change, mean=runs.mean(), low=runs.min(), high=runs.max()
        )


# Color and marker of each network, or of each way to begin.
KINDS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (SKY, "D"), ("black", "v"))


def cost_and_accuracy(table: pandas.DataFrame, budgets: dict[str, tuple[float, str]]) -> Figure:
    """Draw validation accuracy against what a training cost, a panel for each unit of cost.

    `table` has a row for each run: its network, its accuracy, and a column for each unit.
    `budgets` maps the units to what all networks were allowed, a dashed line, and to the best.
    """
    figure = Figure(9.5, 4)
    panels = figure.subplots(1, len(budgets), sharey=True)
    said = [
        "Accuracy on validation images against the cost of the training, a panel for each unit of "
        "cost. Each dot is a run, a line joins the means over the seeds. The accuracies go from "
        "{low:.3f} to {high:.3f}.".format(
            low=table.valid_accuracy.min(), high=table.valid_accuracy.max()
        )
    ]
    for axes, (unit, (budget, best)) in zip(panels, budgets.items()):
        networks = table.groupby("network", sort=False)
        for (name, runs), (color, marker) in zip(networks, KINDS):
            axes.plot(runs[unit], runs.valid_accuracy, marker, color=color, alpha=0.5, ms=6, mew=0)
            means = runs.groupby(unit).valid_accuracy.mean()
            axes.plot(means.index, means, "-", marker=marker, color=color, mec="white", label=name)
            said += _runs_in_words(name, unit, runs)
        axes.axvline(budget, color=GRAY, ls="--", lw=1, label="budget")
        title = "{budget:.3g} {unit}: highest mean {best}"
        title = title.format(budget=budget, unit=unit, best=best)
        axes.set(xlabel="{unit} of training".format(unit=unit), xlim=(0, None), title=title)
        axes.grid(alpha=0.3)
        said.append(
            "A dashed line marks the budget. {title} under this budget.".format(title=title)
        )
    panels[0].set_ylabel("accuracy, validation images")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(handles[0]))
    figure.alt = " ".join(said)
    return figure


def _runs_in_words(name: str, unit: str, runs: pandas.DataFrame) -> Iterator[str]:
    sentence = "{name} at {cost:.3g} {unit}: mean {mean:.3f}, runs from {low:.3f} to {high:.3f}."
    for cost, some in runs.groupby(unit).valid_accuracy:
        yield sentence.format(
            name=name, cost=cost, unit=unit, mean=some.mean(), low=some.min(), high=some.max()
        )


def few_labels(table: pandas.DataFrame) -> Figure:
    """Draw accuracy against the number of images of a class, a line for each way to begin.

    `table` has a row for each run: its `start`, its `count` of images, its accuracy.
    """
    figure = Figure(7.5, 4)
    axes = figure.subplots()
    said = [
        "Accuracy on validation images of five new classes against the number of training images "
        "of each, on a logarithmic axis. Each dot is a run, a line joins the means over the seeds."
    ]
    for (start, runs), (color, marker) in zip(table.groupby("start", sort=False), KINDS):
        axes.plot(runs["count"], runs.valid_accuracy, marker, color=color, alpha=0.5, ms=6, mew=0)
        means = runs.groupby("count").valid_accuracy.mean()
        axes.plot(means.index, means, "-", marker=marker, color=color, mec="white", label=start)
        said += _runs_in_words(
            start, "images of each class", runs.rename(columns={"count": "images of each class"})
        )
    counts = sorted(table["count"].unique())
    axes.set(xscale="log", xlabel="training images of each class", ylabel="accuracy, new classes")
    axes.set_xticks(counts, labels=list(map(str, counts)), minor=False)
    axes.minorticks_off()
    means = table.groupby(["count", "start"]).valid_accuracy.mean()
    best = [means[count].idxmax() for count in counts]
    if len(set(best)) == 1:
        title = "Highest mean for each number of images: {best}".format(best=best[0])
    else:
        pairs = ("{} ({})".format(*pair) for pair in zip(best, counts))
        title = "Highest mean, by images of each class: {best}".format(best=", ".join(pairs))
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.alt = "{title}. {said}".format(title=title, said=" ".join(said))
    return figure

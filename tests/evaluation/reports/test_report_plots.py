import itertools
import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from made_assessments import AUC, HOSTILE, SUCCESS, assessment, tracker

from lockon.errors import MissingExtraError
from lockon.evaluation.assessment import Curve, Measure, Plot, TrackerAssessment
from lockon.evaluation.reports.plots.canvas import save, short, svg_text
from lockon.evaluation.reports.plots.curves import curve_plot
from lockon.evaluation.reports.plots.drawing import plots_of
from lockon.evaluation.reports.plots.points import rank_plot, sequence_map, speed_accuracy
from lockon.evaluation.reports.plots.styles import COLOURS, tracker_styles

# Machado, Oliveira and Fernandes 2009: what protanopes and deuteranopes see, in linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deuteranopia": np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
}
LEAST_CONTRAST = 2.4
LEAST_DISTANCE = 20


def linear(colour):
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(colour, ground):
    light, dark = sorted((np.array([0.2126, 0.7152, 0.0722]) @ linear(one) for one in (colour, ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_are_told_apart_with_any_vision(vision):
    seen = [lab(VISIONS[vision] @ linear(colour)) for colour in COLOURS]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > LEAST_DISTANCE


@pytest.mark.parametrize("ground", ["#ffffff", "#181c22"])
def test_colours_are_seen_on_light_and_dark(ground):
    assert min(contrast(colour, ground) for colour in COLOURS) > LEAST_CONTRAST


def test_twenty_trackers_all_look_different():
    styles = tracker_styles(f"tracker {number}" for number in range(20))
    assert len({(style.colour, style.line) for style in styles.values()}) == 20


def test_legend_ranks_by_score():
    shown = assessment()
    figure = curve_plot(shown, SUCCESS, tracker_styles(one.tracker for one in shown.trackers))
    assert legend(figure) == ["lockon_s [57.8]", "csrt [44.3]", "kcf [23.3]"]


def test_legend_entries_have_the_looks_of_their_lines():
    shown = assessment()
    styles = tracker_styles(["kcf", "lockon_s", "csrt"])
    figure = curve_plot(shown, SUCCESS, styles)
    colours = [handle.get_color() for handle in figure.axes[0].get_legend().get_lines()]
    assert colours == [styles[name].colour for name in ("lockon_s", "csrt", "kcf")]
    by_colour = {line.get_color(): line for line in figure.axes[0].get_lines()}
    expected = shown.trackers[0].curves["success_plot"].y
    np.testing.assert_array_equal(by_colour[styles["kcf"].colour].get_ydata(), expected)


def test_reliability_ranks_the_smallest_error_first_and_shows_the_diagonal():
    plot = Plot(name="reliability_plot", title="", x_label="", y_label="", unit="share")
    bins = np.array([0.1, 0.5, 0.9])
    trackers = [
        TrackerAssessment(tracker=name, values={}, curves={plot.name: Curve(x=bins, y=y, score=score)})
        for name, y, score in [("bad", bins / 2, 0.2), ("good", np.array([0.1, np.nan, 0.9]), 0.01)]
    ]
    figure = curve_plot(assessment(*trackers), plot, tracker_styles(["bad", "good"]))
    assert legend(figure) == ["good [0.010]", "bad [0.200]"]
    lines = [line.get_xydata().tolist() for line in figure.axes[0].get_lines()]
    assert [[0, 0], [1, 1]] in lines
    assert [[0.1, 0.1], [0.9, 0.9]] in lines


def test_lines_of_equal_f_and_the_best_point_are_drawn():
    plot = Plot(name="precision_recall_plot", title="", x_label="", y_label="", unit="share", x_range=(0, 1))
    curve = Curve(x=np.array([0.2, 0.8]), y=np.array([0.9, 0.6]), score=0.686, marked=(0.8, 0.6))
    one = TrackerAssessment(tracker="kcf", values={}, curves={plot.name: curve})
    axes = curve_plot(assessment(one), plot, tracker_styles(["kcf"])).axes[0]
    assert "F 0.5" in [text.get_text() for text in axes.texts]
    for line in axes.get_lines()[:9]:
        recall, precision = line.get_data()
        f = 2 * recall * precision / (recall + precision)
        assert np.ptp(f) < 1e-9
    assert [0.8, 0.6] in [line.get_xydata().tolist()[0] for line in axes.get_lines() if len(line.get_xdata()) == 1]


def test_ranking_plot_has_the_best_first():
    eao = Measure(name="EAO", unit="share")
    trackers = [TrackerAssessment(tracker=name, values={"EAO": value}) for name, value in [("a", 0.2), ("b", 0.4)]]
    figure = rank_plot(assessment(*trackers, measures=(eao,)), eao, tracker_styles("ab"))
    assert legend(figure) == ["b [0.400]", "a [0.200]"]
    assert [line.get_xydata().tolist() for line in figure.axes[0].get_lines()] == [[[1, 0.4]], [[2, 0.2]]]


def test_speed_plot_leaves_out_trackers_of_unknown_speed():
    shown = assessment()
    figure = speed_accuracy(shown, tracker_styles(one.tracker for one in shown.trackers))
    assert legend(figure) == ["lockon_s [57.8, 57.9 FPS]"]


def test_sequence_map_has_the_hardest_sequence_on_top():
    figure = sequence_map(assessment(), AUC)
    (picture,) = figure.axes[0].get_images()
    np.testing.assert_array_equal(picture.get_array(), [[40, 60.6, 10], [75.6, 28, 36]])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Bolt", "Car"]


def test_plots_are_those_there_are_numbers_for():
    shown = assessment()
    styles = tracker_styles(one.tracker for one in shown.trackers)
    assert [name for name, _, _ in plots_of(shown, styles)] == [
        "success_plot",
        "attribute_bars",
        "attribute_radar",
        "speed_accuracy_plot",
        "sequence_map",
    ]
    bare = assessment(TrackerAssessment(tracker="kcf", values={"AUC": 20.0}))
    assert list(plots_of(bare, styles)) == []


def test_plots_of_very_many_trackers_show_the_best():
    shown = assessment(*(tracker(f"{number}", float(number)) for number in range(40)))
    styles = tracker_styles(one.tracker for one in shown.trackers)
    make = next(make for name, _, make in plots_of(shown, styles) if name == "success_plot")
    assert legend(make()) == [f"{number} [{number:.1f}]" for number in range(39, 9, -1)]


def test_accuracy_over_robustness_needs_a_robustness_that_grows():
    def names(*measures):
        trackers = [TrackerAssessment(tracker="kcf", values={measure.name: 0.5 for measure in measures})]
        return [name for name, _, _ in plots_of(assessment(*trackers, measures=measures), tracker_styles(["kcf"]))]

    accuracy, robustness = (Measure(name=name, unit="share") for name in ("Accuracy", "Robustness"))
    failures = Measure(name="Robustness", unit="share", higher_is_better=False)
    assert names(accuracy, robustness) == ["accuracy_robustness_plot"]
    assert names(accuracy, failures) == []
    assert names(accuracy, failures, Measure(name="R_S", unit="share")) == ["accuracy_robustness_plot"]


def test_every_plot_is_drawn_and_written_twice_the_same(tmp_path):
    shown = assessment(
        tracker(HOSTILE, 50.0, attributes={"a_b": 1.0, "$x^": 2.0, "<i>": 3.0}, frames_per_second=5.0),
        tracker("kcf", 20.0, attributes={"a_b": 1.0, "$x^": np.nan, "<i>": 3.0}, frames_per_second=500.0),
    )
    styles = tracker_styles(one.tracker for one in shown.trackers)
    for name, _, make in plots_of(shown, styles):
        text = save(make(), tmp_path / name)
        assert (tmp_path / f"{name}.svg").read_text() == text
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert save(make(), tmp_path / name) == text
        assert "<script>" not in text
        ET.fromstring(text)


def test_identifiers_of_two_figures_differ():
    shown = assessment()
    figure = curve_plot(shown, SUCCESS, tracker_styles(one.tracker for one in shown.trackers))
    references = [set(re.findall(r"url\(#(\w+)\)", svg_text(figure, salt))) for salt in ("one", "two")]
    assert references[0]
    assert not references[0] & references[1]


def test_long_names_are_cut_in_the_middle():
    assert short("opencv_kcf") == "opencv_kcf"
    cut = short("a" * 30 + "b" * 30)
    assert len(cut) <= 32
    assert cut.startswith("aaa")
    assert cut.endswith("bbb")


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"lockon\[plot\]"):
        curve_plot(assessment(), SUCCESS, {})

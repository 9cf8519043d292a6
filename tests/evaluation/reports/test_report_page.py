import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_assessments import HOSTILE, assessment, tracker

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.evaluation.assessment import Exclusion
from lockon.evaluation.reports.origins import Origin
from lockon.evaluation.reports.page import Part, render_page
from lockon.evaluation.reports.page.parts import anchor
from lockon.evaluation.reports.plots.canvas import svg_text
from lockon.evaluation.reports.plots.drawing import plots_of
from lockon.evaluation.reports.plots.styles import tracker_styles
from lockon.evaluation.reports.stories import tell
from lockon.evaluation.tracks import Track

VOID = {"meta", "input", "img", "br", "link", "path", "line", "rect", "use"}


class Page(HTMLParser):
    """Elements of a page, and whether every one is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self._open = [], [], []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, *tags):
        return " ".join(data for tag, data in self.texts if tag in tags)


def story(name, *trackers):
    truth = np.tile([10.0, 10, 20, 20], (30, 1))
    sequence = TestSequence(
        name=name, frame_paths=(), truth=BoxTruth(boxes=truth), start=Box(10, 10, 20, 20), length=30
    )
    lost = truth.copy()
    lost[12:] += 100
    return tell(sequence, {one: Track(boxes=lost) for one in trackers})


@pytest.fixture
def page():
    names = [HOSTILE, "a_b & c"]
    shown = [
        assessment(
            *(tracker(name, 50.0 + place, sequences={HOSTILE: 1.0}) for place, name in enumerate(names)),
            rules=rules,
            sequences={HOSTILE: 30},
            exclusions=(Exclusion(sequence=HOSTILE, tracker=None, reason=HOSTILE),),
            comparisons=(),
            notes=(HOSTILE, "a note"),
        )
        for rules in ("pytracking", "otb")
    ]
    styles = tracker_styles(names)
    plots = {
        one.rules: [(name, title, svg_text(make(), name)) for name, title, make in plots_of(one, styles)]
        for one in shown
    }
    part = Part(
        title="OTB-100",
        assessments=tuple(shown),
        plots=plots,
        stories=(story(HOSTILE, *names),),
        pictures={(HOSTILE, 12): b"JPEG"},
        origins=(Origin(tracker="a_b & c", made="2024-01-01", facts=("torch: 2.13",)),),
        remarks=("the rules of lasot reject these results",),
    )
    return render_page([part], {"Versions": "lockon 0.1, <b>"}, styles)


def test_page_is_whole_and_has_every_part(page):
    parsed = Page(page)
    text = parsed.text("h2", "h3", "button", "li", "span", "td", "summary")
    for expected in ("OTB-100", "pytracking", "otb", "What does not count", "a note", "torch: 2.13", "lasot reject"):
        assert expected in text
    assert len(parsed.of("figure")) == 2 * 2 + 1
    assert "lost from frame 12 on, 18 frames" in text


def test_page_needs_nothing_else(page):
    parsed = Page(page)
    assert not parsed.of("link")
    assert not parsed.of("iframe")
    for _, attributes in parsed.elements:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
        assert not {name for name in attributes if name.startswith("on")}
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert "@import" not in page
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(", page)


def test_links_lead_to_places_on_the_page(page):
    parsed = Page(page)
    places = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    links = [attributes["href"][1:] for attributes in parsed.of("a")]
    assert links
    assert set(links) <= set(places)
    ours = [place for place in places if place.startswith(("set-", "rules-", "stories-", "sequence-"))]
    assert len(ours) == len(set(ours))


def test_hostile_names_stay_text(page):
    parsed = Page(page)
    scripts = parsed.of("script")
    assert len(scripts) == 2
    assert "<script>alert" not in page.replace("\\u003c", "")
    assert HOSTILE in parsed.text("td", "span", "a", "summary")
    assert any(attributes.get("data-sequence") == HOSTILE for attributes in parsed.of("details"))


def test_curves_are_there_for_the_script(page):
    parsed = Page(page)
    ((_, data),) = [one for one in parsed.texts if one[0] == "script" and '"trackers"' in one[1]]
    stories = json.loads(data)
    assert [one["name"] for one in stories["trackers"]] == [HOSTILE, "a_b & c"]
    sequence = stories["sequences"][HOSTILE]
    assert (sequence["frames"], sequence["step"], sequence["moments"]) == (30, 1, [12])
    # 12 frames of overlap 1 (byte 200), then 18 of 0.
    assert sequence["lines"]["0"] == "yMjIyMjIyMjIyMjI" + "A" * 24


def test_numbers_can_be_sorted_by_their_full_value(page):
    parsed = Page(page)
    assert {"51.0", "50.0"} <= {attributes.get("data-value") for attributes in parsed.of("td")}


def test_plots_take_the_colours_of_the_page(page):
    assert "#1b1f24" not in page[page.index("<main>") :]
    assert "fill: var(--ink)" in page


def test_one_set_of_rules_is_shown_at_a_time(page):
    shown = [attributes for attributes in Page(page).of("div") if attributes.get("class") == "rules"]
    assert ["hidden" in attributes for attributes in shown] == [False, True]


def test_assessments_without_exclusions_say_so():
    shown = assessment(tracker("kcf", 20.0), exclusions=(), comparisons=())
    text = render_page([Part(title="OTB-100", assessments=(shown,))], {}, tracker_styles(["kcf"]))
    assert "Nothing was left out." in Page(text).text("p")


def test_anchors_of_different_words_differ():
    assert anchor("a b") != anchor("a_b") != anchor("a-b")
    assert re.fullmatch(r"[A-Za-z0-9._-]+", anchor("sequence", "ä <x>", "y"))

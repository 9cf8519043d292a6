import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_assessments import AUC, FAILURES, HOSTILE, assessment, tracker

from lockon.evaluation.assessment import Measure, TrackerAssessment
from lockon.evaluation.reports.numbers import in_legend, marks, ranked, shown
from lockon.evaluation.reports.tables import (
    attribute_table,
    comparison_table,
    exclusion_table,
    object_table,
    overview_table,
    ranking,
    rules_tables,
    sequence_table,
    verdicts,
)
from lockon.evaluation.reports.text import as_latex, as_markdown, as_rich, latex_escaped, markdown_escaped

MARKDOWN = """\
### otb100, rules of pytracking

| Tracker | AUC | P | Lost ↓ | FPS | Runs |
| :--- | ---: | ---: | ---: | ---: | ---: |
| lockon\\_s | **57.80 ± 0.50** | **85.30** | **2** | 57.9 | 3 |
| csrt | <u>44.30</u> | **85.30** | **2** | – | 1 |
| kcf | 23.35 | <u>31.00</u> | <u>9</u> | – | 1 |

- AUC: mean of the success curve
"""

LATEX = r"""\begin{table}
  \centering
  \caption{otb100, rules of pytracking}
  \begin{tabular}{lrrrrr}
    \toprule
    Tracker & AUC & P & Lost $\downarrow$ & FPS & Runs \\
    \midrule
    lockon\_s & \textbf{57.80 $\pm$ 0.50} & \textbf{85.30} & \textbf{2} & 57.9 & 3 \\
    csrt & \underline{44.30} & \textbf{85.30} & \textbf{2} & -- & 1 \\
    kcf & 23.35 & \underline{31.00} & \underline{9} & -- & 1 \\
    \bottomrule
  \end{tabular}
\end{table}
"""


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (57.8049, "percent", "57.80"),
        (0.32271, "share", "0.323"),
        (59.0, "count", "59"),
        (59.5, "count", "59.5"),
        (57.93, "fps", "57.9"),
        (2694.4, "fps", "2694"),
        (math.nan, "percent", "–"),
        (None, "count", "–"),
    ],
)
def test_numbers_are_written_by_their_unit(value, unit, expected):
    assert shown(value, unit) == expected


def test_legends_have_one_decimal_of_percent_and_three_of_shares():
    assert in_legend(57.86, "percent") == "57.9"
    assert in_legend(0.32271, "share") == "0.323"


def test_what_is_written_alike_is_marked_alike():
    assert marks([85.3, 85.301, 31.0, math.nan, None], AUC) == ["best", "best", "second", None, None]
    assert marks([2.0, 9.0, 3.0], FAILURES) == ["best", None, "second"]


def test_nothing_is_best_where_there_is_nothing_to_compare():
    assert marks([85.3], AUC) == [None]
    assert marks([85.3, 85.3], AUC) == [None, None]
    assert marks([], AUC) == []


@settings(deadline=None)
@given(st.lists(st.floats(allow_infinity=False)))
def test_ranking_keeps_everything_and_puts_what_is_no_number_last(values):
    order = ranked(values)
    assert sorted(order) == list(range(len(values)))
    known = [values[index] for index in order if not math.isnan(values[index])]
    assert known == sorted(known, reverse=True)
    assert all(math.isnan(values[index]) for index in order[len(known) :])


def test_markdown_of_an_overview():
    assert as_markdown(overview_table(assessment())) == MARKDOWN


def test_latex_of_an_overview():
    assert as_latex(overview_table(assessment())) == LATEX


def test_terminal_table_has_the_same_text():
    table = as_rich(overview_table(assessment()))
    assert [str(cell) for cell in table.columns[1].cells] == ["57.80 ± 0.50", "44.30", "23.35"]
    assert "bold" in str(next(iter(table.columns[1].cells)).style)


def test_intervals_are_beside_their_numbers():
    cell = overview_table(assessment()).rows[0][1]
    assert cell.note == "51.25 to 64.00"
    assert cell.value == 57.8


def test_trackers_of_a_measure_that_is_better_low_are_ranked_by_it():
    lost = assessment(measures=(FAILURES, AUC))
    assert [one.tracker for one in ranking(lost)] == ["lockon_s", "csrt", "kcf"]


def test_sequences_come_hardest_first_and_are_marked_along_the_row():
    table = sequence_table(assessment(), AUC)
    assert table.columns == ("Sequence", "Frames", "lockon_s", "csrt", "kcf")
    # Means over the trackers: Bolt 36.9, Car 46.5.
    assert texts(table) == [["Bolt", "350", "40.00", "60.60", "10.00"], ["Car", "1200", "75.60", "28.00", "36.00"]]
    assert [cell.mark for cell in table.rows[0]] == [None, None, "second", "best", None]


def test_measures_that_sequences_do_not_have_give_no_table():
    assert sequence_table(assessment(), FAILURES) is None


def test_attributes_are_columns_with_long_names_below():
    table = attribute_table(assessment(), {"OCC": "occlusion", "IV": "IV"})
    assert table.columns == ("Tracker", "OCC", "IV", "MB")
    assert texts(table)[0] == ["lockon_s", "50.00", "61.00", "55.50"]
    assert texts(table)[1] == ["csrt", "–", "–", "–"]
    assert table.notes == ("OCC: occlusion",)


def test_assessments_without_attributes_give_no_table():
    assert attribute_table(assessment(tracker("kcf", 20.0)), {}) is None


def test_rules_stand_side_by_side_for_measures_that_several_have():
    other = assessment(
        tracker("kcf", 30.0), tracker("csrt", 40.0), rules="otb", measures=(AUC,), sequences={"Bolt": 350}
    )
    (table,) = rules_tables([assessment(), other])
    assert table.columns == ("Tracker", "pytracking", "otb")
    assert texts(table) == [["lockon_s", "57.80", "–"], ["csrt", "44.30", "40.00"], ["kcf", "23.35", "30.00"]]
    assert table.notes == ("Over unequal numbers of sequences: pytracking 2, otb 1",)
    assert rules_tables([assessment()]) == ()


def test_what_rules_call_alike_and_mean_otherwise_is_said():
    other, third = (
        replace(assessment(), rules=rules, measures=(Measure(name="AUC", meaning="an area"),)) for rules in ("a", "b")
    )
    (table,) = rules_tables([assessment(), other, third])
    assert table.notes == ("pytracking: mean of the success curve", "a, b: an area")


def test_probabilities_are_shown_in_both_directions_and_never_certain():
    table = comparison_table(assessment())
    assert texts(table) == [
        ["lockon_s", "–", "97.5 %", "–"],
        ["csrt", "2.5 %", "–", "> 99.9 %"],
        ["kcf", "–", "< 0.1 %", "–"],
    ]


def test_a_verdict_compares_neighbours_in_the_ranking():
    assert verdicts(assessment()) == [
        "lockon_s is better than csrt with probability 97.5 % (AUC +13.5, 95 % interval +2 to +24.25)",
        "csrt is better than kcf with probability > 99.9 % (AUC +20.95, 95 % interval +9 to +34)",
    ]
    assert comparison_table(assessment(comparisons=())) is None


def test_every_exclusion_is_listed():
    assert texts(exclusion_table(assessment())) == [["Dog", "kcf", "3 lines for 5 frames"]]
    assert exclusion_table(assessment(exclusions=())) is None


def test_names_cannot_break_out_of_markdown_or_latex():
    assert markdown_escaped(HOSTILE) == r"&lt;script\>alert('a\_b &amp; c\|d')&lt;/script\>"
    assert markdown_escaped("two\nlines") == "two lines"
    assert latex_escaped(r"50% of $5_{a}^b ~#\&") == (
        r"50\% of \$5\_\{a\}\textasciicircum{}b \textasciitilde{}\#\textbackslash{}\&"
    )


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_name_gives_latex_with_balanced_braces_in_one_row(name):
    table = as_latex(overview_table(assessment(tracker(name, 50.0), tracker("kcf", 20.0))))
    depth, previous = 0, ""
    for character in table:
        if previous != "\\":
            depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
        previous = "" if previous == "\\" else character
    assert depth == 0
    rows = table[table.index(r"\midrule") : table.index(r"\bottomrule")].splitlines()[1:-1]
    assert len(rows) == 2
    assert all(row.replace(r"\&", "").count("&") == 3 and row.endswith(r"\\") for row in rows)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_name_gives_one_markdown_row_with_as_many_cells(name):
    text = as_markdown(overview_table(assessment(tracker(name, 50.0), tracker("kcf", 20.0))))
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert [row.replace(r"\\", "").replace(r"\|", "").count("|") for row in rows] == [5, 5, 5, 5]


def test_objects_have_a_row_each_and_the_best_is_marked():
    def segmented(name, j):
        return TrackerAssessment(
            tracker=name,
            values={"J&F": j},
            by_object={"J": {"dog": {1: j, 3: 0.5}}, "J decay": {"dog": {1: 0, 3: 0}}},
        )

    shown = assessment(
        segmented("worse", 0.25), segmented("better", 0.75), measures=(Measure(name="J&F", unit="share"),)
    )
    table = object_table(shown)
    assert table.columns == ("Sequence, object", "better: J", "worse: J")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["dog, 1", "0.750", "0.250"],
        ["dog, 3", "0.500", "0.500"],
    ]
    assert table.rows[0][1].mark == "best"
    assert object_table(assessment()) is None

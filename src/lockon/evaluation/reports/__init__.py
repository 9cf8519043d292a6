"""Reports: tables, plots, files of numbers, and one HTML page, from assessments."""

from lockon.evaluation.reports.origins import Origin, stored_origin
from lockon.evaluation.reports.report import Assessed, write_report
from lockon.evaluation.reports.tables import overview_table, rules_tables, verdicts
from lockon.evaluation.reports.text import as_latex, as_markdown, as_rich

__all__ = [
    "Assessed",
    "Origin",
    "as_latex",
    "as_markdown",
    "as_rich",
    "overview_table",
    "rules_tables",
    "stored_origin",
    "verdicts",
    "write_report",
]

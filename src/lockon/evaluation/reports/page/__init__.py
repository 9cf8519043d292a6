"""The report as one HTML page that needs nothing but itself."""

from lockon.evaluation.reports.page.page import Part, render_page

__all__ = ["Part", "render_page"]

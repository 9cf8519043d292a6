"""Raw results of other programs: read in the forms of the usual toolkits, and written as they expect them."""

from lockon.evaluation.formats.catalogue import FORMATS
from lockon.evaluation.formats.exports import EXPORTS
from lockon.evaluation.formats.reading import Imported, detect_format, read_results
from lockon.evaluation.formats.writing import submission_form, write_results, write_submission

__all__ = [
    "EXPORTS",
    "FORMATS",
    "Imported",
    "detect_format",
    "read_results",
    "submission_form",
    "write_results",
    "write_submission",
]

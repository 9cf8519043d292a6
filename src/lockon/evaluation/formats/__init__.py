"""Raw results of other programs: read in the forms of the usual toolkits, and written as they expect them."""

from lockon.evaluation.formats.catalogue import FORMATS
from lockon.evaluation.formats.reading import Imported, detect_format, read_results

__all__ = ["FORMATS", "Imported", "detect_format", "read_results"]

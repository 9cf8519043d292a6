"""Box annotations in the formats that labelling tools and benchmarks write; all give the same thing."""

from lockon.data.datasets.annotations.base import Annotation, Observation, Track
from lockon.data.datasets.annotations.formats import ANNOTATION_SUFFIXES, is_annotation, read_annotation

__all__ = ["ANNOTATION_SUFFIXES", "Annotation", "Observation", "Track", "is_annotation", "read_annotation"]

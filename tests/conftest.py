"""Check the annotated shapes and types of every tensor function while the tests run."""

from jaxtyping import install_import_hook

ROOMS = ("lockon.boxes", "lockon.nn", "lockon.networks", "lockon.tracking")

# The hook holds only for modules that are imported after it, so this comes before any test.
install_import_hook(ROOMS, "shape_checks.check")

"""Arguments NAME=VALUE of commands, such as test sets and where they lie."""

from __future__ import annotations

from lockon.data.testsets.base import TestSet
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError
from lockon.files import user_path


def named_value(text: str, what: str = "FOLDER", example: str = "otb100=/data/OTB100") -> tuple[str, str]:
    """Name and value.

    Args:
        text: the argument.
        what: the value is, for messages.
        example: of such an argument, for messages.

    Raises:
        DataError: one of the two is missing.
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise DataError(f"'{text}' is not NAME={what}, such as {example}.")
    return name, value


def named_test_set(text: str) -> TestSet:
    """Open the test set that `NAME=FOLDER` says.

    Raises:
        DataError: it is not of this form, or nothing of the test set lies there.
        UnknownNameError: there is no such test set.
    """
    name, folder = named_value(text)
    return open_test_set(name, user_path(folder))

import os

import numpy as np

from lockon.data.datasets.columns import Texts, read_columns, text_columns, write_columns

NAMES = ["plain", "", "ü", os.fsdecode(b"not utf-8: \xff"), "end"]


def test_columns_and_texts_come_back_as_they_were(tmp_path):
    columns = (
        text_columns("names", NAMES)
        | text_columns("none", [])
        | {
            "boxes": np.array([[1, 2, 3, np.nan]], np.float32),
            "visible": np.array([True, False]),
            "starts": np.array([0, 2**40]),
            "numbers": np.zeros((0,), np.int32),
        }
    )
    write_columns(tmp_path / "file", columns, {"root": NAMES[3], "issues": [1]})
    read, about = read_columns(tmp_path / "file")
    assert about == {"root": NAMES[3], "issues": [1]}
    assert read.keys() == columns.keys()
    for name, column in columns.items():
        np.testing.assert_array_equal(read[name], column)
        assert read[name].dtype == column.dtype
    texts = Texts(read, "names")
    assert [texts[number] for number in range(len(texts))] == NAMES
    assert len(Texts(read, "none")) == 0

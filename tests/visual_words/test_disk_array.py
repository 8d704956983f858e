"""Rows on disk."""

import numpy as np
import pytest

from videobert_jax.visual_words.disk_array import RowFile, write_rows


def test_rows_of_a_file_are_those_that_were_written(tmp_path) -> None:
    values = np.random.default_rng(0).standard_normal((50, 7))
    stored = write_rows(tmp_path / "rows", np.split(values, [0, 3, 20]), 7)
    assert stored.shape == (50, 7)
    for rows in ([4, 5, 6, 9, 2, 3, 3, 49], range(50), []):
        np.testing.assert_array_equal(stored[np.array(rows, int)], values.astype(np.float32)[np.array(rows, int)])


def test_a_file_that_is_cut_short_is_an_error(tmp_path) -> None:
    stored = write_rows(tmp_path / "rows", [np.zeros((4, 3))], 3)
    (tmp_path / "rows").write_bytes(bytes(40))
    with pytest.raises(EOFError, match="no row 3 of 4"):
        stored[np.array([3])]
    with pytest.raises(ValueError, match="4 bytes more than 3 rows of 3"):
        RowFile(tmp_path / "rows", 3)

# SPDX-License-Identifier: Apache-2.0
"""The fast rows of the program matrix; `make matrix` runs all."""
import pytest

import matrix   # its rows were read by conftest.py


@pytest.mark.limit(200)
@pytest.mark.parametrize("row", [r for r in matrix.ROWS if r.fast], ids=repr)
def test_row(chiral_path, combo, row):
    if chiral_path is None:
        pytest.skip("rows are about sessions")
    outcome = matrix.run_row(row, chiral_path, combo, getattr(combo, "guest", None))
    assert outcome.result == "ok", outcome.story
    assert outcome.compared > 0

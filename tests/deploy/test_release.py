"""The changelog entry of a release."""

import datetime

import pytest

from deploy.release import released

DAY = datetime.date(2026, 11, 27)


def test_release_moves_unreleased_entries_once() -> None:
    before = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A map.\n\n## [0.1.0] - 2026-01-01\n\n- The start.\n"
    after = released(before, "0.2.0", DAY)
    assert "## [Unreleased]\n\n## [0.2.0] - 2026-11-27\n\n### Added\n\n- A map.\n\n## [0.1.0]" in after
    assert released(after, "0.2.0", DAY) == after
    with pytest.raises(ValueError, match=r"no entry under ## \[Unreleased\]"):
        released(after, "0.3.0", DAY)

"""What the tests of the metrics share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """On tiny networks a second thread costs more than it brings."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

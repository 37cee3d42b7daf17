"""Helpers of the tests that read messages."""

import re

import numpy as np
import pytest


def says(error, *parts):
    """Expect an error whose message holds these parts, in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(re.escape(p) for p in parts))


def changed(values, index, value):
    """Return a copy with one element replaced."""
    values = np.array(values, np.result_type(values, type(value)))
    values[index] = value
    return values

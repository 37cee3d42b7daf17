"""This machine gives the bits that are stored in the tree: `make digests` has written them."""

import json

import pytest

from tests import digests

STORED = json.loads(digests.FILE.read_text())


@pytest.fixture(scope="module")
def found():
    return digests.digests()


def test_the_inputs_are_those_of_split_mix():
    """Its first three numbers from seed 1234567, as every implementation gives them."""
    want = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert digests.split_mix(3, 1234567).tolist() == want


@pytest.mark.parametrize("group", STORED[digests.kind()])
def test_digests(found, group):
    assert found[group] == STORED[digests.kind()][group]


def test_none_is_missing(found):
    assert found.keys() == STORED["simd"].keys() == STORED["scalar"].keys()


def test_scalar_differs():
    """By its missing FMA: two equal sets would mean that one of them was not computed."""
    assert STORED["scalar"] != STORED["simd"]

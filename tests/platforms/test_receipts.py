"""What a receipt must say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from irisdrop.platforms.receipts import parse_receipt
from irisdrop.vocabulary.deliveries import Receipt

RIGHT = {"id": "R1", "digest": "d", "entry": "E1", "ImageLaterality": "R", "at": "2025-01-14T10:00:00Z"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RIGHT, "PatientID", "x"]), inner, max_size=8)
    ),
)


def test_the_least_that_a_receipt_holds() -> None:
    assert parse_receipt(RIGHT) == Receipt("R1", "d", "E1", "R", "2025-01-14T10:00:00Z")
    for key in RIGHT:
        assert parse_receipt({name: value for name, value in RIGHT.items() if name != key}) is None
        assert parse_receipt(RIGHT | {key: ""}) is None
        assert parse_receipt(RIGHT | {key: 7}) is None
    assert parse_receipt(RIGHT | {"PatientID": 815}) is None


@settings(deadline=None)
@given(JSON)
def test_no_json_at_all_breaks_it(wire: object) -> None:
    receipt = parse_receipt(wire)
    assert receipt is None or isinstance(receipt, Receipt)

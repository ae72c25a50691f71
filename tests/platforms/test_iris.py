"""What is said to IRIS of an image; the queues and the container themselves are in tests/live."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from irisdrop.platforms.iris import JPEG, Announcement, Organization, announced
from irisdrop.platforms.messages import Context
from irisdrop.profiles.written import Context as Written
from irisdrop.vocabulary.deliveries import Parcel

ORGANIZATION = Organization("63E3C9EF", "images", "", ZoneInfo("America/New_York"), {"room-2": "CAM-9"})


@pytest.mark.parametrize("context", get_args(Context))
def test_what_a_picture_is_for_is_said_and_what_is_not_documented_is_not(
    parcel: Callable[..., Parcel], context: str
) -> None:
    """What ParentLocalId, GroupId and GroupOrdinal stand for, IRIS does not tell."""
    one = parcel(context=context, camera="room-2")
    for kind, images in (("order", lambda m: m["Camera"]["Images"]), ("image", lambda m: [m["Image"]])):
        message = announced(ORGANIZATION, Announcement(kind, "queue", "NW"), one, "a.jpg", "a", JPEG)
        (image,) = images(message)
        assert image["ImageContext"] == context
        assert not {"ParentLocalId", "GroupId", "GroupOrdinal"} & set(image)


def test_a_profile_knows_the_words_that_iris_knows() -> None:
    assert set(get_args(Written)) == set(get_args(Context))

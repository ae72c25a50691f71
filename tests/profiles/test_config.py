"""The configuration and its faults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from spoilt import Faults, Spoilt, each, faults_of

from irisdrop.profiles.config import (
    After,
    Config,
    Secret,
    default_config_path,
    examined,
    load_config,
    load_profiles,
    parse_config,
)
from irisdrop.vocabulary.faults import FaultyFile, Foreseen

GOOD = """\
state: state
site: {id: S1, zone: America/New_York}
platform: {kind: http, url: "https://reading.example/v1", token: {env: IRISDROP_TOKEN}}
worklist: {from: platform, every: 60s, stale: 15m}
cameras:
  - {name: room-2, profile: topcon-nw400, folder: room-2, existing: 1d, after: {leave: true}}
  - {name: room-3, profile: canon-cr2, folder: room-3, after: {move: done}, clock: -3m, rescan: 5s, watch: poll}
page: {port: 7474}
"""


@pytest.fixture
def of(tmp_path: Path) -> Callable[[str], Config]:
    """The configuration in a text, as if it stood in tmp_path."""
    return lambda text: parse_config(text, tmp_path / "irisdrop.yaml")


@pytest.fixture
def faults(of: Callable[[str], Config]) -> Faults:
    """All faults of a configuration's text."""
    return faults_of(of)


def test_everything_that_is_set_arrives(of: Callable[[str], Config], tmp_path: Path) -> None:
    config = of(GOOD)
    room_2, room_3 = config.cameras
    assert config.state == tmp_path / "state"
    assert (config.site.id, config.site.zone) == ("S1", ZoneInfo("America/New_York"))
    assert config.platform is not None
    assert (config.platform.kind, config.platform.url) == ("http", "https://reading.example/v1")
    assert config.platform.token == Secret("env", "IRISDROP_TOKEN")
    assert (config.worklist.source, config.worklist.every, config.worklist.stale) == ("platform", 60, 900)
    assert (room_2.name, room_2.profile, room_2.folder) == ("room-2", "topcon-nw400", tmp_path / "room-2")
    assert (room_2.existing, room_2.after, room_2.clock) == (86400, After(leave=True), timedelta(0))
    assert room_3.after == After(move=tmp_path / "done")
    assert (room_3.clock, room_3.rescan, room_3.watch) == (timedelta(minutes=-3), 5, "poll")
    assert config.page.port == 7474


def test_what_is_not_set_has_its_default(of: Callable[[str], Config]) -> None:
    config = of("cameras: [{name: a, profile: dicom-op, folder: a}]")
    assert config.platform is None
    assert (config.spool.keep, config.spool.limit, config.spool.reserve) == (604800, None, None)
    assert config.largest == 2 * 1024**3
    assert (config.undo, config.late, config.page.port) == (15, 604800, 7474)
    assert config.state.name == "irisdrop"
    assert config.cameras[0].existing == 86400


def test_the_machine_s_zone_knows_summer(monkeypatch: pytest.MonkeyPatch, of: Callable[[str], Config]) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        zone = of("cameras: [{name: a, profile: dicom-op, folder: a}]").site.zone
        assert datetime(2025, 1, 14, 12, tzinfo=zone).utcoffset() == timedelta(hours=-5)
        assert datetime(2025, 7, 14, 12, tzinfo=zone).utcoffset() == timedelta(hours=-4)
        assert datetime(2025, 7, 14, 12, tzinfo=zone).dst() == timedelta(hours=1)
        first, second = (datetime(2025, 11, 2, hour, 30, tzinfo=UTC).astimezone(zone) for hour in (5, 6))
        assert (first.hour, second.hour, first.fold, second.fold) == (1, 1, 0, 1)
        assert second - first == timedelta(0)  # wall clock, as for every zone
        assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)
    finally:
        monkeypatch.undo()
        time.tzset()


# (what is replaced, by what, code, line, column, message, did you mean)
SPOILT: list[tuple[str, str, str, int, int, str, str]] = [
    ("site:", "sites:", "UNKNOWN_SETTING", 2, 1, "`sites` is no setting here", "site"),
    ("America/New_York", "New York", "UNKNOWN_ZONE", 2, 22, "`New York` is no time zone", "America/New_York"),
    ("kind: http", "kind: htp", "WRONG_VALUE", 3, 18, "`htp` is not possible here", "http"),
    ("https://", "http://", "NOT_ENCRYPTED", 3, 29, "images would travel unencrypted", "https://reading.example/v1"),
    ("https://", "ftp://", "WRONG_VALUE", 3, 29, "this is no address", ""),
    ('url: "https://reading.example/v1", ', "", "MISSING", 3, 1, "`url` is missing in `platform`", ""),
    ("{env: IRISDROP_TOKEN}", "GEHEIM", "SECRET_IN_CLEAR", 3, 66, "`token` holds a secret in clear", ""),
    ("{env: IRISDROP_TOKEN}", "{evn: X}", "WRONG_VALUE", 3, 66, "this is no reference to a secret", "{env: …}"),
    ("https://", "https://me:GEHEIM@", "SECRET_IN_CLEAR", 3, 29, "`url` holds a secret in clear", ""),
    ("v1", "v1?sig=GEHEIM", "SECRET_IN_CLEAR", 3, 29, "`url` holds a secret in clear", ""),
    ("v1", "v1?a=b", "WRONG_VALUE", 3, 29, "an address ends with its path", ""),
    (
        "kind: http",
        "kind: http, connection_string: 'AccountKey=GEHEIM'",
        "SECRET_IN_CLEAR",
        3,
        43,
        "`connection_string` holds a secret in clear",
        "",
    ),
    (
        "kind: http",
        "kind: http, concurency: 3",
        "UNKNOWN_SETTING",
        3,
        24,
        "`concurency` is no setting of `kind: http`",
        "concurrency",
    ),
    ("from: platform", "from: platfrom", "WRONG_VALUE", 4, 18, "`platfrom` is not possible here", "platform"),
    ("from: platform", "from: csv", "MISSING", 4, 1, "`path` is missing in `worklist`", ""),
    ("every: 60s", "every: 60", "WRONG_VALUE", 4, 35, "this is no duration", ""),
    (
        "stale: 15m",
        "stale: 5s",
        "WRONG_VALUE",
        4,
        47,
        "`stale` is shorter than `every`: nothing would ever be matched",
        "",
    ),
    ("name: room-3", "name: Room-2", "DUPLICATE_NAME", 7, 12, "a camera is named `Room-2` already, in line 6", ""),
    (
        "folder: room-3",
        "folder: room-2/x",
        "FOLDERS_OVERLAP",
        7,
        48,
        "the folder of `room-3` lies inside the folder of `room-2`",
        "",
    ),
    ("folder: room-3", "folder: .", "FOLDERS_OVERLAP", 7, 48, "the folder of `room-3` contains state", ""),
    (
        "folder: room-3",
        "folder: room-2/",
        "FOLDERS_OVERLAP",
        7,
        48,
        "the folder of `room-3` is the folder of `room-2` too",
        "",
    ),
    (
        "move: done",
        "move: room-3/done",
        "FOLDERS_OVERLAP",
        7,
        70,
        "the `move` target of `room-3` lies inside the folder of `room-3`",
        "",
    ),
    ("{move: done}", "{move: done, delete: 1d}", "WRONG_SHAPE", 7, 63, "one thing happens to a delivered file", ""),
    ("{move: done}", "{leave: no}", "WRONG_SHAPE", 7, 63, "one thing happens to a delivered file", ""),
    ("{move: done}", "{mov: done}", "UNKNOWN_SETTING", 7, 64, "`mov` is no setting here", "move"),
    ("clock: -3m", "clock: minus", "WRONG_VALUE", 7, 84, "this is no difference of clocks", ""),
    ("watch: poll", "watch: pol", "WRONG_VALUE", 7, 108, "`pol` is not possible here", "poll"),
    ("port: 7474", "port: 70000", "WRONG_VALUE", 8, 14, "`70000` is not possible here", ""),
    ("page:", "spool: {limit: 50}\npage:", "WRONG_VALUE", 8, 16, "this is no size", ""),
    ("folder: room-3", "folder: ~no-such-account/x", "WRONG_VALUE", 7, 48, "there is no such account's home", ""),
    (
        "folder: room-3",
        'folder: "D:\\temp"',
        "WRONG_VALUE",
        7,
        48,
        'the path holds an invisible character: in "double quotes" a \\ begins an escape',
        "",
    ),
]


@each(SPOILT)
def test_a_fault_has_its_place_and_its_words(faults: Faults, one: Spoilt) -> None:
    found = faults(one.within(GOOD))
    assert one.told(found), found
    assert "GEHEIM" not in "".join(map(str, found))


def test_two_cameras_may_be_moved_into_one_folder(faults: Faults) -> None:
    assert faults(GOOD.replace("{leave: true}", "{move: done}")) == ()


def test_a_link_does_not_hide_that_two_folders_are_one(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "room-2").mkdir()
    (tmp_path / "room-3").symlink_to(tmp_path / "room-2", target_is_directory=True)
    assert [one.code for one in faults(GOOD)] == ["FOLDERS_OVERLAP"]


def test_http_is_possible_on_this_machine(faults: Faults) -> None:
    for host in ("127.0.0.1:8080", "localhost:8080", "[::1]:8080"):
        assert faults(GOOD.replace("https://reading.example", f"http://{host}")) == ()


def test_all_faults_are_told_at_once(faults: Faults) -> None:
    text = (
        GOOD.replace("America", "Amerika")
        .replace("60s", "60")
        .replace("7474", "0")
        .replace("room-3, after", "room-2, after")
    )
    assert [one.line for one in faults(text)] == [2, 4, 7, 8]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # A faulty setting hides neither its section's kind nor the kind's own settings.
        ("kind: http,", "kind: htp, concurrency: 99,", [(3, "WRONG_VALUE", "http"), (3, "WRONG_VALUE", "")]),
        ("kind: http,", "kind: dimse, host: pacs, port: many,", [(3, "MISSING", ""), (3, "WRONG_VALUE", "")]),
        ("every: 60s", "every: 60, pth: x", [(4, "WRONG_VALUE", ""), (4, "UNKNOWN_SETTING", "")]),
        ("from: platform, every: 60s", "from: csw, every: 60", [(4, "WRONG_VALUE", "csv"), (4, "WRONG_VALUE", "")]),
        # A faulty camera hides nothing of the others.
        (
            "existing: 1d, after: {leave: true}}",
            "existing: 1}\n  - {name: ROOM-3, profile: canon-cr2, folder: room-3/x}",
            [(6, "WRONG_VALUE", ""), (8, "DUPLICATE_NAME", ""), (8, "FOLDERS_OVERLAP", "")],
        ),
        # A faulty platform is not taken for none.
        ("kind: http,", "", [(3, "MISSING", "")]),
    ],
)
def test_one_fault_does_not_hide_another(faults: Faults, old: str, new: str, told: list[tuple[int, str, str]]) -> None:
    found = sorted((one.line, one.code, one.suggestion) for one in faults(GOOD.replace(old, new)))
    assert found == sorted(told)


def test_check_names_the_faults_of_the_configuration_and_of_its_profiles_together(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("irisdrop: 1\n", encoding="utf-8")
    path = tmp_path / "irisdrop.yaml"
    text = GOOD.replace("topcon-nw400", "topcon-nw40").replace("canon-cr2", "own.yaml").replace("7474", "0")
    path.write_text(text.replace("existing: 1d", "existing: 1"))
    found, profiles = examined(path)
    assert [(one.line, one.code) for one in found if one.file == str(path)] == [
        (6, "NO_SUCH_PROFILE"),
        (6, "WRONG_VALUE"),
        (8, "WRONG_VALUE"),
    ]
    assert found[0].suggestion == "topcon-nw400"
    assert {one.file for one in found} == {str(path), str(tmp_path / "own.yaml")}
    assert profiles == []
    path.write_text(GOOD)
    assert examined(path)[0] == []
    assert [profile.name for profile in examined(path)[1]] == ["topcon-nw400", "canon-cr2"]


def test_the_profiles_of_all_cameras_are_loaded(of: Callable[[str], Config]) -> None:
    assert {name: profile.name for name, profile in load_profiles(of(GOOD)).items()} == {
        "room-2": "topcon-nw400",
        "room-3": "canon-cr2",
    }


def test_a_profile_that_is_not_there_is_told_at_its_line(of: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("irisdrop: 1\n", encoding="utf-8")
    with pytest.raises(FaultyFile) as caught:
        load_profiles(of(GOOD.replace("topcon-nw400", "topcon-nw40").replace("canon-cr2", "own.yaml")))
    first = caught.value.faults[0]
    assert (first.code, first.line, first.column, first.suggestion) == ("NO_SUCH_PROFILE", 6, 29, "topcon-nw400")
    assert "searched:" in first.message
    assert {one.file for one in caught.value.faults[1:]} == {str(tmp_path / "own.yaml")}


def test_the_environment_names_the_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_config_path().name == "irisdrop.yaml"
    monkeypatch.setenv("IRISDROP_CONFIG", str(tmp_path / "x.yaml"))
    assert default_config_path() == tmp_path / "x.yaml"


def test_a_configuration_that_is_not_there_is_foreseen(tmp_path: Path) -> None:
    with pytest.raises(Foreseen, match="does not exist"):
        load_config(tmp_path / "none.yaml")


def test_another_place_of_orders_or_another_way_to_read_them_is_another_source(tmp_path: Path) -> None:
    def source(worklist: str, zone: str = "UTC", more: str = "") -> str:
        cameras = "cameras: [{name: a, profile: topcon-nw400, folder: exports}]"
        text = f"site: {{zone: {zone}}}\nworklist: {{{worklist}}}\n{cameras}\n{more}"
        return parse_config(text, tmp_path / "irisdrop.yaml").orders_from

    first = source("from: orders, path: one")
    assert source("from: orders, path: one, every: 5m", more="undo: 30s\n") == first
    assert source("from: orders, path: two") != first
    assert source("from: orders, path: one", zone="America/New_York") != first
    assert source("from: csv, path: one") != source("from: csv, path: one, map: {Nr: PatientLocalId}")
    secret = "from: fhir, url: 'https://orders.example/fhir', token: {env: HIDDEN}"
    assert "HIDDEN" not in source(secret)

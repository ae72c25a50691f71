"""Keys from a DICOM header."""

import io
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from irisdrop.vocabulary.reasons import Code

PATIENT = "dicom: {PatientID: PatientID, PatientName: PatientName, PatientBirthDate: PatientBirthDate}"
EYES = 'dicom: {"(0020,0062)": ImageLaterality, "(0020,0060)": ImageLaterality}'


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_any_transfer_syntax_is_read(said: Any, make: Any, syntax: str) -> None:
    content = make.dicom(syntax=syntax, PatientID="000815", PatientName="Muller^Anna", PatientBirthDate="19610307")
    assert said(PATIENT, content, "a.dcm") == {
        "PatientID": ["000815"],
        "PatientName": ["Muller^Anna"],
        "PatientBirthDate": ["1961-03-07"],
    }


def test_encapsulated_pixels_are_passed_over(said: Any, make: Any) -> None:
    from pydicom.encaps import encapsulate

    dataset = make.dataset(PatientID="000815")
    dataset.PixelData = encapsulate([make.picture()])
    dataset["PixelData"].is_undefined_length = True
    assert said(PATIENT, make.dicom(dataset, JPEGBaseline8Bit))["PatientID"] == ["000815"]


@pytest.mark.parametrize("implicit", [True, False])
def test_a_file_without_preamble_is_read(said: Any, make: Any, implicit: bool) -> None:
    buffer = io.BytesIO()
    make.dataset(PatientID="000815").save_as(buffer, implicit_vr=implicit, little_endian=True)
    assert buffer.getvalue()[128:132] != b"DICM"
    assert said(PATIENT, buffer.getvalue(), "IM0001")["PatientID"] == ["000815"]


def test_the_source_is_the_tag(one: Any, make: Any) -> None:
    assert one("dicom: {PatientID: PatientID}", make.dicom(PatientID="000815")).source == "dicom:(0010,0020)"


def test_both_lateralities_are_read(read: Any, make: Any) -> None:
    found = read(EYES, make.dicom(ImageLaterality="R", Laterality="L"))
    assert [(one.value, one.source) for one in found.readings] == [
        ("R", "dicom:(0020,0062)"),
        ("L", "dicom:(0020,0060)"),
    ]


def test_an_element_in_a_sequence_is_read(read: Any, make: Any) -> None:
    item = Dataset()
    item.ScheduledProcedureStepID = "SPS7"
    content = make.dicom(RequestAttributesSequence=Sequence([item]))
    rule = 'dicom: {"RequestAttributesSequence[0].ScheduledProcedureStepID": ScheduledProcedureStepID}'
    found = read(rule, content).readings
    assert [(one.value, one.source) for one in found] == [("SPS7", "dicom:(0040,0275)[0].(0040,0009)")]
    assert read(rule, make.dicom()).readings == ()
    assert read(rule.replace("[0]", "[1]"), content).readings == ()


def test_a_private_element_is_found_by_its_creator_wherever_its_block_lies(one: Any, make: Any) -> None:
    dataset = make.dataset()
    dataset.private_block(0x0011, "SOMEBODY ELSE", create=True).add_new(0x01, "LO", "X")
    dataset.private_block(0x0011, "IRIS CAM", create=True).add_new(0x01, "LO", "000815")
    found = one('dicom: {"(0011,xx01,IRIS CAM)": PatientID}', make.dicom(dataset))
    assert (found.value, found.source) == ("000815", "dicom:(0011,1101)")
    assert one('dicom: {"(0011,1101)": PatientID}', make.dicom(dataset)).value == "000815"


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Anna"),
        ("ISO_IR 192", "Łukasz^Zażółć"),
        ("ISO_IR 144", "Иванов^Иван"),
        ("GB18030", "王^小東"),
    ],
)
def test_a_name_is_decoded_by_the_file_s_own_character_set(said: Any, make: Any, charset: str, name: str) -> None:
    content = make.dicom(SpecificCharacterSet=charset, PatientName=name)
    assert said("dicom: {PatientName: PatientName}", content) == {"PatientName": [name]}


def test_several_values_of_a_key_are_several_readings(said: Any, make: Any) -> None:
    content = make.dicom(OtherPatientIDs=["A1", "B2"])
    assert said("dicom: {OtherPatientIDs: PatientID}", content) == {"PatientID": ["A1", "B2"]}
    assert said(r"dicom: {OtherPatientIDs: '(?P<PatientID>A\d)\\.*'}", content) == {"PatientID": ["A1"]}


def test_the_values_of_the_image_type_say_together_what_it_is(said: Any, make: Any) -> None:
    content = make.dicom(ImageType=["DERIVED", "PRIMARY", "MONTAGE", "COLOR"])
    assert said("dicom: {ImageType: ImageType}", content) == {"ImageType": ["DERIVED\\PRIMARY\\MONTAGE\\COLOR"]}


def test_times_become_iso(said: Any, make: Any) -> None:
    content = make.dicom(
        AcquisitionDateTime="20250114101245.250000",
        ContentDate="20250114",
        ContentTime="1012",
        TimezoneOffsetFromUTC="-0500",
    )
    rule = (
        "dicom: {AcquisitionDateTime: AcquisitionDateTime, ContentDate: AcquisitionDate, ContentTime: AcquisitionTime}"
    )
    assert said(rule, content) == {
        "AcquisitionDateTime": ["2025-01-14T10:12:45.250000-05:00"],
        "AcquisitionDate": ["2025-01-14"],
        "AcquisitionTime": ["10:12:00"],
    }


def test_a_date_time_that_holds_a_date_alone_says_the_date(said: Any, make: Any) -> None:
    content = make.dicom(AcquisitionDateTime="20250114")
    assert said("dicom: {AcquisitionDateTime: AcquisitionDateTime}", content) == {"AcquisitionDate": ["2025-01-14"]}


def test_an_absent_or_empty_element_is_no_reading(read: Any, make: Any) -> None:
    assert read(PATIENT, make.dicom(PatientName="")).readings == ()


def test_a_dicom_rule_says_nothing_about_a_jpeg_and_an_exif_rule_nothing_about_dicom(read: Any, make: Any) -> None:
    assert read(PATIENT, make.picture()).readings == ()
    assert read("exif: {ImageDescription: PatientID}", make.dicom(PatientID="000815")).readings == ()


def test_an_object_without_a_picture_is_no_image(read: Any, make: Any) -> None:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.104.1", "1.2.3"
    dataset.PatientID = "000815"
    assert read(PATIENT, make.dicom(dataset)).code is Code.NOT_AN_IMAGE


@pytest.mark.parametrize("end", [140, 300, 400, -1, -40, -64, -76])
def test_a_cut_dicom_file_is_unreadable(read: Any, make: Any, end: int) -> None:
    """pydicom reads it without a word."""
    assert read(PATIENT, make.dicom(PatientID="000815")[:end]).code is Code.UNREADABLE

"""Every text of the page and the tray, in one place: whoever translates irisdrop translates this file.

Reasons and conditions have their words in `vocabulary`. `{}` fields are filled in with `str.format`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from irisdrop.vocabulary.states import State

WORDS: Final[dict[str, str]] = {
    # every page
    "now": "Now",
    "quarantine": "Quarantine",
    "worklist": "Worklist",
    "profiles": "Profiles",
    "health": "Health",
    "skip": "Skip to the content",
    "sections": "Sections",
    "acting_as": "Acting as {who}",
    "person_label": "Your name, as the history shall show it",
    "save": "Save",
    "lock": "Lock",
    "face_well": "All is well",
    "face_working": "{n} on the way",
    "face_person_one": "1 exam needs a person",
    "face_person_many": "{n} exams need a person",
    "face_broken": "Not well: {what}",
    "image_one": "1 image",
    "image_many": "{n} images",
    "last_image": "last image {at}",
    "no_image_yet": "no image yet",
    "worklist_age": "worklist {age} old",
    "worklist_never": "worklist never synced",
    "paused": "delivery is paused",
    "lost": "The connection to irisdrop is lost. This page shows what was last known.",
    "failed": "That did not work",
    "try": "Try: {what}",
    # now
    "cameras": "Cameras",
    "waiting_here": "waiting",
    "for_a_person": "for a person",
    "all_well": "Nothing is wrong.",
    "not_well": "What is not well",
    "since": "since {at}",
    "today": "Today",
    "no_exams": "No images yet today.",
    "eye_missing": "{eye} is missing",
    "both_eyes": "both eyes",
    "silent": "No image for a while although patients are due. Is the camera still exporting?",
    "camera_ok": "ready",
    "unknown_patient": "Patient not known",
    "more_today": "Only the newest {n} are shown.",
    # quarantine
    "exams_waiting": "Exams in quarantine",
    "nothing_waits": "Nothing waits for a person.",
    "nothing_waits_more": "Images that irisdrop can't give to exactly one order appear here.",
    "mark_exam": "Choose this exam together with others",
    "several": "{n} exams chosen together",
    "images_of_exam": "Images of this exam",
    "picture_of": "Image {n}, {eye}, taken {at}",
    "frames": "{n} frames",
    "frame_n": "Frame {n}",
    "says": "What the image says",
    "says_nothing": "Nothing could be read from it.",
    "key": "Key",
    "value": "Value",
    "source": "Read from",
    "who": "Who it may be",
    "nobody": "No order looks like it. Search below.",
    "search": "Search the worklist: name, number, birth date",
    "search_here": "Name, number or birth date   ( / )",
    "search_none": "No order has all of that.",
    "search_first": "Enter takes the first one",
    "completed": "completed",
    "no_images_yet": "no images yet",
    "has_images": "has {n}",
    "due": "due {at}",
    "assign": "Assign {images}",
    "assign_despite": "Assign despite this",
    "contradicts": "These images contradict the order that you chose:",
    "cancel": "Cancel",
    "eye": "Eye",
    "eye_said": "the image says {eye}",
    "eye_unsaid": "the image does not say which",
    "other_eye": "Other eye",
    "release": "Release",
    "discard": "Discard…",
    "discard_why": "Why will it never be delivered?",
    "discard_now": "Discard {images}",
    "discard_blurred": "Not usable: blurred, or eye closed",
    "discard_test": "A test picture, nobody's eye",
    "discard_again": "Exported again",
    "discard_other": "Another reason",
    "why": "Why?",
    "whole_life": "Its whole life",
    "choose_order": "Choose an order first: 1 to 5, or search.",
    "choose_eye": "Say which eye {images} without one show: press E.",
    "assigned": "{images} given to the order; sent in {seconds} s.",
    "released": "{images} will be read again.",
    "discarded": "{images} discarded.",
    "undone": "Taken back: {images} in quarantine again.",
    "recalled": "Called back: the image is in quarantine; the platform keeps it where it was until it is assigned.",
    "undo": "Undo",
    "stale": "Somebody or something else changed this meanwhile. Look at it again: nothing was done.",
    "order_changed": "The worklist says something else of that order since you looked. Look at it again: nothing was done.",
    "exam_gone": "This exam is no longer in quarantine.",
    "keys": "Keys",
    "keys_on": "Single keys act",
    "keys_note": "Single keys act only while no field is being typed in. Turn them off if a scanner or dictation types for you.",
    "key_next": "next, previous exam",
    "key_image": "next, previous image",
    "key_choose": "choose a suggested order",
    "key_search": "search the worklist",
    "key_mark": "choose several exams",
    "no_picture_large": "This picture is too large to be shown here. It is whole, and can be assigned.",
    "no_picture_damaged": "No picture: the file is damaged.",
    "no_picture_unknown": "No picture: this kind of pixel data can't be shown here.",
    "no_picture_none": "No picture: there are no bytes of it here.",
    "no_picture_slow": "No picture: drawing it took too long.",
    # worklist
    "worklist_today": "Today's worklist",
    "synced": "synced {age} ago",
    "sync": "Sync now",
    "syncing": "The worklist is being asked.",
    "time": "Time",
    "patient": "Patient",
    "born": "Born",
    "number": "Patient number",
    "order": "Order",
    "images": "Images",
    "none_due": "Nobody is due today.",
    "summary": "{done} of {all} have images",
    # image
    "image_title": "Image {n}",
    "life": "Its life",
    "when": "When",
    "what": "What",
    "by": "Who",
    "because": "Why",
    "trace": "How it was decided",
    "candidates": "Orders that were looked at",
    "fits": "fits",
    "attempts": "Tries to deliver",
    "still_open": "under way",
    "receipt": "Receipt",
    "confirmed_at": "confirmed {at}",
    "file": "File",
    "digest": "SHA-256",
    "size": "Size",
    "arrived": "Arrived",
    "taken": "Taken",
    "camera": "Camera",
    "raw": "as written: {raw}",
    "recall": "Call it back…",
    "recall_why": "What is wrong with the delivery?",
    "recall_now": "Call it back",
    "recall_second": "This platform can't take an image back: it keeps this one, and gets a second one when you give the image "
    "to its order. Have the first one removed there.",
    "no_such_image": "There is no such image.",
    "to_quarantine": "Open it in the quarantine",
    # profiles
    "profile_loaded": "in use",
    "profile_last_good": "last good version in use; the file has a fault",
    "profile_read": "What is read",
    "profile_file": "File",
    "profile_status": "Standing",
    "replay": "Try an edited version",
    "replay_note": "Edit the text and see which past decisions it would change, before it is saved to its file. Nothing is written here.",
    "replay_text": "The profile, edited",
    "replay_now": "Show what it would change",
    "replay_found": "{n} decided again: {changed} would be decided otherwise.",
    "replay_unreadable": "Of {n} the bytes are gone.",
    "replay_dangerous": "{n} would go to another order or eye than they did.",
    "replay_faults": "This text can't be used:",
    # health
    "disk": "Disk",
    "disk_free": "{free} free of {total}",
    "spool": "Copies kept here",
    "clocks": "Camera clocks",
    "clock_lag": "from capture to arrival, in the middle: {lag}",
    "clock_unknown": "not enough images yet",
    "throughput": "The last 24 hours",
    "plot_label": "Images that arrived in each of the last 24 hours: {n} in all, {waiting} of them wait for a person",
    "delivered": "delivered",
    "waiting_person": "waiting for a person",
    "other": "other",
    "counts": "All images",
    "pause": "Pause delivery",
    "resume": "Resume delivery",
    "paused_by": "Paused by {who}. Images are still taken, and wait.",
    "bundle": "Support bundle",
    "bundle_note": "Versions, configuration, conditions, counts and the log, without anybody's name or number, and without pictures.",
    "bundle_download": "Download",
    "version": "Version",
    # the door
    "locked": "This page is locked",
    "locked_more": "Open it from the tray icon, or with `irisdrop page`. It locks itself after 15 minutes without use.",
    "code_used": "That link was used or is too old",
    # the tray
    "tray_open": "Open irisdrop",
    "tray_quarantine": "Quarantine ({n})",
    "tray_pause": "Pause delivery",
    "tray_resume": "Resume delivery",
    "tray_about": "About",
    "tray_quit": "Close this icon",
    "tray_down": "irisdrop is not running",
    "tray_stranger": "Another program answers in place of irisdrop",
    "tray_shut": "This account may not open irisdrop's page",
    "tray_note_exam": "An exam needs a person",
    "tray_note_exams": "{n} exams need a person",
    "tray_note_silent": "No image from {camera} for a while, although patients are due",
}

KEYS: Final[dict[str, str]] = {
    "PatientID": "Patient number",
    "IssuerOfPatientID": "Issuer",
    "PatientName": "Name",
    "PatientBirthDate": "Born",
    "PatientSex": "Sex",
    "AccessionNumber": "Accession number",
    "StudyInstanceUID": "Study",
    "ScheduledProcedureStepID": "Scheduled step",
    "RequestedProcedureID": "Procedure",
    "AdmissionID": "Admission",
    "ImageLaterality": "Eye",
    "AcquisitionDateTime": "Taken",
    "AcquisitionDate": "Day",
    "AcquisitionTime": "Time",
    "DeviceSerialNumber": "Serial number",
    "StationName": "Station",
    "Modality": "Modality",
    "ImageType": "Kind of picture",
    "SOPClassUID": "Kind of object",
    "SOPInstanceUID": "Object",
    "InstanceNumber": "Image number",
}

SOURCES: Final[dict[str, str]] = {
    "filename": "file name",
    "folder": "folder",
    "exif": "Exif",
    "dicom": "DICOM",
    "sidecar": "sidecar",
    "constant": "profile",
}

STATES: Final[dict[State, str]] = {
    State.SEEN: "being written",
    State.SETTLED: "being read",
    State.IDENTIFIED: "waiting for its order",
    State.MATCHED: "about to be sent",
    State.UPLOADED: "sent, not yet confirmed",
    State.DELIVERED: "delivered",
    State.DUPLICATE: "a copy of one we have",
    State.QUARANTINED: "for a person",
    State.DISCARDED: "discarded",
    State.VANISHED: "gone before it was read",
}

EYES: Final[dict[str, str]] = {
    "R": "right eye",
    "L": "left eye",
    "B": "both eyes",
    "?": "eye not said",
    "U": "eye not said",
}
SEVERITIES: Final[dict[str, str]] = {"error": "Error", "warning": "Warning", "notice": "Note"}


def say(name: str, /, **fields: Any) -> str:
    """One text with its fields filled in; KeyError where there is no such text."""
    return WORDS[name].format(**fields)


def images(number: int) -> str:
    """So many images, in words."""
    return say("image_one") if number == 1 else say("image_many", n=number)


def face(name: str, exam_count: int, on_the_way: int, worst: str) -> str:
    """How all is, in one short sentence."""
    if name == "person":
        return say("face_person_one") if exam_count == 1 else say("face_person_many", n=exam_count)
    if name == "working":
        return say("face_working", n=images(on_the_way))
    return say("face_broken", what=worst) if name == "broken" else say("face_well")


def plain(text: str) -> str:
    """A sentence about keys, with the keys as people call them."""
    told = re.sub(r"\b(\w+):[\w.()\[\],]+", lambda found: SOURCES.get(found[1], found[0]), text)
    return re.sub(r"\b[A-Z][A-Za-z]+\b", _called, told)


def _called(found: re.Match[str]) -> str:
    """A key as people call it, small where it does not begin the sentence."""
    name = KEYS.get(found[0], "")
    return (name if found.start() == 0 else name[:1].lower() + name[1:]) or found[0]

"""Health as data: what is not well now, in words, with what to do; the same list for tray, page, CLI and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How loudly a condition is told."""

    NOTICE = "notice"  # worth knowing
    WARNING = "warning"  # will need a person
    ERROR = "error"  # images do not flow


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can be unwell. `after` is how many seconds it must last before it is shown; a kind whose
    `depends_on` is active too is a symptom and stays silent."""

    code: str
    title: str
    severity: Severity
    remedy: str
    depends_on: tuple[str, ...] = ()
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One active condition. `subject` is a camera's or file's name in the configuration or an image id, never PHI."""

    code: str
    subject: str
    title: str
    severity: Severity
    detail: str
    remedy: str
    since: str


W, N, X = Severity.WARNING, Severity.NOTICE, Severity.ERROR

KINDS: Final[dict[str, Kind]] = {
    kind.code: kind
    for kind in (
        Kind(
            "FOLDER_MISSING",
            "The camera's folder is not there",
            X,
            "Connect the share or create the folder; nothing is lost meanwhile.",
        ),
        Kind(
            "FOLDER_UNREADABLE",
            "The camera's folder can't be read",
            X,
            "Give the service's account read access to the folder.",
        ),
        Kind(
            "FOLDER_POLLED",
            "No events come from this folder; it is looked through every few seconds",
            N,
            "Normal for a network share; nothing to do.",
        ),
        Kind(
            "WATCHER_RESTARTED",
            "Watching the folder had stopped and was started again",
            N,
            "Nothing to do unless it repeats.",
        ),
        Kind(
            "FILE_LOCKED",
            "A file can't be opened yet",
            W,
            "Close the program that holds it; irisdrop tries again by itself.",
            after=60.0,
        ),
        Kind(
            "FILES_KNOWN",
            "Older files were found at the first start and left alone",
            N,
            "Take them with `irisdrop adopt CAMERA --since DATE` if they should be delivered.",
        ),
        Kind(
            "CAMERA_UNCONFIGURED",
            "Images of a camera that is no longer configured are still on their way",
            N,
            "They go on to their end; nothing to do.",
        ),
        Kind(
            "PROFILE_FAULTY",
            "A profile has a fault; its last good version stays in use",
            X,
            "Run `irisdrop check` and mend the place it names.",
        ),
        Kind(
            "PROFILE_MOVES",
            "An edited profile would have given past images to another order or eye",
            X,
            "Compare these images' orders with `irisdrop quarantine show ID`; mend the profile, or tell who has to be told.",
        ),
        Kind(
            "PROFILE_CHANGES",
            "An edited profile would have decided past images otherwise",
            N,
            "`irisdrop replay PROFILE` names the images; release those in quarantine that it would match now.",
        ),
        Kind(
            "CONFIG_FAULTY",
            "The configuration has a fault; the last good one stays in use",
            X,
            "Run `irisdrop check` and mend the place it names.",
        ),
        Kind(
            "STATE_MOVED",
            "The configuration names another `state` folder: nothing of the edit is in use before a restart",
            W,
            "Stop irisdrop, move the whole folder to its new place, and start it; or take the change back.",
        ),
        Kind(
            "WORKLIST_STALE",
            "The worklist is too old, so nothing is matched on it",
            X,
            "Check the connection to the worklist; images wait and are matched when it is back.",
        ),
        Kind(
            "WORKLIST_NEVER",
            "The worklist was never synced",
            X,
            "Check the `worklist` part of the configuration and the connection.",
        ),
        Kind(
            "WORKLIST_FAULTS",
            "Some rows of the worklist can't be read",
            W,
            "Ask whoever makes the worklist to mend the rows that are named.",
        ),
        Kind(
            "WORKLIST_UNREACHABLE",
            "The worklist source does not answer",
            W,
            "Check the network; irisdrop goes on trying.",
            after=120.0,
        ),
        Kind(
            "PLATFORM_UNREACHABLE",
            "The platform does not answer",
            X,
            "Check the network; images wait in the spool and go by themselves.",
            after=60.0,
        ),
        Kind(
            "PLATFORM_DENIED",
            "The platform refuses our credentials",
            X,
            "Renew the token; images wait in the spool and go by themselves.",
        ),
        Kind(
            "PLATFORM_STRANGE",
            "Something that is not the platform answers at its address",
            X,
            "Check the address, proxies and captive portals; irisdrop goes on trying.",
        ),
        Kind(
            "DISK_FULL",
            "The disk that holds the spool is full",
            X,
            "Make room; images wait in the camera's folder.",
        ),
        Kind(
            "STATE_UNWRITABLE",
            "The disk that holds journal and spool can't be written",
            X,
            "Look at that disk: it is read-only or broken; images wait in the camera's folder and go by themselves.",
        ),
        Kind(
            "SPOOL_FULL",
            "The spool has reached its limit; new images wait in the camera's folder",
            X,
            "Raise `spool: limit`, or mend what keeps images from being delivered.",
        ),
        Kind(
            "SPOOL_UNREADABLE",
            "The disk can't read back images that the spool keeps",
            X,
            "Look at that disk. They are UNREADABLE in the quarantine, and go on by themselves once the disk gives their "
            "bytes again, or their files lie where the camera put them.",
        ),
        Kind(
            "JOURNAL_REBUILT",
            "The journal was damaged and has been rebuilt from spool and folders",
            W,
            "Decisions made by persons since the last backup are lost: look through the quarantine.",
        ),
        Kind(
            "ORDER_WITHDRAWN_LATE",
            "An order was withdrawn after its image had been sent",
            W,
            "Tell the platform's integration administrator; the image stays where it is.",
        ),
        Kind(
            "TWIN_CONFLICT",
            "The same picture came again with other keys",
            W,
            "Look at both images; one of them is filed wrongly.",
        ),
        Kind(
            "RECEIPT_ALARM",
            "The platform confirmed an image for another order, patient or eye",
            X,
            "Call the platform's integration administrator now.",
        ),
        Kind(
            "RECEIPT_FAILED",
            "The platform could not file an image that it holds",
            X,
            "Read its answer in the image's history and call the platform's integration administrator.",
        ),
        Kind(
            "RECEIPT_OVERDUE",
            "The platform holds images and has not confirmed them in time",
            W,
            "Ask the platform's integration administrator for their state; nothing is sent twice.",
        ),
        Kind(
            "RECEIPTS_UNREACHABLE",
            "The platform's queue of confirmations does not answer",
            W,
            "Check the network and the queue's connection string; irisdrop goes on trying.",
            depends_on=("PLATFORM_UNREACHABLE",),
            after=120.0,
        ),
        Kind(
            "IDENTITY_FLICKERS",
            "A camera named another patient between two pictures of one",
            W,
            "Look at the images that are named: the one in the middle may be the wrong patient's.",
        ),
        Kind(
            "ONE_EYE_ONLY",
            "An exam shows one eye only, though its order asks for both",
            W,
            "Take the other eye while the patient is there, or tell whoever ordered it why it is missing.",
        ),
        Kind(
            "FIELDS_MISSING",
            "An exam holds fewer pictures of an eye than its camera's profile expects",
            W,
            "Take the missing pictures while the patient is there, or tell whoever ordered them why they are missing.",
        ),
        Kind(
            "CLOCK_DRIFT",
            "The camera's clock differs from this computer's",
            W,
            "Set the camera's clock, or declare the difference with `clock:`.",
        ),
        Kind(
            "QUARANTINE_WAITING",
            "Images wait for a person",
            W,
            "Open the quarantine and give each image to its order.",
        ),
        Kind(
            "PAUSED",
            "Delivery is paused for maintenance; images are still taken and wait",
            W,
            "Resume it from the tray icon or the page when the maintenance is over.",
        ),
        Kind(
            "PAGE_PORT_TAKEN",
            "Another program holds the port of the local page",
            W,
            "End that program, or set another port: `page: {port: …}`.",
        ),
        Kind(
            "STAGE_FAILED",
            "A part of irisdrop failed and was started again",
            X,
            "Send a support bundle if it repeats.",
        ),
    )
}

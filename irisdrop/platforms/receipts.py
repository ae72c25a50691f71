"""What a receipt must say before an image counts as delivered."""

from __future__ import annotations

from irisdrop.vocabulary.deliveries import Confirmed, Parcel, Receipt, Refused
from irisdrop.vocabulary.reasons import Code


def parse_receipt(wire: object) -> Receipt | None:
    """The receipt of a JSON object; None where it is none, so that a captive portal's page never delivers."""
    if not isinstance(wire, dict):
        return None
    needed = [_text(wire.get(key)) for key in ("id", "digest", "entry", "ImageLaterality", "at")]
    more = [wire.get(key) for key in ("AccessionNumber", "PatientID", "replaces")]
    if not all(needed) or not all(value is None or isinstance(value, str) for value in more):
        return None
    return Receipt(*needed, *(_text(value) or None for value in more))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def judge(parcel: Parcel, receipt: Receipt, sent: str | None = None) -> Confirmed | Refused:
    """Whether a receipt is for this parcel: our digest, order, patient and eye, and nothing else.

    `sent` is the digest of what left, where that is not the export itself. An eye that was left to the platform (`U`)
    may be any in the receipt.
    """
    keys = dict(parcel.keys)
    pairs = (
        ("digest", sent or parcel.digest, receipt.digest),
        ("order", parcel.entry, receipt.entry),
        ("eye", receipt.eye if parcel.eye == "U" else parcel.eye, receipt.eye),
        ("PatientID", keys.get("PatientID"), receipt.patient_id),
        ("AccessionNumber", keys.get("AccessionNumber"), receipt.accession_number),
    )
    wrong = [name for name, ours, theirs in pairs if ours and theirs and ours != theirs]
    if wrong:
        return Refused(Code.RECEIPT_MISMATCH, f"the receipt names another {' and '.join(wrong)}", receipt)
    return Confirmed(receipt)

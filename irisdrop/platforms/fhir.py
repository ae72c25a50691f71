"""Orders by FHIR R4: ServiceRequest with its Patient, page by page; the whole list at each sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.entries import SEXES, START, EntryFault, entry_id, parse_entry
from irisdrop.platforms.http import token_of
from irisdrop.platforms.wire import NoToken, Token, Unreachable, Wire
from irisdrop.vocabulary.orders import Standing, Withdrawal, WorklistChanges, WorklistEntry

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config

Resource = Mapping[str, Any]
ACCEPT: Final = {"Accept": "application/fhir+json"}
PAGE: Final = 64 * 1024 * 1024
MOST_PAGES: Final = 1000
CLOSED: Final = frozenset({"revoked", "completed", "entered-in-error"})


class FhirWorklist:
    """`search` narrows the orders as FHIR spells it (`status=active&category=…`); the systems say which identifier
    is the patient's and which the order's, where a resource has several."""

    def __init__(
        self,
        url: str,
        token: Token,
        zone: tzinfo,
        *,
        search: str = "status=active",
        patient_system: str | None = None,
        order_system: str | None = None,
        site: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._wire = Wire(url, token, connections=1)
        self._zone = zone
        self._search = dict(parse_qsl(search))
        self._systems = (patient_system, order_system)
        self._site = site

    def changes(self, cursor: str | None) -> WorklistChanges:  # noqa: ARG002
        """Every order that the search finds. A list of which one page is missing is none."""
        orders: list[Resource] = []
        patients: dict[str, Resource] = {}
        for resource in self._resources():
            if resource.get("resourceType") == "Patient":
                patients[f"Patient/{resource.get('id')}"] = resource
            elif resource.get("resourceType") == "ServiceRequest" and resource.get("status") not in CLOSED:
                orders.append(resource)
        entries: dict[str, WorklistEntry] = {}
        faults: list[str] = []
        for number, order in enumerate(orders, 1):
            try:
                entry = parse_entry(self._entry(order, patients), self._zone)
            except EntryFault as fault:
                faults.append(f"order {number}: {fault}")
                continue
            if entries.setdefault(entry.id, entry) != entry:
                raise WorklistUnavailable("an order changed while the list was read")
        gone = {self._id(one) for order in orders for one in _replaced(order)} - entries.keys()
        withdrawn = tuple(Withdrawal(one, Standing.REPLACED) for one in sorted(gone))
        return WorklistChanges(tuple(entries.values()), withdrawn, None, full=True, faults=tuple(faults))

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _resources(self) -> Iterator[Resource]:
        path: str | None = "/ServiceRequest"
        query = {**self._search, "_include": "ServiceRequest:subject", "_count": "200"}
        for _ in range(MOST_PAGES):
            bundle = self._page(path or "", query)
            for item in bundle.get("entry") or []:
                resource = item.get("resource") if isinstance(item, dict) else None
                if isinstance(resource, dict):
                    if resource.get("resourceType") == "OperationOutcome" and _fatal(resource):
                        raise WorklistUnavailable("the FHIR server answered with an error inside the list")
                    yield resource
            path, query = self._next(bundle)
            if path is None:
                return
        raise WorklistUnavailable(f"the FHIR server has more than {MOST_PAGES} pages")

    def _page(self, path: str, query: dict[str, str]) -> Resource:
        try:
            reply = self._wire.ask("GET", path, query=query, headers=ACCEPT, limit=PAGE)
        except NoToken as error:
            raise WorklistUnavailable(str(error), "PLATFORM_DENIED") from None
        except Unreachable as error:
            raise WorklistUnavailable(
                error.detail, "PLATFORM_STRANGE" if error.strange else "WORKLIST_UNREACHABLE"
            ) from None
        if reply.status in (401, 403):
            raise WorklistUnavailable(f"the FHIR server answered {reply.status}", "PLATFORM_DENIED")
        body = reply.body
        if reply.status != 200 or not isinstance(body, dict) or body.get("resourceType") != "Bundle":
            raise WorklistUnavailable(f"the FHIR server answered {reply.status} and no Bundle")
        return body

    def _next(self, bundle: Resource) -> tuple[str | None, dict[str, str]]:
        """The next page; it must lie below the base URL, because our token goes with the question."""
        links = bundle.get("link")
        urls = [link.get("url") for link in links or [] if isinstance(link, dict) and link.get("relation") == "next"]
        if not urls or not isinstance(urls[0], str):
            return None, {}
        base, target = urlsplit(self._url), urlsplit(urljoin(f"{self._url}/", urls[0]))
        if (target.scheme, target.netloc) != (base.scheme, base.netloc):
            raise WorklistUnavailable("the FHIR server's next page lies on another server", "PLATFORM_STRANGE")
        if not target.path.startswith(base.path):
            raise WorklistUnavailable("the FHIR server's next page lies outside its base URL", "PLATFORM_STRANGE")
        return target.path.removeprefix(base.path.rstrip("/")), dict(parse_qsl(target.query, keep_blank_values=True))

    def _entry(self, order: Resource, patients: Mapping[str, Resource]) -> dict[str, object]:
        subject = order.get("subject")
        reference = str(subject.get("reference", "")) if isinstance(subject, dict) else ""
        patient = patients.get("/".join(reference.split("/")[-2:]))
        if patient is None:
            raise EntryFault("its patient did not come with it")
        number = identifier(patient, self._systems[0])
        accession = identifier(order, self._systems[1])
        if number is None or accession is None:
            raise EntryFault("it has not exactly one identifier of its patient, or of itself: name their systems")
        server = str(order.get("id") or "")
        wire = {
            "id": self._id(server) if server else entry_id(self._site, accession, number),
            "site": self._site,
            "PatientID": number,
            "AccessionNumber": accession,
            "PatientName": _name(patient),
            "PatientBirthDate": patient.get("birthDate"),
            "PatientSex": SEXES.get(str(patient.get("gender", "")).upper()),
            START: _start(order),
        }
        return {key: value for key, value in wire.items() if value}

    def _id(self, server: str) -> str:
        """The entry of the server's own id of an order: the same whatever patient it is given to, as after a merge.

        Another server counts its own orders from 1: of that one it is another entry.
        """
        place = urlsplit(self._url)
        return entry_id(self._site, "ServiceRequest", f"{place.netloc}{place.path}".lower(), server)


def open_worklist(config: Config) -> FhirWorklist:
    """The server of a configuration. Raises Foreseen where its url can't be used."""
    options = config.worklist.options
    return FhirWorklist(
        options["url"],
        token_of(options["token"]),
        config.site.zone,
        search=options["search"],
        patient_system=options["patient_system"],
        order_system=options["order_system"],
        site=config.site.id,
    )


def identifier(resource: Resource, system: str | None) -> str | None:
    """The one identifier of a system; without a system the only one that there is. None where that is not one."""
    found = resource.get("identifier")
    values = {
        str(one.get("value"))
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, dict)
        and one.get("value")
        and one.get("use") != "old"
        and system in (None, one.get("system"))
    }
    return values.pop() if len(values) == 1 else None


def _replaced(order: Resource) -> list[str]:
    """The server's ids of the orders whose place an order takes."""
    named = order.get("replaces")
    found = [one.get("reference") for one in named if isinstance(one, dict)] if isinstance(named, list) else []
    parts = [one.split("/") for one in found if isinstance(one, str)]
    return [part[1] for part in parts if len(part) == 2 and part[0] == "ServiceRequest" and part[1]]


def _name(patient: Resource) -> str:
    names = [one for one in patient.get("name") or [] if isinstance(one, dict)]
    best = next((one for one in names if one.get("use") == "official"), names[0] if names else {})
    given = " ".join(str(one) for one in best.get("given") or [])
    return f"{best.get('family', '')}^{given}".replace("^^", "^").rstrip("^")


def _start(order: Resource) -> str | None:
    """`occurrenceDateTime`, else the begin of `occurrencePeriod`; a month or a year alone is no start."""
    period = order.get("occurrencePeriod")
    text = order.get("occurrenceDateTime") or (period.get("start") if isinstance(period, dict) else None)
    return text if isinstance(text, str) and len(text) >= 10 else None


def _fatal(outcome: Resource) -> bool:
    return any(
        isinstance(issue, dict) and issue.get("severity") in ("fatal", "error") for issue in outcome.get("issue") or []
    )

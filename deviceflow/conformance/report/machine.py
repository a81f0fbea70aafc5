"""JSON, and the XML that continuous integration reads (JUnit)."""

from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec

from deviceflow.conformance.check import Judgement
from deviceflow.conformance.report import Run
from deviceflow.conformance.run import counts

_FAILED = {Judgement.FAIL, Judgement.WARNING}


def as_json(run: Run) -> bytes:
    """Return the run as JSON, with every exchange."""
    document = {
        "issuer": run.issuer,
        "server": run.server,
        "profile": run.profile,
        "began": run.began,
        "seconds": run.seconds,
        "deviceflow": run.version,
        "passed": run.is_passed,
        "counts": {judgement.value: number for judgement, number in counts(run.results).items()},
        "checks": [_check(run, index) for index in range(len(run.results))],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _check(run: Run, index: int) -> dict[str, Any]:
    result = run.results[index]
    return {
        "id": result.check.id,
        "group": result.check.group,
        "clause": result.check.clause,
        "level": result.check.level,
        "title": result.check.title,
        "judgement": result.judgement,
        "reason": result.reason,
        "seconds": result.seconds,
        "exchanges": result.exchanges,
    }


def as_junit(run: Run) -> bytes:
    """Return the run as JUnit XML: a failure for what fails the run, skipped for what it lacks."""
    found = counts(run.results)
    suite = Element(
        "testsuite",
        name=f"deviceflow conform {run.profile}",
        tests=str(len(run.results)),
        failures=str(found[Judgement.FAIL] + found[Judgement.WARNING]),
        skipped=str(found[Judgement.NOT_APPLICABLE] + found[Judgement.UNJUDGED]),
        time=str(run.seconds),
        timestamp=run.began.isoformat(timespec="seconds"),
    )
    for result in run.results:
        check = result.check
        case = SubElement(
            suite,
            "testcase",
            classname=f"{check.group}.{check.clause}",
            name=f"{check.id} {check.title}",
            time=str(result.seconds),
        )
        if result.judgement in _FAILED:
            SubElement(case, "failure", type=result.judgement.value, message=result.reason)
        elif result.judgement is not Judgement.PASS:
            SubElement(case, "skipped", message=f"{result.judgement.value}: {result.reason}")
    indent(suite)
    text: bytes = tostring(suite, encoding="utf-8", xml_declaration=True)
    return text + b"\n"

"""JUnit XML, the report that every CI system can show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(suite: str, results: Sequence[Mapping[str, Any]]) -> str:
    """A test suite with one case a job, as a document.

    Args:
        suite: its name.
        results: of the jobs, with ``name``, ``state`` (done, skipped, failed), ``seconds``, ``error``, ``hint``.
    """
    counts = {state: sum(r["state"] == state for r in results) for state in ("failed", "skipped")}
    total = sum(float(r["seconds"]) for r in results)
    numbers = {
        "tests": str(len(results)),
        "failures": str(counts["failed"]),
        "errors": "0",
        "skipped": str(counts["skipped"]),
        "time": f"{total:.3f}",
    }
    root = ET.Element("testsuites", {"name": "understudy", **numbers})
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    node = ET.SubElement(root, "testsuite", {"name": _clean(suite), **numbers, "timestamp": now})
    for result in results:
        case = ET.SubElement(
            node,
            "testcase",
            {
                "name": _clean(result["name"]),
                "classname": _clean(suite),
                "time": f"{float(result['seconds']):.3f}",
            },
        )
        if result["state"] == "failed":
            failure = {"message": _clean(result["error"]), "type": _clean(result["code"])}
            ET.SubElement(case, "failure", failure).text = _clean(result.get("hint") or result["error"])
        elif result["state"] == "skipped":
            ET.SubElement(case, "skipped", {"message": "Done in an earlier run."})
        if result.get("warnings"):
            ET.SubElement(case, "system-err").text = _clean("\n".join(result["warnings"]))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _clean(text: Any) -> str:
    """Text without the characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", str(text))

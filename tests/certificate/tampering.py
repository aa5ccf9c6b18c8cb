"""Changing certificates the way an attacker would: seals and derived fields recomputed."""

import copy
import hashlib
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

from pacbayes.certificate.checker import canonical, statement

Path = tuple[str | int, ...]


def get(document: dict[str, Any], path: Path) -> Any:
    value: Any = document
    for key in path:
        value = value[key]
    return value


def put(document: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy of the document with one value replaced."""
    changed = copy.deepcopy(document)
    get(changed, path[:-1])[path[-1]] = value
    return changed


def seal(document: dict[str, Any]) -> bytes:
    """Bytes of the document with sentence and self-hash recomputed."""
    changed = copy.deepcopy(document)
    changed["claim"]["statement"] = statement(changed)
    changed.pop("self_sha256", None)
    changed["self_sha256"] = hashlib.sha256(canonical(changed)).hexdigest()
    return canonical(changed)


def propagate(document: dict[str, Any]) -> dict[str, Any]:
    """A copy in which everything that is derived, except the risks, follows from its sources."""
    changed = copy.deepcopy(document)
    data, counts, posterior = changed["data"], changed["mc"], changed["posterior"]
    counts["trials"] = counts["draws"] * data["n"]
    exact, up = Context(prec=2000), Context(prec=17, rounding=ROUND_CEILING)
    total = Decimal(0)
    for tensor in posterior["tensors"]:
        for item in tensor["kl"].values():
            total = exact.add(total, Decimal(item))
    posterior["kl_upper"] = str(up.plus(total))
    if changed["predictor"] == "single":
        counts["risk_upper"] = str(up.divide(Decimal(counts["errors"]), Decimal(counts["trials"])))
    if changed["stages"]:
        _propagate_stages(changed)
    for entry in changed["union"]:
        entry["weight"] = f"1/{entry['choices']}"
    parts = ["pacbayes/evaluate/1", posterior["sha256"], changed["prior"]["sha256"]]
    parts += [data["certificate_sha256"], counts["design"], str(counts["draws"])]
    counts["root_sha256"] = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    changed["evidence"] = {
        "id": changed["bound"]["id"],
        "n": data["n"],
        "errors": counts["errors"],
        "trials": counts["trials"],
        "kl_upper": posterior["kl_upper"],
        "risk_upper": counts["risk_upper"],
    }
    return changed


def _propagate_stages(document: dict[str, Any]) -> None:
    """The chain begins with all examples and ends with the posterior."""
    for stage in document["stages"]:
        draws = max(1, round(stage["trials"] / stage["n"]))
        if stage is document["stages"][0]:
            stage["n"] = document["data"]["n"]
        stage["trials"] = draws * stage["n"]
    document["stages"][-1]["kl_upper"] = document["posterior"]["kl_upper"]
    document["stages"][-1]["posterior_sha256"] = document["posterior"]["sha256"]


def scaled(text: str, factor: str) -> str:
    """A decimal string multiplied by a factor, exactly."""
    return str(Context(prec=200).multiply(Decimal(text), Decimal(factor)).normalize())

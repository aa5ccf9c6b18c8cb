"""What is known about each validity condition of one subject."""

from pacbayes.certificate import Condition, checked, declared, not_applicable, violated
from pacbayes.data import Data, Duplicates
from pacbayes.errors import Problem
from pacbayes.pipeline.preprocessing import constants_of, is_charged
from pacbayes.pipeline.request import CertifyRequest
from pacbayes.pipeline.subject import Subject
from pacbayes.posterior import Prior
from pacbayes.tickets import IndexSet

BY_CONSTRUCTION = {
    "V7": "0-1 loss from integer counts",
    "V10": "examples are tensors in memory; nothing random touches them",
    "V13": "the kl bound has no free parameter",
    "V15": "draws fixed from shapes, seed derived from digests",
    "V17": "binomial tail at its own share of delta",
    "V18": "exact fractions",
    "V19": "proposed in floating point, accepted by the decimal checker",
    "V20": "float32 on the CPU; ties and non-finite logits are errors",
    "V21": "every index of the certificate part once per draw",
    "V23": "SHA-256 of weights, mask, prior and posterior",
    "V24": "posterior, prior and network have the same parameters",
    "V25": "same support on both sides",
    "V26": "one stored law for drawing and divergence",
    "V27": "fresh weights for every (example, draw)",
    "V29": "one stream per draw, block and tensor, unused by fitting",
    "V30": "2 sqrt(n) holds for every n",
}

BY_DEFAULT = {
    "V8": "taken as an independent sample",
    "V11": "no prior-side setting was tuned on this part",
    "V16": "nothing is known of earlier certificates on these data",
    "V28": "no pre-trained weights",
}

USER_DATA = {
    "V6": "whatever was done to the user's data before had no look at this part",
    "V10": "every example of the user's data is a source of its own, not an augmented copy",
}
"""What nobody can check where the data do not come from a source of ours."""


_INCLUSION = {
    "free": "inclusion is the free mask",
    "count": "inclusion 0 or 1, with the mask's code",
    "gates": "one inclusion per tensor from a declared grid, paid; gates pay their divergence",
}


def conditions(
    subject: Subject,
    prior: Prior,
    data: Data,
    duplicates: Duplicates,
    *,
    probed: list[Problem],
    from_code: list[str],
    request: CertifyRequest,
) -> list[Condition]:
    """Return all 32 conditions with their status; nothing is left out.

    Args:
        subject: what is certified.
        prior: the subject's prior, scales chosen.
        data: the data.
        duplicates: equal contents within and across the split.
        probed: problems that the probes of the network found.
        from_code: buffers whose values come with the network's code.
        request: the options, with what the user declared.
    """
    found = {key: checked(key, note) for key, note in BY_CONSTRUCTION.items()}
    found |= _provenance(subject, prior)
    found |= _choices(prior, request)
    found |= _data(data, subject.certificate, duplicates, request)
    if from_code and found["V5"].status != "violated":
        note = f"buffers {from_code} come with the network's code; none saw this part"
        found["V5"] = declared("V5", note, by="default")
    for key, note in subject.declared.items():
        if found[key].status not in ("violated", "n/a"):
            found[key] = declared(key, note)
    for problem in probed:
        found[problem.condition] = violated(problem.condition, problem.message)
    for key, text in request.declare.items():
        if found[key].status != "violated" or key == "V9":
            found[key] = declared(key, text)
    return list(found.values())


def _provenance(subject: Subject, prior: Prior) -> dict[str, Condition]:
    part = subject.certificate
    overlap = len(part) - len(part.minus(prior.seen))
    mask_overlap = len(part) - len(part.minus(prior.mask_seen))
    found = {
        "V1": checked("V1", f"prior saw {len(prior.seen)} examples, none of the {len(part)} here"),
        "V3": checked(
            "V3",
            _INCLUSION[prior.mask_price],
        ),
        "V4": checked("V4", "coded and charged" if _charged(prior) else "disjoint index sets"),
    }
    if overlap:
        note = (
            f"the prior has seen {overlap} of the {len(part)} certificate examples; "
            "take another split, or --prior init"
        )
        found["V1"] = violated("V1", note)
    if mask_overlap and not _charged(prior):
        note = f"the mask has seen {mask_overlap} certificate examples and is not charged"
        found["V4"] = violated("V4", note)
    return found | {"V5": _state(subject, prior)}


def _state(subject: Subject, prior: Prior) -> Condition:
    part = subject.certificate
    overlap = len(part) - len(part.minus(subject.buffers_seen))
    if overlap:
        note = (
            f"running statistics (buffers) have seen {overlap} of the {len(part)} certificate "
            "examples: take another split, or --batchnorm fold or charge with --prior init"
        )
        return violated("V5", note)
    if subject.statistics:
        return checked("V5", subject.statistics)
    if prior.buffers:
        return checked("V5", "equal in prior and posterior, from outside this part")
    return not_applicable("V5", "the network has no buffers")


def _preprocessing(data: Data, part: IndexSet, request: CertifyRequest) -> Condition:
    transform = data.transform
    if transform.source == "fixed":
        return checked("V6", f"{transform.text}, fixed beforehand")
    if is_charged(data, request.declare):
        return checked("V6", f"{transform.text}: every value at its precision was paid for")
    if constants_of(data, part):
        return violated(
            "V6",
            f"{transform.text}: the constants are the statistics of the certificate part, although "
            "declared as fixed; drop --declare V6 to have them charged, or use pixels/255",
        )
    return declared("V6", request.declare["V6"])


def _charged(prior: Prior) -> bool:
    return prior.mask_price != "free"


def _choices(prior: Prior, request: CertifyRequest) -> dict[str, Condition]:
    grid = prior.grid
    scales = "fixed from the prior part" if grid is None else f"a grid of {grid.size}, paid"
    tried = request.priors_tried
    word = f"{tried} prior(s) tried, by the user's count; no other choice by counted draws"
    found = {
        "V2": checked("V2", scales),
        "V12": checked("V12", "weights multiply exactly; the checker recomputes them"),
        "V14": declared("V14", word, by="default" if tried == 1 else "user"),
        "V31": not_applicable("V31", "one claim; compare divides delta"),
    }
    if request.draws is not None:
        note = f"--draws {request.draws} was fixed before any count; seed derived from digests"
        found["V15"] = declared("V15", note)
    return found


def _data(
    data: Data, part: IndexSet, duplicates: Duplicates, request: CertifyRequest
) -> dict[str, Condition]:
    found = {key: declared(key, note, by="default") for key, note in BY_DEFAULT.items()}
    found["V6"] = _preprocessing(data, part, request)
    if not data.builtin:
        found["V10"] = declared("V10", USER_DATA["V10"], by="default")
        if found["V6"].status == "checked":
            note = f"{found['V6'].note}; {USER_DATA['V6']}"
            found["V6"] = declared("V6", note, by="default")
    found["V9"] = checked(
        "V9", f"{duplicates.within} repeated within, {duplicates.across} across the split"
    )
    found["V22"] = checked("V22", "range checked; labels are taken as given")
    found["V32"] = (
        checked("V32", data.description)
        if data.builtin
        else declared("V32", data.description, by="default")
    )
    if duplicates.across:
        note = (
            f"{duplicates.across} examples are in both parts of the split, "
            f"first {duplicates.first_across}; remove them or --declare V9=TEXT"
        )
        found["V9"] = violated("V9", note)
    elif 1000 * duplicates.within > len(part):
        note = f"{duplicates.within} repeated examples (above 0.1 %); remove or --declare V9=TEXT"
        found["V9"] = violated("V9", note)
    return found

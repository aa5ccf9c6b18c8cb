"""Independent checker of pacbayes certificates: ``python checker.py CERT...``.

One file, standard library only, no code shared with the program that writes certificates. Bounds
are recomputed from the integers and digests in the document in decimal arithmetic with directed
rounding, and refused as well when the double 8 ulp below would do, so that no number can be changed
unnoticed. What nobody can check is ``declared``. Exit 0: accepted, 1: rejected, 2: usage, 3: form.
"""

import decimal
import hashlib
import json
import math
import re
import sys
from decimal import Context, Decimal
from fractions import Fraction

SCHEMA = "pacbayes/certificate/1"
MAX_BYTES, MAX_TENSORS, MOST, SLACK_ULPS = 16 * 2**20, 10_000, 10**10, 8
TITLES = "6c861db50b488268cbb46d48289d65e970e91ee9d915c4f6a09b1e1914819cb3"  # SHA-256 of V1 to V32
WAIVABLE, ONLY_TOLD = ("V5", "V31"), ("V8", "V11", "V14", "V16", "V28")
SINGLE = ("disintegrated", "occam", "test-set")  # bounds for one network; the others are Gibbs


class Rejected(Exception):
    """A field does not follow from the evidence; ``move`` is +1 (-1) for a risk too low (high)."""

    verdict, exit_code = "rejected", 1

    def __init__(self, field: str, reason: str, move: int = 0) -> None:
        self.field, self.reason, self.move = field, reason, move
        super().__init__(f"{field}: {reason}")


class Malformed(Rejected):
    """The bytes are not a certificate: wrong syntax, keys or types."""

    verdict, exit_code = "malformed", 3


def require(holds: bool, field: str, reason: str) -> None:
    """Raise Rejected unless something holds."""
    if not holds:
        raise Rejected(field, reason)


def check(data: bytes) -> dict:
    """Return the document of an acceptable certificate; raises Malformed or Rejected."""
    audit = _Audit(parse(data))
    for rule in _Audit.RULES:
        rule(audit)
    return audit.doc


_NUMBER = r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
PATTERNS = {
    "count": r"[0-9]{1,36}", "name": r"[^ ]{1,200}", "label": r".{1,200}", "text": r".{0,2000}",
    "hash": r"[0-9a-f]{64}", "ratio": r"(?=.{1,64}$)[1-9][0-9]*/[1-9][0-9]*",
    "real": rf"(?=.{{1,64}}$){_NUMBER}", "signed": rf"(?=.{{1,64}}$)-?{_NUMBER}",
    "risk": r"(?=.{1,64}$)(?:1|0(\.[0-9]+)?|[0-9](\.[0-9]+)?[eE]-[0-9]{1,3})",
}  # fmt: skip


def _keys(words: str, **nested: object) -> dict:
    """Return a form: ``key:kind`` words, where a kind is a pattern, ``count`` or known values."""
    return dict(word.split(":") for word in words.split()) | nested


_SEEN, _TEST = _keys("count:count indices_sha256:hash"), _keys("errors:count trials:count")
_GRID = _keys("top:real steps_per_octave:count size:count")
FORM = _keys(  # (form,) may be null, [form] is a list
    "schema:label name:name predictor:gibbs|single environment:facts self_sha256:hash",
    tool=_keys("name:label version:label source_sha256:hash"),
    bound=_keys(
        "id:pb-kl-maurer|catoni|recursive|disintegrated|occam|test-set", parameter=("real",)),
    loss=_keys("id:zero-one ties:error nonfinite:error margin_tau:0"),
    claim=_keys("risk_upper:risk delta_total:risk statement:text"),
    delta_shares=[_keys("purpose:label share:ratio")],
    union=[_keys("purpose:text choices:count weight:ratio")],
    data=_keys(
        "name:label description:text total:count n:count classes:count items_sha256:hash"
        " certificate_sha256:hash indices_sha256:hash",
        duplicates=_keys("within:count across:count"), label_noise=("facts",),
        transform=_keys("text:label source:fixed|declared", mean=["signed"], std=["real"])),
    prior=_keys(
        "kind:init|zero|split|given|code sha256:hash", grid=(_GRID,), inclusion_grid=(_GRID,),
        seen=_SEEN, mask=_keys("price:free|count|gates|code", source_seen=_SEEN)),
    posterior=_keys(
        "sha256:hash checkpoint_sha256:hash family:spike-and-slab|point kl_upper:signed",
        network_sha256=("hash",), tensors=[_keys(
            "name:label dtype:label sha256:hash n_weights:count n_active:count", shape=["count"],
            grid_index=("count",), inclusion_index=("count",), prior_scale=("real",),
            kl=_keys("mask:real mean:signed scale:signed"))]),
    stages=[_keys(
        "n:count indices_sha256:hash posterior_sha256:hash trials:count kl_upper:real gamma:risk",
        parts=[_keys("errors:count mc_risk_upper:risk risk_upper:risk")])],
    mc=_keys("design:fresh-weights|one-network method:binomial|exact draws:count trials:count"
             " errors:count root_sha256:hash risk_upper:risk"),
    evidence=_keys("id:label n:count errors:count trials:count kl_upper:signed risk_upper:risk"),
    reference=_keys("", holdout=(_keys("errors:count n:count risk_upper:risk"),), test=(_TEST,),
                    mask_price=(_keys("nats:real"),)),
    conditions=[_keys("id:label title:label status:checked|declared|violated|n/a"
                      " by:code|user|default note:text")],
)  # fmt: skip


def parse(data: bytes) -> dict:
    """Return the document in the bytes: its form is checked, its numbers are not."""
    if len(data) > MAX_BYTES:
        raise Malformed("file", f"is larger than {MAX_BYTES} bytes")
    try:
        doc = json.loads(data.decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise Malformed("file", f"is not strict JSON: {ascii(str(error))[:200]}") from None
    if type(doc) is not dict or doc.get("schema") != SCHEMA:
        raise Malformed("schema", f"must be {SCHEMA!r}")
    _fit(doc, FORM, "")
    return doc


def _object(pairs: list) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _fit(value: object, form: object, field: str) -> None:
    if isinstance(form, str):
        _fit_leaf(value, form, field)
    elif isinstance(form, tuple):
        if value is not None:
            _fit(value, form[0], field)
    elif isinstance(form, list) and isinstance(value, list):
        for position, item in enumerate(value):
            _fit(item, form[0], f"{field}[{position}]")
    elif isinstance(form, dict) and isinstance(value, dict):
        for key in sorted(form.keys() ^ value.keys()):
            state = "misses" if key in form else "has the unknown key"
            raise Malformed(field or "certificate", f"{state} {ascii(key)[:80]}")
        for key, part in form.items():
            _fit(value[key], part, f"{field}.{key}" if field else key)
    else:
        raise Malformed(field, f"must be a {type(form).__name__}")


def _fit_leaf(value: object, kind: str, field: str) -> None:
    sort = {"count": int, "facts": dict}.get(kind, str)
    if type(value) is not sort:
        raise Malformed(field, f"must be a {sort.__name__}")
    if isinstance(value, dict):
        for key, item in value.items():
            _fit_leaf(key, "label", field)
            _fit_leaf(item, "count" if type(item) is int else "text", f"{field}.{key}")
    elif kind not in PATTERNS:
        require(value in kind.split("|"), field, f"is {ascii(value)[:80]}, known: {kind}")
    elif not (str(value).isprintable() and re.fullmatch(PATTERNS[kind], str(value))):
        raise Malformed(field, f"must be a {kind}, printable and of the form {PATTERNS[kind]}")


# Arithmetic: enclosures (lower, upper). DOWN rounds towards -inf, UP towards +inf.
_TRAPS = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow]
_WIDE: dict = {"Emin": decimal.MIN_EMIN, "Emax": decimal.MAX_EMAX, "traps": _TRAPS}
DOWN = Context(prec=50, rounding=decimal.ROUND_FLOOR, **_WIDE)
UP = Context(prec=50, rounding=decimal.ROUND_CEILING, **_WIDE)
UP_17 = Context(prec=17, rounding=decimal.ROUND_CEILING, **_WIDE)
EXACT = Context(prec=5000, **_WIDE | {"traps": [*_TRAPS, decimal.Inexact]})
ONE, UNIT, ROOM = Decimal(1), 2**200, Decimal("1.0000000001")  # for the writer's rounding
HALF_LN_2PI = Decimal("0.91893853320467274178032973640561763986139747363778341")  # cut off


def total(context: Context, *terms: Decimal) -> Decimal:
    """Return a sum, each addition rounded."""
    result = Decimal(0)
    for term in terms:
        result = context.add(result, term)
    return result


def log(x: Decimal | int) -> tuple[Decimal, Decimal]:
    """Enclose ln(x); ``decimal`` rounds ln correctly to nearest."""
    nearest = UP.ln(Decimal(x))
    return nearest.next_minus(DOWN), nearest.next_plus(UP)


def kl_lower(q: Decimal, p: Decimal) -> Decimal:
    """Return a lower value of the binary kl(q, p), for 0 <= q <= p < 1 and p > 0."""
    a, b = EXACT.subtract(ONE, q), EXACT.subtract(ONE, p)
    rest = DOWN.multiply(a, DOWN.subtract(log(a)[0], log(b)[1]))
    return DOWN.add(rest, q and DOWN.multiply(q, DOWN.subtract(log(q)[0], log(p)[1])))


def log_factorial(n: int) -> Decimal:
    """Return ln(n!) with an error below 1e-24: Stirling's series, beyond 256."""
    if n <= 256:
        return UP.ln(math.factorial(n))
    series = Fraction(1, 12 * n) - Fraction(1, 360 * n**3) + Fraction(1, 1260 * n**5)
    series -= Fraction(1, 1680 * n**7) + n  # the next term is 1 / (1188 n^9)
    main = UP.multiply(UP.divide(2 * n + 1, 2), UP.ln(n))
    return total(UP, main, HALF_LN_2PI, UP.divide(*series.as_integer_ratio()))


def log_choose(n: int, k: int) -> Decimal:
    """Return an upper value of the logarithm of the number of k-subsets of n."""
    parts = log_factorial(k), log_factorial(n - k)
    return total(UP, log_factorial(n), *(part.copy_negate() for part in parts), Decimal("1e-23"))


def binomial_tail(k: int, n: int, p: Decimal) -> Decimal:
    """Return an upper value of P(Bin(n, p) <= k), for 0 < p < 1; 1 from the mean upwards.

    It is the last term times a sum of ratios: P(Bin = i - 1) / P(Bin = i) = i (1 - p) /
    ((n - i + 1) p) falls with i, so a geometric series bounds what is left out.
    """
    q = EXACT.subtract(ONE, p)
    above, below = (Fraction(q) / Fraction(p)).as_integer_ratio()
    if k * above >= (n - k + 1) * below:
        return ONE
    term = ratios = UNIT
    for i in range(k, 0, -1):
        more, less = i * above, (n - i + 1) * below
        term = -(-term * more // less)
        ratios += term
        if term * more < (less - more) * 2**100:
            ratios += term * more // (less - more) + 1
            break
    powers = UP.multiply(k, log(p)[1]), UP.multiply(n - k, log(q)[1])
    last = UP.exp(total(UP, log_choose(n, k), *powers)).next_plus(UP)
    return UP.multiply(last, UP.divide(ratios, UNIT))


def require_tight(field: str, text: str, holds: object) -> None:
    """Refuse a risk too low or too high; ``holds(p)``: is p in (0, 1) a valid upper value?"""
    value, lower = Decimal(text), float(text) - SLACK_ULPS * math.ulp(float(text))
    if text != "1" and not (0 < value < 1 and holds(value)):  # type: ignore[operator]
        raise Rejected(field, f"{text} is lower than the evidence supports", move=1)
    if lower > 0 and holds(Decimal(lower)):  # type: ignore[operator]
        raise Rejected(field, f"{text} is not tight: {SLACK_ULPS} ulp less would do", move=-1)


def canonical(value: dict) -> bytes:
    """Return the bytes that are hashed: sorted keys, two-space indent, final newline."""
    return (json.dumps(value, sort_keys=True, indent=2) + "\n").encode()


def statement(doc: dict) -> str:
    """Return the sentence that a certificate claims."""
    drawn, who = " and of the random weights", "the randomised (Gibbs) classifier"
    if doc["predictor"] == "single":
        drawn = drawn if doc["bound"]["id"] == "disintegrated" else ""
        who = f"the network with weights {doc['posterior']['network_sha256'][:16]} of"
    return (
        f"With probability at least 1 - {doc['claim']['delta_total']} over the draw of the "
        f"{doc['data']['n']} certificate examples{drawn}, {who} {doc['name']} errs on a new "
        "example of the same distribution with probability at most "
        f"{doc['claim']['risk_upper']} (0-1 loss, labels as given)."
    )


class _Audit:
    """The rules, one method per part of a document whose form is right."""

    def __init__(self, doc: dict) -> None:
        self.doc, self.claim, self.data, self.mc = doc, doc["claim"], doc["data"], doc["mc"]
        self.prior, self.posterior, self.union = doc["prior"], doc["posterior"], doc["union"]
        self.n, self.reference, self.id = self.data["n"], doc["reference"], doc["bound"]["id"]
        self.price, self.single = self.prior["mask"]["price"], self.id in SINGLE
        self.share = {s["purpose"]: Fraction(s["share"]) for s in doc["delta_shares"]}
        self.status = {c["id"]: c["status"] for c in doc["conditions"]}
        self.delta, tensors = Fraction(self.claim["delta_total"]), self.posterior["tensors"]
        self.tensors = [(f"posterior.tensors[{i}]", tensor) for i, tensor in enumerate(tensors)]
        self.choices = {entry["purpose"]: entry["choices"] for entry in self.union}
        require(sum(map(int.bit_length, self.choices.values())) < 2e5, "union", "is too long")
        self.values: dict = {}  # on grids, by field and sort of index
        self.paid = math.prod(self.choices.values())

    def seal(self) -> None:
        body = canonical({k: v for k, v in self.doc.items() if k != "self_sha256"})
        fits = self.doc["self_sha256"] == hashlib.sha256(body).hexdigest()
        require(fits, "self_sha256", "does not fit the content")
        one, network = self.doc["predictor"] == "single", self.posterior["network_sha256"]
        fits = one == self.single == (self.posterior["family"] == "point") == bool(network)
        require(fits, "predictor", f"or its digest or family is not what {self.id} is about")
        require(self.claim["statement"] == statement(self.doc), "claim.statement", "is another one")

    def conditions(self) -> None:
        told = "".join(f"{c['id']} {c['title']}\n" for c in self.doc["conditions"]).encode()
        require(hashlib.sha256(told).hexdigest() == TITLES, "conditions", "are not V1 to V32")
        for entry in self.doc["conditions"]:
            id, status, code = entry["id"], entry["status"], entry["by"] == "code"
            fits = (status == "n/a" and id in WAIVABLE) or (status == "declared" and not code)
            fits = fits or (status == "checked" and code and id not in ONLY_TOLD)
            require(fits, f"conditions.{id}", f"cannot be {status}: {entry['note']}")

    def confidence(self) -> None:
        spent, purposes = sum(self.share.values()), ["theorem", "draws"][: 2 - self.single]
        require(0 < self.delta < 1, "claim.delta_total", "must lie in (0, 1)")
        fits = [entry["purpose"] for entry in self.doc["delta_shares"]] == purposes
        require(fits, "delta_shares", f"must be {' and '.join(purposes)}")
        require(spent == self.delta, "delta_shares", f"add up to {spent}, not to {self.delta}")
        require(self.share.get("draws", 0) < Fraction(1, 4), "delta_shares", "draws reach 1/4")
        require(len(self.choices) == len(self.union), "union", "repeats itself")
        told = self.data["transform"]
        paid = math.prod(n for p, n in self.choices.items() if p.startswith("normalisation of "))
        bits = sum(Fraction(x).denominator.bit_length() - 1 for x in told["mean"] + told["std"])
        known = told["source"] == "fixed" or self.status["V6"] == "declared"
        require(known or paid.bit_length() > max(1, bits), "data.transform", "is not paid (V6)")
        for position, entry in enumerate(self.union):
            fits = entry["weight"] == f"1/{entry['choices']}"
            require(fits, f"union[{position}].weight", "is not 1/choices")

    def sample(self) -> None:
        total, repeated, mask = self.data["total"], self.data["duplicates"], self.prior["mask"]
        require(0 < self.n <= min(total, MOST), "data.n", "must lie in [1, data.total]")
        require(self.data["classes"] > 1, "data.classes", "must be at least 2")
        require(self.data["description"] != "", "data.description", "is empty (V32)")
        few = 1000 * repeated["within"] <= self.n and repeated["across"] == 0
        require(few or self.status["V9"] == "declared", "data.duplicates", "are undeclared (V9)")
        require(self.prior["seen"]["count"] + self.n <= total, "prior.seen", "saw too much (V1)")
        seen = mask["source_seen"]["count"] + self.n * (self.price == "free")
        require(seen <= total, "prior.mask", "saw certificate examples but is free (V4)")

    def grids(self) -> None:
        gates = self.prior["inclusion_grid"] is not None
        require(gates == (self.price == "gates"), "prior.inclusion_grid", "is for learned gates")
        for grid, prefix, index in (
            (self.prior["grid"], "prior scale of ", "grid_index"),
            (self.prior["inclusion_grid"], "prior inclusion of ", "inclusion_index"),
        ):
            size, steps = (grid["size"], grid["steps_per_octave"] or 1) if grid else (0, 1)
            for field, tensor in self.tensors:
                if tensor[index] is not None:
                    require(tensor[index] < size, f"{field}.{index}", "is outside the grid")
                    self.values[field, index] = float(grid["top"]) * 2.0 ** (-tensor[index] / steps)
            told = {p: count for p, count in self.choices.items() if p.startswith(prefix)}
            paid = {prefix + t["name"]: size for _, t in self.tensors if t[index] is not None}
            require(told == paid, "union", f"does not pay each {prefix}a tensor once (V12)")
        grid, weights = self.prior["grid"], self.id not in ("occam", "test-set", "recursive")
        for field, tensor in self.tensors:
            index, text, place = tensor["grid_index"], tensor["prior_scale"], f"{field}.prior_scale"
            require((index is None) == (grid is None), f"{field}.grid_index", "does not fit a grid")
            scale = float(text) if text is not None else 1.0 - weights
            require(0 < scale < math.inf, place, "must be positive")
            value = self.values.get((field, "grid_index"), scale)
            require(math.isclose(scale, value, rel_tol=1e-12), place, f"is not {value!r}")

    def divergence(self) -> None:
        fits = 0 < len({t["name"] for _, t in self.tensors}) == len(self.tensors) <= MAX_TENSORS
        require(fits, "posterior.tensors", f"must be 1 to {MAX_TENSORS}, with different names")
        nats, least, most, told = [], Decimal(0), Decimal(0), self.reference["mask_price"]
        for field, tensor in self.tensors:
            weights, active = tensor["n_weights"], tensor["n_active"]
            fits = len(tensor["shape"]) <= 16 and 0 < weights == math.prod(tensor["shape"]) <= MOST
            require(fits, f"{field}.n_weights", "is not the product of the shape")
            require(active <= weights, f"{field}.n_active", "exceeds n_weights")
            items, low = tensor["kl"], UP.add(log(weights + 1)[1], log_choose(weights, active))
            mask, high = Decimal(items["mask"]), UP.multiply(low, ROOM)
            owes = self.price != "free" and (active < weights or mask > 0)
            fits = self.price == "code" or (low <= mask <= high if owes else mask == 0)
            if (field, "inclusion_index") in self.values:  # what is left out pays kl(0, rate)
                rate, out = self.values[field, "inclusion_index"], weights - active
                cost = -math.log1p(-rate) * (1 - 1e-9) if 0 < rate < 1 else math.inf
                fits = 0 < rate <= 1 and (out == 0 or float(mask) >= out * cost)
            require(fits, f"{field}.kl.mask", "is not the price of this mask (V4)")
            least, most = UP.add(least, low if active < weights else 0), UP.add(most, high)
            nats += [mask, Decimal(items["mean"]), Decimal(items["scale"])]
        fits = self.id == "disintegrated" or min(nats) >= 0
        fits = fits and not (self.id == "test-set" and any(nats))
        require(fits, "posterior.tensors", f"have nats that are not of {self.id}")
        kl = UP_17.plus(total(EXACT, *nats))
        require(Decimal(self.posterior["kl_upper"]) == kl, "posterior.kl_upper", "is not the sum")
        fits = told is None or (self.price == "free" and least <= Decimal(told["nats"]) <= most)
        require(fits, "reference.mask_price", "is not the price of this free mask")

    def risk(self) -> None:
        draws, told = self.mc["draws"], (self.mc["design"], self.mc["method"])
        fits = told == (("one-network", "exact") if self.single else ("fresh-weights", "binomial"))
        require(fits and (draws == 1 or not self.single), "mc.design", f"is not for {self.id}")
        parts = ["pacbayes/evaluate/1", self.posterior["sha256"], self.prior["sha256"]]
        parts += [self.data["certificate_sha256"], self.mc["design"], str(draws)]
        root = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        require(self.mc["root_sha256"] == root, "mc.root_sha256", "is not derived (V15)")
        require(self.mc["trials"] == draws * self.n, "mc.trials", "is not draws * n")
        self.draws("mc", self.mc, "risk_upper", self.mc["trials"])
        source = {**self.mc, **self.posterior, **self.doc["bound"], "n": self.n}
        for key, value in self.doc["evidence"].items():
            require(value == source[key], f"evidence.{key}", "differs from where it comes from")

    def draws(self, field: str, found: dict, key: str, trials: int) -> None:
        """Trials have unequal means, so the tail inversion needs errors < trials - 1."""
        errors, text = found["errors"], found[key]
        require(errors <= trials > 0, f"{field}.errors", "exceed trials")
        if self.single:
            require(Decimal(text) == UP_17.divide(errors, trials), f"{field}.{key}", "is not exact")
        elif errors >= trials - 1:
            require(text == "1", f"{field}.{key}", "must be 1 for so many errors")
        else:
            counts = max(1, 3 * len(self.doc["stages"]) - 2)  # of a recursive bound, else one
            share = self.share["draws"] / self.choices.get("priors tried", 1) / counts
            self.tail(f"{field}.{key}", (errors, trials), "0", text, share)

    def tail(self, field: str, counts: tuple, kl: str, text: str, share: Fraction) -> None:
        """Tail inversion: P(Bin(trials, bound) <= errors) <= min(share, 1/2) exp(-kl)."""
        errors, trials = counts
        require(trials <= MOST, field, f"rests on more than {MOST} trials")
        rest = DOWN.exp(Decimal(kl).copy_negate()).next_minus(DOWN) if Decimal(kl) else ONE
        limit = DOWN.multiply(DOWN.divide(*min(share, Fraction(1, 2)).as_integer_ratio()), rest)
        require_tight(field, text, lambda p: binomial_tail(errors, trials, p) <= limit)

    def nats(self, kl: str, n: int = 0, parts: int = 1) -> Decimal:
        """Return an upper value of kl + ln(parts / (weights delta)), with ln(2 sqrt(n)) if n."""
        share, whole = (self.share["theorem"] / self.paid / parts).as_integer_ratio()
        terms = Decimal(kl), log(whole)[1], log(share)[0].copy_negate()
        return total(UP, *terms, UP.divide(log(4 * n)[1], 2) if n else Decimal(0))

    def maurer(self, field: str, risk: str, kl: str, text: str, at: tuple = ()) -> None:
        """Maurer (2004): kl(risk, bound) >= (kl + ln(2 sqrt(n) parts / (weights delta))) / n."""
        (n, parts), q = at or (self.n, 1), Decimal(risk)
        need = UP.divide(self.nats(kl, n, parts), n)
        require_tight(field, text, lambda p: q <= p and kl_lower(q, p) >= need >= 0)

    def catoni(self, field: str, risk: str, kl: str, text: str) -> None:
        """Catoni (2007), fixed C: bound (1 - exp(-C)) >= 1 - exp(-C risk - nats / n)."""
        c = Decimal(self.doc["bound"]["parameter"])
        exponent = UP.add(UP.multiply(c, Decimal(risk)), UP.divide(self.nats(kl), self.n))
        need = UP.subtract(ONE, UP.exp(exponent.copy_negate()).next_minus(DOWN))
        whole = DOWN.subtract(ONE, UP.exp(c.copy_negate()).next_plus(UP))
        require_tight(field, text, lambda p: DOWN.multiply(p, whole) >= need)

    def occam(self, field: str, risk: str, kl: str, text: str) -> None:
        """Langford (2005) for one network, fixed (kl = 0) or with a code of kl nats."""
        self.tail(field, (self.mc["errors"], self.n), kl, text, self.share["theorem"] / self.paid)

    def recursive(self, field: str, risk: str, kl: str, text: str) -> None:
        """Wu et al. (2024): B_t = E_t + gamma B_(t-1), losses in {-gamma, 0, 1 - gamma, 1}."""
        stages, bound, seen = self.doc["stages"], Decimal(0), self.n + 1
        for t, stage in enumerate(stages):
            place, gamma, n = f"stages[{t}]", Decimal(stage["gamma"]), stage["n"]
            steps = [gamma, EXACT.subtract(ONE, gamma), gamma] if t else [ONE]
            errors = [part["errors"] for part in stage["parts"]]
            fits = (0 < gamma < 1 if t else gamma == 0) and errors == sorted(errors)[::-1]
            fits = fits and len(errors) == len(steps) and 0 < n < seen and stage["trials"] % n == 0
            require(fits, place, "has a wrong gamma, n, number or order of parts, or trials")
            seen, bound = n, UP.subtract(UP.multiply(gamma, bound), gamma)
            for i, (part, step) in enumerate(zip(stage["parts"], steps, strict=True)):
                inner, risk = f"{place}.parts[{i}]", part["mc_risk_upper"]
                self.draws(inner, part, "mc_risk_upper", stage["trials"])
                at, upper = (n, len(stages) * len(steps)), part["risk_upper"]
                self.maurer(f"{inner}.risk_upper", risk, stage["kl_upper"], upper, at)
                bound = UP.add(bound, UP.multiply(step, Decimal(upper)))
        first, last = stages[0], stages[-1]
        ends = first["n"], first["indices_sha256"], last["posterior_sha256"], last["kl_upper"]
        fits = ends == (self.n, self.data["indices_sha256"], self.posterior["sha256"], kl)
        require(fits, "stages", "do not begin with all n and end with the posterior")
        require(Decimal(text) == min(ONE, UP_17.plus(bound)), field, "is not that of the stages")

    def bound(self) -> None:
        id, told, stages = self.id, self.doc["evidence"], self.doc["stages"]
        rules = {"catoni": self.catoni, "recursive": self.recursive, "occam": self.occam}
        rules |= {"test-set": self.occam, "pb-kl-maurer": self.maurer, "disintegrated": self.maurer}
        constant = self.doc["bound"]["parameter"] is not None
        require(constant == (id == "catoni"), "bound.parameter", "is for Catoni's constant")
        prices = {"occam": "code", "test-set": "free", "recursive": "free"}.get(id, "free count")
        fits = self.price in prices or (self.price == "gates" and not (self.single or stages))
        fits = fits and (self.prior["kind"] == "code") == (id == "occam")
        require(fits, "prior", f"has a kind or a price of the mask that is not for {id}")
        require(bool(stages) == (id == "recursive"), "stages", f"are none, or not of {id}")
        held, test = self.reference["holdout"], self.reference["test"]
        risk, kl, upper = told["risk_upper"], told["kl_upper"], self.claim["risk_upper"]
        rules[id]("claim.risk_upper", risk, kl, upper)
        fits = held is not None or self.prior["kind"] not in ("split", "given") or id == "test-set"
        require(fits, "reference.holdout", "is missing beside a prior from a split")
        if held is not None:
            require(held["errors"] <= held["n"] == self.n, "reference.holdout.n", "does not fit")
            field, counts = "reference.holdout.risk_upper", (held["errors"], self.n)
            self.tail(field, counts, "0", held["risk_upper"], self.delta / self.paid)
        require(not test or test["errors"] <= test["trials"] > 0, "reference.test", "does not fit")

    RULES = (seal, conditions, confidence, sample, grids, divergence, risk, bound)


def main(paths: list) -> int:
    """Print the verdict on each file and return the worst exit code."""
    worst = 0 if paths else 2
    for path in paths:
        try:
            with open(path, "rb") as file:
                doc = check(file.read(MAX_BYTES + 1))
            told = [c["id"] for c in doc["conditions"] if c["status"] == "declared"]
            print(f"accepted {path}: {doc['claim']['statement']}")
            print("  declared, not checked:", ", ".join(told))
        except (OSError, Rejected) as error:
            worst = max(worst, getattr(error, "exit_code", 3))
            print(f"{getattr(error, 'verdict', 'unreadable')} {path}: {error}")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# mypy: allow-any-generics
"""Independent checker of pacbayes certificates: ``python checker.py CERT...``.

One file, standard library only; on purpose it shares no code with the program that writes
certificates, so that a mistake there cannot hide here. Everything must follow from the integers
and digests in the document. Bounds are recomputed in decimal arithmetic with directed rounding,
and refused as well when the double 8 ulp below would do, so that no number of the evidence can be
changed unnoticed in either direction. What nobody can check from here (that examples are
independent, say) is ``declared``. Exit codes: 0 accepted, 1 rejected, 2 no file, 3 malformed.
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
MAX_BYTES, MAX_COUNT, MAX_TENSORS, SLACK_ULPS = 16 * 2**20, 10**36, 10_000, 8
CONDITIONS = [f"V{i}" for i in range(1, 33)]
WAIVABLE, ONLY_TOLD = ("V5", "V31"), ("V8", "V11", "V14", "V16", "V28")


class Rejected(Exception):
    """A field does not follow from the evidence; ``move`` is +1 (-1) for a risk too low (high)."""

    verdict, exit_code = "rejected", 1

    def __init__(self, field: str, reason: str, move: int = 0) -> None:
        self.field, self.reason, self.move = field, reason, move
        super().__init__(f"{field}: {reason}")


class Malformed(Rejected):
    """The bytes are not a certificate: wrong syntax, keys or types."""

    verdict, exit_code = "malformed", 3


def check(data: bytes) -> dict:
    """Return the document of an acceptable certificate; raises Malformed or Rejected."""
    audit = _Audit(parse(data))
    for rule in _Audit.RULES:
        rule(audit)
    return audit.doc


_NUMBER = r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
PATTERNS = {
    "name": (r"[^ ]{1,200}", "1 to 200 printable characters without blanks"),
    "label": (r".{1,200}", "one line of 1 to 200 printable characters"),
    "text": (r".{0,2000}", "one line of at most 2000 printable characters"),
    "hash": (r"[0-9a-f]{64}", "a SHA-256 in lower-case hex"),
    "real": (rf"(?=.{{1,64}}$){_NUMBER}", "a decimal string that is not negative"),
    "signed": (rf"(?=.{{1,64}}$)-?{_NUMBER}", "a decimal string"),
    "risk": (r"(?=.{1,64}$)(?:1|0(?:\.[0-9]+)?|[0-9](?:\.[0-9]+)?[eE]-[0-9]{1,3})",
             "a decimal string in [0, 1]"),
    "ratio": (r"(?=.{1,64}$)[1-9][0-9]*/[1-9][0-9]*", "a fraction a/b of positive integers"),
}  # fmt: skip


def _keys(words: str, **nested: object) -> dict:
    """Return a form: ``key:kind`` words, where a kind is a pattern, ``count`` or known values."""
    return dict(word.split(":") for word in words.split()) | nested


_SEEN = _keys("count:count indices_sha256:hash")
FORM = _keys(  # (form,) may be null, [form] is a list
    "schema:label name:name predictor:gibbs environment:facts self_sha256:hash",
    tool=_keys("name:label version:label source_sha256:hash"),
    bound=_keys("id:pb-kl-maurer constant:2sqrt(n)|xi"),
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
        "kind:init|zero|split|given sha256:hash",
        seen=_SEEN, mask=_keys("price:free|count", source_seen=_SEEN),
        grid=(_keys("top:real steps_per_octave:count size:count"),)),
    posterior=_keys(
        "sha256:hash checkpoint_sha256:hash family:spike-and-slab kl_upper:real",
        tensors=[_keys(
            "name:label dtype:label sha256:hash n_weights:count n_active:count prior_scale:real",
            shape=["count"], grid_index=("count",), kl=_keys("mask:real mean:real scale:real"))]),
    mc=_keys("design:fresh-weights method:binomial draws:count trials:count errors:count"
             " root_sha256:hash risk_upper:risk"),
    evidence=_keys("id:label n:count errors:count trials:count kl_upper:real risk_upper:risk"),
    reference=_keys(
        "", holdout=(_keys("errors:count n:count risk_upper:risk"),),
        zero_kl=(_keys("errors:count trials:count mc_risk_upper:risk risk_upper:risk"),),
        mask_price=(_keys("nats:real"),), test=(_keys("errors:count trials:count"),)),
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
    if kind == "count":
        if type(value) is not int or not 0 <= value < MAX_COUNT:
            raise Malformed(field, f"must be an integer in [0, {MAX_COUNT})")
    elif kind == "facts":
        if type(value) is not dict:
            raise Malformed(field, "must be a dict")
        for key, item in value.items():
            _fit_leaf(key, "label", field)
            _fit_leaf(item, "count" if type(item) is int else "text", f"{field}.{key}")
    elif type(value) is not str:
        raise Malformed(field, "must be a string")
    elif kind in PATTERNS:
        pattern, meaning = PATTERNS[kind]
        if not (value.isprintable() and re.fullmatch(pattern, value)):
            raise Malformed(field, f"must be {meaning}")
    elif value not in kind.split("|"):
        raise Rejected(field, f"is {ascii(value)[:80]}, known: {kind}")


# Arithmetic: enclosures (lower, upper). DOWN rounds towards -inf, UP towards +inf.
_TRAPS = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow]
_WIDE: dict = {"Emin": decimal.MIN_EMIN, "Emax": decimal.MAX_EMAX, "traps": _TRAPS}
DOWN = Context(prec=50, rounding=decimal.ROUND_FLOOR, **_WIDE)
UP = Context(prec=50, rounding=decimal.ROUND_CEILING, **_WIDE)
UP_17 = Context(prec=17, rounding=decimal.ROUND_CEILING, **_WIDE)
EXACT = Context(prec=5000, **_WIDE | {"traps": [*_TRAPS, decimal.Inexact]})
ONE, TINY = Decimal(1), Decimal("1e-26")
HALF_LN_2PI = Decimal("0.91893853320467274178032973640561763986139747363778341")  # cut off


def ratio(context: Context, numerator: int, denominator: int) -> Decimal:
    """Return a quotient of integers, rounded once."""
    return context.divide(Decimal(numerator), Decimal(denominator))


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
    if q == 0:
        return rest
    return DOWN.add(rest, DOWN.multiply(q, DOWN.subtract(log(q)[0], log(p)[1])))


def log_factorial(n: int) -> tuple[Decimal, Decimal]:
    """Enclose ln(n!): the exact product up to 256, else Stirling's alternating series."""
    if n <= 256:
        return log(math.factorial(n))
    low = Fraction(1, 12 * n) - Fraction(1, 360 * n**3) + Fraction(1, 1260 * n**5) - n
    low -= Fraction(1, 1680 * n**7)
    high = low + Fraction(1, 1188 * n**9)
    half, (log_low, log_high) = EXACT.divide(Decimal(2 * n + 1), Decimal(2)), log(n)
    series = ratio(DOWN, *low.as_integer_ratio()), ratio(UP, *high.as_integer_ratio())
    least = total(DOWN, DOWN.multiply(half, log_low), HALF_LN_2PI, series[0])
    return least, total(UP, UP.multiply(half, log_high), HALF_LN_2PI.next_plus(UP), series[1])


def log_choose(n: int, k: int) -> tuple[Decimal, Decimal]:
    """Enclose the logarithm of the number of k-subsets of n."""
    whole, left, right = log_factorial(n), log_factorial(k), log_factorial(n - k)
    low = total(DOWN, whole[0], left[1].copy_negate(), right[1].copy_negate())
    return low, total(UP, whole[1], left[0].copy_negate(), right[0].copy_negate())


def _markov(k: int, n: int, odds: tuple[int, int], depth: int) -> tuple[Decimal, Decimal]:
    """Enclose w_1 of the continued fraction in :func:`binomial_tail`, cut at a depth <= k."""
    b, (above, below) = n - k, odds

    def c(m: int) -> tuple[int, int]:
        return (k - m + 1) * (b + m - 1) * above, (b + 2 * m - 2) * (b + 2 * m - 1) * below

    low, high = Decimal(0), ratio(UP, *c(depth + 1))
    for m in range(depth, 0, -1):
        d = m * (n + m) * above, (b + 2 * m - 1) * (b + 2 * m) * below
        most = UP.add(ONE, UP.divide(ratio(UP, *d), DOWN.subtract(ONE, high)))
        least = DOWN.add(ONE, DOWN.divide(ratio(DOWN, *d), UP.subtract(ONE, low)))
        low, high = DOWN.divide(ratio(DOWN, *c(m)), most), UP.divide(ratio(UP, *c(m)), least)
    return low, high


def binomial_tail(k: int, n: int, p: Decimal) -> tuple[Decimal, Decimal]:
    """Enclose P(Bin(n, p) <= k), for 0 < p < 1.

    It is P(Bin = k) / (1 - w_1) with Markov's continued fraction w_m = c_m / (1 + d_m / (1 -
    w_{m+1})), where x = (1 - p) / p, b = n - k, c_m = (k-m+1) (b+m-1) x / ((b+2m-2) (b+2m-1)) and
    d_m = m (n+m) x / ((b+2m-1) (b+2m)). If c_1 < 1 each w_m lies in [0, c_m], so a cut anywhere
    leaves an enclosure (Uspensky 1937, chapter 3); else the upper tail has that property.
    """
    if k >= n:
        return ONE, ONE
    q, b = EXACT.subtract(ONE, p), n - k
    odds = (Fraction(q) / Fraction(p)).as_integer_ratio()
    if ratio(UP, k * odds[0], (b + 1) * odds[1]) >= 1:
        low, high = binomial_tail(b - 1, n, q)
        return DOWN.subtract(ONE, high), UP.subtract(ONE, low)
    for depth in (32, 128, 512, 2048, 8192, 32768):
        low, high = _markov(k, n, odds, min(depth, k))
        if UP.subtract(high, low) <= DOWN.multiply(TINY, DOWN.subtract(ONE, high)):
            break
    choose, log_p, log_q = log_choose(n, k), log(p), log(q)
    ends = []
    for side, context in enumerate((DOWN, UP)):
        power_p = context.multiply(Decimal(k), log_p[side])
        power_q = context.multiply(Decimal(b), log_q[side])
        ends.append(context.exp(total(context, choose[side], power_p, power_q)))
    least = DOWN.divide(ends[0].next_minus(DOWN), UP.subtract(ONE, low))
    return least, UP.divide(ends[1].next_plus(UP), DOWN.subtract(ONE, high))


def constant_log(n: int, constant: str) -> Decimal:
    """Return an upper value of ln(2 sqrt(n)), or of ln(xi(n)): xi(n) = sum_j n! / ((n-j)! n^j)."""
    if constant == "2sqrt(n)":
        return UP.divide(log(4 * n)[1], Decimal(2))
    unit = term = xi = 10**45
    for j in range(1, n + 1):
        term = -(-term * (n - j + 1) // n)
        xi += term
        if term < 10**15:
            xi += term * n // j + 1  # a geometric series bounds the rest
            break
    return log(ratio(UP, xi, unit))[1]


def require_tight(field: str, text: str, holds: object) -> None:
    """Refuse a risk too low or too high; ``holds(p)``: is p in (0, 1) a valid upper value?"""
    value, lower = Decimal(text), float(text)
    for _ in range(SLACK_ULPS):
        lower = math.nextafter(lower, 0.0)
    if text != "1" and not (0 < value < 1 and holds(value)):  # type: ignore[operator]
        raise Rejected(field, f"{text} is lower than the evidence supports", move=1)
    if lower > 0 and holds(Decimal(lower)):  # type: ignore[operator]
        raise Rejected(field, f"{text} is not tight: {SLACK_ULPS} ulp less would do", move=-1)


def require_tail(field: str, text: str, errors: int, trials: int, delta: Fraction) -> None:
    """Check a binomial tail inversion: P(Bin(trials, risk) <= errors) <= delta."""
    limit = ratio(DOWN, *delta.as_integer_ratio())
    require_tight(field, text, lambda p: binomial_tail(errors, trials, p)[1] <= limit)


def mask_price(weights: int, active: int) -> tuple[Decimal, Decimal]:
    """Enclose ln(d + 1) + ln C(d, k); the upper end leaves room for the writer's rounding."""
    levels, masks = log(weights + 1), log_choose(weights, active)
    high = UP.multiply(UP.add(levels[1], masks[1]), Decimal("1.0000000001"))
    return DOWN.add(levels[0], masks[0]), high


def canonical(value: dict) -> bytes:
    """Return the bytes that are hashed: sorted keys, two-space indent, final newline."""
    return (json.dumps(value, sort_keys=True, indent=2) + "\n").encode()


def statement(name: str, n: int, delta_total: str, risk_upper: str) -> str:
    """Return the sentence that a certificate claims."""
    return (
        f"With probability at least 1 - {delta_total} over the draw of the {n} certificate examples"
        f" and of the evaluation's random weights, the randomised (Gibbs) classifier {name} errs on"
        f" a new example of the same distribution with probability at most {risk_upper}"
        " (0-1 loss, labels as given)."
    )


def require(holds: bool, field: str, reason: str) -> None:
    """Raise Rejected unless something holds."""
    if not holds:
        raise Rejected(field, reason)


class _Audit:
    """The rules, one method per part of a document whose form is right."""

    def __init__(self, doc: dict) -> None:
        self.doc, self.claim, self.data, self.mc = doc, doc["claim"], doc["data"], doc["mc"]
        self.prior, self.posterior, self.union = doc["prior"], doc["posterior"], doc["union"]
        self.n, self.reference = self.data["n"], doc["reference"]
        self.charged = self.prior["mask"]["price"] == "count"
        self.share = {s["purpose"]: Fraction(s["share"]) for s in doc["delta_shares"]}
        self.status = {c["id"]: c["status"] for c in doc["conditions"]}
        self.delta, tensors = Fraction(self.claim["delta_total"]), self.posterior["tensors"]
        self.tensors = [(f"posterior.tensors[{i}]", tensor) for i, tensor in enumerate(tensors)]
        self.choices = {entry["purpose"]: entry["choices"] for entry in self.union}
        self.paid = math.prod(self.choices.values())

    def seal(self) -> None:
        body, claim = {k: v for k, v in self.doc.items() if k != "self_sha256"}, self.claim
        seal = hashlib.sha256(canonical(body)).hexdigest()
        require(self.doc["self_sha256"] == seal, "self_sha256", "does not fit the content")
        told = statement(self.doc["name"], self.n, claim["delta_total"], claim["risk_upper"])
        require(claim["statement"] == told, "claim.statement", "is not the sentence of this claim")

    def conditions(self) -> None:
        listed = [entry["id"] for entry in self.doc["conditions"]]
        require(listed == CONDITIONS, "conditions", "must be V1 to V32, each once and in order")
        for entry in self.doc["conditions"]:
            field, status = f"conditions.{entry['id']}", entry["status"]
            require(status != "violated", field, f"is violated: {entry['note']}")
            require(status != "n/a" or entry["id"] in WAIVABLE, field, "always applies")
            fits = status == "n/a" or (status == "checked") == (entry["by"] == "code")
            fits = fits and (entry["id"] not in ONLY_TOLD or status == "declared")
            require(fits, field, f"cannot be {status} by {entry['by']}")

    def confidence(self) -> None:
        shares, spent = self.doc["delta_shares"], sum(self.share.values())
        require(0 < self.delta < 1, "claim.delta_total", "must lie in (0, 1)")
        fits = len(shares) == 2 and self.share.keys() == {"theorem", "draws"}
        require(fits, "delta_shares", "must be theorem and draws")
        require(spent == self.delta, "delta_shares", f"add up to {spent}, not to {self.delta}")
        require(self.share["draws"] < Fraction(1, 4), "delta_shares", "draws must be below 1/4")
        require(len(self.choices) == len(self.union), "union", "repeats itself")
        fits = self.data["transform"]["source"] == "fixed" or self.status["V6"] == "declared"
        fits = fits or any(purpose.startswith("normalisation of ") for purpose in self.choices)
        require(fits, "data.transform", "has constants neither paid nor declared (V6)")
        for position, entry in enumerate(self.union):
            fits = Fraction(entry["weight"]) * entry["choices"] == 1
            require(fits, f"union[{position}].weight", "is not 1/choices")

    def sample(self) -> None:
        total, repeated, mask = self.data["total"], self.data["duplicates"], self.prior["mask"]
        require(0 < self.n <= min(total, 10**11), "data.n", "must lie in [1, data.total]")
        require(self.data["classes"] > 1, "data.classes", "must be at least 2")
        require(self.data["description"] != "", "data.description", "is empty (V32)")
        few = 1000 * repeated["within"] <= self.n and repeated["across"] == 0
        require(few or self.status["V9"] == "declared", "data.duplicates", "are undeclared (V9)")
        require(self.prior["seen"]["count"] + self.n <= total, "prior.seen", "saw too much (V1)")
        seen = mask["source_seen"]["count"] + self.n * (not self.charged)
        require(seen <= total, "prior.mask", "saw certificate examples but is free (V4)")

    def scales(self) -> None:
        grid, prefix = self.prior["grid"], "prior scale of "
        paid = {p: count for p, count in self.choices.items() if p.startswith(prefix)}
        owed = {} if grid is None else {prefix + t["name"]: grid["size"] for _, t in self.tensors}
        require(paid == owed, "union", "does not pay the grid of scales once per tensor (V12)")
        for field, tensor in self.tensors:
            index, scale = tensor["grid_index"], float(tensor["prior_scale"])
            require(0 < scale < math.inf, f"{field}.prior_scale", "must be positive")
            require((index is None) == (grid is None), f"{field}.grid_index", "does not fit a grid")
            if grid is not None:
                fits = index < grid["size"] and grid["steps_per_octave"] > 0
                require(fits, f"{field}.grid_index", "is outside the grid")
                value = float(grid["top"]) * 2.0 ** (-index / grid["steps_per_octave"])
                fits = math.isclose(scale, value, rel_tol=1e-12)
                require(fits, f"{field}.prior_scale", f"is not the grid's value {value!r}")

    def divergence(self) -> None:
        names, told = {t["name"] for _, t in self.tensors}, self.reference["mask_price"]
        fits = len(names) == len(self.tensors) and 0 < len(names) <= MAX_TENSORS
        require(fits, "posterior.tensors", f"must be 1 to {MAX_TENSORS}, with different names")
        nats, masks, least, most = [], [], Decimal(0), Decimal(0)
        for field, tensor in self.tensors:
            weights, active = tensor["n_weights"], tensor["n_active"]
            fits = len(tensor["shape"]) <= 16 and 0 < weights == math.prod(tensor["shape"])
            require(fits, f"{field}.n_weights", "is not the product of the shape")
            require(active <= weights, f"{field}.n_active", "exceeds n_weights")
            item, (low, high) = Decimal(tensor["kl"]["mask"]), mask_price(weights, active)
            owes = self.charged and (active < weights or item > 0)
            fits = low <= item <= high if owes else item == 0
            require(fits, f"{field}.kl.mask", "is not the price of this mask (V4)")
            least, most = DOWN.add(least, low if active < weights else 0), UP.add(most, high)
            masks.append(item)
            nats += [Decimal(text) for text in tensor["kl"].values()]
        fits = Decimal(self.posterior["kl_upper"]) == UP_17.plus(total(EXACT, *nats))
        require(fits, "posterior.kl_upper", "is not the sum of all items")
        if told is not None:
            value, charge = Decimal(told["nats"]), UP_17.plus(total(EXACT, *masks))
            fits = value == charge if self.charged else least <= value <= most
            require(fits, "reference.mask_price.nats", "is not the price of this mask")

    def risk(self) -> None:
        parts = ["pacbayes/evaluate/1", self.posterior["sha256"], self.prior["sha256"]]
        parts += [self.data["certificate_sha256"], self.mc["design"], str(self.mc["draws"])]
        root = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        require(self.mc["root_sha256"] == root, "mc.root_sha256", "is not derived (V15)")
        require(self.mc["trials"] == self.mc["draws"] * self.n, "mc.trials", "is not draws * n")
        self.draws("mc", self.mc, "risk_upper")
        source = {**self.mc, **self.posterior, **self.doc["bound"], "n": self.n}
        for key, value in self.doc["evidence"].items():
            require(value == source[key], f"evidence.{key}", "differs from where it comes from")

    def draws(self, field: str, counts: dict, key: str) -> None:
        """Trials have unequal means, so the tail inversion needs errors < trials - 1."""
        errors, trials, text = counts["errors"], counts["trials"], counts[key]
        require(errors <= trials > 0, f"{field}.errors", "exceed trials")
        if errors >= trials - 1:
            require(text == "1", f"{field}.{key}", "must be 1 for so many errors")
        else:
            share = self.share["draws"] / self.choices.get("priors tried", 1)
            require_tail(f"{field}.{key}", text, errors, trials, share)

    def maurer(self, field: str, risk: str, kl: str, text: str) -> None:
        """Maurer (2004): kl(risk, bound) >= (kl + ln(constant) + ln(1 / (weights delta))) / n."""
        share, whole = self.share["theorem"].as_integer_ratio()
        choices = log(UP.plus(Decimal(self.paid)))[1]
        terms = Decimal(kl), choices, log(whole)[1], log(share)[0].copy_negate()
        nats = total(UP, constant_log(self.n, self.doc["bound"]["constant"]), *terms)
        need, q = UP.divide(nats, Decimal(self.n)), Decimal(risk)
        require_tight(field, text, lambda p: q <= p and kl_lower(q, p) >= need)

    def bound(self) -> None:
        rules = {"pb-kl-maurer": self.maurer}  # one (field, risk, kl, text) per bound
        rule, evidence = rules[self.doc["bound"]["id"]], self.doc["evidence"]
        zero, held, test = (self.reference[key] for key in ("zero_kl", "holdout", "test"))
        inputs = evidence["risk_upper"], evidence["kl_upper"]
        rule("claim.risk_upper", *inputs, self.claim["risk_upper"])
        if zero is not None:
            require(zero["trials"] % self.n == 0, "reference.zero_kl.trials", "is not draws * n")
            self.draws("reference.zero_kl", zero, "mc_risk_upper")
            rule("reference.zero_kl.risk_upper", zero["mc_risk_upper"], "0", zero["risk_upper"])
        if held is not None:
            fits = held["errors"] <= held["n"] == self.n
            require(fits, "reference.holdout.n", "is not n, or below errors")
            field, share = "reference.holdout.risk_upper", self.delta / self.paid
            require_tail(field, held["risk_upper"], held["errors"], self.n, share)
        fits = not test or test["errors"] <= test["trials"] > 0
        require(fits, "reference.test.errors", "exceed trials")

    RULES = (seal, conditions, confidence, sample, scales, divergence, risk, bound)


def main(paths: list) -> int:
    """Print the verdict on each file and return the worst exit code."""
    worst = 0 if paths else 2
    for path in paths:
        try:
            with open(path, "rb") as file:
                doc = check(file.read(MAX_BYTES + 1))
        except (OSError, Rejected) as error:
            worst = max(worst, getattr(error, "exit_code", 3))
            print(f"{getattr(error, 'verdict', 'unreadable')} {path}: {error}")
        else:
            print(f"accepted {path}: {doc['claim']['statement']}")
            told = [entry["id"] for entry in doc["conditions"] if entry["status"] == "declared"]
            print(f"  declared, not checked: {', '.join(told)}")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

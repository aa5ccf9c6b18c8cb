"""A second checker of certificates, on Arb balls: written from the schema, for tests only.

It shares no code with the first one: exact fractions for what is rational, balls of rising
precision for what is not, and its own reading of the form. `refusal` gives a reason or nothing.
"""

import hashlib
import json
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import flint
from flint import arb, fmpq

from pacbayes.certificate import TITLES
from tests.certificate.flint_form import SINGLE, Refused, demand, read


def ball(x: Fraction | int | str) -> arb:
    exact = Fraction(x)
    return arb(fmpq(exact.numerator, exact.denominator))


def holds(difference: Callable[[], arb]) -> bool:
    """Return whether a difference is at least zero, at a precision that tells."""
    for precision in (128, 256, 512):
        with flint.ctx.workprec(precision):
            value = difference()
            if value.is_finite() and (value >= 0 or value < 0):
                return bool(value >= 0)
    raise AssertionError(f"undecided: {value}")


def up_17(x: Fraction) -> Fraction:
    """Return the least number of 17 significant digits that is not below x."""
    if x == 0:
        return x
    digits = len(str(abs(x.numerator))) - len(str(x.denominator))
    unit = Fraction(10) ** (digits - 17)
    while abs(x) / unit >= 10**17:
        unit *= 10
    while abs(x) / unit < 10**16:
        unit /= 10
    return math.ceil(x / unit) * unit


def tight(text: str, valid: Callable[[Fraction], bool], what: str) -> None:
    """Demand that a value is valid and that the double eight ulp below it is not."""
    value, lower = Fraction(text), float(text) - 8 * math.ulp(float(text))
    demand(text == "1" or (0 < value < 1 and valid(value)), f"{what} is too low")
    demand(lower <= 0 or not valid(Fraction(lower)), f"{what} is not tight")


def log_masks(weights: int, kept: int) -> arb:
    """ln(weights + 1) + ln C(weights, kept)."""
    total = arb(weights + 1).log()
    if 0 < kept < weights:
        terms = (arb(count + 1).lgamma() for count in (weights, kept, weights - kept))
        whole, left, right = terms
        total += whole - left - right
    return total


Pair = tuple[int, int]


class Audit:
    """One document of the right form."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.id = document["bound"]["id"]
        self.n = document["data"]["n"]
        self.single = self.id in SINGLE
        self.status = {entry["id"]: entry["status"] for entry in document["conditions"]}
        self.shares = {e["purpose"]: Fraction(e["share"]) for e in document["delta_shares"]}
        self.union = {entry["purpose"]: entry["choices"] for entry in document["union"]}
        self.price = document["prior"]["mask"]["price"]
        self.tensors = document["posterior"]["tensors"]

    def everything(self) -> None:
        self.identity()
        self.told_conditions()
        self.budget()
        self.sample()
        self.grids()
        self.masks()
        self.divergence()
        self.draws()
        self.claim()
        self.references()

    def identity(self) -> None:
        document = self.document
        body = {key: value for key, value in document.items() if key != "self_sha256"}
        text = json.dumps(body, sort_keys=True, indent=2) + "\n"
        demand(hashlib.sha256(text.encode()).hexdigest() == document["self_sha256"], "seal")
        network = document["posterior"]["network_sha256"]
        demand((document["predictor"] == "single") is self.single, "predictor")
        demand((network is not None) is self.single, "network")
        without_law = document["posterior"]["family"] == "point"
        demand(without_law is self.single, "family")
        claim, random = document["claim"], " and of the random weights"
        if not self.single:
            who = "the randomised (Gibbs) classifier"
        else:
            who = f"the network with weights {network[:16]} of"
            random = random if self.id == "disintegrated" else ""
        demand(
            claim["statement"]
            == f"With probability at least 1 - {claim['delta_total']} over the draw of the {self.n}"
            f" certificate examples{random}, {who} {document['name']} errs on a new example of the"
            f" same distribution with probability at most {claim['risk_upper']} (0-1 loss, labels"
            " as given).",
            "statement",
        )

    def told_conditions(self) -> None:
        entries = self.document["conditions"]
        demand([(entry["id"], entry["title"]) for entry in entries] == [*TITLES.items()], "titles")
        for entry in entries:
            name, by_code = entry["id"], entry["by"] == "code"
            allowed = {
                "checked": by_code and name not in {"V8", "V11", "V14", "V16", "V28"},
                "declared": not by_code,
                "n/a": name in {"V5", "V31"},
                "violated": False,
            }
            demand(allowed[entry["status"]], f"condition {name}")

    def budget(self) -> None:
        document, delta = self.document, Fraction(self.document["claim"]["delta_total"])
        purposes = [entry["purpose"] for entry in document["delta_shares"]]
        demand(purposes == (["theorem"] if self.single else ["theorem", "draws"]), "purposes")
        demand(0 < delta < 1 and sum(self.shares.values()) == delta, "shares")
        demand(self.single or 4 * self.shares["draws"] < 1, "share of the draws")
        demand(len(self.union) == len(document["union"]), "union repeats")
        for entry in document["union"]:
            demand(entry["weight"] == f"1/{entry['choices']}", "weight")
        demand(sum(size.bit_length() for size in self.union.values()) < 200_000, "union too long")
        told = document["data"]["transform"]
        free = told["source"] == "fixed" or self.status["V6"] == "declared"
        demand(free or self.pays_for([*told["mean"], *told["std"]]), "V6")

    def pays_for(self, constants: list[str]) -> bool:
        """Return whether numbers of so many binary digits after the point are paid for."""
        paid = [size for key, size in self.union.items() if key.startswith("normalisation of ")]
        digits = sum(Fraction(text).denominator.bit_length() - 1 for text in constants)
        return math.prod(paid) >= 2 ** max(1, digits)

    def sample(self) -> None:
        data, prior = self.document["data"], self.document["prior"]
        demand(1 <= self.n <= data["total"] and self.n <= 10**10, "n")
        demand(data["classes"] >= 2 and data["description"] != "", "classes or description")
        repeated = data["duplicates"]
        few = Fraction(repeated["within"], self.n) <= Fraction(1, 1000) and not repeated["across"]
        demand(few or self.status["V9"] == "declared", "V9")
        demand(prior["seen"]["count"] <= data["total"] - self.n, "V1")
        room = data["total"] - (self.n if self.price == "free" else 0)
        demand(prior["mask"]["source_seen"]["count"] <= room, "V4")

    def grids(self) -> None:
        prior = self.document["prior"]
        demand((prior["inclusion_grid"] is not None) == (self.price == "gates"), "inclusion grid")
        for key, index, prefix in (
            ("grid", "grid_index", "prior scale of "),
            ("inclusion_grid", "inclusion_index", "prior inclusion of "),
        ):
            size = 0 if prior[key] is None else prior[key]["size"]
            chosen = [tensor for tensor in self.tensors if tensor[index] is not None]
            demand(all(tensor[index] < size for tensor in chosen), f"{index} outside")
            owed = {prefix + tensor["name"]: size for tensor in chosen}
            told = {key: value for key, value in self.union.items() if key.startswith(prefix)}
            demand(owed == told, f"{prefix}is not paid")
        for tensor in self.tensors:
            self.scale(tensor, prior["grid"])

    def scale(self, tensor: dict[str, Any], grid: dict[str, Any] | None) -> None:
        demand((tensor["grid_index"] is None) == (grid is None), "grid index without grid")
        text = tensor["prior_scale"]
        if text is None:
            demand(self.id in {"occam", "test-set", "recursive"}, "no prior scale")
            demand(grid is None or self.near(Fraction(1), tensor, grid), "scale off the grid")
            return
        demand(0 < float(text) < math.inf, "prior scale")
        demand(grid is None or self.near(Fraction(text), tensor, grid), "scale off the grid")

    @staticmethod
    def near(scale: Fraction, tensor: dict[str, Any], grid: dict[str, Any]) -> bool:
        """Return whether scale is top 2^(-index / steps), to one part in 10^12."""
        octaves = Fraction(tensor["grid_index"], max(1, grid["steps_per_octave"]))
        if octaves > 10**4:
            return False
        with flint.ctx.workprec(256):
            value = ball(grid["top"]) * arb(2) ** -ball(octaves)
            off = abs(ball(scale) - value)
            return bool(off <= value / 10**12 or off <= ball(scale) / 10**12)

    def masks(self) -> None:
        """Every mask has the price of the count code where it is charged, and is free elsewhere."""
        for tensor in self.tensors:
            weights, kept = tensor["n_weights"], tensor["n_active"]
            demand(len(tensor["shape"]) <= 16, "shape")
            demand(0 < weights == math.prod(tensor["shape"]) and kept <= weights, "weights")
            demand(weights <= 10**10, "too many weights")
            nats = Fraction(tensor["kl"]["mask"])
            if tensor["inclusion_index"] is not None:
                demand(self.pays_gates(tensor, nats), "gates")
                continue
            if self.price == "code":
                continue
            if self.price == "free" or (kept == weights and nats == 0):
                demand(nats == 0, "free masks cost nothing")
                continue
            demand(self.between(nats, [(weights, kept)], [(weights, kept)]), "mask price")

    def pays_gates(self, tensor: dict[str, Any], nats: Fraction) -> bool:
        """Return whether nats are at least -ln(1 - rate) for every weight that is never kept."""
        grid = self.document["prior"]["inclusion_grid"]
        octaves = Fraction(tensor["inclusion_index"], max(1, grid["steps_per_octave"]))
        rate = float(grid["top"]) * 2.0 ** -float(octaves)
        out = tensor["n_weights"] - tensor["n_active"]
        if not 0 < rate < 1 or out == 0:
            return 0 < rate <= 1 and (out == 0 or nats > 10**308)
        with flint.ctx.workprec(256):
            return bool(ball(nats) >= -out * (1 - arb(10) ** -9) * (-arb(rate)).log1p())

    @staticmethod
    def between(nats: Fraction, least: list[Pair], most: list[Pair]) -> bool:
        """Return whether nats are the sum of the prices of masks, rounded up by 1e-10 at most."""

        def price(masks: list[Pair]) -> arb:
            return sum((log_masks(*mask) for mask in masks), start=arb(0))

        if not most or not (least or nats == 0):
            return nats == 0 if not most else holds(lambda: price(most) - ball(nats))
        room = Fraction(10**10 + 1, 10**10)
        above = not least or holds(lambda: ball(nats) - price(least))
        return above and holds(lambda: price(most) * ball(room) - ball(nats))

    def divergence(self) -> None:
        names = {tensor["name"] for tensor in self.tensors}
        demand(0 < len(names) == len(self.tensors) <= 10**4, "names")
        items = [Fraction(text) for tensor in self.tensors for text in tensor["kl"].values()]
        demand(self.id == "disintegrated" or all(item >= 0 for item in items), "negative nats")
        demand(self.id != "test-set" or not any(items), "nats of a network fixed before")
        told = Fraction(self.document["posterior"]["kl_upper"])
        demand(told == up_17(sum(items, start=Fraction(0))), "kl is not the sum")
        price = self.document["reference"]["mask_price"]
        if price is not None:
            every = [(tensor["n_weights"], tensor["n_active"]) for tensor in self.tensors]
            pruned = [mask for mask in every if mask[1] < mask[0]]
            demand(self.price == "free", "price of a mask that is charged")
            demand(self.between(Fraction(price["nats"]), pruned, every), "told price of the mask")

    def draws(self) -> None:
        document, counts = self.document, self.document["mc"]
        design = ("one-network", "exact") if self.single else ("fresh-weights", "binomial")
        demand((counts["design"], counts["method"]) == design, "design")
        demand(not self.single or counts["draws"] == 1, "one network, one draw")
        source = "\n".join([
            "pacbayes/evaluate/1", document["posterior"]["sha256"], document["prior"]["sha256"],
            document["data"]["certificate_sha256"], counts["design"], str(counts["draws"]),
        ])  # fmt: skip
        demand(hashlib.sha256(source.encode()).hexdigest() == counts["root_sha256"], "root")
        demand(counts["trials"] == counts["draws"] * self.n, "trials")
        self.count(counts["errors"], counts["trials"], counts["risk_upper"], "mc")
        demand(
            document["evidence"]
            == {
                "id": self.id,
                "n": self.n,
                "errors": counts["errors"],
                "trials": counts["trials"],
                "kl_upper": document["posterior"]["kl_upper"],
                "risk_upper": counts["risk_upper"],
            },
            "evidence",
        )

    def count(self, errors: int, trials: int, text: str, what: str) -> None:
        demand(0 < trials >= errors, f"{what}: errors")
        if self.single:
            demand(Fraction(text) == up_17(Fraction(errors, trials)), f"{what}: rate")
        elif trials - errors <= 1:
            demand(text == "1", f"{what}: too many errors")
        else:
            share = self.shares["draws"] / self.union.get("priors tried", 1)
            share /= max(1, 3 * len(self.document["stages"]) - 2)
            self.tail((errors, trials), text, what, share=share)

    def tail(self, counts: Pair, text: str, what: str, *, share: Fraction, kl: str = "0") -> None:
        errors, trials = counts
        demand(trials <= 10**10, f"{what}: trials")

        def valid(p: Fraction) -> bool:
            if errors >= trials or p * (trials + 1) <= errors:
                return False  # the tail is at least 1/2, the median of counts being at most errors
            allowed = min(share, Fraction(1, 2))
            return holds(
                lambda: (
                    ball(allowed) * (-ball(kl)).exp()
                    - (1 - ball(p)).beta_lower(trials - errors, errors + 1, True)
                )
            )

        tight(text, valid, what)

    def nats(self, kl: str, parts: int = 1) -> arb:
        share = self.shares["theorem"] / math.prod(self.union.values()) / parts
        return ball(kl) - ball(share).log()

    def maurer(
        self, risk: str, kl: str, text: str, *, n: int, parts: int = 1, what: str = "claim"
    ) -> None:
        q = Fraction(risk)

        def need() -> arb:
            return (self.nats(kl, parts) + (2 * arb(n).sqrt()).log()) / n

        if not holds(need):
            demand(text == "1", f"{what}: a negative price")
            return

        def valid(p: Fraction) -> bool:
            if p < q:
                return False
            return holds(lambda: divergence(q, p) - need())

        tight(text, valid, what)

    def claim(self) -> None:
        document, evidence = self.document, self.document["evidence"]
        risk, kl = evidence["risk_upper"], evidence["kl_upper"]
        text, parameter = document["claim"]["risk_upper"], document["bound"]["parameter"]
        demand((parameter is not None) == (self.id == "catoni"), "parameter")
        known = {
            "occam": {"code"}, "test-set": {"free"}, "recursive": {"free"},
            "disintegrated": {"free", "count"},
        }  # fmt: skip
        demand(self.price in known.get(self.id, {"free", "count", "gates"}), "price of the mask")
        demand((document["prior"]["kind"] == "code") == (self.id == "occam"), "code")
        demand(bool(document["stages"]) == (self.id == "recursive"), "stages")
        if self.id in {"pb-kl-maurer", "disintegrated"}:
            self.maurer(risk, kl, text, n=self.n)
        elif self.id == "catoni":
            self.catoni(Fraction(parameter), risk, kl, text)
        elif self.id == "recursive":
            self.chain(kl, text)
        else:
            share = self.shares["theorem"] / math.prod(self.union.values())
            errors = document["mc"]["errors"]
            self.tail((errors, self.n), text, "claim", share=share, kl=kl)

    def catoni(self, c: Fraction, risk: str, kl: str, text: str) -> None:
        def valid(p: Fraction) -> bool:
            def gap() -> arb:
                exponent = ball(c) * ball(risk) + self.nats(kl) / self.n
                return ball(p) * -(-ball(c)).expm1() + (-exponent).expm1()

            return holds(gap)

        tight(text, valid, "claim")

    def chain(self, kl: str, text: str) -> None:
        stages, bound = self.document["stages"], Fraction(0)
        sizes = [self.n + 1, *(stage["n"] for stage in stages)]
        demand(all(0 < low < high for high, low in pairwise(sizes)), "sizes")
        for place, stage in enumerate(stages):
            gamma, parts = Fraction(stage["gamma"]), stage["parts"]
            steps = [gamma, 1 - gamma, gamma] if place else [Fraction(1)]
            demand(0 < gamma < 1 if place else gamma == 0, "gamma")
            demand(len(parts) == len(steps) and stage["trials"] % stage["n"] == 0, "parts")
            errors = [part["errors"] for part in parts]
            demand(all(near >= far for near, far in pairwise(errors)), "order of parts")
            bound = gamma * bound - gamma
            for part, step in zip(parts, steps, strict=True):
                self.count(part["errors"], stage["trials"], part["mc_risk_upper"], "stage")
                self.maurer(
                    part["mc_risk_upper"], stage["kl_upper"], part["risk_upper"],
                    n=stage["n"], parts=len(stages) * len(steps), what="stage",
                )  # fmt: skip
                bound += step * Fraction(part["risk_upper"])
        last = stages[-1]
        demand(stages[0]["n"] == self.n and last["kl_upper"] == kl, "ends of the chain")
        data = self.document["data"]
        demand(stages[0]["indices_sha256"] == data["indices_sha256"], "examples of the chain")
        demand(last["posterior_sha256"] == self.document["posterior"]["sha256"], "last posterior")
        demand(Fraction(text) == min(Fraction(1), up_17(bound)), "claim is not that of the chain")

    def references(self) -> None:
        reference, split = self.document["reference"], self.document["prior"]["kind"]
        held, test = reference["holdout"], reference["test"]
        free = split not in {"split", "given"} or self.id == "test-set"
        demand(free or held is not None, "no hold-out")
        if held is not None:
            demand(held["errors"] <= held["n"] == self.n, "hold-out")
            delta = Fraction(self.document["claim"]["delta_total"])
            share = delta / math.prod(self.union.values())
            self.tail((held["errors"], self.n), held["risk_upper"], "hold-out", share=share)
        demand(test is None or 0 < test["trials"] >= test["errors"], "test")


def divergence(q: Fraction, p: Fraction) -> arb:
    """Return the binary kl for 0 < p < 1, in the form that survives p near q."""
    left, right = ball(q), ball(p)
    value = arb(0)
    if q > 0:
        value -= left * ((right - left) / left).log1p()
    if q < 1:
        value -= (1 - left) * ((left - right) / (1 - left)).log1p()
    return value


def refusal(data: bytes) -> str:
    """Return why a document is refused; an empty text if it is accepted."""
    try:
        Audit(read(data)).everything()
    except Refused as reason:
        return str(reason)
    return ""

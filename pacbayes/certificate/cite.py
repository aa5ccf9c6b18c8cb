"""How to cite what a certificate rests on: one entry per theorem that it uses, and where."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from pacbayes.certificate.document import Certificate
from pacbayes.errors import UsageError

Form = Literal["bibtex", "text", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One source and what a certificate takes from it.

    Attributes:
        key: BibTeX key.
        kind: BibTeX entry type.
        author: as in BibTeX.
        title: of the work.
        year: of publication.
        where: the remaining BibTeX fields.
        used_for: which number of the certificate rests on it.
    """

    key: str
    kind: Literal["article", "book", "inproceedings", "techreport", "misc"]
    author: str
    title: str
    year: int
    where: tuple[tuple[str, str], ...]
    used_for: str

    def to_bibtex(self) -> str:
        """Return the BibTeX entry, with its use as a comment before it."""
        fields = [("author", self.author), ("title", f"{{{self.title}}}"), *self.where]
        lines = [f"  {name} = {{{value}}}," for name, value in [*fields, ("year", str(self.year))]]
        return "\n".join([f"% {self.used_for}", f"@{self.kind}{{{self.key},", *lines, "}"]) + "\n"

    def to_text(self) -> str:
        """Return one line."""
        place = ", ".join(value for name, value in self.where if name != "eprinttype")
        names = self.author.replace(" and ", "; ")
        return f"{names} ({self.year}). {self.title}. {place}. [{self.used_for}]\n"

    def to_json(self) -> dict[str, Any]:
        """Return the fields."""
        return {
            "key": self.key,
            "author": self.author,
            "title": self.title,
            "year": self.year,
            "used_for": self.used_for,
            **dict(self.where),
        }


_MAURER: Final = Citation(
    key="maurer2004note",
    kind="misc",
    author="Maurer, Andreas",
    title="A Note on the {PAC} {B}ayesian Theorem",
    year=2004,
    where=(("eprinttype", "arXiv"), ("eprint", "cs/0411099")),
    used_for="the bound: PAC-Bayes-kl theorem, with its constant",
)
_LANGFORD_SEEGER: Final = Citation(
    key="langford2001bounds",
    kind="techreport",
    author="Langford, John and Seeger, Matthias",
    title="Bounds for Averaging Classifiers",
    year=2001,
    where=(("institution", "Carnegie Mellon University"), ("number", "CMU-CS-01-102")),
    used_for="the bound: the first PAC-Bayes theorem with the binary kl",
)
_GERMAIN: Final = Citation(
    key="germain2015risk",
    kind="article",
    author=(
        "Germain, Pascal and Lacasse, Alexandre and Laviolette, Fran{\\c{c}}ois "
        "and Marchand, Mario and Roy, Jean-Francis"
    ),
    title="Risk Bounds for the Majority Vote: From a {PAC}-{B}ayesian Analysis to a Learning "
    "Algorithm",
    year=2015,
    where=(
        ("journal", "Journal of Machine Learning Research"),
        ("volume", "16"),
        ("pages", "787--860"),
    ),
    used_for="the bound: the constant holds for every n",
)
_CLOPPER: Final = Citation(
    key="clopper1934use",
    kind="article",
    author="Clopper, C. J. and Pearson, E. S.",
    title="The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial",
    year=1934,
    where=(("journal", "Biometrika"), ("volume", "26"), ("number", "4"), ("pages", "404--413")),
    used_for="risk upper value: inversion of the binomial tail",
)
_HOEFFDING: Final = Citation(
    key="hoeffding1956distribution",
    kind="article",
    author="Hoeffding, Wassily",
    title="On the Distribution of the Number of Successes in Independent Trials",
    year=1956,
    where=(
        ("journal", "The Annals of Mathematical Statistics"),
        ("volume", "27"),
        ("number", "3"),
        ("pages", "713--721"),
    ),
    used_for="risk upper value: trials of unequal means are covered by the binomial tail",
)
_GREENBERG: Final = Citation(
    key="greenberg2014tight",
    kind="article",
    author="Greenberg, Spencer and Mohri, Mehryar",
    title="Tight Lower Bound on the Probability of a Binomial Exceeding its Expectation",
    year=2014,
    where=(
        ("journal", "Statistics \\& Probability Letters"),
        ("volume", "86"),
        ("pages", "91--98"),
    ),
    used_for="risk upper value: the inverted point is in the range of Hoeffding's theorem",
)
_LANGFORD: Final = Citation(
    key="langford2005tutorial",
    kind="article",
    author="Langford, John",
    title="Tutorial on Practical Prediction Theory for Classification",
    year=2005,
    where=(
        ("journal", "Journal of Machine Learning Research"),
        ("volume", "6"),
        ("pages", "273--306"),
    ),
    used_for="one network: the test set bound, and the bound for a network with a code",
)
_CATONI: Final = Citation(
    key="catoni2007pac",
    kind="book",
    author="Catoni, Olivier",
    title="{PAC}-{B}ayesian Supervised Classification: The Thermodynamics of Statistical Learning",
    year=2007,
    where=(
        ("publisher", "Institute of Mathematical Statistics"),
        ("series", "IMS Lecture Notes Monograph Series"),
        ("volume", "56"),
    ),
    used_for="the bound: without a constant that grows with n, at a rate fixed beforehand",
)
_RIVASPLATA: Final = Citation(
    key="rivasplata2020beyond",
    kind="inproceedings",
    author=(
        "Rivasplata, Omar and Kuzborskij, Ilja and Szepesv{\\'a}ri, Csaba and Shawe-Taylor, John"
    ),
    title="{PAC}-{B}ayes Analysis Beyond the Usual Bounds",
    year=2020,
    where=(("booktitle", "Advances in Neural Information Processing Systems 33"),),
    used_for="the bound: one network drawn from the posterior",
)
_RECURSIVE: Final = Citation(
    key="wu2024recursive",
    kind="inproceedings",
    author=(
        "Wu, Yi-Shan and Zhang, Yijie and Ch{\\'e}rief-Abdellatif, Badr-Eddine and Seldin, Yevgeny"
    ),
    title="Recursive {PAC}-{B}ayes: A Frequentist Approach to Sequential Prior Updates with No "
    "Information Loss",
    year=2024,
    where=(("booktitle", "Advances in Neural Information Processing Systems 37"),),
    used_for="the bound: a chain of posteriors, each the prior of the next",
)
_AMBROLADZE: Final = Citation(
    key="ambroladze2006tighter",
    kind="inproceedings",
    author="Ambroladze, Amiran and Parrado-Hern{\\'a}ndez, Emilio and Shawe-Taylor, John",
    title="Tighter {PAC}-{B}ayes Bounds",
    year=2006,
    where=(("booktitle", "Advances in Neural Information Processing Systems 19"),),
    used_for="prior: learned on a part of the data of its own",
)
_DZIUGAITE: Final = Citation(
    key="dziugaite2017computing",
    kind="inproceedings",
    author="Dziugaite, Gintare Karolina and Roy, Daniel M.",
    title="Computing Nonvacuous Generalization Bounds for Deep (Stochastic) Neural Networks with "
    "Many More Parameters than Training Data",
    year=2017,
    where=(("booktitle", "Uncertainty in Artificial Intelligence"),),
    used_for="posterior: Gaussian weights fitted to the bound, scales of the prior on a paid grid",
)
_FRANKLE: Final = Citation(
    key="frankle2019lottery",
    kind="inproceedings",
    author="Frankle, Jonathan and Carbin, Michael",
    title="The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks",
    year=2019,
    where=(("booktitle", "International Conference on Learning Representations"),),
    used_for="mask: sparse networks that train from their first weights",
)


_KL: Final = (_MAURER, _LANGFORD_SEEGER, _GERMAIN)
_THEOREMS: Final[dict[str, tuple[Citation, ...]]] = {
    "pb-kl-maurer": _KL,
    "catoni": (_CATONI,),
    "recursive": (_RECURSIVE, *_KL),
    "disintegrated": (_RIVASPLATA, _CATONI, _MAURER),
    "occam": (_LANGFORD,),
    "test-set": (_LANGFORD,),
}
_DRAWS: Final = (_CLOPPER, _HOEFFDING, _GREENBERG)


def citations(certificate: Certificate) -> tuple[Citation, ...]:
    """Return the sources that one certificate rests on."""
    document = certificate.document
    kind, bound = document["prior"]["kind"], document["bound"]["id"]
    theorem = _THEOREMS[bound]
    optional = (
        (_LANGFORD, document["reference"]["holdout"] is not None and _LANGFORD not in theorem),
        (_AMBROLADZE, kind == "split"),
        (_DZIUGAITE, bound not in ("occam", "test-set")),
        (_FRANKLE, certificate.sparsity > 0),
    )
    draws = _DRAWS if certificate.predictor == "gibbs" else ()
    return (*theorem, *draws, *(citation for citation, used in optional if used))


def cite(certificates: Iterable[Certificate], form: Form = "bibtex") -> str:
    """Return the sources of some certificates, each once, ending with a newline.

    Raises:
        UsageError: no certificate, or an unknown format.
    """
    found = {c.key: c for certificate in certificates for c in citations(certificate)}
    if not found:
        raise UsageError("cite needs at least one certificate")
    if form == "json":
        return json.dumps([c.to_json() for c in found.values()], indent=2, sort_keys=True) + "\n"
    if form not in ("bibtex", "text"):
        raise UsageError(f"unknown format {form!r}; known are bibtex, text, json")
    if form == "text":
        return "".join(c.to_text() for c in found.values())
    return "\n".join(c.to_bibtex() for c in found.values())

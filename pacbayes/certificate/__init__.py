"""The certificate: its document, its checker, and what is read from it. No torch."""

from pacbayes.certificate.alternatives import (
    CATONI_GRID,
    Alternative,
    alternatives,
    render_alternatives,
)
from pacbayes.certificate.announce import announce
from pacbayes.certificate.baseline import Baseline, read_baseline
from pacbayes.certificate.compare import Comparison, Row, compare, compare_certificates
from pacbayes.certificate.conditions import (
    TITLES,
    Condition,
    checked,
    declared,
    not_applicable,
    violated,
)
from pacbayes.certificate.document import Certificate, Claim, read_certificate
from pacbayes.certificate.estimate import Estimate
from pacbayes.certificate.explain import render_certificate
from pacbayes.certificate.facts import (
    Choice,
    DataFacts,
    DrawFacts,
    PosteriorFacts,
    PriorFacts,
    References,
    Seen,
    StageFacts,
    TensorFacts,
    ToolFacts,
)
from pacbayes.certificate.gate import Artifact, Limits, Report, check
from pacbayes.certificate.issue import evaluation_root, issue
from pacbayes.certificate.table import render
from pacbayes.certificate.tolerance import Tolerance
from pacbayes.certificate.verdict import Failure, Verdict
from pacbayes.certificate.verify import Verification, read_verified, verify

__all__ = [
    "CATONI_GRID",
    "TITLES",
    "Alternative",
    "Artifact",
    "Baseline",
    "Certificate",
    "Choice",
    "Claim",
    "Comparison",
    "Condition",
    "DataFacts",
    "DrawFacts",
    "Estimate",
    "Failure",
    "Limits",
    "PosteriorFacts",
    "PriorFacts",
    "References",
    "Report",
    "Row",
    "Seen",
    "StageFacts",
    "TensorFacts",
    "Tolerance",
    "ToolFacts",
    "Verdict",
    "Verification",
    "alternatives",
    "announce",
    "check",
    "checked",
    "compare",
    "compare_certificates",
    "declared",
    "evaluation_root",
    "issue",
    "not_applicable",
    "read_baseline",
    "read_certificate",
    "read_verified",
    "render",
    "render_alternatives",
    "render_certificate",
    "verify",
    "violated",
]

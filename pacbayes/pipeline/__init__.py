"""The arrows in order: from a checkpoint to its certificates."""

from pacbayes.pipeline.certify import Certified, certify, count_shard
from pacbayes.pipeline.find import FindRequest, find
from pacbayes.pipeline.request import CertifyRequest

__all__ = ["Certified", "CertifyRequest", "FindRequest", "certify", "count_shard", "find"]

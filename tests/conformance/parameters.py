"""Bad options: unknown, out of range, contradicting each other."""

from typing import Any

from tests.conformance.corpus import MODEL, Corpus, Site

CORPUS = Corpus("parameters")
add = CORPUS.add


def level(site: Site) -> Any:
    return site.good / "run" / "level_01"


def certify(name: str, match: str, *options: str, code: int = 2) -> None:
    add(f"certify: {name}", code, match, lambda s: s.certify(level(s), *options))


def find(name: str, match: str, *options: str, code: int = 2) -> None:
    add(f"find: {name}", code, match, lambda s: s.find(*options))


def bound(name: str, match: str, *options: str, code: int = 2) -> None:
    add(f"bound: {name}", code, match, lambda s: ["bound", *options])


add("no such command", 2, "No such command", lambda s: ["certifi"])
add("an unknown option", 2, "No such option", lambda s: ["verify", "--trust"])
add(
    "an unknown format", 2, "not one of|Invalid value", lambda s: ["verify", "x", "--format", "xml"]
)
add("certify without a path", 2, "Missing", lambda s: ["certify"])
add("certify without --out", 2, "--out", lambda s: ["certify", level(s), *s.network])
add(
    "certify without --model",
    2,
    "--model",
    lambda s: ["certify", level(s), "--out", s.folder / "o"],
)
add("verify without files", 2, "at least one", lambda s: ["verify"])
add("compare without files", 2, "at least one", lambda s: ["compare"])
add("overlap without tickets", 2, "Missing", lambda s: ["overlap"])
add("convert without OUT", 2, "Missing", lambda s: ["convert", s.good / "model.pt"])

for text in ("0", "1", "2", "-0.1", "nan", "inf", "5%", "x", "", "1e-400000000", "1/0"):
    certify(f"delta {text!r}", "delta", "--delta", text)
certify("no draws", "--draws", "--draws", "0")
certify("half a draw", "--draws", "--draws", "0.5")
certify("negative draws", "--draws", "--draws", "-3")
certify("no priors tried", "--priors-tried", "--priors-tried", "0")
certify("two splits", "not both", "--split", "0.5", "--split-file", "x")
certify("a split of 1", "--split", "--split", "1")
certify("a split of NaN", "--split", "--split", "nan")
certify("all data and a split prior", "--all-data", "--all-data", "--prior", "split")
certify("an unknown prior", "Invalid value|not one of", "--prior", "best")
certify("an unknown objective", "Invalid value|not one of", "--objective", "train")
certify("a declaration without text", "--declare", "--declare", "V9")
certify("an unknown condition", "V99", "--declare", "V99=trust me")
certify("a condition twice", "--declare", "--declare", "V8=a", "--declare", "V8=b")
certify("negative epochs", "epochs", "--epochs", "-1")
certify("a rate of NaN", "lr|rate", "--lr", "nan")
certify("a negative rate", "lr|rate", "--lr", "-1")
certify("an empty batch", "batch", "--batch-size", "0")
certify("arguments for a built-in network", "takes no arguments", "--model-args", "a=1")
certify("an argument without value", "--model-args", "--model-args", "a")
certify("constants that are no numbers", "--normalize", "--normalize", "a,b")
certify("a deviation of zero", "--normalize", "--normalize", "0,0")
add("certify: trained on the prior part, no lists", 4, "V1.*--split-file",
    lambda s: s.certify(s.good / "model.pt", "--trained-on", "prior-part"))  # fmt: skip
add("certify: a split prior from all data", 4, "V1",
    lambda s: s.certify(s.good / "model.pt", "--prior", "split"))  # fmt: skip
add("certify: --dense without a twin", 2, "--dense",
    lambda s: s.certify(s.good / "model.pt", "--prior", "zero", "--dense"))  # fmt: skip

find("negative levels", "levels", "--levels", "-1")
find("a fraction of 1", "fraction", "--fraction", "1")
find("a fraction of 0", "fraction", "--fraction", "0")
find("a fraction of NaN", "fraction", "--fraction", "nan")
find("a density above 1", "densit", "--density", "1.5")
find("rising densities", "densit", "--density", "0.1", "--density", "0.5")
find("negative epochs", "epochs", "--epochs", "-1")
find("a rate of NaN", "lr|rate", "--lr", "nan")
find("a momentum of 2", "momentum", "--momentum", "2")
find("an empty batch", "batch", "--batch-size", "0")
find("a split of 2", "share|--split|split", "--split", "2")
find("a split that leaves nothing", "empty|share", "--split", "0.999")
find("an unknown rewind", "rewind", "--rewind", "sometimes")
find("an unknown method", "Invalid value|not one of", "--method", "magic")
find("an unknown score", "Invalid value|not one of", "--score", "magic")
find("milestones that are no numbers", "--milestones", "--milestones", "a,b")
find("label noise of 2", "noise", "--label-noise", "2")
find("label noise that is no number", "noise", "--label-noise", "some")
find("a seed that is no integer", "--seed", "--seed", "1.5")
find("a protected tensor that is not there", "fc9", "--protect", "fc9.weight")

COUNTS = ("--errors", "1", "--trials", "10", "--n", "10")
bound("no counts", "give --errors", "--n", "10")
bound("trials without errors", "give --errors", "--n", "10", "--trials", "3")
bound("risk and errors", "give --errors", *COUNTS, "--risk", "0.1")
bound("more errors than trials", "errors", "--errors", "11", "--trials", "10", "--n", "10")
bound("negative errors", "errors", "--errors", "-1", "--trials", "10", "--n", "10")
bound("no examples", "n must|n ", "--errors", "0", "--trials", "10", "--n", "0")
bound("a negative kl", "kl", *COUNTS, "--kl", "-1")
bound("an infinite kl", "--kl", *COUNTS, "--kl", "inf")
bound("a kl of NaN", "--kl", *COUNTS, "--kl", "nan")
bound("a delta of 1", "delta", *COUNTS, "--delta", "1")
bound("a risk above 1", "risk", "--risk", "1.5", "--n", "10")
bound("a risk in percent", "--risk", "--risk", "3%", "--n", "10")
bound("an unknown theorem", "Invalid value|not one of", *COUNTS, "--bound", "best")
bound("a test set without errors", "--errors", "--bound", "test-set", "--n", "10")
bound("n that is no integer", "--n", "--errors", "1", "--trials", "10", "--n", "1e3")

add("another request in the folder", 2, "--force", lambda s: [
    "certify", level(s), *s.network, "--epochs", "2", "--out", s.good / "out"])  # fmt: skip
add("tickets of another request", 2, "--force", lambda s: [
    "find", *s.network, "--levels", "1", "--epochs", "2", "--out", s.good / "run"])  # fmt: skip
add("an output that is a file", 74, "can't be written", lambda s: [
    "certify", level(s), *s.network, "--out", s.write("out", b"x")])  # fmt: skip
add("an output below a file", 74, "can't be written", lambda s: [
    "find", *s.network, "--out", s.write("out", b"x") / "below"])  # fmt: skip
add("unknown data", 2, "names no data", lambda s: [
    "find", "--model", MODEL, "--data", "imagenet", "--out", s.folder / "o"])  # fmt: skip
add("synthetic data with a wrong key", 2, "synthetic|unknown|accepted", lambda s: [
    "find", "--model", MODEL, "--data", "synthetic:m=3", "--out", s.folder / "o"])  # fmt: skip
add("an unknown network", 2, "names no network", lambda s: s.find(network=[
    "--model", "resnet", "--data", s.network[3]]))  # fmt: skip
add("a network without sizes", 2, "expected mlp", lambda s: s.find(network=[
    "--model", "mlp:", "--data", s.network[3]]))  # fmt: skip
add("a network of other sizes", 2, "the data have 4", lambda s: s.find(network=[
    "--model", "mlp:5-2", "--data", s.network[3]]))  # fmt: skip
certify("negative prior epochs", "--prior-epochs", "--prior-epochs", "-1")

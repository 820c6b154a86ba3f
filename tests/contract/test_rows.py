"""The lists by which `make contract` and `make mutate` go say what is there."""
import pytest
import rows
from mutate import mutated, mutations
from places import ROOT


@pytest.mark.parametrize("mutation", mutations(), ids=lambda one: one["row"])
def test_every_mutation_finds_its_place(mutation):
    assert mutation["row"] in rows.ROWS and mutation["row"] not in rows.WAITING
    text = (ROOT / mutation["file"]).read_text()
    assert mutated(mutation, text) != text


def test_thirty_rows_are_broken():
    assert len({mutation["row"] for mutation in mutations()}) >= 30

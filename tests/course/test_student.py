"""The numbers that each student gets: all variants are used, and spelling does not matter."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from utils.student import VARIANTS, variant_of


def test_the_twelve_variants_differ_and_each_is_given_to_some_student():
    assert len(set(VARIANTS)) == len(VARIANTS) == 12
    assert {variant_of(f"student{number}") for number in range(200)} == set(VARIANTS)


@st.composite
def spellings(draw):
    """Draw a name, and another way to write it: order, case, accents and separators."""
    # The capital of the Turkish dotless i is also that of another letter, i.
    letters = st.characters(categories=["L"], exclude_characters="\N{LATIN SMALL LETTER DOTLESS I}")
    parts = draw(st.lists(st.text(letters, min_size=1, max_size=8), min_size=1, max_size=4))
    cases = st.sampled_from([str, str.lower, str.upper, str.title])
    accents = st.text("\N{COMBINING ACUTE ACCENT}\N{COMBINING CARON}", max_size=2)
    others = [draw(cases)(part) + draw(accents) for part in draw(st.permutations(parts))]
    separator = draw(st.sampled_from([" ", "  ", "-", "_", ", ", "\t"]))
    form = draw(st.sampled_from(["NFC", "NFD"]))
    return " ".join(parts), unicodedata.normalize(form, separator.join(others))


@given(spellings())
@example(("Anna Nováková", " Novakova  Anna"))
@example(("Anna Nováková", "Anna_Nováková"))
@example(("Anna Nováková", "nováková anna"))
@example(("Anna Nováková", "anna-novakova"))
@example(("Jörg Weiß", "WEISS, JÖRG"))
@settings(deadline=None)
def test_a_name_written_in_another_way_gives_the_same_numbers(names):
    name, written_in_another_way = names
    assert variant_of(written_in_another_way) == variant_of(name)


@pytest.mark.parametrize("name", ["", " ", "_", "--"])
def test_an_empty_name_is_refused(name):
    with pytest.raises(ValueError, match="The name of the student is empty"):
        variant_of(name)

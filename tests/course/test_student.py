"""The numbers that each student gets: all variants are used, and spelling does not matter."""

import pytest

from utils.student import VARIANTS, variant_of


def test_the_twelve_variants_differ_and_each_is_given_to_some_student():
    assert len(set(VARIANTS)) == len(VARIANTS) == 12
    assert {variant_of(f"student{number}") for number in range(200)} == set(VARIANTS)


@pytest.mark.parametrize(
    "name", ["nováková anna", " Novakova  Anna", "anna-novakova", "Anna_Nováková"]
)
def test_a_name_written_in_another_way_gives_the_same_numbers(name):
    assert variant_of(name) == variant_of("Anna Nováková")


@pytest.mark.parametrize("name", ["", " ", "_", "--"])
def test_an_empty_name_is_refused(name):
    with pytest.raises(ValueError, match="The name of the student is empty"):
        variant_of(name)

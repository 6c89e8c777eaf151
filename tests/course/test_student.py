"""The numbers that each student gets."""

import pytest

from utils.student import VARIANTS, variant_of


def test_students_have_numbers_of_their_own():
    found = {variant_of(f"student{number}") for number in range(200)}
    assert found == set(VARIANTS)
    with pytest.raises(ValueError, match="empty"):
        variant_of(" ")


@pytest.mark.parametrize(
    "name", ["nováková anna", " Novakova  Anna", "anna-novakova", "Anna_Nováková"]
)
def test_another_spelling_of_a_name_gives_the_same_numbers(name):
    assert variant_of(name) == variant_of("Anna Nováková")

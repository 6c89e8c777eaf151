"""Generated blocks: a command replaces what stands between two comments, and nothing else."""

import pytest

from generated import MarkerError, block, write_block

PAGE = """# Speed

<!-- benchmark, by make bench -->
| old |
<!-- end of benchmark -->

By hand.

<!-- badges, by make publish -->
<!-- end of badges -->
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "speed.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_a_block_is_replaced_and_the_rest_stays(page):
    write_block(page, "benchmark", "| new |\n| 96×96 \\1 |")
    assert block(page, "benchmark") == "| new |\n| 96×96 \\1 |"
    assert page.read_text("utf-8") == PAGE.replace("| old |", "| new |\n| 96×96 \\1 |")


def test_an_empty_block_is_filled_and_can_be_replaced_again(page):
    assert block(page, "badges") == ""
    for text in ("one", "two\nlines"):
        write_block(page, "badges", text)
        assert block(page, "badges") == text


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("<!-- benchmark, by make bench -->\n", ""),
        ("<!-- end of benchmark -->\n", ""),
        ("By hand.", "<!-- benchmark, by make bench -->\n<!-- end of benchmark -->"),
    ],
    ids=["no beginning", "no end", "twice"],
)
def test_a_page_without_the_markers_is_left_alone_and_named(page, was, becomes):
    damaged = PAGE.replace(was, becomes)
    page.write_text(damaged, encoding="utf-8")
    with pytest.raises(MarkerError, match=r"speed\.md must hold .* <!-- end of benchmark -->"):
        write_block(page, "benchmark", "| new |")
    assert page.read_text("utf-8") == damaged

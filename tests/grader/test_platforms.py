"""Grades as Moodle and Canvas import them, read as their importers read them."""

import csv

from grader import platforms
from grader.platforms import Grade

GRADES = [Grade("Nováková, Anna", "12345", 17.0, 20.0), Grade("%3DSUM(1)", "7", 0.0, 20.0)]


def written(folder, grades, assignment="ps1"):
    """The rows of each table, by platform."""
    found = {}
    for path in platforms.write(folder, assignment, grades):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem.removeprefix(f"{assignment}-")] = list(csv.reader(file))
    return found


def test_moodle_finds_the_columns_of_its_worksheet_and_the_participant(tmp_path):
    """mod/assign/feedback/offline/importgradeslib.php: three names, and what follows the word."""
    head, *rows = written(tmp_path, {"moodle": GRADES})["moodle"]
    places = [head.index(name) for name in ("Identifier", "Grade", "Last modified (grade)")]
    found = [[row[place] for place in places] for row in rows]
    assert [identifier[len("Participant ") :] for identifier, *_ in found] == ["12345", "7"]
    assert [float(score) for _, score, _ in found] == [17, 0]


def test_canvas_finds_its_columns_the_points_and_the_students(tmp_path):
    """lib/gradebook_importer.rb: columns by place up to the section, then assignments by name."""
    head, points, *rows = written(tmp_path, {"canvas": GRADES})["canvas"]
    assert "Student" in head[0]
    assert head[1:5] == ["ID", "SIS User ID", "SIS Login ID", "Section"]
    assert head[5:] == ["ps1"]
    assert "Points Possible" in points[0]
    assert float(points[5]) == 20
    assert [(row[1], float(row[5])) for row in rows] == [("12345", 17), ("7", 0)]
    assert {len(row) for row in (head, points, *rows)} == {6}


def test_a_table_is_written_only_for_platforms_with_grades(tmp_path):
    assert written(tmp_path, {"canvas": GRADES, "": GRADES}).keys() == {"canvas"}
    assert written(tmp_path, {"moodle": GRADES}).keys() == {"moodle"}
    assert [path.name for path in tmp_path.iterdir()] == ["ps1-moodle.csv"]

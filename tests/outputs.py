"""What the outputs of an executed notebook say, for the tests."""

from notebooks import code_cells, tags


def texts(output):
    """Return everything an output says in words; pictures are left out."""
    said = [output.get("text", ""), *output.get("traceback", [])]
    return said + [text for kind, text in output.get("data", {}).items() if "image" not in kind]


def complaints(notebook):
    """Return what a run wrote to stderr, and the errors that no tag announces."""
    found = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.get("name") == "stderr":
                found.append(output.text)
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                found.append(output.evalue)
    return found

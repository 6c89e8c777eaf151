"""Write build/colab/*.ipynb: the notebooks packed to work alone, for Colab.

Upload one to Colab or send it to somebody. Each carries the toolbox; outputs are left out.
"""

from __future__ import annotations

import colab
import first_cell
from notebooks import ROOT, notebook_paths, save
from utils.setup import remedies

OUTPUT = ROOT / "build" / "colab"


def main() -> None:
    source, address = first_cell.alone(), colab.published_address()
    for path in notebook_paths():
        packed = OUTPUT / path.name
        save(colab.pack(path, source, address), packed)
        print(f"{packed.relative_to(ROOT)}  {packed.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    with remedies.explained():
        main()

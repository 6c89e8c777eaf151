"""Write build/colab/*.ipynb: the notebooks packed to work alone, for Colab; the Chinese to zh/.

Upload one to Colab or send it to somebody. Each carries the toolbox and fetches the data. With
--offline it carries a sample of the data too, for use without a network. Outputs are left out.
"""

from __future__ import annotations

import argparse

import colab
import editions
import first_cell
import published
from notebooks import NOTEBOOKS, ROOT, notebook_paths, save
from utils.setup import remedies

CHINESE = ROOT / editions.FILES["zh"]["notebooks"]
OUTPUT = ROOT / "build" / "colab"


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack the notebooks to work alone.")
    parser.add_argument("--offline", action="store_true", help="add a sample of the data")
    offline = parser.parse_args().offline
    source, address = first_cell.alone(offline), published.address()
    for folder, output in ((NOTEBOOKS, OUTPUT), (CHINESE, OUTPUT / "zh")):
        for path in notebook_paths(folder):
            packed = output / path.name
            save(colab.pack(path, source, address), packed)
            print(f"{packed.relative_to(ROOT)}  {packed.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    with remedies.explained():
        main()
